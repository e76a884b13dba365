//! Clocks are set to another time at one stroke: by an operator, by a time service that was away, by a virtual
//! machine that was moved.

use partita_generator::Random;

use super::clock::{self, either_way, span};
use super::{BoxFuture, Context, Fault, Injected, Shape, selection};
use crate::clock::{Change, Kind};

/// See the module's text.
pub(super) struct ClockJump;

impl Fault for ClockJump {
    fn name(&self) -> &'static str {
        "clock-jump"
    }

    fn summary(&self) -> &'static str {
        "Sets clocks of nodes to another time: the wall clock by up to an hour either way, the monotonic clock forward by up to two seconds, or both."
    }

    fn shapes(&self) -> &'static [Shape] {
        selection::PROCESS_SHAPES
    }

    fn impossible(&self) -> Option<String> {
        clock::impossible()
    }

    fn inject<'a>(
        &'a self,
        context: &'a Context,
        id: u64,
        shape: &'a str,
        seed: u64,
    ) -> BoxFuture<'a, Injected> {
        Box::pin(clock::inject(context, id, shape, seed, draw))
    }
}

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
