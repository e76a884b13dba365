//! What a queue, a stack and a priority queue have in common: items go in, and one of them is the next to come
//! out.

use partita_history::{Operation, Outcome, Value};

use super::words::{self, Name, Quoted, Start, class, function, last_mentions, list, wrong};
use super::{Class, FailMeaning, Options, Specification};

const PUT: &str = "put";
const TAKE: &str = "take";
const PEEK: &str = "peek";
/// It found the collection empty.
const EMPTY: &str = "empty";
/// A removal of unknown outcome: what is next is gone, whatever it is.
const REMOVE: &str = "remove";

/// What an operation does to a collection of items, ordered or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect<'a> {
    /// It puts this item in.
    Put(&'a Value),
    /// It takes this item out.
    Take(&'a Value),
    /// It finds that this item is the next to come out.
    Peek(&'a Value),
    /// It finds nothing there.
    Empty,
    /// It takes some item out, or none.
    Remove,
}

/// What an operation of a class of this file's models does.
pub(crate) fn effect(class: &Class) -> Effect<'_> {
    match class.action {
        PUT => Effect::Put(&class.argument),
        TAKE => Effect::Take(&class.result),
        PEEK => Effect::Peek(&class.result),
        EMPTY => Effect::Empty,
        _ => Effect::Remove,
    }
}

/// The items of a state of this file's models: the front first, or the top or the largest last.
pub(crate) fn items(state: &Value) -> Vec<Value> {
    list(state).to_vec()
}

/// Which item is the next to come out.
#[derive(Clone, Copy)]
pub(super) enum Next {
    /// The one that went in first.
    First,
    /// The one that went in last.
    Last,
    /// The largest, by the order of values.
    Largest,
}

/// What tells the collections apart.
pub(super) struct Kind {
    pub(super) model: &'static str,
    /// What it is, in prose.
    pub(super) noun: &'static str,
    /// Functions: puts an item in, takes the next one, looks at it.
    pub(super) functions: [&'static str; 3],
    pub(super) next: Next,
    /// Where the next one is in a list of all, in prose.
    pub(super) order: &'static str,
}

/// A collection; its state is the list of its items, the next one being first in a queue and last otherwise.
pub(super) struct Collection {
    kind: &'static Kind,
    start: Start,
    fail: FailMeaning,
}

impl Collection {
    pub(super) fn new(kind: &'static Kind, options: &Options) -> Collection {
        let sorted = matches!(kind.next, Next::Largest);
        Collection {
            kind,
            start: Start::items(kind.model, options, sorted),
            fail: options.fail,
        }
    }

    /// The model that it is of.
    pub(super) fn model(&self) -> &'static str {
        self.kind.model
    }

    fn next(&self, items: &[Value]) -> Option<usize> {
        match self.kind.next {
            Next::First => (!items.is_empty()).then_some(0),
            Next::Last | Next::Largest => items.len().checked_sub(1),
        }
    }

    fn without_next(&self, items: &[Value]) -> Value {
        let mut items = items.to_vec();
        if let Some(next) = self.next(&items) {
            items.remove(next);
        }
        Value::List(items)
    }
}

impl Specification for Collection {
    fn initial(&self) -> Value {
        self.start.state()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        self.start.check()?;
        let [put, take, peek] = self.kind.functions;
        let f = function(self.kind.model, &self.kind.functions, operation)?;
        let Operation { input, output, .. } = *operation;
        if f == put && input.is_null() {
            // Null is what an empty collection answers.
            return wrong(&format!("what `{put}` puts in"), "an item", input);
        }
        Ok(match operation.outcome {
            Outcome::Fail if f == take && self.fail == FailMeaning::Observed => {
                Some(class(EMPTY, Value::Null, Value::Null))
            }
            Outcome::Fail => None,
            Outcome::Ok | Outcome::Info if f == put => Some(class(PUT, input.clone(), Value::Null)),
            Outcome::Info => (f == take).then(|| class(REMOVE, Value::Null, Value::Null)),
            Outcome::Ok if output.is_null() => Some(class(EMPTY, Value::Null, Value::Null)),
            Outcome::Ok if f == peek => Some(class(PEEK, Value::Null, output.clone())),
            Outcome::Ok => Some(class(TAKE, Value::Null, output.clone())),
        })
    }

    fn is_observer(&self, class: &Class) -> bool {
        matches!(class.action, PEEK | EMPTY)
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        let items = list(state);
        let is_next = || self.next(items).is_some_and(|next| items[next] == class.result);
        match class.action {
            PUT => {
                let mut items = items.to_vec();
                let at = match self.kind.next {
                    Next::First | Next::Last => items.len(),
                    Next::Largest => items.partition_point(|item| *item <= class.argument),
                };
                items.insert(at, class.argument.clone());
                Some(Value::List(items))
            }
            TAKE => is_next().then(|| self.without_next(items)),
            PEEK => is_next().then(|| state.clone()),
            EMPTY => items.is_empty().then(|| state.clone()),
            _ => Some(self.without_next(items)),
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        let name = Name(self.kind.noun, operation.key);
        let f = &operation.f;
        let known = words::known(operation);
        if *f == self.kind.functions[0] {
            return format!("{f} {} on {name}{known}", Quoted(operation.input));
        }
        match operation.outcome {
            Outcome::Ok if operation.output.is_null() => format!("{f} on {name}, found empty"),
            Outcome::Ok => format!("{f} {} from {name}", Quoted(operation.output)),
            _ => format!("{f} on {name}{known}"),
        }
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        let name = Name(self.kind.noun, key);
        match list(state) {
            [] => format!("{name} is empty"),
            [one] => format!("{name} holds {}", Quoted(one)),
            items => format!("{name} holds {} ({})", words::items(items), self.kind.order),
        }
    }

    fn describe_need(&self, class: &Class) -> String {
        match class.action {
            PUT => format!("it puts in {}", Quoted(&class.argument)),
            TAKE => format!("it took {}", Quoted(&class.result)),
            PEEK => format!("it saw {} next", Quoted(&class.result)),
            EMPTY => "it found nothing there".to_owned(),
            _ => "it takes what is next".to_owned(),
        }
    }

    /// An item that nobody takes or sees may as well not have gone in; nor need it then have been removed.
    fn last_use(&self, completed: &[&Class], crashed: &[&Class]) -> Vec<Option<usize>> {
        let seen = last_mentions(completed, |class| std::slice::from_ref(&class.result));
        let uses = |mutator: &Class| match mutator.action {
            PUT => seen.get(&mutator.argument).copied(),
            _ => completed.len().checked_sub(1),
        };
        crashed.iter().map(|mutator| uses(mutator)).collect()
    }
}
