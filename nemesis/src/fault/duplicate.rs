//! Links deliver packets twice, as networks do that send again what had arrived.

use partita_generator::Random;
use partita_generator::settings::Settings;
use rand::RngExt;

use super::traffic::{PACKETS, PERCENT, TrafficFault};
use crate::network::{Interference, Share};

/// See the module's text.
pub(super) const DUPLICATE: TrafficFault = TrafficFault {
    name: "duplicate",
    summary: "Delivers 5 to 50 % of the packets that are sent over network links twice.",
    networks: PACKETS,
    settings: &[PERCENT],
    draw,
};

const DRAWN: std::ops::RangeInclusive<u32> = 5..=50;

fn draw(rng: &mut Random, settings: &Settings) -> Interference {
    let drawn = rng.random_range(DRAWN);
    Interference::Duplicate(Share::percent(settings.whole(PERCENT.name).unwrap_or(drawn)))
}
