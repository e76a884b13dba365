//! Clocks run too fast or too slow: crystals that are off, hosts that steal time from their guests.

use partita_generator::Random;
use partita_generator::settings::Settings;
use rand::RngExt;

use super::clock::{self, CLOCK};
use super::node_fault::NodeFault;
use super::{Allowed, Setting};
use crate::clock::{Change, Kind, UNIT};

/// See the module's text.
pub(super) const CLOCK_SKEW: NodeFault = NodeFault {
    name: "clock-skew",
    summary: "Has clocks of nodes run slower, down to a fifth, or faster, up to twice as fast: the wall clock, the monotonic clock, or both.",
    bends_clocks: true,
    impossible: clock::impossible,
    impossible_with: clock::impossible_with,
    means: clock::means,
    settings: &[RATE, CLOCK],
    go_together,
    act: |hit| Box::pin(clock::inject(hit, draw)),
    ..NodeFault::PLAIN
};

const RATE: Setting = Setting {
    name: "rate",
    summary: "how many seconds the clock shows to pass in a second",
    allowed: Allowed::Number {
        least: 0.2,
        most: 2.0,
    },
};

/// What is less can't be told from the time that a look at the clock takes.
const LEAST_OFF: f64 = 0.05;

/// Rates are drawn in twentieths. The least is beyond what leases allow for.
const SLOWER: std::ops::RangeInclusive<i64> = 4..=17;
const FASTER: std::ops::RangeInclusive<i64> = 23..=40;

fn go_together(settings: &Settings) -> Result<(), String> {
    match settings.number(RATE.name) {
        Some(rate) if (rate - 1.0).abs() < LEAST_OFF => Err(format!(
            "rate = {rate}: the clock would go as it does, for all that can be seen; it must be off by {LEAST_OFF} or more"
        )),
        _ => Ok(()),
    }
}

fn draw(_: Kind, rng: &mut Random, settings: &Settings) -> Change {
    let drawn = if rng.random_bool(0.5) {
        rng.random_range(SLOWER)
    } else {
        rng.random_range(FASTER)
    };
    let set = settings.number(RATE.name);
    let rate = set.map_or(drawn * UNIT / 20, |rate| (rate * UNIT as f64) as i64);
    Change::Skew(rate - UNIT)
}
