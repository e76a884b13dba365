//! Locks and semaphores (ALGORITHMS.md 3.7).
//!
//! A lock without an owner is a switch: an acquisition turns it on, a refused one saw it on. Of semaphores with more
//! permits, and of locks with an owner, an observation that the sweep does not happen to make true raises a doubt; of
//! semaphores, a sweep that makes it true is then tried.

mod owned;
mod permits;

use partita_history::Value;
use rustc_hash::FxHashMap;

use self::owned::Owned;
use self::permits::Permits;
use super::stream::{Stream, Translated};
use super::switch::{self, Switch};
use super::{Classes, Entry, Finding, Monitor};
use crate::model::lock::{ACQUIRE, HELD, NOT_HELD, RELEASE};
use crate::model::{Class, Specification};

const MANY: &str = "several permits are acquired or released at once";

/// The sweep of a lock without an owner.
pub(super) fn mutex(specification: &dyn Specification) -> Translated<Switch> {
    // What an acquisition can't find.
    let acquire = Class {
        action: ACQUIRE,
        argument: Value::Null,
        result: Value::Null,
    };
    let is_held = specification.step(&specification.initial(), &acquire).is_none();
    Translated::new(Switch::new(is_held), |class| Ok(turn(class)))
}

fn turn(class: &Class) -> switch::Step {
    match class.action {
        ACQUIRE => switch::Step::Turn(true),
        RELEASE => switch::Step::Turn(false),
        HELD => switch::Step::Saw(true),
        _ => switch::Step::Saw(false),
    }
}

/// The monitor of a semaphore.
pub(super) fn semaphore_monitor(classes: &Classes, specification: &dyn Specification) -> Box<dyn Monitor> {
    match all_permits(specification) {
        1 => single().into_monitor(classes),
        all => Box::new(Several {
            sweep: several(all, false).into_monitor(classes),
            guess: several(all, true).into_monitor(classes),
        }),
    }
}

/// A semaphore with several permits, or none.
struct Several {
    sweep: Box<dyn Monitor>,
    /// What is tried when the sweep does not know; only its passes are to be believed.
    guess: Box<dyn Monitor>,
}

impl Monitor for Several {
    fn judge(&self, entries: &[Entry]) -> Finding {
        match self.sweep.judge(entries) {
            Finding::NotApplicable(why) => match self.guess.judge(entries) {
                Finding::Pass(order) => Finding::Pass(order),
                Finding::Fail(_) | Finding::NotApplicable(_) => Finding::NotApplicable(why),
            },
            finding => finding,
        }
    }
}

/// The sweep of a semaphore.
pub(super) fn semaphore_stream(specification: &dyn Specification) -> Box<dyn Stream> {
    match all_permits(specification) {
        1 => Box::new(single()),
        all => Box::new(several(all, false)),
    }
}

/// All permits are free at first.
fn all_permits(specification: &dyn Specification) -> i64 {
    match specification.initial() {
        Value::Int(all) => all,
        _ => 0,
    }
}

fn single() -> Translated<Switch> {
    Translated::new(Switch::new(false), |class| match class.argument {
        Value::Int(1) => Ok(turn(class)),
        _ => Err(MANY),
    })
}

fn several(all: i64, guesses: bool) -> Translated<Permits> {
    Translated::new(Permits::new(all, guesses), move |class| {
        match (class.action, &class.argument) {
            (ACQUIRE, Value::Int(1)) => Ok(permits::Step::Acquire),
            (RELEASE, Value::Int(1)) => Ok(permits::Step::Release),
            // Fewer are free, or taken, than were asked for.
            (HELD, Value::Int(permits)) => Ok(permits::Step::SawAtLeast(all.saturating_sub(permits - 1))),
            (NOT_HELD, Value::Int(permits)) => Ok(permits::Step::SawAtMost(permits - 1)),
            _ => Err(MANY),
        }
    })
}

/// The sweep of a lock that only its holder can release.
pub(super) fn owned_mutex(specification: &dyn Specification) -> Translated<Owned> {
    let mut names: FxHashMap<Value, u32> = FxHashMap::default();
    let mut name = move |owner: &Value| {
        if let Some(&name) = names.get(owner) {
            return name;
        }
        let next = names.len() as u32;
        names.insert(owner.clone(), next);
        next
    };
    let initial = match specification.initial() {
        Value::Null => None,
        holder => Some(name(&holder)),
    };
    Translated::new(Owned::new(initial), move |class| {
        Ok(match class.action {
            ACQUIRE => owned::Step::Acquire(name(&class.argument)),
            RELEASE => owned::Step::Release(name(&class.argument)),
            HELD => owned::Step::SawHeld,
            _ => owned::Step::SawNotHeldBy(name(&class.argument)),
        })
    })
}
