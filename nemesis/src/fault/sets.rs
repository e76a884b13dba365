//! Faults that are often wanted together.

use super::{ALL, Fault};

/// Some faults under one name.
pub struct Set {
    /// Its name, in kebab case; no fault has it.
    pub name: &'static str,
    /// What is in it, in a few words.
    pub summary: &'static str,
    holds: fn(&dyn Fault) -> bool,
}

/// Every set there is, from the mildest to the harshest.
pub const SETS: &[Set] = &[
    Set {
        name: "calm",
        summary: "no fault at all",
        holds: |_| false,
    },
    Set {
        name: "standard",
        summary: "`partition`, `kill` and `pause`: the default, as every machine can do them",
        holds: |fault| ["partition", "kill", "pause"].contains(&fault.name()),
    },
    Set {
        name: "disk",
        summary: "what goes wrong with disks",
        holds: |fault| fault.needs_disks() || ["bit-rot", "lost-disk"].contains(&fault.name()),
    },
    Set {
        name: "clock",
        summary: "what goes wrong with clocks",
        holds: |fault| fault.name().starts_with("clock-"),
    },
    Set {
        name: "hard",
        summary: "all that a sound server goes on with, or comes back from with all that it promised",
        holds: |fault| !fault.is_harsh(),
    },
    Set {
        name: "all",
        summary: "`hard`, and what a sound server may end itself of",
        holds: |_| true,
    },
];

impl Set {
    /// The set of this name.
    pub fn find(name: &str) -> Option<&'static Set> {
        SETS.iter().find(|set| set.name == name)
    }

    /// What is in it.
    pub fn faults(&self) -> impl Iterator<Item = &'static dyn Fault> {
        ALL.iter().copied().filter(|fault| (self.holds)(*fault))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(set: &str) -> BTreeSet<&'static str> {
        Set::find(set)
            .unwrap()
            .faults()
            .map(|fault| fault.name())
            .collect()
    }

    #[test]
    fn sets_hold_what_they_say_and_no_fault_has_their_names() {
        assert!(SETS.iter().all(|set| crate::fault::find(set.name).is_none()));
        assert!(names("calm").is_empty() && names("all").len() == ALL.len());
        assert_eq!(names("standard"), BTreeSet::from(["partition", "kill", "pause"]));
        assert_eq!(
            names("clock"),
            BTreeSet::from(["clock-jump", "clock-skew", "clock-strobe"])
        );
        assert!(names("disk").is_superset(&BTreeSet::from(["power-cut", "bit-rot", "stuck-fsync"])));
        let harsh: BTreeSet<_> = names("all").difference(&names("hard")).copied().collect();
        let expected = ["io-errors", "disk-full", "bit-rot", "memory", "file-descriptors"];
        assert_eq!(harsh, BTreeSet::from(expected));
    }
}
