//! A bag, or unordered queue: any of its items may come out (ALGORITHMS.md 3.10).
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `enqueue` | the item, not null | anything |
//! | `dequeue` | anything | some item; null: it was empty |
//!
//! Equal items may be there several times. Each key is a bag by itself. Initially empty, or the list that
//! `initial` gives. An `enqueue` of unknown outcome may have put the item in. A `dequeue` of unknown outcome may
//! have removed any one of the items that were there: which one is left open until somebody finds the bag empty,
//! and is then decided for all at once (see [`Layers`]). A `fail` did nothing; if `fail` means "observed", a
//! failed `dequeue` found the bag empty.

use partita_history::{Operation, Outcome, Value};

use super::collection::Effect;
use super::words::{self, Name, Quoted, Start, class, function, last_mentions, list, wrong};
use super::{Class, FailMeaning, Model, Specification};

pub(super) const MODEL: Model = Model {
    name: "bag",
    summary: "enqueue, dequeue any item (null: empty); an unordered queue",
    specification: |options| {
        Box::new(Bag {
            start: Start::items(MODEL_NAME, options, true),
            fail: options.fail,
        })
    },
};

const MODEL_NAME: &str = "bag";
const ENQUEUE: &str = "enqueue";
const DEQUEUE: &str = "dequeue";
const EMPTY: &str = "empty";
/// A removal of unknown outcome.
const REMOVE: &str = "remove";

/// What an operation of a class of this model does.
pub(crate) fn effect(class: &Class) -> Effect<'_> {
    match class.action {
        ENQUEUE => Effect::Put(&class.argument),
        DEQUEUE => Effect::Take(&class.result),
        EMPTY => Effect::Empty,
        _ => Effect::Remove,
    }
}

/// The items of a state in which no removal is left open.
pub(crate) fn items(state: &Value) -> Vec<Value> {
    let Layers(layers) = Layers::of(state);
    layers.into_iter().flat_map(|(items, _)| items).collect()
}

struct Bag {
    start: Start,
    fail: FailMeaning,
}

/// Which items a removal of unknown outcome may have taken depends only on when it happened: those that had come
/// by then and were not taken otherwise. So the items are kept in layers by the time at which they came, and each
/// layer says how many such removals happened after it and before the next one.
///
/// Each removal took at most one item: one that took none is one that never happened. To find the bag empty, the
/// items left must all be covered, each by a removal of its own layer or of a later one. Items of later layers are
/// the harder to cover, so of several equal items the latest is the one to be taken by a known removal.
struct Layers(Vec<(Vec<Value>, i64)>);

impl Layers {
    /// From a state: `[[items, removals], ...]`.
    fn of(state: &Value) -> Layers {
        let layer = |layer: &Value| match layer.as_pair() {
            Some((items, Value::Int(removals))) => Some((list(items).to_vec(), *removals)),
            _ => None,
        };
        Layers(list(state).iter().filter_map(layer).collect())
    }

    /// As a state, and as the same one whenever the same things may happen: no empty layers, and no more removals
    /// than there are items for.
    fn state(self) -> Value {
        let mut kept: Vec<(Vec<Value>, i64)> = Vec::new();
        for (items, removals) in self.0 {
            match kept.last_mut() {
                // Nothing came between these removals and the ones before.
                Some(last) if items.is_empty() => last.1 = last.1.saturating_add(removals),
                // Nothing came between these items and the ones before, that anybody could tell.
                Some(last) if last.1 == 0 => {
                    last.0.extend(items);
                    last.0.sort_unstable();
                    last.1 = removals;
                }
                None if items.is_empty() => {}
                _ => kept.push((items, removals)),
            }
        }
        let mut free = 0;
        for (items, removals) in &mut kept {
            free += items.len() as i64;
            *removals = (*removals).min(free);
            free -= *removals;
        }
        let layer = |(items, removals)| Value::pair(Value::List(items), Value::Int(removals));
        Value::List(kept.into_iter().map(layer).collect())
    }

    fn put(mut self, item: &Value) -> Value {
        self.0.push((vec![item.clone()], 0));
        self.state()
    }

    fn take(mut self, item: &Value) -> Option<Value> {
        let (items, at) = self.0.iter_mut().rev().find_map(|(items, _)| {
            let at = items.iter().position(|other| other == item)?;
            Some((items, at))
        })?;
        items.remove(at);
        Some(self.state())
    }

    fn remove_any(mut self) -> Value {
        if let Some((_, removals)) = self.0.last_mut() {
            *removals = removals.saturating_add(1);
        }
        self.state()
    }

    /// Whether the removals can have taken all that is left.
    fn can_be_empty(&self) -> bool {
        let mut unused = 0;
        self.0.iter().rev().all(|(items, removals)| {
            unused += removals - items.len() as i64;
            unused >= 0
        })
    }
}

impl Specification for Bag {
    fn initial(&self) -> Value {
        Layers(vec![(list(&self.start.state()).to_vec(), 0)]).state()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        self.start.check()?;
        let f = function(MODEL_NAME, &[ENQUEUE, DEQUEUE], operation)?;
        let Operation { input, output, .. } = *operation;
        if f == ENQUEUE && input.is_null() {
            return wrong("what `enqueue` puts in", "an item", input);
        }
        let empty = || Some(class(EMPTY, Value::Null, Value::Null));
        Ok(match operation.outcome {
            Outcome::Fail if f == DEQUEUE && self.fail == FailMeaning::Observed => empty(),
            Outcome::Fail => None,
            Outcome::Ok | Outcome::Info if f == ENQUEUE => Some(class(ENQUEUE, input.clone(), Value::Null)),
            Outcome::Info => Some(class(REMOVE, Value::Null, Value::Null)),
            Outcome::Ok if output.is_null() => empty(),
            Outcome::Ok => Some(class(DEQUEUE, Value::Null, output.clone())),
        })
    }

    /// Not even finding it empty: that decides what removals of unknown outcome have taken.
    fn is_observer(&self, _: &Class) -> bool {
        false
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        let layers = Layers::of(state);
        match class.action {
            ENQUEUE => Some(layers.put(&class.argument)),
            DEQUEUE => layers.take(&class.result),
            EMPTY => layers.can_be_empty().then(|| Value::List(Vec::new())),
            _ => Some(layers.remove_any()),
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        let name = Name("bag", operation.key);
        let known = words::known(operation);
        match (operation.f, operation.outcome) {
            (ENQUEUE, _) => format!("enqueue {} on {name}{known}", Quoted(operation.input)),
            (f, Outcome::Ok) if operation.output.is_null() => format!("{f} on {name}, found empty"),
            (f, Outcome::Ok) => format!("{f} {} from {name}", Quoted(operation.output)),
            (f, _) => format!("{f} on {name}{known}"),
        }
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        let name = Name("bag", key);
        let Layers(layers) = Layers::of(state);
        if layers.is_empty() {
            return format!("{name} is empty");
        }
        let removals: i64 = layers.iter().map(|(_, removals)| removals).sum();
        let all: Vec<Value> = layers.into_iter().flat_map(|(items, _)| items).collect();
        let less = match removals {
            0 => String::new(),
            n => format!(", of which operations of unknown outcome have taken up to {n}"),
        };
        format!("{name} holds {}{less}", words::items(&all))
    }

    fn describe_need(&self, class: &Class) -> String {
        match class.action {
            ENQUEUE => format!("it puts in {}", Quoted(&class.argument)),
            DEQUEUE => format!("it took {}", Quoted(&class.result)),
            EMPTY => "it found nothing there".to_owned(),
            _ => "it takes any item".to_owned(),
        }
    }

    /// An item that nobody takes may as well not have gone in.
    fn last_use(&self, completed: &[&Class], crashed: &[&Class]) -> Vec<Option<usize>> {
        let taken = last_mentions(completed, |class| std::slice::from_ref(&class.result));
        let empty = completed.iter().rposition(|class| class.action == EMPTY);
        let uses = |mutator: &Class| match mutator.action {
            ENQUEUE => taken.get(&mutator.argument).copied(),
            _ => empty,
        };
        crashed.iter().map(|mutator| uses(mutator)).collect()
    }
}
