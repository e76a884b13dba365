//! Links flip bits, and the receiver's kernel drops what it finds spoilt. No bit reaches a server: between virtual network
//! cards nobody computes the checksum of TCP, so the header of IP is spoilt, whose checksum is always looked at.

use partita_generator::Random;
use partita_generator::settings::Settings;
use rand::RngExt;

use super::traffic::{PACKETS, PERCENT, TrafficFault};
use crate::network::{Interference, Share};

/// See the module's text.
pub(super) const CORRUPT: TrafficFault = TrafficFault {
    name: "corrupt",
    summary: "Flips a bit in 2 to 20 % of the packets that are sent over network links; the receiver's kernel drops them by their checksum.",
    networks: PACKETS,
    settings: &[PERCENT],
    draw,
};

const DRAWN: std::ops::RangeInclusive<u32> = 2..=20;

fn draw(rng: &mut Random, settings: &Settings) -> Interference {
    let drawn = rng.random_range(DRAWN);
    Interference::Corrupt(Share::percent(settings.whole(PERCENT.name).unwrap_or(drawn)))
}
