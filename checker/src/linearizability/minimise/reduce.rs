//! Leaves out what is not needed.

/// Leaves out units as long as `fails` says that what is kept is still a violation (a form of delta debugging:
/// Zeller and Hildebrandt, TSE 2002): halves first, single ones last.
/// Once `is_spent` says so, what is kept stays.
pub(super) fn reduce<U: Copy>(
    units: Vec<U>,
    is_spent: impl Fn() -> bool,
    mut fails: impl FnMut(&[U]) -> bool,
) -> Vec<U> {
    let mut kept = units;
    let mut chunk = kept.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut removed = false;
        while at < kept.len() {
            if is_spent() {
                return kept;
            }
            let end = (at + chunk).min(kept.len());
            let rest = [&kept[..at], &kept[end..]].concat();
            if fails(&rest) {
                kept = rest;
                removed = true;
            } else {
                at = end;
            }
        }
        match chunk {
            1 if !removed => return kept,
            1 => {}
            _ => chunk = chunk.div_ceil(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::reduce;

    #[test]
    fn what_is_left_is_needed() {
        for needed in [&[3][..], &[0, 17, 39], &[], &[20, 21, 22]] {
            let kept = reduce(
                (0..40).collect(),
                || false,
                |kept| needed.iter().all(|n| kept.contains(n)),
            );
            assert_eq!(kept, needed);
        }
    }

    #[test]
    fn what_was_not_asked_about_is_kept() {
        let asked = Cell::new(0);
        let fails = |kept: &[i32]| {
            asked.set(asked.get() + 1);
            kept.contains(&39)
        };
        let kept = reduce((0..40).collect(), || asked.get() == 2, fails);
        assert_eq!(kept, (20..40).collect::<Vec<_>>());
    }
}
