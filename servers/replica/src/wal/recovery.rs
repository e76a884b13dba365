//! Opening the log: reading what survived, cutting off what was torn.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::frame::{FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES, payload, records, segment_header};

/// For how long a process that is just dying may still hold the directory.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// A log that has been opened.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Every record that survived, in order.
    pub(crate) records: Vec<Vec<u8>>,
    /// How many bytes of a torn write were cut off.
    pub(crate) torn_bytes: u64,
    /// The segment to append to, at its end.
    pub(super) file: File,
    /// Its length in bytes, and that of all segments together.
    pub(super) bytes: u64,
    /// Held as long as the log is open.
    pub(super) lock: File,
}

/// Opens the log in this directory, and makes it if there is none.
pub(crate) fn open(directory: &Path) -> anyhow::Result<Opened> {
    let made = missing_ancestors(directory);
    fs::create_dir_all(directory).with_context(|| format!("failed to make {}", directory.display()))?;
    for made in made {
        sync_directory(&made)?;
    }
    let lock = lock(&directory.join("lock"))?;
    let mut segments = segments(directory)?;
    let last = match segments.pop() {
        Some(last) => last,
        None => directory.join(format!("{:016}.wal", 1)),
    };

    let mut recovered = Vec::new();
    let mut bytes = 0;
    for path in &segments {
        let content = fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
        let scan = scan(path, &content)?;
        ensure!(
            scan.good_bytes == content.len(),
            "{} is damaged at offset {}, and later segments exist: refusing to start without what it held",
            path.display(),
            scan.good_bytes
        );
        recovered.extend(scan.records);
        bytes += content.len() as u64;
    }

    let (file, scan, torn_bytes) = open_last(&last)?;
    sync_directory(directory)?;
    bytes += scan.good_bytes as u64;
    recovered.extend(scan.records);
    Ok(Opened {
        records: recovered,
        torn_bytes,
        file,
        bytes,
        lock,
    })
}

/// Opens the segment that is appended to, cuts off a torn end, and makes it if it is not there.
fn open_last(path: &Path) -> anyhow::Result<(File, Scan, u64)> {
    let context = || format!("failed to open {}", path.display());
    let content = match fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).with_context(context),
    };
    let number = segment_number(path).unwrap_or(1);
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .with_context(context)?;
    // A header that is not whole was torn when the segment was made: nothing followed it.
    let header = segment_header(number);
    let torn_header = content.len() < SEGMENT_HEADER_BYTES && header.starts_with(&content);
    let (scan, torn_bytes) = if torn_header {
        file.set_len(0).with_context(context)?;
        file.write_all(&header).with_context(context)?;
        (
            Scan {
                records: Vec::new(),
                good_bytes: SEGMENT_HEADER_BYTES,
            },
            content.len(),
        )
    } else {
        let scan = scan(path, &content)?;
        let torn = content.len() - scan.good_bytes;
        if torn > 0 {
            file.set_len(scan.good_bytes as u64).with_context(context)?;
        }
        (scan, torn)
    };
    rewrite_end(path, &content[..scan.good_bytes.min(content.len())]).with_context(context)?;
    file.sync_all().with_context(context)?;
    Ok((file, scan, torn_bytes as u64))
}

/// How much of the end is written again: more than any group commit holds.
const REWRITTEN_BYTES: usize = 4 << 20;

/// Writes the end once more, as it was read. If the fsync of the last life failed, its pages may be marked clean
/// though they never reached the disk; then no later fsync would write them ("Can Applications Recover from fsync
/// Failures?", Rebello et al., 2020).
fn rewrite_end(path: &Path, good: &[u8]) -> io::Result<()> {
    let from = good.len().saturating_sub(REWRITTEN_BYTES);
    let file = OpenOptions::new().write(true).open(path)?;
    file.write_all_at(&good[from..], from as u64)
}

/// The directory and those above it that are not there yet.
fn missing_ancestors(directory: &Path) -> Vec<PathBuf> {
    let missing = directory
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists());
    missing.map(Path::to_owned).collect()
}

/// What a segment holds.
#[derive(Debug)]
struct Scan {
    records: Vec<Vec<u8>>,
    /// Up to where it is good.
    good_bytes: usize,
}

/// Reads a segment up to its end or to a torn frame; damage before a good frame is an error.
fn scan(path: &Path, content: &[u8]) -> anyhow::Result<Scan> {
    let number = segment_number(path).unwrap_or(1);
    ensure!(
        content.starts_with(&segment_header(number)),
        "{} is no log of this version: its header is not that of segment {number}",
        path.display()
    );
    let mut scan = Scan {
        records: Vec::new(),
        good_bytes: SEGMENT_HEADER_BYTES,
    };
    while let Some(payload) = payload(&content[scan.good_bytes..]) {
        let Some(records) = records(payload) else {
            bail!(
                "{}: the frame at offset {} is malformed",
                path.display(),
                scan.good_bytes
            );
        };
        scan.records.extend(records);
        scan.good_bytes += FRAME_HEADER_BYTES + payload.len();
    }
    // The damaged frame's own length can not be trusted: look for a good one at every place after it.
    let rest = &content[scan.good_bytes..];
    if let Some(distance) = (1..rest.len()).find(|&start| payload(&rest[start..]).is_some()) {
        bail!(
            "{}: the log is damaged at offset {}, and good again at offset {}: what it held was durable, and the node \
             will not start as one that has forgotten it; restore the file, or replace the node by a new member",
            path.display(),
            scan.good_bytes,
            scan.good_bytes + distance
        );
    }
    Ok(scan)
}

/// The segments, in order.
fn segments(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let context = || format!("failed to list {}", directory.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if segment_number(&path).is_some() {
            paths.push(path);
        }
    }
    paths.sort_unstable_by_key(|path| segment_number(path));
    Ok(paths)
}

fn segment_number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".wal")?.parse().ok()
}

/// Two processes that append to one log would each undo what the other promised.
fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::create(path).with_context(|| format!("failed to open {}", path.display()))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => bail!("another process has {}", path.display()),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("failed to lock {}", path.display()));
            }
        }
    }
}

/// Makes the names in the directory durable, and its own name in its parent.
fn sync_directory(directory: &Path) -> anyhow::Result<()> {
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    for directory in [Some(directory), parent].into_iter().flatten() {
        let synced = File::open(directory).and_then(|file| file.sync_all());
        synced.with_context(|| format!("failed to sync {}", directory.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::frame::FrameBuilder;
    use super::*;

    /// A segment of three frames: of one record, of two, and of one; and where each frame begins.
    fn three_frames() -> (Vec<u8>, Vec<usize>) {
        let mut content = segment_header(1).to_vec();
        let mut starts = Vec::new();
        for frame in [&["one"][..], &["two", ""], &["a longer third"]] {
            let mut builder = FrameBuilder::default();
            frame.iter().for_each(|record| builder.push(record.as_bytes()));
            starts.push(content.len());
            content.extend(builder.finish());
        }
        (content, starts)
    }

    fn open_with(content: &[u8]) -> (anyhow::Result<Opened>, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join(format!("{:016}.wal", 1)), content).expect("a written segment");
        (open(directory.path()), directory)
    }

    #[test]
    fn a_log_torn_at_any_byte_keeps_its_whole_frames_and_goes_on() {
        let (content, starts) = three_frames();
        let ends: Vec<_> = starts[1..].iter().copied().chain([content.len()]).collect();
        for length in 0..=content.len() {
            let (opened, directory) = open_with(&content[..length]);
            let mut opened = opened.expect("a torn log opens");
            let whole = ends.iter().filter(|&&end| end <= length).count();
            assert_eq!(opened.records.len(), [0, 1, 3, 4][whole], "cut to {length} bytes");
            let good = if whole == 0 {
                SEGMENT_HEADER_BYTES
            } else {
                ends[whole - 1]
            };
            assert_eq!(opened.bytes, good as u64, "cut to {length} bytes");

            let mut builder = FrameBuilder::default();
            builder.push(b"after");
            opened
                .file
                .write_all(&builder.finish())
                .expect("an appended frame");
            drop(opened);
            let again = open(directory.path()).expect("the log opens again");
            assert_eq!(
                again.records.len(),
                [0, 1, 3, 4][whole] + 1,
                "cut to {length} bytes"
            );
            assert_eq!(
                (again.records.last().map(Vec::as_slice), again.torn_bytes),
                (Some(&b"after"[..]), 0)
            );
        }
    }

    #[test]
    fn damage_before_a_good_frame_is_refused_with_file_and_offset() {
        let (content, starts) = three_frames();
        for at in starts[0]..content.len() {
            let mut damaged = content.clone();
            damaged[at] ^= 0x10;
            let (opened, _directory) = open_with(&damaged);
            let frame = starts.iter().rposition(|&start| start <= at).expect("a frame");
            if frame == 2 {
                let opened = opened.expect("damage at the end is taken for a torn write");
                assert_eq!(opened.records.len(), 3, "byte {at}");
            } else {
                let message = format!("{:#}", opened.expect_err("damage in the middle"));
                assert!(
                    message.contains(&format!("damaged at offset {}", starts[frame])),
                    "{message}"
                );
                assert!(message.contains("0000000000000001.wal"), "{message}");
            }
        }
    }

    #[test]
    fn a_file_of_zeros_after_the_log_is_torn_and_another_file_is_no_log() {
        let (mut content, _) = three_frames();
        content.extend([0; 100]);
        let (opened, _directory) = open_with(&content);
        assert_eq!(opened.expect("a log with a tail of zeros").torn_bytes, 100);
        let (opened, _directory) = open_with(b"something else entirely");
        assert!(format!("{:#}", opened.expect_err("no log")).contains("no log of this version"));
    }

    #[test]
    fn one_process_at_a_time() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let first = open(directory.path()).expect("the log opens");
        let error = open(directory.path()).expect_err("the log is in use");
        assert!(format!("{error:#}").contains("another process"), "{error:#}");
        drop(first);
        open(directory.path()).expect("the log is free again");
    }
}
