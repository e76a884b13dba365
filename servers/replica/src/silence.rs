//! For how long a node heard nothing from the one that it follows: what its election timeout has to be longer than.

use std::time::{Duration, Instant};

/// What is told is the longest silence in the last one to two of these. Whoever asks more often misses none.
const WINDOW: Duration = Duration::from_millis(500);

/// Silences between the messages of a leader.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    /// When it was last heard.
    heard: Option<Instant>,
    /// Of the window before, and of this one, which began then.
    longest: [Duration; 2],
    began: Option<Instant>,
}

impl Silence {
    /// A message of the leader came.
    pub(crate) fn heard(&mut self, now: Instant) {
        if let Some(before) = self.heard.replace(now) {
            self.turn(now);
            self.longest[1] = self.longest[1].max(now - before);
        }
    }

    /// There is another leader, or none.
    pub(crate) fn forget(&mut self) {
        *self = Silence::default();
    }

    /// The longest silence of late, that which goes on among them; nothing before the leader was heard.
    pub(crate) fn longest(&mut self, now: Instant) -> Option<Duration> {
        let goes_on = now - self.heard?;
        self.turn(now);
        Some(goes_on.max(self.longest[0]).max(self.longest[1]))
    }

    fn turn(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        if now - began >= WINDOW {
            let is_old = now - began >= 2 * WINDOW;
            let before = if is_old { Duration::ZERO } else { self.longest[1] };
            self.longest = [before, Duration::ZERO];
            self.began = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silence_of_late_is_told() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut silence = Silence::default();
        assert_eq!(silence.longest(at(0)), None, "nobody was heard");
        for ms in [10, 60, 110, 250, 300] {
            silence.heard(at(ms));
        }
        let told = |silence: &mut Silence, ms| silence.longest(at(ms)).map(|it| it.as_millis());
        assert_eq!(told(&mut silence, 310), Some(140));
        assert_eq!(told(&mut silence, 480), Some(180), "it goes on");
        silence.heard(at(500));
        for ms in (520..2_000).step_by(20) {
            silence.heard(at(ms));
        }
        assert_eq!(told(&mut silence, 1_990), Some(20), "what was long ago is over");
        silence.forget();
        assert_eq!(told(&mut silence, 2_000), None);
    }
}
