//! Disks have no room left.

use nix::errno::Errno;

use super::node_fault::NodeFault;
use super::troubled_disk::{self, FILES, Told};
use crate::disk::{Calls, Reach, Trouble};

/// See the module's text.
pub(super) const DISK_FULL: NodeFault = NodeFault {
    name: "disk-full",
    summary: "Answers each write and each new name with ENOSPC, as a full disk that copies on write does; reads go on.",
    needs_disk: Some(Reach::Everything),
    harsh: true,
    settings: &[FILES],
    act: |hit| {
        let calls = Calls {
            write: true,
            allocate: true,
            ..Calls::default()
        };
        let told = Told {
            what: "ENOSPC for each write and each new name".into(),
            calls: "calls answered with ENOSPC",
            excuse: Some("its disk was full".into()),
        };
        Box::pin(troubled_disk::inject(
            hit,
            Trouble::Refuse(calls, Errno::ENOSPC),
            told,
        ))
    },
    ..NodeFault::PLAIN
};
