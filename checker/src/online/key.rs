//! One key, followed by whatever suits it.

use std::sync::Arc;

use partita_history::Value;

use super::lag::{Lag, Ready};
use super::levels::Levels;
use super::stream::{Ending, NONE, Stream};
use super::swept::Swept;
use super::{End, Follow, Halt, Thrift, Time};
use crate::model::{Class, Specification};
use crate::monitor;

/// The models of which every operation is an access to a single value.
const STREAMED: &[&str] = &["register", "cas-register"];
/// So many events since the last quiet moment are kept, to begin again from there by other means.
const REPLAY_MAX: usize = 4096;

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// No violation so far.
    Linearizable,
    /// There is none before this end, and with it there is one.
    Violated(End),
    /// Nothing is known from this event on.
    Unknown(Time, &'static str),
}

/// What an operation has to tell when it ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ticket {
    pub(super) operation: u32,
    pub(super) began: Time,
    version: u32,
    place: u32,
}

enum Engine {
    /// A register with unique values.
    Stream(Box<Streaming>),
    /// Anything else.
    Lag(Box<Lagging>),
    /// It is violated. A write that may turn out not to have happened, though somebody saw it, makes it so even
    /// earlier.
    Violated(Box<Stream>),
    /// Nothing is to be learned any more.
    Over,
}

struct Streaming {
    stream: Stream,
    /// The values that may have been there at the last quiet moment, the operations that were pending then, ...
    initial: Vec<Value>,
    pending: Vec<Class>,
    /// ... and the events since; none if they are too many.
    replay: Option<Lag>,
}

struct Lagging {
    lag: Lag,
    follower: Box<dyn Follow>,
}

/// One key.
pub(super) struct Key {
    pub(super) name: Option<Value>,
    engine: Engine,
    known: Known,
    specification: Arc<dyn Specification>,
    thrift: Thrift,
}

impl Key {
    /// Nothing happened on it yet.
    pub(super) fn new(
        name: Option<Value>,
        model: Option<&str>,
        specification: &Arc<dyn Specification>,
        thrift: Thrift,
    ) -> Key {
        let engine = if model.is_some_and(|model| STREAMED.contains(&model)) {
            Engine::Stream(Box::new(Streaming {
                stream: Stream::new(specification.initial(), thrift),
                initial: Vec::new(),
                pending: Vec::new(),
                replay: None,
            }))
        } else {
            let follower: Box<dyn Follow> =
                match model.and_then(|model| monitor::stream_of(model, &**specification)) {
                    Some(sweep) => Box::new(Swept::new(sweep, specification, thrift)),
                    None => Box::new(Levels::new(
                        Arc::clone(specification),
                        vec![specification.initial()],
                        Vec::new(),
                        thrift,
                    )),
                };
            let lag = Lag::default();
            Engine::Lag(Box::new(Lagging { lag, follower }))
        };
        Key {
            name,
            engine,
            known: Known::Linearizable,
            specification: Arc::clone(specification),
            thrift,
        }
    }

    pub(super) fn known(&self) -> Known {
        self.known
    }

    /// Whether what an operation may do must be known when it begins.
    pub(super) fn asks_early(&self) -> bool {
        matches!(self.engine, Engine::Stream(_))
    }

    /// Roughly, how much is remembered: versions, configurations, states, events held back.
    pub(super) fn size(&self) -> usize {
        match &self.engine {
            Engine::Stream(this) => this.stream.len() + this.replay.as_ref().map_or(0, Lag::len),
            Engine::Lag(this) => this.lag.len() + this.follower.size(),
            Engine::Violated(stream) => stream.len(),
            Engine::Over => 0,
        }
    }

    /// An operation began; `class` is what it does if it takes effect.
    pub(super) fn begin(&mut self, operation: u32, began: Time, class: Option<&Class>) -> Ticket {
        let mut ticket = Ticket {
            operation,
            began,
            version: NONE,
            place: 0,
        };
        if let Engine::Stream(this) = &mut self.engine {
            if this.stream.is_quiet() {
                (this.initial, this.pending) = this.stream.snapshot();
                let mut replay = this.replay.take().unwrap_or_default();
                replay.clear();
                this.replay = Some(replay);
            }
            let access = class.and_then(|class| self.specification.access(class));
            match this.stream.begin(began, access) {
                Ok(version) => ticket.version = version,
                Err(Halt::NotApplicable(why)) => self.switch(began, why),
                Err(Halt::Violation(end)) => self.violated(end),
            }
        }
        match &mut self.engine {
            Engine::Stream(this) => {
                if let Some(replay) = &mut this.replay {
                    ticket.place = replay.begin(operation, began);
                }
            }
            Engine::Lag(this) => ticket.place = this.lag.begin(operation, began),
            Engine::Violated(_) | Engine::Over => {}
        }
        ticket
    }

    /// An operation ended.
    pub(super) fn end(&mut self, ticket: Ticket, time: Time, ending: Ending) {
        let end = End {
            time,
            operation: ticket.operation,
        };
        let followed = match &mut self.engine {
            Engine::Stream(this) => {
                let followed =
                    this.stream
                        .end(ticket.began, ticket.version, end, &ending, &*self.specification);
                if let Some(replay) = &mut this.replay {
                    hold(replay, ticket, time, ending);
                    if replay.len() > REPLAY_MAX {
                        this.replay = None;
                    }
                }
                followed
            }
            Engine::Lag(this) => {
                hold(&mut this.lag, ticket, time, ending);
                self.feed();
                Ok(())
            }
            Engine::Violated(stream) => {
                let happened = matches!(&ending, Ending::Unknown(_))
                    || matches!(&ending, Ending::Known(class) if !self.specification.is_observer(class));
                match stream.first_needed(ticket.version) {
                    Some(first) if !happened => Err(Halt::Violation(first)),
                    _ => Ok(()),
                }
            }
            Engine::Over => Ok(()),
        };
        match followed {
            Ok(()) => {}
            Err(Halt::Violation(end)) => self.violated(end),
            Err(Halt::NotApplicable(why)) => {
                self.switch(time, why);
                self.feed();
            }
        }
    }

    fn violated(&mut self, end: End) {
        match self.known {
            Known::Violated(before) if before <= end => {}
            _ => self.known = Known::Violated(end),
        }
        self.engine = match std::mem::replace(&mut self.engine, Engine::Over) {
            Engine::Stream(this) => Engine::Violated(Box::new(this.stream)),
            Engine::Violated(stream) => Engine::Violated(stream),
            Engine::Lag(_) | Engine::Over => Engine::Over,
        };
    }

    /// From now on, breadth first.
    fn switch(&mut self, time: Time, why: &'static str) {
        let Engine::Stream(this) = std::mem::replace(&mut self.engine, Engine::Over) else {
            return;
        };
        let Streaming {
            initial,
            pending,
            replay: Some(lag),
            ..
        } = *this
        else {
            self.known = Known::Unknown(time, why);
            return;
        };
        let levels = Levels::new(Arc::clone(&self.specification), initial, pending, self.thrift);
        self.engine = Engine::Lag(Box::new(Lagging {
            lag,
            follower: Box::new(levels),
        }));
    }

    /// Feeds what need not be held back any longer.
    fn feed(&mut self) {
        let Engine::Lag(this) = &mut self.engine else {
            return;
        };
        while let Some(ready) = this.lag.next() {
            let time = match &ready {
                Ready::Begin(begin) => begin.began,
                Ready::End(end) => end.time,
            };
            match this.follower.follow(ready) {
                Ok(()) => continue,
                Err(Halt::Violation(end)) => self.violated(end),
                Err(Halt::NotApplicable(why)) => self.known = Known::Unknown(time, why),
            }
            self.engine = Engine::Over;
            return;
        }
    }
}

/// Notes how an operation ended.
fn hold(lag: &mut Lag, ticket: Ticket, time: Time, ending: Ending) {
    let (class, is_pending) = match ending {
        Ending::Known(class) => (Some(class), false),
        Ending::Unknown(class) => (class, true),
        Ending::Nothing => (None, false),
    };
    lag.end(ticket.place, time, class, is_pending);
}
