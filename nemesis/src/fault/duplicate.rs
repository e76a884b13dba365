//! Links deliver packets twice, as networks do that send again what had arrived.

use partita_generator::Random;
use rand::RngExt;

use super::traffic::{PACKETS, TrafficFault};
use crate::network::{Interference, Share};

/// See the module's text.
pub(super) const DUPLICATE: TrafficFault = TrafficFault {
    name: "duplicate",
    summary: "Delivers 5 to 50 % of the packets that are sent over network links twice.",
    networks: PACKETS,
    draw,
};

const PERCENT: std::ops::RangeInclusive<u32> = 5..=50;

fn draw(rng: &mut Random) -> Interference {
    Interference::Duplicate(Share::percent(rng.random_range(PERCENT)))
}
