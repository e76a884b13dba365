//! Disks take long to sync.

use std::time::Duration;

use partita_generator::random;
use rand::seq::IndexedRandom as _;

use super::node_fault::NodeFault;
use super::troubled_disk::{self, Told};
use crate::disk::{self, Reach, Trouble};

/// See the module's text.
pub(super) const SLOW_FSYNC: NodeFault = NodeFault {
    name: "slow-fsync",
    summary: "Makes each fsync take 20 ms to 1 s longer; all but writes to the same file goes on.",
    needs_disk: Some(Reach::Syncs),
    means: disk::means,
    act: |hit| {
        let told = Told {
            calls: "fsyncs held up",
            excuse: None,
        };
        let delay = delay(hit.seed);
        Box::pin(troubled_disk::inject(hit, Trouble::Slow(delay), told))
    },
    ..NodeFault::PLAIN
};

/// From what a busy disk takes to more than the patience of most servers.
const DELAYS_MS: [u64; 3] = [20, 200, 1_000];

fn delay(seed: u64) -> Option<Duration> {
    let delay = DELAYS_MS.choose(&mut random(seed, "delay"));
    delay.copied().map(Duration::from_millis)
}
