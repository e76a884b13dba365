//! Do two sides differ: two runs, two nights, two builds, two targets?
//!
//! Whatever is compared comes to the same: trials that failed or did not, and measures, each with a key that says
//! which of the other side it belongs to (the same seed, the same kind of cell).
//! Measures are compared pair by pair, so that what both sides share does not hide what they don't.
//!
//! - [`side`]: what is known of a side, from a run or from a night.
//! - [`statistics`]: the intervals.
//! - [`table`]: what can be said, and that nothing can where that is the truth.

pub(crate) mod side;
pub(crate) mod statistics;
pub(crate) mod table;
