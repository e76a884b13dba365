//! Clocks run too fast or too slow: crystals that are off, hosts that steal time from their guests.

use partita_generator::Random;
use rand::RngExt;

use super::clock::{self};
use super::node_fault::NodeFault;
use crate::clock::{Change, Kind, UNIT};

/// See the module's text.
pub(super) const CLOCK_SKEW: NodeFault = NodeFault {
    name: "clock-skew",
    summary: "Has clocks of nodes run slower, down to a fifth, or faster, up to twice as fast: the wall clock, the monotonic clock, or both.",
    bends_clocks: true,
    impossible: clock::impossible,
    means: clock::means,
    act: |hit| Box::pin(clock::inject(hit, draw)),
    ..NodeFault::PLAIN
};

/// Rates are drawn in twentieths. The least is beyond what leases allow for.
const SLOWER: std::ops::RangeInclusive<i64> = 4..=17;
const FASTER: std::ops::RangeInclusive<i64> = 23..=40;

fn draw(_: Kind, rng: &mut Random) -> Change {
    let rate = if rng.random_bool(0.5) {
        rng.random_range(SLOWER)
    } else {
        rng.random_range(FASTER)
    };
    Change::Skew(rate * UNIT / 20 - UNIT)
}
