//! Links stand still and lose nothing: all that was sent meanwhile arrives at once when they go on, as after a switch or a
//! virtual machine was stopped. What is old then meets servers that have moved on.

use partita_generator::Random;
use partita_generator::settings::Settings;

use super::traffic::{STREAMS, TrafficFault};
use crate::network::Interference;

/// See the module's text.
pub(super) const HOLD: TrafficFault = TrafficFault {
    name: "hold",
    summary: "Holds all that is sent over network links, and delivers it when it is healed: nothing is lost.",
    networks: STREAMS,
    settings: &[],
    draw,
};

fn draw(_: &mut Random, _: &Settings) -> Interference {
    Interference::Hold
}
