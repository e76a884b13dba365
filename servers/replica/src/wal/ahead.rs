//! Zeros, written ahead of the end of a segment by a thread of their own.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::{Receiver, sync_channel};

/// How many zeros are written at a time.
const STRIDE_BYTES: u64 = 4 << 20;
/// How many may be left when the next are.
const LEFT_BYTES: u64 = 1 << 20;

/// How far the zeros reach.
#[derive(Debug)]
pub(super) struct Ahead {
    zeroed: u64,
    reserved: u64,
    /// Up to where zeros are being written.
    under_way: Option<(u64, Receiver<io::Result<()>>)>,
}

impl Ahead {
    /// A segment that is zero, where there is nothing else, up to `zeroed`, and has its blocks up to
    /// `reserved`.
    pub(super) fn new(zeroed: u64, reserved: u64) -> Ahead {
        Ahead {
            zeroed,
            reserved,
            under_way: None,
        }
    }

    /// Waits, if zeros are still being written before this offset: they must not come after what is written
    /// there.
    pub(super) fn make_room(&mut self, end: u64) -> io::Result<()> {
        if end <= self.zeroed {
            return Ok(());
        }
        if let Some((zeroed, written)) = self.under_way.take() {
            written.recv().map_err(io::Error::other)??;
            self.zeroed = zeroed;
        }
        self.zeroed = self.zeroed.max(end.min(self.reserved));
        Ok(())
    }

    /// Begins to write more zeros if few are left.
    pub(super) fn go_on(&mut self, file: &File, end: u64) -> io::Result<()> {
        if self.under_way.is_some() || self.zeroed >= self.reserved || end + LEFT_BYTES < self.zeroed {
            return Ok(());
        }
        let from = self.zeroed.max(end);
        let to = self.reserved.min(from + STRIDE_BYTES);
        let file = file.try_clone()?;
        let (report, written) = sync_channel(1);
        std::thread::Builder::new()
            .name("wal-ahead".into())
            .spawn(move || {
                let zeros = vec![0; (to - from) as usize];
                // An error of its fsync counts as one of the log's: it is told to one of the two only.
                let result = file.write_all_at(&zeros, from).and_then(|()| file.sync_data());
                let _ = report.send(result);
            })?;
        self.under_way = Some((to, written));
        Ok(())
    }
}
