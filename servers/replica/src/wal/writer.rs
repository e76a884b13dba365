//! The thread that writes.
//!
//! It takes all records that have queued up, writes them as one frame, and calls fsync once for all;
//! meanwhile the next ones queue up (group commit). So the number of fsyncs follows the disk, and not the
//! load.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use partita_protocols::WriteId;

use super::frame::{FrameBuilder, RECORD_BYTES_MAX};
use super::recovery::Opened;

/// For how long the defect `unsynced-acks` keeps in memory what it has said is durable.
const UNSYNCED: Duration = Duration::from_millis(1500);

/// A record to be written.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) write: WriteId,
    pub(crate) record: Vec<u8>,
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

/// The log, to those who append to it.
#[derive(Debug)]
pub(crate) struct Wal {
    queue: Sender<Vec<Write>>,
    bytes: Arc<AtomicU64>,
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
        let bytes = Arc::new(AtomicU64::new(opened.bytes));
        let writer = Writer {
            file: opened.file,
            _lock: opened.lock,
            bytes: Arc::clone(&bytes),
            frame: FrameBuilder::default(),
        };
        std::thread::Builder::new().name("wal".into()).spawn(move || {
            let result = if unsynced {
                writer.run_unsynced(&queued, &report)
            } else {
                writer.run(&queued, &report)
            };
            if let Err(error) = result {
                report(WalEvent::Failed(error));
            }
        })?;
        Ok(Wal { queue, bytes })
    }

    /// Appends records, in order.
    pub(crate) fn append(&self, writes: Vec<Write>) {
        // The thread is gone only after it has reported a failure, which stops the node.
        let _ = self.queue.send(writes);
    }

    /// How long the log is, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

struct Writer {
    file: File,
    _lock: File,
    bytes: Arc<AtomicU64>,
    frame: FrameBuilder,
}

impl Writer {
    fn run(mut self, queued: &Receiver<Vec<Write>>, report: &dyn Fn(WalEvent) -> bool) -> io::Result<()> {
        while let Ok(mut writes) = queued.recv() {
            writes.extend(queued.try_iter().flatten());
            let Some(last) = writes.last().map(|write| write.write) else {
                continue;
            };
            self.commit(&writes)?;
            if !report(WalEvent::Persisted(last)) {
                break;
            }
        }
        Ok(())
    }

    /// The defect `unsynced-acks`: says that writes are durable while they are only in the memory of this
    /// process. Writes them later, so that the log on disk is a true, but old, prefix.
    fn run_unsynced(
        mut self,
        queued: &Receiver<Vec<Write>>,
        report: &dyn Fn(WalEvent) -> bool,
    ) -> io::Result<()> {
        let mut held = Vec::new();
        let mut since = Instant::now();
        loop {
            if held.is_empty() {
                since = Instant::now();
            } else if since.elapsed() >= UNSYNCED {
                self.commit(&held)?;
                held.clear();
            }
            match queued.recv_timeout(UNSYNCED.saturating_sub(since.elapsed())) {
                Ok(writes) => {
                    let last = writes.last().map(|write| write.write);
                    held.extend(writes);
                    if last.is_some_and(|last| !report(WalEvent::Persisted(last))) {
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Writes the records and makes them durable.
    fn commit(&mut self, writes: &[Write]) -> io::Result<()> {
        for Write { record, .. } in writes {
            if record.len() > RECORD_BYTES_MAX {
                // Recovery would take it for damage.
                let message = format!(
                    "a record of {} bytes, over the limit of {RECORD_BYTES_MAX}",
                    record.len()
                );
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
            if !self.frame.fits(record.len()) {
                // Two frames to one fsync would break the rule that only the last frame can be torn.
                self.flush_frame()?;
            }
            self.frame.push(record);
        }
        self.flush_frame()
    }

    fn flush_frame(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let frame = self.frame.finish();
        self.file.write_all(&frame)?;
        self.file.sync_data()?;
        self.bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}
