//! A node's disk without the node: for those who measure recovery, and for those who try to break it.

use std::path::Path;
use std::sync::mpsc::channel;

use anyhow::Context as _;
use partita_protocols::{Config, Protocol, Random, Status, WriteId};

use crate::recovery::recover;
use crate::wal::{self, Wal, WalEvent, Write};

/// Appends the records to the log of a node that does not run, as the node would, and waits until all are
/// durable. Those that are given together are one group commit.
pub fn append(data: &Path, groups: impl IntoIterator<Item = Vec<Vec<u8>>>) -> anyhow::Result<()> {
    let opened = wal::open(&data.join("wal"), wal::SEGMENT_BYTES)?.finish()?;
    let (report, events) = channel();
    let log = Wal::start(opened, false, move |event| report.send(event).is_ok())
        .context("failed to start the log's thread")?;
    let mut write = WriteId(0);
    for group in groups {
        let writes = group.into_iter().map(|record| {
            write.0 += 1;
            Write::Record { write, record }
        });
        log.append(writes.collect());
        // One group at a time is under way, so that the log is never in memory as a whole.
        loop {
            match events.recv().context("the log's thread ended")? {
                WalEvent::Persisted(durable) if durable == write => break,
                WalEvent::Persisted(_) => {}
                WalEvent::Failed(error) => return Err(error).context("failed to write the log"),
            }
        }
    }
    drop(log);
    // The thread lets go of the directory when it ends, and of this end of the channel.
    while events.recv().is_ok() {}
    Ok(())
}

/// Does what a node does with its disk when it starts, up to where it would talk to others.
pub fn examine<P: Protocol>(data: &Path, config: Config, random: Random) -> anyhow::Result<Status> {
    Ok(recover::<P>(&data.join("wal"), config, random)?.core.status())
}
