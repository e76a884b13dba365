//! How wrong a key is, in a few lines.

use super::result::{Extent, Holds, Severity, StaleReads, Unit};
use crate::linearizability::words::{Span, list, sentence};

impl Severity {
    /// A few sentences for a person in a hurry: the sizes, and last what still holds.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.sizes();
        lines.extend(self.guarantees());
        lines
    }

    /// How stale, how wrong the clocks would have to be, and which reads: a sentence each.
    pub fn sizes(&self) -> Vec<String> {
        let mut lines = vec![self.headline()];
        lines.extend(self.clocks());
        lines.extend(self.stale_reads.as_ref().and_then(|reads| self.reads(reads)));
        lines
    }

    /// A length of time, in words: `412 ms`, `17 events`.
    pub fn length(&self, length: u64) -> String {
        match self.unit {
            Unit::Nanoseconds => Span(length).to_string(),
            Unit::Events => counted(length, "event"),
        }
    }

    fn headline(&self) -> String {
        let time = match &self.stale_by {
            Extent::Exactly(0) => "The stalest answer is stale by less than the clock tells".to_owned(),
            Extent::Exactly(length) => format!("The stalest answer is stale by {}", self.length(*length)),
            Extent::AtLeast(length) => {
                format!("The stalest answer is stale by {} or more", self.length(*length))
            }
            Extent::Boundless(why) => format!("No staleness explains it: {why}"),
            Extent::NotKnown(why) => format!("How stale is not known: {why}"),
        };
        match &self.versions {
            Extent::Exactly(versions) => {
                format!("{time}; {} behind at worst.", counted(*versions, "version"))
            }
            Extent::AtLeast(versions) => {
                format!(
                    "{time}; {} or more behind at worst.",
                    counted(*versions, "version")
                )
            }
            Extent::Boundless(_) | Extent::NotKnown(_) => format!("{time}."),
        }
    }

    fn clocks(&self) -> Option<String> {
        match &self.clock_error {
            Extent::Exactly(length) => Some(format!(
                "Only clocks that differ by {} or more between clients would excuse it.",
                self.length(*length)
            )),
            Extent::AtLeast(length) => Some(format!(
                "Clocks that differ by less than {} between clients would not excuse it.",
                self.length(*length)
            )),
            Extent::Boundless(_) => Some("No error of the clocks would excuse it.".to_owned()),
            Extent::NotKnown(_) => None,
        }
    }

    fn reads(&self, reads: &StaleReads) -> Option<String> {
        let nowhere = match reads.from_nowhere {
            0 => String::new(),
            count => format!(
                " {} found what nothing had written yet.",
                sentence(&counted(count as u64, "read"))
            ),
        };
        if reads.stale == 0 {
            return (!nowhere.is_empty()).then(|| nowhere.trim_start().to_owned());
        }
        let from: Vec<String> = reads
            .offenders
            .iter()
            .map(|offender| format!("{} ({} of {})", offender.name, offender.stale, offender.of))
            .collect();
        if reads.stale == 1 {
            return Some(format!(
                "1 of {} was certainly stale, by {}; from {}.{nowhere}",
                counted(reads.of as u64, "read"),
                self.length(reads.time.max),
                list(&from),
            ));
        }
        Some(format!(
            "{} of {} reads were certainly stale, half of them by {} or less, the worst by {}; from {}.{nowhere}",
            reads.stale,
            reads.of,
            self.length(reads.time.p50),
            self.length(reads.time.max),
            list(&from),
        ))
    }

    fn guarantees(&self) -> Option<String> {
        let of = |is: fn(&Holds) -> bool| -> Vec<String> {
            let levels = self.levels.iter().filter(|level| is(&level.holds));
            levels.map(|level| level.consistency.name().to_owned()).collect()
        };
        let parts = [
            ("Still holds", of(|holds| *holds == Holds::Yes)),
            ("broken", of(|holds| matches!(holds, Holds::No { .. }))),
            ("not known", of(|holds| matches!(holds, Holds::NotKnown { .. }))),
        ];
        let told: Vec<String> = parts
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {}", names.join(", ")))
            .collect();
        (!told.is_empty()).then(|| format!("{}.", sentence(&told.join("; "))))
    }
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
