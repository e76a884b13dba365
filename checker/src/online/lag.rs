//! Events held back until it is known how every operation that began before them ended.

use std::collections::VecDeque;

use super::{End, Time};
use crate::model::Class;

/// An event of which all is known that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// An operation began.
    Begin(Begin),
    /// An operation ended, which had a deadline.
    End(End),
}

/// An operation that says something about the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Begin {
    /// Its number.
    pub(super) operation: u32,
    /// When it began.
    pub(super) began: Time,
    /// What it did.
    pub(super) class: Class,
    /// When it will have ended; none if it may never.
    pub(super) deadline: Option<Time>,
}

#[derive(Debug)]
enum Held {
    Begin { operation: u32, began: Time, fate: Fate },
    End(End),
}

/// How an operation ended.
#[derive(Debug)]
enum Fate {
    Open,
    Known(Class, Option<Time>),
    /// It says nothing about the object.
    Nothing,
}

/// The events held back.
#[derive(Debug, Default)]
pub(super) struct Lag {
    held: VecDeque<Held>,
    /// How many were let go, modulo 2^32.
    gone: u32,
}

impl Lag {
    /// How many events are held back.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// An operation began; gives a ticket for its end.
    pub(super) fn begin(&mut self, operation: u32, began: Time) -> u32 {
        let ticket = self.gone.wrapping_add(self.held.len() as u32);
        self.held.push_back(Held::Begin {
            operation,
            began,
            fate: Fate::Open,
        });
        ticket
    }

    /// It ended: what it did, if it says anything, and whether it may still do so.
    pub(super) fn end(&mut self, ticket: u32, time: Time, class: Option<Class>, is_pending: bool) {
        let Some(Held::Begin { operation, fate, .. }) =
            self.held.get_mut(ticket.wrapping_sub(self.gone) as usize)
        else {
            return;
        };
        let operation = *operation;
        *fate = match class {
            Some(class) => Fate::Known(class, (!is_pending).then_some(time)),
            None => Fate::Nothing,
        };
        if matches!(fate, Fate::Known(_, Some(_))) {
            self.held.push_back(Held::End(End { time, operation }));
        }
    }

    /// The next event, if it need not be held back any longer.
    pub(super) fn next(&mut self) -> Option<Ready> {
        loop {
            if let Held::Begin { fate: Fate::Open, .. } = self.held.front()? {
                return None;
            }
            self.gone = self.gone.wrapping_add(1);
            match self.held.pop_front()? {
                Held::End(end) => return Some(Ready::End(end)),
                Held::Begin {
                    operation,
                    began,
                    fate: Fate::Known(class, deadline),
                } => {
                    return Some(Ready::Begin(Begin {
                        operation,
                        began,
                        class,
                        deadline,
                    }));
                }
                Held::Begin { .. } => {}
            }
        }
    }

    /// Lets all go.
    pub(super) fn clear(&mut self) {
        self.gone = self.gone.wrapping_add(self.held.len() as u32);
        self.held.clear();
        self.held.shrink_to(CAPACITY_KEPT);
    }
}

/// Room for so many events is kept.
const CAPACITY_KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use partita_history::Value;

    use super::*;

    fn class(action: &'static str) -> Class {
        let (argument, result) = (Value::Null, Value::Null);
        Class {
            action,
            argument,
            result,
        }
    }

    #[test]
    fn nothing_passes_an_operation_that_is_open() {
        let mut lag = Lag::default();
        let [a, b, c] = [0, 1, 2].map(|operation| lag.begin(operation, operation + 1));
        lag.end(b, 4, Some(class("b")), false);
        assert_eq!(lag.next(), None);
        lag.end(a, 5, None, false);
        let Some(Ready::Begin(begin)) = lag.next() else {
            panic!("b is to begin")
        };
        assert_eq!((begin.operation, begin.deadline), (1, Some(4)));
        assert_eq!(lag.next(), None);
        lag.end(c, 6, Some(class("c")), true);
        assert!(matches!(
            lag.next(),
            Some(Ready::Begin(Begin {
                operation: 2,
                deadline: None,
                ..
            }))
        ));
        assert_eq!(
            lag.next(),
            Some(Ready::End(End {
                time: 4,
                operation: 1
            }))
        );
        assert_eq!((lag.next(), lag.len()), (None, 0));
    }
}
