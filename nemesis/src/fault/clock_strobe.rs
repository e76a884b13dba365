//! Clocks are wrong and right by turns, many times a second: what reads the time twice may see it go either way.

use partita_generator::Random;
use partita_generator::settings::Settings;
use rand::RngExt;

use super::clock::{self, CLOCK, either_way, span};
use super::node_fault::NodeFault;
use crate::clock::{Change, Kind};

/// See the module's text.
pub(super) const CLOCK_STROBE: NodeFault = NodeFault {
    name: "clock-strobe",
    summary: "Has clocks of nodes go to and fro many times a second: the wall clock jumps there and back, the monotonic clock rushes and creeps, or both.",
    bends_clocks: true,
    impossible: clock::impossible,
    impossible_with: clock::impossible_with,
    means: clock::means,
    settings: &[CLOCK],
    act: |hit| Box::pin(clock::inject(hit, draw)),
    ..NodeFault::PLAIN
};

/// Half periods of 17, 34 and 67 ms, as powers of two of nanoseconds.
const HALVES: std::ops::RangeInclusive<u32> = 24..=26;
/// From below an election timeout to an hour, in nanoseconds.
const LEAST: f64 = 1e8;
const MOST: f64 = 3.6e12;

fn draw(kind: Kind, rng: &mut Random, _: &Settings) -> Change {
    let half = 1 << rng.random_range(HALVES);
    match kind {
        Kind::Wall => {
            let length = span(rng, LEAST, MOST);
            Change::Strobe {
                by: either_way(rng, length),
                half,
            }
        }
        Kind::Monotonic => Change::Stutter { half },
    }
}
