//! Linearizability as it happens: events in, one by one, and the moment at which there is a violation out
//! (ALGORITHMS.md 5).
//!
//! Every prefix of a linearizable history is linearizable, so there is a first event with which a history ceases to
//! be. [`Online`] finds it for each key, as [`crate::check`] does, but needs no more memory than what can still be
//! told apart by operations to come, and says so while the history goes on.
//!
//! - Registers with unique values are judged at once, by what is left of their chains of versions.
//! - All else is judged with a lag: what an operation did is known only when it ends, so an event is held back until
//!   all operations that began before it have ended. Then it goes to a sweep (`crate::monitor::sweep`), if there is
//!   one for such objects, or else to a breadth-first search, which is bounded.
//!
//! What can't be followed is *unknown* from some event on: never a false alarm, never a false pass. Explanations,
//! witnesses, and the verdict itself are the business of [`crate::check`].
//!
//! ```
//! use partita_checker::online::{Online, Standing};
//! use partita_checker::{Model, Options};
//! use partita_history::EventType::{Invoke, Ok};
//! use partita_history::{OpEvent, Value};
//!
//! let event = |process, kind, f: &str, value| OpEvent {
//!     index: 0,
//!     time: 0,
//!     process,
//!     kind,
//!     f: f.to_owned(),
//!     key: None,
//!     value,
//!     observed: None,
//!     node: None,
//!     error: None,
//! };
//! let register = Model::by_name("register").expect("it is in the registry");
//! let mut online = Online::new(register, &Options::default());
//! online.push(0, &event(1, Invoke, "write", Value::Int(7)))?;
//! online.push(1, &event(2, Invoke, "read", Value::Null))?;
//! online.push(2, &event(1, Ok, "write", Value::Int(7)))?;
//! assert_eq!(online.push(3, &event(2, Ok, "read", Value::Null))?, None);
//! online.push(4, &event(2, Invoke, "read", Value::Null))?;
//! let violation = online.push(5, &event(2, Ok, "read", Value::Null))?.expect("it was overwritten");
//! assert_eq!((violation.position, violation.culprit), (5, 2));
//! assert_eq!(online.finish(), [(None, Standing::Violated(violation))]);
//! # Result::Ok::<(), partita_checker::online::OnlineError>(())
//! ```

mod key;
mod lag;
mod levels;
mod states;
mod stream;
mod swept;
mod zones;

use std::sync::Arc;

use partita_history::{EventType, Moment, OpEvent, OpId, Operation, Outcome, PairingError, Value};
use rustc_hash::FxHashMap;

use crate::InputError;
use crate::model::{self, Class, Model, Options, Specification};
use key::{Key, Known, Ticket};
use lag::Ready;
use stream::Ending;

/// A moment: a position and 1, so that there is one before all events.
type Time = u32;
/// After all events.
const NEVER: Time = Time::MAX;

/// When to look what can be forgotten: whenever there is twice as much as the last time, so that looking costs
/// next to nothing.
#[derive(Clone, Copy, Debug)]
struct Thrift {
    /// Less than this is not worth a look.
    least: usize,
    limit: usize,
}

impl Thrift {
    const LAZY: Thrift = Thrift { least: 32, limit: 32 };
    /// At every opportunity.
    #[cfg(test)]
    const EAGER: Thrift = Thrift { least: 0, limit: 0 };

    fn is_due(self, size: usize) -> bool {
        size > self.limit
    }

    fn done(&mut self, size: usize) {
        if self.least > 0 {
            self.limit = self.least.max(2 * size);
        }
    }
}

/// Judges the events of one object that come with a lag.
trait Follow: Send {
    /// The next event.
    fn follow(&mut self, event: Ready) -> Result<(), Halt>;
    /// Roughly, how much is remembered.
    fn size(&self) -> usize;
}

/// A moment at which an operation ended, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    time: Time,
    operation: u32,
}

/// Why events are followed no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Halt {
    /// There is no linearization of what was there until then.
    Violation(End),
    /// They can't be followed; why, as the end of a sentence that begins with "because".
    NotApplicable(&'static str),
}

/// The moment at which a key ceased to be linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The key; none for a history without keys.
    pub key: Option<Value>,
    /// The position of the event that ends the shortest violating prefix.
    pub position: u32,
    /// The operation that ended there.
    pub culprit: OpId,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No violation so far.
    Linearizable,
    /// It is violated.
    Violated(Violation),
    /// Nothing is known from some event on; there is no violation before it.
    Unknown {
        /// The position of that event.
        from: u32,
        /// Why, as the end of a sentence that begins with "because".
        why: &'static str,
    },
}

/// Why an event can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum OnlineError {
    /// No client can have done this.
    #[error(transparent)]
    Pairing(#[from] PairingError),
    /// The operation makes no sense to the model.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Positions must rise, and be less than the largest number there is.
    #[error("the event at position {position} does not come after those before it")]
    Order {
        /// The position of the event.
        position: u32,
    },
}

/// An operation that has not ended.
struct Open {
    id: OpId,
    key: usize,
    f: String,
    input: Value,
    position: u32,
    ticket: Ticket,
}

/// Judges a history while it happens.
pub struct Online {
    specification: Arc<dyn Specification>,
    /// Its name among [`crate::model::ALL`]; none for a user's own.
    model: Option<&'static str>,
    thrift: Thrift,
    keys: Vec<Key>,
    by_name: FxHashMap<Option<Value>, usize>,
    /// By process.
    open: FxHashMap<u64, Open>,
    operations: OpId,
    /// The least position that the next event may have.
    next_position: u32,
}

impl Online {
    /// Nothing happened yet. Of the options, the budgets do not matter: what is spent on an event is bounded.
    pub fn new(model: &Model, options: &Options) -> Online {
        let specification: Arc<dyn Specification> = Arc::from((model.specification)(options));
        Online {
            model: model::registered_name(&*specification),
            specification,
            thrift: Thrift::LAZY,
            keys: Vec::new(),
            by_name: FxHashMap::default(),
            open: FxHashMap::default(),
            operations: 0,
            next_position: 0,
        }
    }

    /// As [`Online::new`], and forgets whatever can be at every opportunity.
    #[cfg(test)]
    pub(crate) fn eager(model: &Model, options: &Options) -> Online {
        Online {
            thrift: Thrift::EAGER,
            ..Online::new(model, options)
        }
    }

    /// The next event, and its position among all events of the history. Gives a violation if it shows one on a key
    /// that had none; its position may lie before this event's, and may turn out to lie even earlier.
    ///
    /// # Errors
    /// When the event makes no sense. It is then as if it had not been there.
    pub fn push(&mut self, position: u32, event: &OpEvent) -> Result<Option<Violation>, OnlineError> {
        if position < self.next_position || position == u32::MAX {
            return Err(OnlineError::Order { position });
        }
        let key = match event.kind {
            EventType::Invoke => self.begin(position, event)?,
            EventType::Ok => self.end(position, event, Outcome::Ok)?,
            EventType::Fail => self.end(position, event, Outcome::Fail)?,
            EventType::Info => self.end(position, event, Outcome::Info)?,
        };
        self.next_position = position + 1;
        Ok(key.and_then(|key| match self.standing(key) {
            Standing::Violated(violation) => Some(violation),
            Standing::Linearizable | Standing::Unknown { .. } => None,
        }))
    }

    /// There are no more events: what is open stays so. What is known of each key, in the order in which they were
    /// first met.
    pub fn finish(mut self) -> Vec<(Option<Value>, Standing)> {
        let mut open: Vec<(u64, Open)> = self.open.drain().collect();
        open.sort_unstable_by_key(|(_, open)| open.id);
        let time = self.next_position.saturating_add(1);
        for (process, open) in open {
            let ending = match self.keys[open.key].known() {
                // Its beginning was understood, so it is now.
                Known::Linearizable => self.pending(process, &open).unwrap_or_default(),
                Known::Violated(_) | Known::Unknown(..) => None,
            };
            self.keys[open.key].end(open.ticket, time, Ending::Unknown(ending));
        }
        (0..self.keys.len())
            .map(|key| (self.keys[key].name.clone(), self.standing(key)))
            .collect()
    }

    /// Roughly, how much is remembered: versions, configurations, states, and events held back. It does not grow
    /// with the history, but for the number of keys and of operations of unknown outcome.
    pub fn size(&self) -> usize {
        self.keys.iter().map(Key::size).sum::<usize>() + self.keys.len() + self.open.len()
    }

    fn standing(&self, key: usize) -> Standing {
        let key = &self.keys[key];
        match key.known() {
            Known::Linearizable => Standing::Linearizable,
            Known::Violated(end) => Standing::Violated(Violation {
                key: key.name.clone(),
                position: end.time - 1,
                culprit: end.operation as OpId,
            }),
            Known::Unknown(time, why) => Standing::Unknown { from: time - 1, why },
        }
    }

    /// Gives the key, if it was violated by this.
    fn begin(&mut self, position: u32, event: &OpEvent) -> Result<Option<usize>, OnlineError> {
        if let Some(open) = self.open.get(&event.process) {
            return Err(OnlineError::Pairing(PairingError::StillOpen {
                process: event.process,
                f: event.f.clone(),
                open: open.f.clone(),
            }));
        }
        let key = match self.by_name.get(&event.key) {
            Some(&key) => key,
            None => {
                let name = event.key.clone();
                let key = Key::new(name.clone(), self.model, &self.specification, self.thrift);
                self.keys.push(key);
                self.by_name.insert(name, self.keys.len() - 1);
                self.keys.len() - 1
            }
        };
        let mut open = Open {
            id: self.operations,
            key,
            f: event.f.clone(),
            input: event.value.clone(),
            position,
            ticket: Ticket::default(),
        };
        let class = match self.keys[key].asks_early() {
            true => self.pending(event.process, &open)?,
            false => None,
        };
        open.ticket = self.keys[key].begin(open.id as u32, position + 1, class.as_ref());
        self.open.insert(event.process, open);
        self.operations += 1;
        Ok(None)
    }

    /// Gives the key, if it was violated by this.
    fn end(
        &mut self,
        position: u32,
        event: &OpEvent,
        outcome: Outcome,
    ) -> Result<Option<usize>, OnlineError> {
        let Some(open) = self.open.get(&event.process) else {
            return Err(OnlineError::Pairing(PairingError::NotInvoked {
                process: event.process,
                f: event.f.clone(),
            }));
        };
        if open.f != event.f {
            return Err(OnlineError::Pairing(PairingError::OtherFunction {
                process: event.process,
                f: event.f.clone(),
                open: open.f.clone(),
            }));
        }
        let class = self.classify(event.process, open, outcome, Some((position, event)))?;
        let ending = match class {
            class if outcome == Outcome::Info => Ending::Unknown(class),
            Some(class) => Ending::Known(class),
            None => Ending::Nothing,
        };
        let (key, ticket) = (open.key, open.ticket);
        self.open.remove(&event.process);
        let before = self.keys[key].known();
        self.keys[key].end(ticket, position + 1, ending);
        let violated = before == Known::Linearizable && matches!(self.keys[key].known(), Known::Violated(_));
        Ok(violated.then_some(key))
    }

    /// What an operation does that has not ended.
    fn pending(&self, process: u64, open: &Open) -> Result<Option<Class>, OnlineError> {
        self.classify(process, open, Outcome::Info, None)
    }

    fn classify(
        &self,
        process: u64,
        open: &Open,
        outcome: Outcome,
        completion: Option<(u32, &OpEvent)>,
    ) -> Result<Option<Class>, OnlineError> {
        let moment = |position| Moment { position, time: 0 };
        let operation = Operation {
            process,
            f: &open.f,
            key: self.keys[open.key].name.as_ref(),
            input: &open.input,
            outcome,
            output: completion.map_or(&Value::Null, |(_, event)| &event.value),
            observed: completion.and_then(|(_, event)| event.observed.as_ref()),
            invoked: moment(open.position),
            completed: completion.map(|(position, _)| moment(position)),
            node: None,
            error: None,
        };
        let class = self.specification.classify(&operation);
        Ok(class.map_err(|message| InputError::new(open.id, &operation, message))?)
    }
}
