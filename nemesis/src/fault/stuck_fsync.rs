//! Disks never come back from a sync.

use super::troubled_disk::{self, Told};
use super::{BoxFuture, Context, Fault, Injected, Shape, selection};
use crate::disk::Trouble;

/// See the module's text.
pub(super) struct StuckFsync;

impl Fault for StuckFsync {
    fn name(&self) -> &'static str {
        "stuck-fsync"
    }

    fn summary(&self) -> &'static str {
        "Lets no fsync come back until it is healed; all but writes to the same file goes on."
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
        let trouble = Trouble::Slow(None);
        let told = Told {
            calls: "fsyncs held up",
            excuse: None,
        };
        Box::pin(troubled_disk::inject(context, id, shape, seed, trouble, told))
    }
}
