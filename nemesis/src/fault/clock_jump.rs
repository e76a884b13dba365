//! Clocks are set to another time at one stroke: by an operator, by a time service that was away, by a virtual
//! machine that was moved.

use partita_generator::Random;

use super::clock::{self, either_way, span};
use super::node_fault::NodeFault;
use crate::clock::{Change, Kind};

/// See the module's text.
pub(super) const CLOCK_JUMP: NodeFault = NodeFault {
    name: "clock-jump",
    summary: "Sets clocks of nodes to another time: the wall clock by up to an hour either way, the monotonic clock forward by up to two seconds, or both.",
    bends_clocks: true,
    impossible: clock::impossible,
    means: clock::means,
    act: |hit| Box::pin(clock::inject(hit, draw)),
    ..NodeFault::PLAIN
};

/// Below an election timeout, in nanoseconds.
const LEAST: f64 = 1e8;
/// An hour.
const MOST: f64 = 3.6e12;
/// What a monotonic clock is ahead it has to creep back.
const MOST_MONOTONIC: f64 = 2e9;

fn draw(kind: Kind, rng: &mut Random) -> Change {
    match kind {
        Kind::Wall => {
            let length = span(rng, LEAST, MOST);
            Change::Jump(either_way(rng, length))
        }
        Kind::Monotonic => Change::Jump(span(rng, LEAST, MOST_MONOTONIC)),
    }
}
