//! Links lose packets, as radio links and full queues do; TCP sends them again, later and later.

use partita_generator::Random;
use rand::RngExt;

use super::traffic::{PACKETS, TrafficFault};
use crate::network::{Interference, Share};

/// See the module's text.
pub(super) const LOSS: TrafficFault = TrafficFault {
    name: "loss",
    summary: "Loses 2 to 30 % of the packets that are sent over network links.",
    networks: PACKETS,
    draw,
};

const PERCENT: std::ops::RangeInclusive<u32> = 2..=30;

fn draw(rng: &mut Random) -> Interference {
    Interference::Loss(Share::percent(rng.random_range(PERCENT)))
}
