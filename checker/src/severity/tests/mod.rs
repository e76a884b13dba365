mod across;
mod brute;
mod generate;
mod levels;
mod sizes;
mod stories;

use std::ops::Range;

use crate::linearizability::tests::histories;

/// So many seeds, unless more or fewer are asked for.
fn seeds(from: u64, normally: u64) -> Range<u64> {
    from..from + histories(normally)
}
