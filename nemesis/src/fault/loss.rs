//! Links lose packets, as radio links and full queues do; TCP sends them again, later and later.

use partita_generator::Random;
use partita_generator::settings::Settings;
use rand::RngExt;

use super::traffic::{PACKETS, PERCENT, TrafficFault};
use crate::network::{Interference, Share};

/// See the module's text.
pub(super) const LOSS: TrafficFault = TrafficFault {
    name: "loss",
    summary: "Loses 2 to 30 % of the packets that are sent over network links.",
    networks: PACKETS,
    settings: &[PERCENT],
    draw,
};

const DRAWN: std::ops::RangeInclusive<u32> = 2..=30;

fn draw(rng: &mut Random, settings: &Settings) -> Interference {
    let drawn = rng.random_range(DRAWN);
    Interference::Loss(Share::percent(settings.whole(PERCENT.name).unwrap_or(drawn)))
}
