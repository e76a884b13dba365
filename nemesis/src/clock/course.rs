//! How far a clock is from the true one, as a function of time. Pure: no clock is read here.

use std::collections::BTreeMap;

/// What one fault does to one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is ahead by so many nanoseconds; behind if negative.
    Jump(i64),
    /// It gains so much of every second, in parts of [`UNIT`]; loses if negative.
    Skew(i64),
    /// It is ahead by `by` nanoseconds for half of every period, and right for the other half.
    Strobe {
        /// Behind if negative.
        by: i64,
        /// Half a period, in nanoseconds: a power of two, below 2^31.
        half: i64,
    },
    /// It runs twice as fast for half of every period, and all but stands still for the other half.
    Stutter {
        /// Half a period, in nanoseconds: a power of two, below 2^31.
        half: i64,
    },
}

/// The one of rates: a clock that gains this much runs twice as fast.
pub(crate) const UNIT: i64 = 1 << 20;
/// No clock runs slower than this, in parts of [`UNIT`]: one that stands still ends in divisions by zero.
const SLOWEST: i64 = UNIT / 16;

/// How far a clock is bent. It is these very numbers that the code in the process reckons with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bend {
    pub(super) step: i64,
    pub(super) rate: i64,
    pub(super) amplitude: i64,
    pub(super) slope: i64,
    pub(super) half: i64,
    /// Where the clock would stand at the epoch if it had crept ever since: it is never behind that.
    pub(super) floor: i64,
}

/// Behind all that a clock can show.
const NO_FLOOR: i64 = i64::MIN / 2;

impl Bend {
    /// A clock that is right.
    pub(super) const NONE: Bend = Bend {
        step: 0,
        rate: 0,
        amplitude: 0,
        slope: 0,
        half: 0,
        floor: NO_FLOOR,
    };

    /// How far the clock is ahead, in nanoseconds, at this time since the epoch.
    pub(super) fn offset(&self, at: i64) -> i64 {
        let mut whole = self.step;
        let mut part = 0;
        if self.half > 0 {
            let phase = at & (2 * self.half - 1);
            if phase < self.half {
                whole += self.amplitude;
                part = phase * self.slope;
            } else {
                part = (2 * self.half - phase) * self.slope;
            }
        }
        let bent = (i128::from(at) * i128::from(self.rate) + i128::from(part)) >> 20;
        let bent = i64::try_from(bent).unwrap_or(i64::MAX);
        whole.saturating_add(bent).max(self.creeping(at))
    }

    /// The least and the most that the clock is ahead between two times.
    pub(super) fn range(&self, from: i64, to: i64) -> (i64, i64) {
        let mut offsets = vec![self.offset(from), self.offset(to)];
        if self.half > 0 {
            // It turns or jumps at the ends of halves; after a few of these nothing new comes.
            let ends = (from / self.half + 1..=to / self.half).map(|number| number * self.half);
            let (first, last) = (ends.clone().take(4), ends.rev().take(4));
            offsets.extend(
                first
                    .chain(last)
                    .flat_map(|end| [self.offset(end - 1), self.offset(end)]),
            );
        }
        let least = offsets.iter().copied().min().unwrap_or(0);
        (least, offsets.into_iter().max().unwrap_or(0))
    }

    /// What creeping comes to: an eighth of the true pace.
    fn creeping(&self, at: i64) -> i64 {
        self.floor - at + (at >> 3)
    }
}

/// All that faults do to one clock of a node, and how it comes back.
#[derive(Clone, Debug)]
pub(super) struct Course {
    /// By fault, with the time since the epoch when it began.
    changes: BTreeMap<u64, (Change, i64)>,
    /// Does this clock never go back? When it is to lose what it is ahead, it then creeps until the true time
    /// has come up with it. Programs may take that of the monotonic clock for granted (POSIX, `clock_getres`).
    steady: bool,
    bend: Bend,
}

impl Course {
    pub(super) fn new(steady: bool) -> Course {
        Course {
            changes: BTreeMap::new(),
            steady,
            bend: Bend::NONE,
        }
    }

    pub(super) fn bend(&self) -> Bend {
        self.bend
    }

    pub(super) fn begin(&mut self, fault: u64, change: Change, now: i64) {
        self.changes.insert(fault, (change, now));
        self.turn(now);
    }

    pub(super) fn end(&mut self, fault: u64, now: i64) {
        if self.changes.remove(&fault).is_some() {
            self.turn(now);
        }
    }

    /// When it will have come back to the true time; `None` as long as faults keep it from that.
    pub(super) fn arrival(&self, now: i64) -> Option<i64> {
        // Creeping loses seven eighths of every second.
        let ahead = self.bend.offset(now).max(0);
        let takes = ahead.saturating_mul(8) / 7 + i64::from(ahead > 0);
        self.changes.is_empty().then(|| now.saturating_add(takes))
    }

    /// Does no fault want anything of it, and has it come back?
    pub(super) fn is_true(&self, now: i64) -> bool {
        self.changes.is_empty() && self.bend.offset(now) == 0
    }

    /// Follows what the faults want from now on.
    fn turn(&mut self, now: i64) {
        let was = self.bend.offset(now);
        let mut bend = Bend::NONE;
        let mut wanted = 0_i64;
        for &(change, since) in self.changes.values() {
            match change {
                Change::Jump(by) => wanted += by,
                Change::Skew(gain) => {
                    let gained = (i128::from(gain) * i128::from(now - since)) >> 20;
                    wanted += i64::try_from(gained).unwrap_or(0);
                    bend.rate += gain;
                }
                Change::Strobe { by, half } => (bend.amplitude, bend.half) = (by, half),
                Change::Stutter { half } => (bend.slope, bend.half) = (UNIT, half),
            }
        }
        bend.rate = bend.rate.max(SLOWEST - UNIT);
        // What a stutter loses is the pace that skews leave, all but a sixteenth of it.
        bend.slope = (UNIT + bend.rate) / 16 * 15 * i64::from(bend.slope > 0);
        let skewed = (i128::from(bend.rate) * i128::from(now)) >> 20;
        bend.step = wanted - i64::try_from(skewed).unwrap_or(0);
        if self.steady && bend.offset(now) < was {
            bend.floor = was + now - (now >> 3);
        }
        self.bend = bend;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// What the clock shows at these times.
    fn shown(course: &Course, times: impl Iterator<Item = i64>) -> Vec<i64> {
        times.map(|at| at + course.bend().offset(at)).collect()
    }

    #[test]
    fn faults_add_up_and_each_takes_back_its_own() {
        let mut course = Course::new(false);
        course.begin(1, Change::Jump(-3 * SECOND), SECOND);
        course.begin(2, Change::Skew(UNIT / 2), 2 * SECOND);
        assert_eq!(course.bend().offset(4 * SECOND), -2 * SECOND);
        course.end(1, 4 * SECOND);
        assert_eq!(course.bend().offset(6 * SECOND), 2 * SECOND);
        assert!(!course.is_true(6 * SECOND));
        course.end(2, 6 * SECOND);
        assert_eq!((course.bend(), course.is_true(6 * SECOND)), (Bend::NONE, true));
    }

    #[test]
    fn a_steady_clock_creeps_back() {
        let mut course = Course::new(true);
        course.begin(1, Change::Jump(7 * SECOND), SECOND);
        assert_eq!(course.bend().offset(SECOND), 7 * SECOND);
        course.end(1, 2 * SECOND);
        assert_eq!(course.bend().offset(2 * SECOND), 7 * SECOND);
        assert_eq!(course.arrival(2 * SECOND), Some(10 * SECOND + 1));
        assert_eq!(course.bend().offset(6 * SECOND), 7 * SECOND / 2);
        assert!(!course.is_true(9 * SECOND) && course.is_true(10 * SECOND + 1));
        // One that is behind comes forward at once.
        course.begin(2, Change::Skew(-UNIT / 2), 20 * SECOND);
        course.end(2, 24 * SECOND);
        assert!(course.is_true(24 * SECOND));
    }

    #[test]
    fn a_strobe_goes_to_and_fro() {
        let mut course = Course::new(false);
        let half = 1 << 25;
        course.begin(1, Change::Strobe { by: SECOND, half }, 5);
        let offsets: Vec<_> = (0..4).map(|i| course.bend().offset(i * half + 7)).collect();
        assert_eq!(offsets, [SECOND, 0, SECOND, 0]);
        let range = |from, to| course.bend().range(from, to);
        assert_eq!(range(7, half - 1), (SECOND, SECOND));
        assert_eq!(
            (range(7, half), range(7, 2 * half + 7)),
            ((0, SECOND), (0, SECOND))
        );
        assert_eq!(range(half, 999 * half), (0, SECOND));
    }

    #[test]
    fn a_steady_clock_never_goes_back_whatever_faults_do() {
        let mut course = Course::new(true);
        let changes = [
            Change::Jump(2 * SECOND),
            Change::Skew(-UNIT * 4 / 5),
            Change::Stutter { half: 1 << 24 },
            Change::Skew(UNIT),
        ];
        let mut state = 7_u64;
        let mut last = i64::MIN;
        let mut at = 0;
        for _ in 0..2_000 {
            // The constants of Knuth's MMIX.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let fault = state >> 60 & 3;
            if state >> 40 & 1 == 0 {
                course.begin(fault, changes[fault as usize], at);
            } else {
                course.end(fault, at);
            }
            for shown in shown(&course, (0..500).map(|i| at + i * 37)) {
                assert!(shown >= last, "at {at}: {course:?}");
                last = shown;
            }
            at += 500 * 37 + i64::try_from(state >> 36 & 0xfff_ffff).unwrap();
        }
    }
}
