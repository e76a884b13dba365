//! Every state that a crash can leave, and damage that none can.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use partita_protocols::{RecordSource as _, WriteId};
use tempfile::TempDir;

use super::directory::{segment_path, snapshot_path, temporary};
use super::frame::FrameBuilder;
use super::recovery::Opened;
use super::segment::HEADER_BYTES;
use super::{Wal, WalEvent, Write};

/// Small, so that the tests are quick, and yet more than what they write.
const RESERVED: u64 = 64 << 10;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// A log that was opened, and what it held.
#[derive(Debug)]
struct Reopened {
    log: Opened,
    snapshot: Option<Vec<u8>>,
    records: Vec<Vec<u8>>,
}

fn open(directory: &Path, segment_bytes: u64) -> anyhow::Result<Reopened> {
    let mut opening = super::open(directory, segment_bytes)?;
    let mut records = Vec::new();
    while let Some(record) = (&mut opening.records).next_record() {
        records.push(record.to_vec());
    }
    let snapshot = opening.snapshot.clone();
    let log = opening.finish()?;
    Ok(Reopened {
        log,
        snapshot,
        records,
    })
}

fn reopen(directory: &Path) -> anyhow::Result<Reopened> {
    open(directory, RESERVED)
}

fn record(write: u64, content: &str) -> Write {
    Write::Record {
        write: WriteId(write),
        record: content.as_bytes().to_vec(),
    }
}

/// A log that is running.
struct Running {
    wal: Wal,
    events: Receiver<WalEvent>,
}

impl Running {
    fn start(opened: Reopened) -> Running {
        let (report, events) = channel();
        let wal = Wal::start(opened.log, false, move |event| report.send(event).is_ok()).expect("a thread");
        Running { wal, events }
    }

    /// Has it written, and waits until it is durable.
    fn write(&self, writes: Vec<Write>) {
        let wanted = match writes.last().expect("something to write") {
            Write::Record { write, .. } | Write::Compact { write, .. } => *write,
        };
        self.wal.append(writes);
        loop {
            match self.events.recv().expect("an event") {
                WalEvent::Persisted(write) if write == wanted => return,
                WalEvent::Persisted(_) => {}
                WalEvent::Failed(error) => panic!("the log failed: {error}"),
            }
        }
    }

    /// Ends the thread, and waits for its end.
    fn stop(self) {
        drop(self.wal);
        assert!(self.events.recv().is_err(), "nothing more is reported");
    }
}

/// What recovery gives, as text: the snapshot, if any, and the records.
fn contents(opened: &Reopened) -> (Option<String>, Vec<String>) {
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).expect("text");
    (
        opened.snapshot.as_ref().map(text),
        opened.records.iter().map(text).collect(),
    )
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// Three frames, of one record, of two, and of one; with where each begins, and where the last ends.
fn three_frames(directory: &Path) -> (Vec<u8>, [usize; 4]) {
    let opened = reopen(directory).expect("a new log");
    let mut end = opened.log.segment.bytes() as usize;
    let running = Running::start(opened);
    let mut ends = vec![end];
    for frame in [&["one"][..], &["two", ""], &["a longer third"]] {
        running.write(frame.iter().map(|text| record(1, text)).collect());
        end = running.wal.counters().log_bytes as usize;
        ends.push(end);
    }
    running.stop();
    let content = fs::read(segment_path(directory, 1)).expect("the segment");
    (content, ends.try_into().expect("four"))
}

#[test]
fn a_log_torn_at_any_byte_keeps_its_whole_frames_and_goes_on() {
    let directory = directory();
    let (content, ends) = three_frames(directory.path());
    assert_eq!(
        content.len() as u64,
        RESERVED,
        "the segment has its blocks from the start"
    );
    let path = segment_path(directory.path(), 1);
    // Cut off, or followed by the zeros that were there before.
    for zeros in [0, 5000] {
        for length in ends[0]..=ends[3] {
            let mut torn = content[..length].to_vec();
            torn.resize(length + zeros, 0);
            fs::write(&path, &torn).expect("a torn segment");
            let opened = reopen(directory.path()).expect("a torn log opens");
            // A frame that ends with zeros may be whole without having been written to its end.
            let is_whole = |end: &&usize| torn.get(..**end) == Some(&content[..**end]);
            let whole = ends[1..].iter().filter(is_whole).count();
            let expected = &["one", "two", "", "a longer third"][..[0, 1, 3, 4][whole]];
            assert_eq!(
                contents(&opened),
                (None, strings(expected)),
                "cut to {length} bytes"
            );
            let running = Running::start(opened);
            running.write(vec![record(1, "after")]);
            running.stop();
            let again = reopen(directory.path()).expect("the log opens again");
            assert_eq!(again.log.torn_bytes, 0);
            let expected = [expected, &["after"]].concat();
            assert_eq!(
                contents(&again),
                (None, strings(&expected)),
                "cut to {length} bytes"
            );
        }
    }
}

#[test]
fn damage_before_a_good_frame_is_refused_with_file_and_offset() {
    let directory = directory();
    let (content, ends) = three_frames(directory.path());
    for at in 0..ends[3] {
        let mut damaged = content.clone();
        damaged[at] ^= 0x10;
        fs::write(segment_path(directory.path(), 1), damaged).expect("a damaged segment");
        let opened = reopen(directory.path());
        if at >= ends[2] {
            let opened = opened.expect("damage at the end is taken for a torn write");
            assert_eq!(opened.records.len(), 3, "byte {at}");
            continue;
        }
        let message = format!("{:#}", opened.expect_err("damage in the middle"));
        assert!(message.contains("0000000000000001.wal"), "{message}");
        let expected = if at >= ends[0] {
            let frame = ends.iter().rfind(|&&end| end <= at).expect("a frame");
            format!("damaged at offset {frame}")
        } else if at >= HEADER_BYTES {
            format!("damaged at offset {HEADER_BYTES}")
        } else if at == 7 {
            "another version".to_owned()
        } else {
            "no segment of a log".to_owned()
        };
        assert!(message.contains(&expected), "byte {at}: {message}");
        assert!(
            message.contains("replace") || message.contains("remove"),
            "{message}"
        );
    }
}

#[test]
fn a_record_that_looks_like_a_frame_is_not_taken_for_one() {
    let directory = directory();
    three_frames(directory.path());
    // As one frame that a client can make, who does not know the salt.
    let mut forged = FrameBuilder::default();
    forged.push(b"forged");
    let forged = forged.finish(0, 9);
    let running = Running::start(reopen(directory.path()).expect("the log"));
    let start = running.wal.counters().log_bytes as usize;
    running.write(vec![Write::Record {
        write: WriteId(1),
        record: forged,
    }]);
    running.stop();
    let path = segment_path(directory.path(), 1);
    let mut content = fs::read(&path).expect("the segment");
    content[start] ^= 1;
    fs::write(&path, content).expect("a torn segment");
    assert_eq!(reopen(directory.path()).expect("a torn log").records.len(), 4);
}

#[test]
fn other_versions_are_refused_clearly() {
    let directory = directory();
    fs::write(segment_path(directory.path(), 1), b"PARTITA\x01and so on").expect("an old log");
    let message = format!("{:#}", reopen(directory.path()).expect_err("an old log"));
    assert!(message.contains("another version"), "{message}");
}

#[test]
fn a_segment_cut_in_its_header_is_refused_clearly() {
    // Found by fuzzing: of seven bytes, the magic is all there, and the version is not.
    for length in 0..HEADER_BYTES {
        let directory = directory();
        three_frames(directory.path());
        let path = segment_path(directory.path(), 1);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..length]).unwrap();
        let refused = reopen(directory.path()).err().map(|error| format!("{error:#}"));
        let refused = refused.unwrap_or_else(|| panic!("{length} bytes are taken for a log"));
        assert!(
            refused.contains("is no segment of a log"),
            "{length} bytes: {refused}"
        );
    }
}

#[test]
fn one_process_at_a_time() {
    let directory = directory();
    let first = reopen(directory.path()).expect("the log opens");
    let error = reopen(directory.path()).expect_err("the log is in use");
    assert!(format!("{error:#}").contains("another process"), "{error:#}");
    drop(first);
    reopen(directory.path()).expect("the log is free again");
}

#[test]
fn a_long_log_has_many_segments_and_none_may_be_missing_or_damaged() {
    let directory = directory();
    let running = Running::start(open(directory.path(), 1000).expect("a new log"));
    let all: Vec<String> = (0..40).map(|number| format!("{number:0100}")).collect();
    for text in &all {
        running.write(vec![record(1, text)]);
    }
    running.stop();
    let opened = reopen(directory.path()).expect("the log");
    assert_eq!(contents(&opened), (None, all));
    assert_eq!(opened.log.segment.number(), 5);
    assert!(opened.log.earlier_bytes > 3000);
    drop(opened);

    let third = segment_path(directory.path(), 3);
    let content = fs::read(&third).expect("a segment");
    for (damage, expected) in [
        (content[..content.len() - 1].to_vec(), "later segments exist"),
        (content[..HEADER_BYTES].to_vec(), "damaged at offset 36"),
        (
            [&content[..content.len() - 120], &[0; 120]].concat(),
            "frames that were durable are gone",
        ),
    ] {
        fs::write(&third, damage).expect("a damaged segment");
        let message = format!("{:#}", reopen(directory.path()).expect_err("a damaged log"));
        assert!(message.contains(expected), "{message}");
    }
    fs::remove_file(&third).expect("a lost segment");
    let message = format!("{:#}", reopen(directory.path()).expect_err("a log with a gap"));
    assert!(message.contains("0000000000000003.wal is not there"), "{message}");
}

/// The files of a directory, by name.
type Files = Vec<(PathBuf, Vec<u8>)>;

fn files(directory: &Path) -> Files {
    let entries = fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Files = paths
        .filter(|path| !path.ends_with("lock"))
        .map(|path| (path.clone(), fs::read(path).expect("a file")))
        .collect();
    files.sort();
    files
}

fn put_back(directory: &Path, wanted: &Files) {
    for (path, _) in files(directory) {
        fs::remove_file(path).expect("a removed file");
    }
    for (path, content) in wanted {
        fs::write(path, content).expect("a file put back");
    }
}

#[test]
fn a_crash_while_a_snapshot_is_put_in_place_leaves_one_or_the_other() {
    let directory = directory();
    let at = directory.path();
    let compact = |write, snapshot: &str, records: &[&str]| Write::Compact {
        write: WriteId(write),
        snapshot: snapshot.as_bytes().into(),
        records: records.iter().map(|record| record.as_bytes().to_vec()).collect(),
    };
    let running = Running::start(open(at, 300).expect("a new log"));
    running.write(vec![record(1, "a"), compact(2, "first", &["term 1"])]);
    for number in 3..20 {
        running.write(vec![record(number, &format!("b{number:030}"))]);
    }
    running.stop();
    let before = files(at);
    let opened = open(at, 300).expect("the log");
    let old = contents(&opened);
    assert_eq!((old.0.as_deref(), old.1.len()), (Some("first"), 18));
    let number = opened.log.segment.number() + 1;
    let running = Running::start(opened);
    // In one group: what is written before and after belongs to what it stands with.
    running.write(vec![compact(1, "second", &["term 2", "c"])]);
    running.stop();
    let after = files(at);
    assert_eq!(after.len(), 2, "a snapshot and a segment");
    let (snapshot, segment) = (snapshot_path(at, number), segment_path(at, number));
    let content = |path: &Path| {
        let found = after.iter().find(|(its, _)| its == path).expect("the file");
        found.1.clone()
    };
    let with = |files: &Files, more: &[(&Path, &[u8])]| {
        let more = more
            .iter()
            .map(|(path, content)| ((*path).to_owned(), content.to_vec()));
        files.iter().cloned().chain(more).collect::<Files>()
    };
    let (whole, records) = (content(&snapshot), content(&segment));

    let appended = (old.0.clone(), [old.1.clone(), strings(&["term 2", "c"])].concat());
    let new = (Some("second".to_owned()), strings(&["term 2", "c"]));
    let mut states = Vec::new();
    for length in 0..=whole.len() {
        let torn = with(&before, &[(&temporary(&snapshot), &whole[..length])]);
        states.push((format!("{length} bytes of the snapshot"), torn, &old));
    }
    let written = with(&before, &[(&temporary(&snapshot), &whole)]);
    for length in (0..records.len()).step_by(7) {
        let torn = with(&written, &[(&temporary(&segment), &records[..length])]);
        states.push((format!("{length} bytes of the segment"), torn, &old));
    }
    states.push((
        "the segment".to_owned(),
        with(&written, &[(&segment, &records)]),
        &appended,
    ));
    let renamed = with(&before, &[(&segment, &records), (&snapshot, &whole)]);
    for removed in 0..=before.len() {
        states.push((
            format!("{removed} files removed"),
            renamed[removed..].to_vec(),
            &new,
        ));
        // Removals may reach the disk in any order.
        let mut reversed = renamed.clone();
        reversed.drain(before.len() - removed..before.len());
        states.push((format!("the last {removed} files removed"), reversed, &new));
    }
    for (state, wanted, expected) in states {
        put_back(at, &wanted);
        let opened = open(at, 300).unwrap_or_else(|error| panic!("{state}: {error:#}"));
        assert_eq!(&contents(&opened), expected, "{state}");
        let running = Running::start(opened);
        running.write(vec![record(1, "d")]);
        running.stop();
        let again = open(at, 300).unwrap_or_else(|error| panic!("{state}, again: {error:#}"));
        let expected = (expected.0.clone(), [expected.1.clone(), strings(&["d"])].concat());
        assert_eq!(contents(&again), expected, "{state}, again");
    }

    for at_byte in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at_byte] ^= 1;
        put_back(at, &with(&before, &[(&segment, &records), (&snapshot, &damaged)]));
        let message = format!("{:#}", open(at, 300).expect_err("a damaged snapshot"));
        assert!(message.contains(".snapshot: "), "{message}");
        let expected = if at_byte == 7 { "version" } else { "damaged" };
        assert!(message.contains(expected), "byte {at_byte}: {message}");
    }
    put_back(at, &vec![(snapshot.clone(), whole)]);
    let message = format!("{:#}", open(at, 300).expect_err("a lost segment"));
    assert!(message.contains("is not there, but its snapshot is"), "{message}");
}
