//! Disks have no room left.

use nix::errno::Errno;

use super::troubled_disk::{self, Told};
use super::{BoxFuture, Context, Fault, Injected, Shape, selection};
use crate::disk::{Calls, Trouble};

/// See the module's text.
pub(super) struct DiskFull;

impl Fault for DiskFull {
    fn name(&self) -> &'static str {
        "disk-full"
    }

    fn summary(&self) -> &'static str {
        "Answers each write and each new name with ENOSPC, as a full disk that copies on write does; reads go on."
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
        let calls = Calls {
            write: true,
            allocate: true,
            ..Calls::default()
        };
        let told = Told {
            calls: "calls answered with ENOSPC",
            excuse: Some("its disk was full".into()),
        };
        let trouble = Trouble::Refuse(calls, Errno::ENOSPC);
        Box::pin(troubled_disk::inject(context, id, shape, seed, trouble, told))
    }
}
