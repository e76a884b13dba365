//! The thread that writes.
//!
//! It takes all records that have queued up, writes them as one frame, and calls fsync once for all;
//! meanwhile the next ones queue up (group commit). So the number of fsyncs follows the disk, and not the
//! load.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use partita_protocols::WriteId;

use super::directory::{self, snapshot_path, temporary};
use super::frame::FrameBuilder;
use super::recovery::Opened;
use super::segment::{Segment, check_length};
use super::snapshot;

/// For how long the defect `unsynced-acks` keeps in memory what it has said is durable.
const UNSYNCED: Duration = Duration::from_millis(1500);

/// Something to be written.
#[derive(Debug)]
pub(crate) enum Write {
    /// A record, after those before it.
    Record {
        /// Names the write.
        write: WriteId,
        /// What to append.
        record: Vec<u8>,
    },
    /// A snapshot and records, in place of all that was written before.
    Compact {
        /// Names the write.
        write: WriteId,
        /// The snapshot.
        snapshot: Arc<[u8]>,
        /// The records that go with it.
        records: Vec<Vec<u8>>,
    },
}

impl Write {
    fn id(&self) -> WriteId {
        match self {
            Write::Record { write, .. } | Write::Compact { write, .. } => *write,
        }
    }
}

/// What the thread has to say.
#[derive(Debug)]
pub(crate) enum WalEvent {
    /// This write, and all before it, are durable.
    Persisted(WriteId),
    /// A write or an fsync failed. What is on disk is unknown from here on, even if a later fsync succeeds
    /// (Rebello et al., *Can Applications Recover from fsync Failures?*, ATC 2020): the node must stop, and
    /// recover.
    Failed(io::Error),
}

/// What the log counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    /// How long the segments that count are, in bytes.
    pub(crate) log_bytes: u64,
    /// How long the snapshot is; 0 without one.
    pub(crate) snapshot_bytes: u64,
    /// How often fsync was waited for since the start.
    pub(crate) fsyncs: u64,
}

#[derive(Debug, Default)]
struct Shared {
    log_bytes: AtomicU64,
    snapshot_bytes: AtomicU64,
    fsyncs: AtomicU64,
}

/// The log, to those who append to it.
#[derive(Debug)]
pub(crate) struct Wal {
    queue: Sender<Vec<Write>>,
    shared: Arc<Shared>,
}

impl Wal {
    /// Starts the thread. It ends when this is dropped, once all that was queued is written. `report` returns
    /// whether anyone still listens.
    pub(crate) fn start(
        opened: Opened,
        unsynced: bool,
        report: impl Fn(WalEvent) -> bool + Send + 'static,
    ) -> io::Result<Wal> {
        let (queue, queued) = channel();
        let shared = Arc::new(Shared::default());
        shared
            .snapshot_bytes
            .store(opened.snapshot_bytes, Ordering::Relaxed);
        let writer = Writer {
            directory: opened.directory,
            segment: opened.segment,
            segment_bytes: opened.segment_bytes,
            earlier_bytes: opened.earlier_bytes,
            _lock: opened.lock,
            shared: Arc::clone(&shared),
            frame: FrameBuilder::default(),
            report,
        };
        writer.count(0);
        std::thread::Builder::new().name("wal".into()).spawn(move || {
            let mut writer = writer;
            let result = if unsynced {
                writer.run_unsynced(&queued)
            } else {
                writer.run(&queued)
            };
            if let Err(error) = result {
                (writer.report)(WalEvent::Failed(error));
            }
        })?;
        Ok(Wal { queue, shared })
    }

    /// Writes, in order.
    pub(crate) fn append(&self, writes: Vec<Write>) {
        // The thread is gone only after it has reported a failure, which stops the node.
        let _ = self.queue.send(writes);
    }

    /// What the log has counted so far.
    pub(crate) fn counters(&self) -> Counters {
        Counters {
            log_bytes: self.shared.log_bytes.load(Ordering::Relaxed),
            snapshot_bytes: self.shared.snapshot_bytes.load(Ordering::Relaxed),
            fsyncs: self.shared.fsyncs.load(Ordering::Relaxed),
        }
    }
}

struct Writer<R> {
    directory: PathBuf,
    segment: Segment,
    segment_bytes: u64,
    earlier_bytes: u64,
    _lock: File,
    shared: Arc<Shared>,
    frame: FrameBuilder,
    report: R,
}

impl<R: Fn(WalEvent) -> bool> Writer<R> {
    fn run(&mut self, queued: &Receiver<Vec<Write>>) -> io::Result<()> {
        while let Ok(mut writes) = queued.recv() {
            writes.extend(queued.try_iter().flatten());
            if !self.commit(writes, true)? {
                break;
            }
        }
        Ok(())
    }

    /// The defect `unsynced-acks`: says that writes are durable while they are only in the memory of this
    /// process. Writes them later, so that the log on disk is a true, but old, prefix.
    fn run_unsynced(&mut self, queued: &Receiver<Vec<Write>>) -> io::Result<()> {
        let mut held = Vec::new();
        let mut since = Instant::now();
        loop {
            if held.is_empty() {
                since = Instant::now();
            } else if since.elapsed() >= UNSYNCED {
                self.commit(std::mem::take(&mut held), false)?;
            }
            match queued.recv_timeout(UNSYNCED.saturating_sub(since.elapsed())) {
                Ok(writes) => {
                    let last = writes.last().map(Write::id);
                    held.extend(writes);
                    if last.is_some_and(|last| !(self.report)(WalEvent::Persisted(last))) {
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Writes all of it and makes it durable. False if nobody listens any more.
    fn commit(&mut self, writes: Vec<Write>, report: bool) -> io::Result<bool> {
        let mut last = None;
        for write in writes {
            let id = write.id();
            match write {
                Write::Record { record, .. } => {
                    check_length(&record)?;
                    if !self.frame.fits(record.len()) {
                        // Two frames to one fsync would break the rule that only the last frame can be torn.
                        self.flush_frame()?;
                    }
                    self.frame.push(&record);
                }
                Write::Compact {
                    snapshot, records, ..
                } => {
                    self.flush_frame()?;
                    // It takes long: what is durable before it is said so first.
                    if let Some(last) = last
                        && report
                        && !(self.report)(WalEvent::Persisted(last))
                    {
                        return Ok(false);
                    }
                    self.compact(&snapshot, &records)?;
                }
            }
            last = Some(id);
        }
        self.flush_frame()?;
        Ok(match last {
            Some(last) if report => (self.report)(WalEvent::Persisted(last)),
            _ => true,
        })
    }

    fn flush_frame(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        if self.segment.bytes() >= self.segment_bytes {
            self.earlier_bytes += self.segment.bytes();
            self.begin_segment(&[])?.finish()?;
        }
        self.segment.append(&mut self.frame)?;
        self.count(1);
        Ok(())
    }

    /// Begins the next segment with these records, and gives back the one before it.
    fn begin_segment(&mut self, records: &[Vec<u8>]) -> io::Result<Segment> {
        let next = Segment::create(
            &self.directory,
            self.segment.number() + 1,
            self.segment.next_sequence(),
            self.segment_bytes,
            records,
        )?;
        self.count(2);
        Ok(std::mem::replace(&mut self.segment, next))
    }

    /// See the module for the order, and what a crash leaves.
    fn compact(&mut self, content: &[u8], records: &[Vec<u8>]) -> io::Result<()> {
        let number = self.segment.number() + 1;
        let path = snapshot_path(&self.directory, number);
        let unfinished = temporary(&path);
        snapshot::write(&unfinished, number, content)?;
        self.begin_segment(records)?;
        fs::rename(&unfinished, &path)?;
        directory::sync(&self.directory)?;
        let listing = directory::list(&self.directory).map_err(io::Error::other)?;
        directory::remove_before(&self.directory, &listing, number)?;
        self.earlier_bytes = 0;
        self.shared
            .snapshot_bytes
            .store(content.len() as u64, Ordering::Relaxed);
        self.count(2);
        Ok(())
    }

    fn count(&self, fsyncs: u64) {
        let log_bytes = self.earlier_bytes + self.segment.bytes();
        self.shared.log_bytes.store(log_bytes, Ordering::Relaxed);
        self.shared.fsyncs.fetch_add(fsyncs, Ordering::Relaxed);
    }
}
