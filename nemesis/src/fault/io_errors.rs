//! Disks refuse to read, write or sync.

use nix::errno::Errno;
use partita_generator::random;
use rand::RngExt as _;

use super::troubled_disk::{self, Told};
use super::{BoxFuture, Context, Fault, Injected, Shape, selection};
use crate::disk::{Calls, Trouble};

/// See the module's text.
pub(super) struct IoErrors;

impl Fault for IoErrors {
    fn name(&self) -> &'static str {
        "io-errors"
    }

    fn summary(&self) -> &'static str {
        "Answers each fsync, each write, or everything asked of a disk with EIO; a server may end itself of that."
    }

    fn shapes(&self) -> &'static [Shape] {
        selection::PROCESS_SHAPES
    }

    fn needs_disks(&self) -> bool {
        true
    }

    fn inject<'a>(
        &'a self,
        context: &'a Context,
        id: u64,
        shape: &'a str,
        seed: u64,
    ) -> BoxFuture<'a, Injected> {
        let (calls, what, excuse) = which(seed);
        let told = Told {
            calls: what,
            excuse: Some(excuse.to_owned()),
        };
        let trouble = Trouble::Refuse(calls, Errno::EIO);
        Box::pin(troubled_disk::inject(context, id, shape, seed, trouble, told))
    }
}

/// Which calls are refused, and how that is told.
fn which(seed: u64) -> (Calls, &'static str, &'static str) {
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
    match random(seed, "calls").random_range(0..3) {
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
