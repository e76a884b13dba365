//! Clocks run too fast or too slow: crystals that are off, hosts that steal time from their guests.

use partita_generator::Random;
use rand::RngExt;

use super::clock;
use super::{BoxFuture, Context, Fault, Injected, Shape, selection};
use crate::clock::{Change, Kind, UNIT};

/// See the module's text.
pub(super) struct ClockSkew;

impl Fault for ClockSkew {
    fn name(&self) -> &'static str {
        "clock-skew"
    }

    fn summary(&self) -> &'static str {
        "Has clocks of nodes run slower, down to a fifth, or faster, up to twice as fast: the wall clock, the monotonic clock, or both."
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
