//! Links are slow: everything arrives, in order, but later, and now and then much later.

use std::time::Duration;

use partita_generator::Random;
use partita_generator::settings::Settings;
use rand::RngExt;

use super::traffic::{STREAMS, TrafficFault};
use super::{Allowed, Setting};
use crate::network::{Interference, Jitter};

/// See the module's text.
pub(super) const DELAY: TrafficFault = TrafficFault {
    name: "delay",
    summary: "Has what is sent over network links arrive later: by 5 to 150 ms, and by up to as much again, evenly or with a long tail.",
    networks: STREAMS,
    settings: &[DELAY_MS, JITTER_MS],
    draw,
};

const DELAY_MS: Setting = Setting {
    name: "delay_ms",
    summary: "by how many milliseconds everything arrives later, at the least",
    allowed: Allowed::Whole {
        least: 1,
        most: 5_000,
    },
};
const JITTER_MS: Setting = Setting {
    name: "jitter_ms",
    summary: "by how many milliseconds more at the most, drawn evenly for each packet",
    allowed: Allowed::Whole {
        least: 0,
        most: 5_000,
    },
};

/// From another city to the far side of the earth: about an election timeout there and back.
const LEAST_MS: std::ops::RangeInclusive<u64> = 5..=150;

fn draw(rng: &mut Random, settings: &Settings) -> Interference {
    let least = rng.random_range(LEAST_MS);
    let spread = Duration::from_millis(rng.random_range(0..=least));
    let drawn = if rng.random_bool(0.5) {
        Jitter::Even(spread)
    } else {
        Jitter::LongTailed(spread / 2)
    };
    let jitter = settings.whole(JITTER_MS.name).map(Duration::from_millis);
    Interference::Delay {
        least: Duration::from_millis(settings.whole(DELAY_MS.name).unwrap_or(least)),
        jitter: jitter.map_or(drawn, Jitter::Even),
    }
}

#[cfg(test)]
mod tests {
    use partita_generator::random;
    use partita_generator::settings::Value;

    use super::*;

    #[test]
    fn what_is_set_changes_nothing_else_that_is_drawn() {
        let drawn_with = |seed: u64, settings: &[(&str, Value)]| {
            let settings: Settings = settings.iter().cloned().collect();
            match draw(&mut random(seed, "delay"), &settings) {
                Interference::Delay { least, jitter } => (least, jitter),
                other => panic!("{other}"),
            }
        };
        let (delay, jitter) = (
            (DELAY_MS.name, Value::Whole(700)),
            (JITTER_MS.name, Value::Whole(9)),
        );
        let set = (Duration::from_millis(700), Jitter::Even(Duration::from_millis(9)));
        for seed in 0..20 {
            let drawn = drawn_with(seed, &[]);
            assert_eq!(drawn_with(seed, std::slice::from_ref(&delay)), (set.0, drawn.1));
            assert_eq!(drawn_with(seed, std::slice::from_ref(&jitter)), (drawn.0, set.1));
            assert_eq!(drawn_with(seed, &[delay.clone(), jitter.clone()]), set);
        }
    }
}
