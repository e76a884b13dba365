//! Opening the log: reading what survived, cutting off what was torn.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::directory::{self, Listing, segment_path, snapshot_path};
use super::segment::{self, Segment, scan};
use super::snapshot;

/// A log that has been opened.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The snapshot that it goes on from.
    pub(crate) snapshot: Option<Vec<u8>>,
    /// Every record since that survived, in order.
    pub(crate) records: Vec<Vec<u8>>,
    /// How many bytes of a torn write were cut off.
    pub(crate) torn_bytes: u64,
    pub(super) directory: PathBuf,
    /// The segment to append to.
    pub(super) segment: Segment,
    /// The length of those before it, in bytes.
    pub(super) earlier_bytes: u64,
    /// How long a segment becomes.
    pub(super) segment_bytes: u64,
    /// Held as long as the log is open.
    pub(super) lock: File,
}

/// Opens the log in this directory, and makes it if there is none.
pub(crate) fn open(directory: &Path, segment_bytes: u64) -> anyhow::Result<Opened> {
    directory::make(directory)?;
    let lock = directory::lock(&directory.join("lock"))?;
    let listing = directory::list(directory)?;
    for path in &listing.unfinished {
        fs::remove_file(path).with_context(|| format!("failed to remove {}", path.display()))?;
    }
    let base = listing.snapshots.last().copied();
    let snapshot = match base {
        Some(number) => Some(snapshot::read(&snapshot_path(directory, number), number)?),
        None => None,
    };
    let mut opened = open_segments(directory, &listing, base, segment_bytes, lock)?;
    opened.snapshot = snapshot;
    if let Some(number) = base {
        directory::remove_before(directory, &listing, number).context("failed to remove old files")?;
    }
    directory::sync(directory).with_context(|| format!("failed to sync {}", directory.display()))?;
    Ok(opened)
}

/// Reads the segments that go with the snapshot of this number.
fn open_segments(
    directory: &Path,
    listing: &Listing,
    base: Option<u64>,
    segment_bytes: u64,
    lock: File,
) -> anyhow::Result<Opened> {
    let first = base.unwrap_or(1);
    let numbers = &listing.segments[listing.segments.partition_point(|&number| number < first)..];
    let mut recovered = Vec::new();
    let mut earlier_bytes = 0;
    let mut expected = None;
    let mut content = Vec::new();
    for (number, &found) in (first..).zip(numbers) {
        ensure!(
            found == number,
            "{} is not there, and {} is: restore the file, or replace the node by a new member with an empty \
             directory",
            segment_path(directory, number).display(),
            segment_path(directory, found).display()
        );
        let path = segment_path(directory, number);
        let length = segment::read(&path, &mut content)
            .with_context(|| format!("failed to read {}", path.display()))?;
        let last = Some(&number) == numbers.last();
        let mut scan = scan(&path, &content, number, last)?;
        ensure!(
            expected.is_none_or(|expected| expected == scan.first_sequence()),
            "{}: it begins with frame {}, and the segment before it ends with frame {}: frames that were durable are \
             gone; restore the files, or replace the node by a new member with an empty directory",
            path.display(),
            scan.first_sequence(),
            expected.unwrap_or(0).saturating_sub(1)
        );
        expected = Some(scan.next_sequence);
        recovered.append(&mut scan.records);
        if last {
            let segment = Segment::open(&path, &scan, &content, length)
                .with_context(|| format!("failed to open {}", path.display()))?;
            return Ok(Opened {
                snapshot: None,
                records: recovered,
                torn_bytes: scan.torn_bytes as u64,
                directory: directory.to_owned(),
                segment,
                earlier_bytes,
                segment_bytes,
                lock,
            });
        }
        earlier_bytes += scan.good_bytes as u64;
    }
    ensure!(
        base.is_none(),
        "{} is not there, but its snapshot is: restore the file, or replace the node by a new member with an empty \
         directory",
        segment_path(directory, first).display()
    );
    let segment = Segment::create(directory, first, 1, segment_bytes, &[])
        .with_context(|| format!("failed to make the log in {}", directory.display()))?;
    Ok(Opened {
        snapshot: None,
        records: Vec::new(),
        torn_bytes: 0,
        directory: directory.to_owned(),
        segment,
        earlier_bytes: 0,
        segment_bytes,
        lock,
    })
}
