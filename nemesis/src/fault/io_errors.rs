//! Disks refuse to read, write or sync.

use nix::errno::Errno;
use partita_generator::random;
use rand::RngExt as _;

use super::node_fault::NodeFault;
use super::troubled_disk::{self, Told};
use crate::disk::{self, Calls, Reach, Trouble};

/// See the module's text.
pub(super) const IO_ERRORS: NodeFault = NodeFault {
    name: "io-errors",
    summary: "Answers each fsync, each write, or everything asked of a disk with EIO; a server may end itself of that.",
    needs_disk: Some(Reach::Syncs),
    means: disk::means,
    harsh: true,
    act: |hit| {
        let (calls, what, excuse) = which(hit.seed, hit.reach());
        let told = Told {
            calls: what,
            excuse: Some(excuse.to_owned()),
        };
        Box::pin(troubled_disk::inject(
            hit,
            Trouble::Refuse(calls, Errno::EIO),
            told,
        ))
    },
    ..NodeFault::PLAIN
};

/// Which calls are refused, and how that is told: syncs, where no others can be.
fn which(seed: u64, reach: Option<Reach>) -> (Calls, &'static str, &'static str) {
    let all = Calls {
        read: true,
        write: true,
        sync: true,
        allocate: true,
    };
    let of_sync = Calls {
        sync: true,
        ..Calls::default()
    };
    let of_write = Calls {
        write: true,
        ..Calls::default()
    };
    let which = match reach {
        Some(Reach::Syncs) => 0,
        _ => random(seed, "calls").random_range(0..3),
    };
    match which {
        0 => (
            of_sync,
            "fsyncs answered with EIO",
            "its disk had answered an fsync with EIO",
        ),
        1 => (
            of_write,
            "writes answered with EIO",
            "its disk had answered a write with EIO",
        ),
        _ => (
            all,
            "reads, writes and fsyncs answered with EIO",
            "its disk had answered with EIO",
        ),
    }
}
