//! Counters: a count that the changes can't have made.

use partita_history::Value;

use super::{Teller, Told, may_come_between, precedes};
use crate::linearizability::entry::Entry;
use crate::linearizability::words::sentence;

/// A change, and the count that it told of, if it did.
struct Change<'e> {
    entry: &'e Entry,
    amount: i128,
}

struct Counter<'t, 'a> {
    teller: &'t Teller<'a>,
    changes: Vec<Change<'t>>,
    /// Whether any of them takes something away.
    has_decrements: bool,
    initial: i128,
}

pub(super) fn tell(teller: &Teller<'_>) -> Option<Told> {
    let Value::Int(initial) = teller.object.specification.initial() else {
        return None;
    };
    let changes = teller.prefix.iter().filter_map(|entry| {
        let class = teller.class(entry);
        match class.argument {
            Value::Int(amount) if class.action == "add" => Some(Change {
                entry,
                amount: amount.into(),
            }),
            _ => None,
        }
    });
    let changes: Vec<Change<'_>> = changes.collect();
    let this = Counter {
        teller,
        has_decrements: changes.iter().any(|change| change.amount < 0),
        changes,
        initial: initial.into(),
    };
    // Counts wrap around, and then more or less says nothing.
    let most: i128 = this.changes.iter().map(|change| change.amount.abs()).sum();
    if i64::try_from(this.initial.abs() + most).is_err() {
        return None;
    }
    let suspects = teller.suspects();
    let first = |template: &dyn Fn(&Entry) -> Option<Told>| suspects.iter().find_map(|entry| template(entry));
    first(&|entry| this.too_large(entry))
        .or_else(|| first(&|entry| this.too_small(entry)))
        .or_else(|| first(&|entry| this.backwards(entry, &suspects)))
        .or_else(|| first(&|entry| this.same_count(entry)))
}

impl<'t> Counter<'t, '_> {
    /// The count that a completed operation told of.
    fn count(&self, entry: &Entry) -> Option<i128> {
        entry.deadline?;
        match self.teller.class(entry).result {
            Value::Int(count) => Some(count.into()),
            _ => None,
        }
    }

    /// The smallest and the largest count that it may have told of; and what of it had certainly been added.
    fn bounds(&self, told: &Entry) -> (i128, i128, i128) {
        let (mut low, mut high, mut certain) = (self.initial, self.initial, 0);
        for Change { entry, amount } in &self.changes {
            if entry.id == told.id || precedes(entry, told) {
                low += amount;
                high += amount;
                certain += amount;
            } else if told.deadline.is_none_or(|deadline| entry.invoked < deadline) {
                low += amount.min(&0);
                high += amount.max(&0);
            }
        }
        (low, high, certain)
    }

    /// `at 2.000 s n3 answered client 7 that counter = 5`
    fn claim(&self, entry: &Entry, count: i128) -> String {
        let teller = self.teller;
        let holds = teller.holds(&Value::Int(count as i64));
        format!("{} {} that {holds}", teller.when(entry), teller.answered(entry))
    }

    fn too_large(&self, told: &Entry) -> Option<Told> {
        let count = self.count(told)?;
        let (_, high, _) = self.bounds(told);
        if count <= high {
            return None;
        }
        let text = format!(
            "{}, but all that was ever added before that answer, acknowledged or not, makes it {high} at most{}: more was \
             read than was added.",
            sentence(&self.claim(told, count)),
            match self.initial {
                0 => String::new(),
                initial => format!(" (it began as {initial})"),
            }
        );
        Some(Told::new("read more than was added", text).proved_by(self.teller.with_mutators(&[told])))
    }

    fn too_small(&self, told: &Entry) -> Option<Told> {
        let count = self.count(told)?;
        let (low, _, certain) = self.bounds(told);
        if count >= low {
            return None;
        }
        let acknowledged = self
            .changes
            .iter()
            .filter(|change| change.amount > 0 && precedes(change.entry, told));
        let number = acknowledged.clone().count();
        let last = acknowledged.max_by_key(|change| change.entry.deadline)?.entry;
        let what = match number {
            1 => "one change had".to_owned(),
            n => format!("{n} changes had"),
        };
        let teller = self.teller;
        let began = format!(
            "before this {} began, the last to {} {}, {}",
            teller.operation(told).f,
            teller.who(last),
            teller.when(last),
            teller.lead(last, told)
        );
        let seen = teller
            .object
            .entries
            .iter()
            .any(|entry| self.count(entry).is_some_and(|count| count >= low));
        let (name, ending) = match (seen, self.has_decrements) {
            (true, _) => ("stale read", "others did see that much: a stale read".to_owned()),
            (false, true) => ("lost change", "an acknowledged change was lost".to_owned()),
            (false, false) => ("lost increment", format!("{} of it was lost", low - count)),
        };
        let text = format!(
            "{}, but {what} been acknowledged {began}: they add {certain}, so that the count was {low} at least; {ending}.",
            sentence(&self.claim(told, count)),
        );
        Some(Told::new(name, text).proved_by(teller.with_mutators(&[told])))
    }

    fn backwards(&self, second: &Entry, suspects: &[&Entry]) -> Option<Told> {
        let smaller = self.count(second)?;
        suspects.iter().find_map(|first| {
            let larger = self.count(first)?;
            let excused = |change: &Change<'_>| {
                let is_between = change.entry.id == second.id
                    || change.entry.id != first.id && may_come_between(change.entry, first, second);
                change.amount < 0 && is_between
            };
            if !(precedes(first, second) && smaller < larger) || self.has_decrements && self.changes.iter().any(excused) {
                return None;
            }
            let teller = self.teller;
            let text = format!(
                "{}; {} another operation began, {}: nothing can have taken any away in between, so the counter went backwards.",
                sentence(&self.claim(first, larger)),
                teller.lead(first, second).replace("before", "later"),
                self.claim(second, smaller),
            );
            Some(Told::new("counter went backwards", text).proved_by(teller.with_mutators(&[first, second])))
        })
    }

    /// Two increments that made the same count.
    fn same_count(&self, second: &Entry) -> Option<Told> {
        let count = self.count(second)?;
        if self.changes.iter().any(|change| change.amount <= 0) {
            return None;
        }
        let is_change = |entry: &Entry| self.changes.iter().any(|change| change.entry.id == entry.id);
        let first = self
            .changes
            .iter()
            .map(|change| change.entry)
            .find(|entry| entry.id != second.id && self.count(entry) == Some(count))
            .filter(|_| is_change(second))?;
        let text = format!(
            "{}, and {}: both counted themselves, and nothing was ever taken away, so they can't have made the same count.",
            sentence(&self.claim(first, count)),
            self.claim(second, count),
        );
        Some(Told::new("two increments to one count", text).proved_by(self.teller.with_mutators(&[])))
    }
}
