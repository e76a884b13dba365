//! Disks never come back from a sync.

use super::node_fault::NodeFault;
use super::troubled_disk::{self, FILES, Told};
use crate::disk::{self, Reach, Trouble};

/// See the module's text.
pub(super) const STUCK_FSYNC: NodeFault = NodeFault {
    name: "stuck-fsync",
    summary: "Lets no fsync come back until it is healed; all but writes to the same file goes on.",
    needs_disk: Some(Reach::Syncs),
    means: disk::means,
    settings: &[FILES],
    act: |hit| {
        let told = Told {
            what: "no fsync comes back".into(),
            calls: "fsyncs held up",
            excuse: None,
        };
        Box::pin(troubled_disk::inject(hit, Trouble::Slow(None), told))
    },
    ..NodeFault::PLAIN
};
