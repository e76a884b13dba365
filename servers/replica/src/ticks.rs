//! When ticks are due.

use tokio::time::{Instant, sleep_until};

use crate::options::TICK;

/// More than this were missed because the process was stopped, not because its clock is fast.
const MADE_UP_FOR_MAX: u32 = 5;

/// A node's ticks.
///
/// They follow the process's own monotonic clock, not the kernel's timers: a timer only says when to look at it. So
/// a few that were missed are made up for. Else a node whose clock runs fast, whose timers come as they always do,
/// would not see that it does.
///
/// A process that was stopped for a while has missed many. Normally they come as one: the node can not know
/// what happened meanwhile, and a burst of them would only make it stand for election in haste. But where
/// reads rest on leases none may be lost, since a lease is counted in ticks: a leader that was stopped would
/// take an old one for a new one.
#[derive(Debug)]
pub(crate) struct Ticks {
    next: Instant,
    lose_none: bool,
}

impl Ticks {
    pub(crate) fn new(lose_none: bool) -> Ticks {
        Ticks {
            next: Instant::now() + TICK,
            lose_none,
        }
    }

    /// Ends when the next is due.
    pub(crate) async fn wait(&self) {
        sleep_until(self.next).await;
    }

    /// How many are due by now. They are then taken to have been given.
    pub(crate) fn take_due(&mut self) -> u32 {
        self.take_due_at(Instant::now())
    }

    fn take_due_at(&mut self, now: Instant) -> u32 {
        if !self.lose_none && now > self.next + TICK * MADE_UP_FOR_MAX {
            self.next = now + TICK;
            return 1;
        }
        let mut due = 0;
        while self.next <= now {
            due += 1;
            self.next += TICK;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_is_seen() {
        for lose_none in [false, true] {
            let mut ticks = Ticks::new(lose_none);
            let begin = ticks.next - TICK;
            // The timer comes every 10 ms of true time, when the clock has gone three times as far.
            let given: u32 = (1..=100)
                .map(|timer| ticks.take_due_at(begin + TICK * 3 * timer))
                .sum();
            assert_eq!(given, 300);
        }
    }

    #[test]
    fn of_ticks_that_were_missed_one_counts_or_all() {
        for (lose_none, expected) in [(false, 1), (true, 50)] {
            let mut ticks = Ticks::new(lose_none);
            let begin = ticks.next - TICK;
            assert_eq!(ticks.take_due_at(begin + TICK / 2), 0);
            let late = begin + TICK * 50 + TICK / 2;
            assert_eq!((ticks.take_due_at(late), ticks.take_due_at(late)), (expected, 0));
            assert_eq!(ticks.take_due_at(late + TICK), 1);
        }
    }
}
