//! Links are slow: everything arrives, in order, but later, and now and then much later.

use std::time::Duration;

use partita_generator::Random;
use rand::RngExt;

use super::traffic::{STREAMS, TrafficFault};
use crate::network::{Interference, Jitter};

/// See the module's text.
pub(super) const DELAY: TrafficFault = TrafficFault {
    name: "delay",
    summary: "Has what is sent over network links arrive later: by 5 to 150 ms, and by up to as much again, evenly or with a long tail.",
    networks: STREAMS,
    draw,
};

/// From another city to the far side of the earth: about an election timeout there and back.
const LEAST_MS: std::ops::RangeInclusive<u64> = 5..=150;

fn draw(rng: &mut Random) -> Interference {
    let least = rng.random_range(LEAST_MS);
    let spread = Duration::from_millis(rng.random_range(0..=least));
    Interference::Delay {
        least: Duration::from_millis(least),
        jitter: if rng.random_bool(0.5) {
            Jitter::Even(spread)
        } else {
            Jitter::LongTailed(spread / 2)
        },
    }
}
