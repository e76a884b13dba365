//! Disks refuse to read, write or sync.

use nix::errno::Errno;
use partita_generator::random;
use partita_generator::settings::Settings;
use rand::RngExt as _;

use super::node_fault::NodeFault;
use super::troubled_disk::{self, FILES, Told};
use super::{Allowed, Setting};
use crate::disk::{self, Calls, Reach, Trouble};

/// See the module's text.
pub(super) const IO_ERRORS: NodeFault = NodeFault {
    name: "io-errors",
    summary: "Answers each fsync, each write, or everything asked of a disk with EIO; a server may end itself of that.",
    needs_disk: Some(Reach::Syncs),
    means: disk::means,
    harsh: true,
    settings: &[ON, FILES],
    impossible_with,
    act: |hit| {
        let drawn = drawn(hit.seed, hit.reach());
        let on = hit.settings.text(ON.name).unwrap_or(drawn);
        if on != FSYNC && hit.reach() == Some(Reach::Syncs) {
            let why = format!(
                "on = \"{on}\": the disks of its nodes can be made to fail their fsyncs only ({})",
                Reach::Syncs.means()
            );
            return Box::pin(async move { hit.skipped(why) });
        }
        let (calls, told) = which(on);
        Box::pin(troubled_disk::inject(
            hit,
            Trouble::Refuse(calls, Errno::EIO),
            told,
        ))
    },
    ..NodeFault::PLAIN
};

/// What is refused.
const ON: Setting = Setting {
    name: "on",
    summary: "what is answered with EIO; with \"read\", also what the kernel has read before",
    allowed: Allowed::Word(&[READ, WRITE, FSYNC, ALL]),
};
const READ: &str = "read";
const WRITE: &str = "write";
const FSYNC: &str = "fsync";
const ALL: &str = "all";

/// Nothing but syncs can be refused without a file system of ours.
fn impossible_with(settings: &Settings) -> Option<String> {
    let on = settings.text(ON.name).filter(|on| *on != FSYNC)?;
    let why = disk::impossible(Reach::Everything)?;
    Some(format!("on = \"{on}\": {why}; or set on = \"{FSYNC}\""))
}

/// What is refused where nobody says: syncs, where no others can be.
fn drawn(seed: u64, reach: Option<Reach>) -> &'static str {
    let which = match reach {
        Some(Reach::Syncs) => 0,
        _ => random(seed, "calls").random_range(0..3),
    };
    [FSYNC, WRITE, ALL][which]
}

/// Which calls are refused, and how that is told.
fn which(on: &str) -> (Calls, Told) {
    let none = Calls::default();
    let (calls, what, told, excuse) = match on {
        READ => (
            Calls { read: true, ..none },
            "EIO for each read",
            "reads answered with EIO",
            "its disk had answered a read with EIO",
        ),
        WRITE => (
            Calls { write: true, ..none },
            "EIO for each write",
            "writes answered with EIO",
            "its disk had answered a write with EIO",
        ),
        FSYNC => (
            Calls { sync: true, ..none },
            "EIO for each fsync",
            "fsyncs answered with EIO",
            "its disk had answered an fsync with EIO",
        ),
        _ => (
            Calls {
                read: true,
                write: true,
                sync: true,
                allocate: true,
            },
            "EIO for everything",
            "reads, writes and fsyncs answered with EIO",
            "its disk had answered with EIO",
        ),
    };
    let told = Told {
        what: what.into(),
        calls: told,
        excuse: Some(excuse.into()),
    };
    (calls, told)
}
