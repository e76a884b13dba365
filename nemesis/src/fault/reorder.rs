//! Links let packets overtake one another, as networks do in which there is more than one way.

use std::time::Duration;

use partita_generator::Random;
use partita_generator::settings::Settings;
use rand::RngExt;

use super::traffic::{PACKETS, PERCENT, TrafficFault};
use crate::network::{Interference, Share};

/// See the module's text.
pub(super) const REORDER: TrafficFault = TrafficFault {
    name: "reorder",
    summary: "Holds up 10 to 50 % of the packets that are sent over network links for 10 to 50 ms, so that later ones overtake them.",
    networks: PACKETS,
    settings: &[PERCENT],
    draw,
};

const DRAWN: std::ops::RangeInclusive<u32> = 10..=50;
const BY_MS: std::ops::RangeInclusive<u64> = 10..=50;

fn draw(rng: &mut Random, settings: &Settings) -> Interference {
    let drawn = rng.random_range(DRAWN);
    Interference::Reorder {
        share: Share::percent(settings.whole(PERCENT.name).unwrap_or(drawn)),
        by: Duration::from_millis(rng.random_range(BY_MS)),
    }
}
