//! Links are narrow: what is too much waits, and is lost if it would wait too long.

use partita_generator::Random;
use partita_generator::settings::Settings;
use rand::RngExt;

use super::traffic::{STREAMS, TrafficFault};
use super::{Allowed, Setting};
use crate::network::Interference;

/// See the module's text.
pub(super) const RATE: TrafficFault = TrafficFault {
    name: "rate",
    summary: "Lets 50 to 200 kB a second through network links; what would wait longer than 0.3 s is lost.",
    networks: STREAMS,
    settings: &[BYTES_PER_SECOND],
    draw,
};

/// Down to a packet every second or two, up to what nobody would call narrow.
const BYTES_PER_SECOND: Setting = Setting {
    name: "bytes_per_second",
    summary: "what gets through each link",
    allowed: Allowed::Whole {
        least: 1_000,
        most: 100_000_000,
    },
};

/// Less than a leader has to say under load.
const DRAWN: std::ops::RangeInclusive<u64> = 50_000..=200_000;

fn draw(rng: &mut Random, settings: &Settings) -> Interference {
    let drawn = rng.random_range(DRAWN);
    Interference::Rate(settings.whole(BYTES_PER_SECOND.name).unwrap_or(drawn))
}
