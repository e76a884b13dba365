//! What a directed link of the switch has done, counted in frames.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

/// Counted since the switch began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Came to the link.
    pub(crate) arrived: u64,
    /// Went on, copies included.
    pub(crate) forwarded: u64,
    /// Bytes that went on.
    pub(crate) bytes: u64,
    /// Were made to wait.
    pub(crate) delayed: u64,
    /// Were made to wait because so much came before.
    pub(crate) throttled: u64,
    /// Were overtaken.
    pub(crate) reordered: u64,
    /// Went on twice.
    pub(crate) duplicated: u64,
    /// Went on with a bit flipped.
    pub(crate) corrupted: u64,
    /// Were dropped by lot.
    pub(crate) lost: u64,
    /// Were dropped because too much waited.
    pub(crate) overflowed: u64,
    /// Were kept until the link was released.
    pub(crate) held: u64,
    /// Were dropped because the link was cut.
    pub(crate) cut: u64,
    /// Were answered with a reset.
    pub(crate) refused: u64,
}

impl Tally {
    pub(super) fn forward(&mut self, length: usize) {
        self.forwarded += 1;
        self.bytes += length as u64;
    }

    fn fields(self) -> [u64; 13] {
        [
            self.arrived,
            self.forwarded,
            self.bytes,
            self.delayed,
            self.throttled,
            self.reordered,
            self.duplicated,
            self.corrupted,
            self.lost,
            self.overflowed,
            self.held,
            self.cut,
            self.refused,
        ]
    }

    fn of(fields: [u64; 13]) -> Tally {
        let [
            arrived,
            forwarded,
            bytes,
            delayed,
            throttled,
            reordered,
            duplicated,
            corrupted,
            lost,
            overflowed,
            held,
            cut,
            refused,
        ] = fields;
        Tally {
            arrived,
            forwarded,
            bytes,
            delayed,
            throttled,
            reordered,
            duplicated,
            corrupted,
            lost,
            overflowed,
            held,
            cut,
            refused,
        }
    }
}

impl Add for Tally {
    type Output = Tally;

    fn add(self, other: Tally) -> Tally {
        let (a, b) = (self.fields(), other.fields());
        Tally::of(std::array::from_fn(|field| a[field] + b[field]))
    }
}

impl Sub for Tally {
    type Output = Tally;

    fn sub(self, earlier: Tally) -> Tally {
        let (a, b) = (self.fields(), earlier.fields());
        Tally::of(std::array::from_fn(|field| a[field].saturating_sub(b[field])))
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Tally>>(tallies: I) -> Tally {
        tallies.fold(Tally::default(), Add::add)
    }
}

/// "of 412 frames 20 were lost, 3 arrived twice"
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of {} frames", self.arrived)?;
        let told = [
            (self.delayed, "were delayed"),
            (self.throttled, "were throttled"),
            (self.reordered, "were overtaken"),
            (self.duplicated, "were doubled"),
            (self.corrupted, "were corrupted"),
            (self.lost, "were lost"),
            (self.overflowed, "did not fit into the queue"),
            (self.held, "were held"),
            (self.cut, "were cut off"),
            (self.refused, "were refused"),
        ];
        let told: Vec<String> = told
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        match told.as_slice() {
            [] => f.write_str(" all passed"),
            told => write!(f, " {}", told.join(", ")),
        }
    }
}
