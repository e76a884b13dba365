//! Reads of a whole object: something does not show.

use super::{Teller, Told};
use crate::linearizability::entry::{Entry, Object};
use crate::linearizability::words::{client_via, sentence};

pub(super) fn tell(teller: &Teller<'_>) -> Option<Told> {
    teller
        .unseen(teller.core)
        .map(|(name, text)| Told::new(name, text))
}

impl Teller<'_> {
    /// For models that are not single values: an answer in which nothing shows of an operation that had ended
    /// before the question was asked.
    fn unseen(&self, core: &[Entry]) -> Option<(&'static str, String)> {
        let Object {
            classes,
            specification,
            ..
        } = self.object;
        let last = core.iter().find(|entry| entry.id == self.violation.culprit)?;
        let class = |entry: &Entry| classes.get(entry.class);
        // Other observers than reads don't answer with a state.
        let is_read = self.operation(last).f == "read";
        if self.access(last).is_some() || !is_read || !classes.is_observer(last.class) {
            return None;
        }
        let shows = |completed: &[Entry], entry: &Entry| {
            let completed: Vec<_> = completed.iter().map(class).collect();
            specification.last_use(&completed, &[class(entry)]) != [None]
        };
        let unseen = core.iter().find(|entry| {
            !classes.is_observer(entry.class)
                && entry.deadline.is_some_and(|deadline| deadline < last.invoked)
                && !shows(&[*last], entry)
        })?;
        let (writes, reads) = (self.operation(unseen), self.operation(last));
        let completed: Vec<Entry> = self
            .object
            .entries
            .iter()
            .filter(|entry| entry.deadline.is_some())
            .copied()
            .collect();
        let (name, ending) = if shows(&completed, unseen) {
            ("stale read", "though others did see it: a stale read")
        } else {
            (
                "lost write",
                "and no operation ever saw it: the acknowledged write was lost",
            )
        };
        let text = format!(
            "{} {}, but {} had been acknowledged to {} {}, {}; nothing of that shows in the answer, {ending}.",
            sentence(&self.words.ended(reads)),
            self.claim(last, &class(last).result),
            specification.describe(&writes),
            client_via(writes),
            self.words.ended(writes),
            self.gap_before(writes, reads),
        );
        Some((name, text))
    }
}
