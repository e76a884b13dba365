//! Disks take long to sync.

use std::time::Duration;

use partita_generator::random;
use rand::seq::IndexedRandom as _;

use super::troubled_disk::{self, Told};
use super::{BoxFuture, Context, Fault, Injected, Shape, selection};
use crate::disk::Trouble;

/// See the module's text.
pub(super) struct SlowFsync;

impl Fault for SlowFsync {
    fn name(&self) -> &'static str {
        "slow-fsync"
    }

    fn summary(&self) -> &'static str {
        "Makes each fsync take 20 ms to 1 s longer; all but writes to the same file goes on."
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
        let trouble = Trouble::Slow(delay(seed));
        let told = Told {
            calls: "fsyncs held up",
            excuse: None,
        };
        Box::pin(troubled_disk::inject(context, id, shape, seed, trouble, told))
    }
}

/// From what a busy disk takes to more than the patience of most servers.
const DELAYS_MS: [u64; 3] = [20, 200, 1_000];

fn delay(seed: u64) -> Option<Duration> {
    let delay = DELAYS_MS.choose(&mut random(seed, "delay"));
    delay.copied().map(Duration::from_millis)
}
