//! Links are narrow: what is too much waits, and is lost if it would wait too long.

use partita_generator::Random;
use rand::RngExt;

use super::traffic::{STREAMS, TrafficFault};
use crate::network::Interference;

/// See the module's text.
pub(super) const RATE: TrafficFault = TrafficFault {
    name: "rate",
    summary: "Lets 50 to 200 kB a second through network links; what would wait longer than 0.3 s is lost.",
    networks: STREAMS,
    draw,
};

/// Less than a leader has to say under load.
const BYTES_PER_SECOND: std::ops::RangeInclusive<u64> = 50_000..=200_000;

fn draw(rng: &mut Random) -> Interference {
    Interference::Rate(rng.random_range(BYTES_PER_SECOND))
}
