//! Registers: what was read can't have been there.

use std::collections::BTreeSet;

use partita_history::{Operation, Outcome, Value};

use super::{Teller, Told};
use crate::linearizability::entry::Entry;
use crate::linearizability::orphan::{self, Orphan};
use crate::linearizability::words::{client_via, sentence};
use crate::model::Access;

pub(super) fn tell(teller: &Teller<'_>) -> Option<Told> {
    tell_of_one_read(teller).or_else(|| {
        teller
            .two_swaps(teller.core)
            .or_else(|| teller.inversion(teller.core))
            .map(|(name, text)| Told::new(name, text))
    })
}

/// What the culprit alone shows; in near-linear time.
pub(super) fn tell_of_one_read(teller: &Teller<'_>) -> Option<Told> {
    let object = teller.object;
    let orphan = orphan::find(&teller.prefix, &object.classes, object.specification)
        .filter(|orphan| teller.prefix[orphan.reader].id == teller.violation.culprit)?;
    let (name, text) = teller.orphan(&orphan)?;
    Some(Told::new(name, text))
}

impl Teller<'_> {
    fn orphan(&self, orphan: &Orphan) -> Option<(&'static str, String)> {
        let reader = &self.prefix[orphan.reader];
        let at = sentence(&self.words.ended(self.operation(reader)));
        let Some(value) = self.access(reader)?.requires() else {
            let operation = self.operation(reader);
            let text = format!(
                "{at} {} was told that its compare-and-set was refused for not finding the value it expected, yet the \
                 answer says that it saw {}, which is that very value.",
                client_via(operation),
                operation.observed.unwrap_or(&Value::Null),
            );
            return Some(("contradictory refusal", text));
        };
        match orphan.overwriter {
            None => Some(self.never_written(reader, value, &at)),
            Some(overwriter) => Some(self.overwritten(reader, &self.prefix[overwriter], value, orphan, &at)),
        }
    }

    /// Nothing had left the value yet.
    fn never_written(&self, reader: &Entry, value: &Value, at: &str) -> (&'static str, String) {
        let claim = self.claim(reader, value);
        let object = self.object;
        let by_input = |operation: &Operation| {
            operation.key == object.key
                && match operation.f {
                    "write" => operation.input == value,
                    _ => operation.input.as_pair().is_some_and(|(_, to)| to == value),
                }
        };
        let return_position = reader.deadline.unwrap_or(u32::MAX);
        let mut writers = object.history.operations().filter(by_input);
        let failed = writers
            .clone()
            .find(|w| w.outcome == Outcome::Fail && w.invoked.position < return_position);
        if let Some(failed) = failed {
            let error = failed
                .error
                .as_ref()
                .map_or(String::new(), |error| format!(" ({error})"));
            return (
                "read of a failed write",
                format!(
                    "{at} {claim}, but the only {} of that value, by {}, had been reported as failed {}{error}: \
                     a failed operation must have no effect.",
                    failed.f,
                    client_via(failed),
                    self.words.ended(failed),
                ),
            );
        }
        let later = writers.find(|w| w.outcome != Outcome::Fail && w.invoked.position > return_position);
        if let Some(later) = later {
            let gap = self
                .words
                .gap(self.operation(reader), later)
                .map_or("only after that answer".to_owned(), |gap| {
                    format!("{gap} after that answer")
                });
            return (
                "read from the future",
                format!(
                    "{at} {claim}, but the first {} of that value, by {}, began {}, {gap}: a read from the future.",
                    later.f,
                    client_via(later),
                    self.words.at(later.invoked),
                ),
            );
        }
        (
            "read from nowhere",
            format!(
                "{at} {claim}, but nobody ever wrote that value, and the initial value is {}.",
                object.specification.initial()
            ),
        )
    }

    /// The value had certainly been overwritten when the reader began.
    fn overwritten(
        &self,
        reader: &Entry,
        overwriter: &Entry,
        value: &Value,
        orphan: &Orphan,
        at: &str,
    ) -> (&'static str, String) {
        let (reads, writes) = (self.operation(reader), self.operation(overwriter));
        let newer = self
            .access(overwriter)
            .and_then(Access::produces)
            .cloned()
            .unwrap_or_default();
        let claim = self.claim(reader, value);
        let acknowledged = format!(
            "{} had been acknowledged to {} {}",
            self.holds(&newer),
            client_via(writes),
            self.words.ended(writes)
        );
        let gap = self.gap_before(writes, reads);
        let more = match self.overwriters_between(overwriter, reader) {
            0 => String::new(),
            1 => ", as had one more change since".to_owned(),
            more => format!(", as had {more} more changes since"),
        };
        let origin = match &orphan.writers[..] {
            [] => format!("{value} was the initial value and nothing wrote it again"),
            [writer] => {
                let writer = self.operation(&self.prefix[*writer]);
                format!(
                    "{value} was the older value (written by {} {}), and nothing wrote it again",
                    client_via(writer),
                    self.words.ended(writer)
                )
            }
            several => format!(
                "all {} writes of {value} were over before that, and nothing wrote it again",
                several.len()
            ),
        };
        if self.is_lost(overwriter, reader, value, &newer) {
            let text = format!(
                "{} {} was acknowledged to {}, but no operation ever saw it: {} {claim}, though the acknowledgement had \
                 come {gap}; {origin}. The acknowledged write was lost.",
                sentence(&self.words.ended(writes)),
                self.holds(&newer),
                client_via(writes),
                self.words.ended(reads),
            );
            return ("lost write", text);
        }
        let text = format!("{at} {claim}, but {acknowledged}, {gap}{more}; {origin}: a stale read.");
        ("stale read", text)
    }

    /// How many further completed mutators lie wholly between these two.
    fn overwriters_between(&self, overwriter: &Entry, reader: &Entry) -> usize {
        let between = |entry: &&Entry| {
            entry.id != overwriter.id
                && self
                    .access(entry)
                    .is_some_and(|access| access.produces().is_some())
                && overwriter
                    .deadline
                    .is_some_and(|deadline| entry.invoked > deadline)
                && entry.deadline.is_some_and(|deadline| deadline < reader.invoked)
        };
        self.prefix.iter().filter(between).count()
    }

    /// Whether the newer value vanished, and was not merely not yet known somewhere: nothing in the whole history
    /// saw it, and the older one was built upon, or seen afterwards through different nodes (or clients).
    fn is_lost(&self, overwriter: &Entry, reader: &Entry, older: &Value, newer: &Value) -> bool {
        let requires = |entry: &Entry, value| {
            self.access(entry)
                .is_some_and(|access| access.requires() == Some(value))
        };
        if self.object.entries.iter().any(|entry| requires(entry, newer)) {
            return false;
        }
        if self
            .access(reader)
            .is_some_and(|access| access.produces().is_some())
        {
            return true;
        }
        let after = |entry: &&Entry| {
            overwriter
                .deadline
                .is_some_and(|deadline| entry.invoked > deadline)
        };
        let places: BTreeSet<(Option<&str>, u64)> = self
            .object
            .entries
            .iter()
            .filter(after)
            .filter(|entry| requires(entry, older))
            .map(|entry| self.operation(entry))
            .map(|operation| match operation.node {
                Some(node) => (Some(node), 0),
                None => (None, operation.process),
            })
            .collect();
        places.len() > 1
    }

    /// How many of `entries` may have left `value` (the initial value counts as one), and the first of them.
    fn producers<'e>(&self, entries: &'e [Entry], value: &Value) -> (usize, Option<&'e Entry>) {
        let mut producers = entries
            .iter()
            .filter(|entry| self.access(entry).and_then(Access::produces) == Some(value));
        let first = producers.next();
        let initial = usize::from(self.object.specification.initial() == *value);
        (initial + usize::from(first.is_some()) + producers.count(), first)
    }

    fn two_swaps(&self, core: &[Entry]) -> Option<(&'static str, String)> {
        let swaps: Vec<(&Entry, &Value, &Value)> = core
            .iter()
            .filter(|entry| entry.deadline.is_some())
            .filter_map(|entry| match self.access(entry)? {
                Access::Swap { from, to } => Some((entry, from, to)),
                _ => None,
            })
            .collect();
        let pairs = swaps
            .iter()
            .enumerate()
            .flat_map(|(i, a)| swaps[..i].iter().map(move |b| (b, a)));
        for (a, b) in pairs {
            let (count, writer) = self.producers(core, a.1);
            if a.1 != b.1 || count > 1 {
                continue;
            }
            let tell = |(entry, _, to): &(&Entry, &Value, &Value)| {
                let operation = self.operation(entry);
                format!(
                    "{}'s, to {to}, acknowledged {}",
                    client_via(operation),
                    self.words.ended(operation)
                )
            };
            let origin = match (self.producers(&self.prefix, a.1).0, writer) {
                (0 | 1, Some(writer)) => {
                    format!("which only {} ever wrote", client_via(self.operation(writer)))
                }
                (0 | 1, None) => "which was the initial value and was never written".to_owned(),
                _ => "which nothing wrote in between".to_owned(),
            };
            let text = format!(
                "Two compare-and-sets both succeeded from {}, {origin}: {}, and {}. After the first of them the value \
                 was no longer {}, so the second had to be refused.",
                self.holds(a.1),
                tell(a),
                tell(b),
                a.1
            );
            return Some(("two compare-and-sets from one value", text));
        }
        None
    }

    /// A reader saw the newer of two values, and another one that began afterwards saw the older.
    fn inversion(&self, core: &[Entry]) -> Option<(&'static str, String)> {
        let last = core.iter().find(|entry| entry.id == self.violation.culprit)?;
        let older = self.access(last)?.requires()?;
        let first = core.iter().find(|entry| {
            entry.deadline.is_some_and(|deadline| deadline < last.invoked)
                && self
                    .access(entry)
                    .is_some_and(|a| a.produces().is_none() && a.requires().is_some_and(|v| v != older))
        })?;
        let newer = self.access(first)?.requires()?;
        // With one writer of each, the older value is the older one if its writer was over before the other began,
        // or handed its value on to it; or if there is no third value that could have come in between.
        let ((1, older_writer), (1, newer_writer)) =
            (self.producers(core, older), self.producers(core, newer))
        else {
            return None;
        };
        let over_before = older_writer
            .zip(newer_writer)
            .is_some_and(|(older_writer, newer_writer)| {
                older_writer
                    .deadline
                    .is_some_and(|deadline| deadline < newer_writer.invoked)
            });
        let handed_on = newer_writer.and_then(|writer| self.access(writer)?.requires()) == Some(older);
        let only_these = core.iter().all(|entry| {
            let produced = self.access(entry).and_then(Access::produces);
            produced.is_none_or(|value| value == older || value == newer)
        });
        if !(only_these || over_before || handed_on) {
            return None;
        }
        let gap = self
            .words
            .gap(self.operation(first), self.operation(last))
            .map_or_else(
                || "After that".to_owned(),
                |gap| format!("{} after that", sentence(&gap.to_string())),
            );
        let text = format!(
            "{} {}. {gap} another operation began, and {} {}: the older value came back after the newer one had been \
             seen, and nothing can have written it again.",
            sentence(&self.words.ended(self.operation(first))),
            self.claim(first, newer),
            self.words.ended(self.operation(last)),
            self.claim(last, older),
        );
        Some(("new/old inversion", text))
    }
}
