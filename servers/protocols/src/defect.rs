//! The catalogue of deliberate bugs.
//!
//! A tester that never saw a bug proves nothing. Each defect is one that real systems have had, is one
//! decision in the code (look for the name of its variant), and must be found by a run with faults.

use std::fmt;
use std::str::FromStr;

/// A deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// A leader answers reads from its own state without asking a quorum: one that was cut off, and has been
    /// replaced without knowing it, serves the past.
    StaleReads,
    /// A leader takes an entry for committed once its own disk has it, before a majority does.
    EarlyAcks,
    /// Writes are reported durable while they are still only in the memory of the process. It is the disk
    /// that lies, not the protocol: so it is the drivers (`replica`, `simulator`) that have this defect.
    UnsyncedAcks,
    /// Votes and pre-votes are granted without comparing logs.
    BlindVotes,
}

impl Defect {
    /// Every defect, in the order they are listed.
    pub const ALL: &[Defect] = &[
        Defect::StaleReads,
        Defect::EarlyAcks,
        Defect::UnsyncedAcks,
        Defect::BlindVotes,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Defect::StaleReads => "stale-reads",
            Defect::EarlyAcks => "early-acks",
            Defect::UnsyncedAcks => "unsynced-acks",
            Defect::BlindVotes => "blind-votes",
        }
    }

    /// What is wrong, in one sentence.
    pub fn summary(self) -> &'static str {
        match self {
            Defect::StaleReads => "a leader answers reads from its own state without asking a quorum",
            Defect::EarlyAcks => {
                "a leader acknowledges a write once it is on its own disk, before a majority has it"
            }
            Defect::UnsyncedAcks => {
                "a node acknowledges a write that is still only in its memory, so that a crash loses it"
            }
            Defect::BlindVotes => "a node grants its vote without comparing the candidate's log with its own",
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No defect has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no defect; there are: stale-reads, early-acks, unsynced-acks, blind-votes")]
pub struct UnknownDefect(pub String);

impl FromStr for Defect {
    type Err = UnknownDefect;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|defect| defect.name() == name);
        found.copied().ok_or_else(|| UnknownDefect(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defect_is_found_by_its_name_and_explained() {
        for &defect in Defect::ALL {
            assert_eq!(defect.name().parse(), Ok(defect));
            assert!(
                defect
                    .name()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            );
            assert!(defect.summary().len() > 20);
            let complaint = UnknownDefect("x".into()).to_string();
            assert!(complaint.contains(defect.name()), "{complaint} names {defect}");
        }
        assert_eq!("no-such".parse::<Defect>(), Err(UnknownDefect("no-such".into())));
    }
}
