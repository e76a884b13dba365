//! Disks take long to sync.

use std::time::Duration;

use partita_generator::random;
use rand::seq::IndexedRandom as _;

use super::node_fault::NodeFault;
use super::troubled_disk::{self, FILES, Told};
use super::{Allowed, Setting};
use crate::disk::{self, Reach, Trouble};

/// See the module's text.
pub(super) const SLOW_FSYNC: NodeFault = NodeFault {
    name: "slow-fsync",
    summary: "Makes each fsync take 20 ms to 1 s longer; all but writes to the same file goes on.",
    needs_disk: Some(Reach::Syncs),
    means: disk::means,
    settings: &[MS, FILES],
    act: |hit| {
        let set = hit.settings.whole(MS.name);
        let delay = set.unwrap_or_else(|| drawn_ms(hit.seed));
        let told = Told {
            what: format!("each fsync takes {delay} ms longer"),
            calls: "fsyncs held up",
            excuse: None,
        };
        let trouble = Trouble::Slow(Some(Duration::from_millis(delay)));
        Box::pin(troubled_disk::inject(hit, trouble, told))
    },
    ..NodeFault::PLAIN
};

const MS: Setting = Setting {
    name: "ms",
    summary: "by how many milliseconds each fsync takes longer",
    allowed: Allowed::Whole {
        least: 1,
        most: 60_000,
    },
};

/// From what a busy disk takes to more than the patience of most servers.
const DELAYS_MS: [u64; 3] = [20, 200, 1_000];

fn drawn_ms(seed: u64) -> u64 {
    let delay = DELAYS_MS.choose(&mut random(seed, "delay"));
    delay.copied().unwrap_or(DELAYS_MS[0])
}
