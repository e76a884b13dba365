//! When operations begin.

use rand::RngExt;

use crate::{Random, random};

/// Spreads operations over time at a mean rate, with irregular gaps (uniform between nothing and twice the
/// mean), so that operations meet in ever new ways.
///
/// When nobody is free to begin an operation at its time, later ones are not bunched up to make good: a target
/// that can't keep up is seen in the achieved rate, not in a load that nobody asked for.
#[derive(Clone, Debug)]
pub struct Pace {
    mean_gap_ns: f64,
    next_ns: u64,
    rng: Random,
}

impl Pace {
    /// `rate` operations a second, which must be positive.
    pub fn new(seed: u64, rate: f64) -> Self {
        Pace {
            mean_gap_ns: 1e9 / rate,
            next_ns: 0,
            rng: random(seed, "pace"),
        }
    }

    /// The time at which the next operation is to begin, not before `now_ns`, in nanoseconds since the start.
    pub fn next(&mut self, now_ns: u64) -> u64 {
        let begin = self.next_ns.max(now_ns);
        let gap = self.rng.random_range(0.0..2.0) * self.mean_gap_ns;
        self.next_ns = begin.saturating_add(gap as u64);
        begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_mean_rate_and_does_not_bunch_up() {
        let mut pace = Pace::new(1, 1_000.0);
        let last = (0..10_000).map(|_| pace.next(0)).last().unwrap();
        assert!((9_800_000_000..10_200_000_000).contains(&last), "{last}");
        let late = 60_000_000_000;
        let first = pace.next(late);
        let hundredth = (0..100).map(|_| pace.next(late)).last().unwrap();
        assert!(first == late && hundredth > late + 80_000_000);
    }
}
