//! Names a violation, and tells it to a tired on-call engineer.
//!
//! Each family of objects has its templates in a file of its own; they are tried from the plainest to the most
//! general. Each states only what the history proves: a name is given for a few operations that are a contradiction
//! by themselves, and where these are few enough, the exhaustive checker is asked whether that is so.

mod collection;
mod counter;
mod decision;
mod list;
mod lock;
mod log;
mod register;
mod set;
mod version;
mod whole;

use partita_history::{Operation, Outcome, Value};

use super::entry::{Entry, Object};
use super::judge::{self, Violation};
use super::words::{Words, client, client_via, list};
use crate::model::{self, Access, Class};
use crate::oracle::{Candidate, Oracle};
use crate::verdict::Partial;

/// The most operations that a story lists.
const LISTED_MAX: usize = 12;
/// The most operations that a contradiction is sought among.
const SUSPECTS_MAX: usize = 24;
/// The most operations that the exhaustive checker is asked about.
const PROOF_MAX: usize = 14;
/// How many steps it may make.
const PROOF_STEPS_MAX: usize = 50_000;

/// The most operations that templates look at.
const SMALL: usize = 256;

/// The name and the story of a violation.
pub(crate) fn tell(
    object: &Object<'_>,
    violation: &Violation,
    core: &[Entry],
    partials: &[Partial],
) -> (&'static str, String) {
    let teller = Teller {
        object,
        words: Words::new(object.history),
        prefix: judge::prefix(object, violation.position),
        core,
        violation,
    };
    let of_family = match model::registered_name(object.specification) {
        _ if !teller.is_small() => register::tell_of_one_read(&teller),
        Some("fifo-queue" | "bag" | "stack" | "priority-queue") => collection::tell(&teller),
        Some("counter") => counter::tell(&teller),
        Some("set" | "grow-only-set") => set::tell(&teller),
        Some("list") => list::tell(&teller),
        Some("append-log") => log::tell(&teller),
        Some("versioned-register") => version::tell(&teller),
        Some("write-once-register") => decision::tell(&teller),
        Some("mutex" | "owned-mutex" | "semaphore" | "fenced-lock") => lock::tell(&teller),
        _ => register::tell(&teller),
    };
    of_family
        .filter(|told| teller.is_proved(told))
        .or_else(|| teller.is_small().then(|| whole::tell(&teller)).flatten())
        .map_or_else(
            || ("not linearizable", teller.general(partials)),
            |told| (told.name, told.text),
        )
}

/// A name, and a story.
struct Told {
    name: &'static str,
    text: String,
    /// Operations of the prefix that are a contradiction by themselves, if the template can say which.
    proof: Vec<Entry>,
}

impl Told {
    fn new(name: &'static str, text: String) -> Told {
        Told {
            name,
            text,
            proof: Vec::new(),
        }
    }

    fn proved_by(self, proof: Vec<Entry>) -> Told {
        Told { proof, ..self }
    }
}

struct Teller<'a> {
    object: &'a Object<'a>,
    words: Words,
    /// The entries of the violating prefix.
    prefix: Vec<Entry>,
    /// The entries of the counterexample.
    core: &'a [Entry],
    violation: &'a Violation,
}

impl<'a> Teller<'a> {
    /// Whether the core is what it should be, and not what a spent budget left: templates look at its operations two
    /// by two.
    fn is_small(&self) -> bool {
        self.core.len() <= SMALL
    }

    fn operation(&self, entry: &Entry) -> Operation<'a> {
        self.object.history.operation(entry.id)
    }

    fn class(&self, entry: &Entry) -> &'a Class {
        self.object.classes.get(entry.class)
    }

    fn access(&self, entry: &Entry) -> Option<Access<'a>> {
        self.object.specification.access(self.class(entry))
    }

    /// The entries of the counterexample as they look in the prefix: the culprit first, then what others saw, for these
    /// contradict each other; and no more than a few, for a counterexample that could not be made small has no
    /// simple name.
    fn suspects(&self) -> Vec<&Entry> {
        let in_prefix = |entry: &Entry| {
            let at = self
                .prefix
                .binary_search_by_key(&entry.id, |other| other.id)
                .ok()?;
            Some(&self.prefix[at])
        };
        let mut suspects: Vec<&Entry> = self.core.iter().filter_map(in_prefix).collect();
        suspects.sort_by_key(|entry| {
            let is_culprit = entry.id == self.violation.culprit;
            (!is_culprit, !self.object.classes.is_observer(entry.class))
        });
        suspects.truncate(SUSPECTS_MAX);
        suspects
    }

    /// All that changes the object in the prefix, and these observers of it: enough for a proof.
    fn with_mutators(&self, observers: &[&Entry]) -> Vec<Entry> {
        let is_kept = |entry: &&Entry| {
            !self.object.classes.is_observer(entry.class)
                || observers.iter().any(|observer| observer.id == entry.id)
        };
        self.prefix.iter().filter(is_kept).copied().collect()
    }

    /// Whether the proof is one, as far as that can be told.
    fn is_proved(&self, told: &Told) -> bool {
        if told.proof.is_empty() || told.proof.len() > PROOF_MAX {
            return true;
        }
        let candidates = told.proof.iter().map(|entry| Candidate {
            class: self.class(entry),
            invoked: entry.invoked,
            deadline: entry.deadline,
        });
        let oracle = Oracle::new(self.object.specification, candidates.collect()).limited_to(PROOF_STEPS_MAX);
        let linearizable = oracle.is_linearizable();
        debug_assert_ne!(linearizable, Some(true), "{}: {}", told.name, told.text);
        linearizable != Some(true)
    }

    /// `client 4 (via n1)`
    fn who(&self, entry: &Entry) -> String {
        client_via(self.operation(entry))
    }

    /// `at 12.402 s`: when it ended.
    fn when(&self, entry: &Entry) -> String {
        self.words.ended(self.operation(entry))
    }

    /// `n3 answered client 7`, or `client 7 was told`.
    fn answered(&self, entry: &Entry) -> String {
        let operation = self.operation(entry);
        match operation.node {
            Some(node) => format!("{node} answered {}", client(operation)),
            None => format!("{} was told", client(operation)),
        }
    }

    /// `379 ms before`, said of the end of one and the beginning of another; `before` without a clock.
    fn lead(&self, first: &Entry, second: &Entry) -> String {
        self.words
            .gap(self.operation(first), self.operation(second))
            .map_or_else(|| "before".to_owned(), |gap| format!("{gap} before"))
    }

    /// `the queue`, or `key x`.
    fn name(&self, noun: &str) -> String {
        self.object
            .key
            .map_or_else(|| format!("the {noun}"), |key| format!("{noun} {key}"))
    }

    /// `x = 7`
    fn holds(&self, value: &Value) -> String {
        self.object.specification.describe_state(self.object.key, value)
    }

    /// What a client was told: `n3 answered client 7 that x = 7`.
    fn claim(&self, entry: &Entry, value: &Value) -> String {
        let operation = self.operation(entry);
        let holds = self.holds(value);
        let told = match operation.node {
            Some(node) => format!("{node} told {}", client(operation)),
            None => format!("{} was told", client(operation)),
        };
        match (operation.f, operation.outcome) {
            ("read", _) => match operation.node {
                Some(node) => format!("{node} answered {} that {holds}", client(operation)),
                None => format!("{} read {holds}", client(operation)),
            },
            (_, Outcome::Fail) => format!("{told} that its compare-and-set was refused because {holds}"),
            _ => format!("{told} that its compare-and-set had succeeded, having found {holds}"),
        }
    }

    /// `379 ms before this read began`
    fn gap_before(&self, first: Operation<'_>, second: Operation<'_>) -> String {
        let what = match second.f {
            "cas" => "compare-and-set",
            f => f,
        };
        self.words.gap(first, second).map_or_else(
            || format!("before this {what} began"),
            |gap| format!("{gap} before this {what} began"),
        )
    }

    fn general(&self, partials: &[Partial]) -> String {
        let (core, violation) = (self.core, self.violation);
        let history = self.object.history;
        let describe = |id: usize| self.object.specification.describe(&history.operation(id));
        let mut listed: Vec<String> = core
            .iter()
            .take(LISTED_MAX)
            .map(|entry| {
                let operation = self.operation(entry);
                let until = match (operation.outcome, operation.completed) {
                    (Outcome::Info, _) | (_, None) => "on, its end unknown".to_owned(),
                    (_, Some(end)) => format!("to {}", self.words.moment(end)),
                };
                format!(
                    "{}: {} (from {} {until})",
                    client_via(operation),
                    describe(entry.id),
                    self.words.moment(operation.invoked)
                )
            })
            .collect();
        if core.len() > LISTED_MAX {
            listed.push(format!("{} more", core.len() - LISTED_MAX));
        }
        let culprit = history.operation(violation.culprit);
        let furthest = partials.first().map_or_else(String::new, |partial| {
            let state = partial
                .steps
                .last()
                .map_or("at the start".to_owned(), |step| format!("after {}", describe(step.operation)));
            let stuck: Vec<String> = partial
                .stuck
                .iter()
                .take(3)
                .map(|stuck| format!("{} ({})", describe(stuck.operation), stuck.why))
                .collect();
            format!(
                " The order that gets furthest ends {state}; what would have to come next is impossible there: {}.",
                list(&stuck)
            )
        });
        format!(
            "No order of these {} operations explains what the clients saw: {}. It became certain {}, when this one ended: {}: {}.\
             {furthest}",
            core.len(),
            listed.join("; "),
            self.words.ended(culprit),
            client_via(culprit),
            describe(violation.culprit),
        )
    }
}

/// Whether one operation had ended when the other began.
fn precedes(first: &Entry, second: &Entry) -> bool {
    first.deadline.is_some_and(|deadline| deadline < second.invoked)
}

/// Whether an operation may have taken effect after the first of two and before the end of the second.
fn may_come_between(entry: &Entry, first: &Entry, second: &Entry) -> bool {
    !precedes(entry, first) && entry.invoked < second.deadline.unwrap_or(u32::MAX)
}
