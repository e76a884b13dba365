//! Clocks are set to another time at one stroke: by an operator, by a time service that was away, by a virtual
//! machine that was moved.

use partita_generator::Random;
use partita_generator::settings::Settings;

use super::clock::{self, CLOCK, WALL, either_way, span};
use super::node_fault::NodeFault;
use super::{Allowed, Setting};
use crate::clock::{Change, Kind};

/// See the module's text.
pub(super) const CLOCK_JUMP: NodeFault = NodeFault {
    name: "clock-jump",
    summary: "Sets clocks of nodes to another time: the wall clock by up to an hour either way, the monotonic clock forward by up to two seconds, or both.",
    bends_clocks: true,
    impossible: clock::impossible,
    impossible_with: clock::impossible_with,
    means: clock::means,
    settings: &[BY_MS, CLOCK],
    go_together,
    act: |hit| Box::pin(clock::inject(hit, draw)),
    ..NodeFault::PLAIN
};

const BY_MS: Setting = Setting {
    name: "by_ms",
    summary: "by how many milliseconds the clock is set forward, or back if it is negative",
    allowed: Allowed::Whole {
        least: -A_YEAR_MS,
        most: A_YEAR_MS,
    },
};
const A_YEAR_MS: i64 = 365 * 24 * 3_600 * 1_000;
const MS: i64 = 1_000_000;
/// Less than a probe can be sure of on a busy machine.
const LEAST_SEEN_MS: i64 = 10;

/// Below an election timeout, in nanoseconds.
const LEAST: f64 = 1e8;
/// An hour.
const MOST: f64 = 3.6e12;
/// What a monotonic clock is ahead it has to creep back.
const MOST_MONOTONIC: f64 = 2e9;

/// A monotonic clock can't be set by just anything.
fn go_together(settings: &Settings) -> Result<(), String> {
    let Some(by) = settings.whole::<i64>(BY_MS.name) else {
        return Ok(());
    };
    if by.abs() < LEAST_SEEN_MS {
        return Err(format!(
            "by_ms = {by}: so little can't be told from a clock that is right; set it to {LEAST_SEEN_MS} or more, \
             forward or back, or leave it out"
        ));
    }
    let most = MOST_MONOTONIC as i64 / MS;
    if settings.text(CLOCK.name) == Some(WALL) || (1..=most).contains(&by) {
        return Ok(());
    }
    Err(format!(
        "by_ms = {by}: the monotonic clock can't go back, and goes forward by {most} at the most; add clock = \"{WALL}\""
    ))
}

fn draw(kind: Kind, rng: &mut Random, settings: &Settings) -> Change {
    let drawn = match kind {
        Kind::Wall => {
            let length = span(rng, LEAST, MOST);
            either_way(rng, length)
        }
        Kind::Monotonic => span(rng, LEAST, MOST_MONOTONIC),
    };
    let set = settings.whole::<i64>(BY_MS.name);
    Change::Jump(set.map_or(drawn, |by| by * MS))
}
