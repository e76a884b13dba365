//! Opening the log: reading what survived, cutting off what was torn.
//!
//! A thread of its own reads ahead of whoever takes the records: the one reads and checks while the other
//! decodes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context as _, anyhow, ensure};
use partita_protocols::RecordSource;

use super::directory::{self, segment_path, snapshot_path};
use super::scan::{Piece, Scan, Sink, scan};
use super::segment::Segment;
use super::snapshot;

/// How many pieces may be read that nobody has asked for yet.
const PIECES_AHEAD: usize = 3;

/// A log that is being opened: first all its records are to be taken.
#[derive(Debug)]
pub(crate) struct Opening {
    /// The snapshot that it goes on from.
    pub(crate) snapshot: Option<Vec<u8>>,
    /// Every record since that survived, in order.
    pub(crate) records: LogRecords,
    reader: JoinHandle<anyhow::Result<Option<LastSegment>>>,
    directory: PathBuf,
    /// The first segment that counts.
    first: u64,
    segment_bytes: u64,
    lock: File,
}

/// A log that has been opened.
#[derive(Debug)]
pub(crate) struct Opened {
    /// How many bytes of a torn write were cut off.
    pub(crate) torn_bytes: u64,
    pub(super) directory: PathBuf,
    /// The segment to append to.
    pub(super) segment: Segment,
    /// The length of those before it, in bytes.
    pub(super) earlier_bytes: u64,
    pub(super) snapshot_bytes: u64,
    /// How long a segment becomes.
    pub(super) segment_bytes: u64,
    /// Held as long as the log is open.
    pub(super) lock: File,
}

/// The segment that is to be gone on with.
#[derive(Debug)]
struct LastSegment {
    path: PathBuf,
    scan: Scan,
    earlier_bytes: u64,
}

/// Opens the log in this directory.
pub(crate) fn open(directory: &Path, segment_bytes: u64) -> anyhow::Result<Opening> {
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
    let first = base.unwrap_or(1);
    let numbers = listing.segments[listing.segments.partition_point(|&number| number < first)..].to_vec();
    ensure!(
        base.is_none() || !numbers.is_empty(),
        "{} is not there, but its snapshot is: restore the file, or replace the node by a new member with an empty \
         directory",
        segment_path(directory, first).display()
    );
    let (pieces, read) = sync_channel(PIECES_AHEAD);
    let (back, spare) = channel();
    let of = directory.to_owned();
    let reader = std::thread::Builder::new()
        .name("wal-reader".into())
        .spawn(move || read_segments(&of, first, &numbers, Ahead { pieces, spare }))
        .context("failed to start the thread that reads the log")?;
    Ok(Opening {
        snapshot,
        records: LogRecords {
            read,
            back,
            piece: Piece::default(),
            next: 0,
        },
        reader,
        directory: directory.to_owned(),
        first,
        segment_bytes,
        lock,
    })
}

impl Opening {
    /// Makes the log ready to be gone on with, and if there is none, makes one. Whatever was wrong with the
    /// records is said here: until then, those that were taken may not be all.
    pub(crate) fn finish(mut self) -> anyhow::Result<Opened> {
        while self.records.next_record().is_some() {}
        let last = match self.reader.join() {
            Ok(last) => last?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        let directory = self.directory;
        let (segment, torn_bytes, earlier_bytes) = match last {
            Some(LastSegment {
                path,
                scan,
                earlier_bytes,
            }) => {
                let segment = Segment::open(&path, &scan)
                    .with_context(|| format!("failed to open {}", path.display()))?;
                (segment, scan.torn_bytes, earlier_bytes)
            }
            None => {
                let segment = Segment::create(&directory, self.first, 1, self.segment_bytes, &[])
                    .with_context(|| format!("failed to make the log in {}", directory.display()))?;
                (segment, 0, 0)
            }
        };
        let listing = directory::list(&directory)?;
        directory::remove_before(&directory, &listing, self.first).context("failed to remove old files")?;
        directory::sync(&directory).with_context(|| format!("failed to sync {}", directory.display()))?;
        Ok(Opened {
            torn_bytes,
            directory,
            segment,
            earlier_bytes,
            snapshot_bytes: self.snapshot.map_or(0, |snapshot| snapshot.len() as u64),
            segment_bytes: self.segment_bytes,
            lock: self.lock,
        })
    }
}

/// Reads these segments; gives the last.
fn read_segments(
    directory: &Path,
    first: u64,
    numbers: &[u64],
    mut ahead: Ahead,
) -> anyhow::Result<Option<LastSegment>> {
    let mut earlier_bytes = 0;
    let mut expected = None;
    for (number, &found) in (first..).zip(numbers) {
        ensure!(
            found == number,
            "{} is not there, and {} is: restore the file, or replace the node by a new member with an empty \
             directory",
            segment_path(directory, number).display(),
            segment_path(directory, found).display()
        );
        let path = segment_path(directory, number);
        let last = Some(&number) == numbers.last();
        let scan = scan(&path, number, last, &mut ahead)?;
        let begins_with = scan.header.first_sequence;
        ensure!(
            expected.is_none_or(|expected| expected == begins_with),
            "{}: it begins with frame {begins_with}, and the segment before it ends with frame {}: frames that were \
             durable are gone; restore the files, or replace the node by a new member with an empty directory",
            path.display(),
            expected.unwrap_or(0).saturating_sub(1)
        );
        expected = Some(scan.next_sequence);
        if last {
            return Ok(Some(LastSegment {
                path,
                scan,
                earlier_bytes,
            }));
        }
        earlier_bytes += scan.good_bytes;
    }
    Ok(None)
}

/// The reader's end.
#[derive(Debug)]
struct Ahead {
    pieces: SyncSender<Piece>,
    spare: Receiver<Piece>,
}

impl Sink for Ahead {
    fn spare(&mut self) -> Piece {
        self.spare.try_recv().unwrap_or_default()
    }

    fn take(&mut self, piece: Piece) -> anyhow::Result<()> {
        self.pieces
            .send(piece)
            .map_err(|_| anyhow!("nobody wants the rest of the log"))
    }
}

/// The records of a log that is being opened.
#[derive(Debug)]
pub(crate) struct LogRecords {
    read: Receiver<Piece>,
    back: Sender<Piece>,
    piece: Piece,
    /// The number of the next record in the piece.
    next: usize,
}

impl RecordSource for &mut LogRecords {
    fn next_record(&mut self) -> Option<&[u8]> {
        LogRecords::next_record(self)
    }
}

impl LogRecords {
    fn next_record(&mut self) -> Option<&[u8]> {
        while self.piece.record(self.next).is_none() {
            // The reader is gone after the last piece, or after damage, of which the end is told.
            let piece = self.read.recv().ok()?;
            let used = std::mem::replace(&mut self.piece, piece);
            // Nobody needs its memory any more when all is read.
            let _ = self.back.send(used);
            self.next = 0;
        }
        self.next += 1;
        self.piece.record(self.next - 1)
    }
}
