//! One key's reads and writes, as the measures see them: numbered values, two scales of time, sessions.

use partita_history::{OpId, Operation as Recorded, Value};
use rustc_hash::FxHashMap;

use super::result::Unit;
use crate::linearizability::entry::{Entry, Object};
use crate::monitor::register::{self, INITIAL, NONE, Operation, Step};

/// A moment on the history's clock, or a position where there is none, in steps of 2^-32: positions decide between
/// events at one reading of the clock, which may be coarse.
pub(crate) type Moment = i128;
/// How many bits of a moment are less than one nanosecond (or one event).
const FRACTION: u32 = 32;
/// Before all operations: when the initial value was written. Far from the ends, so that lengths can be added.
pub(crate) const DAWN: Moment = i128::MIN / 4;
/// After all operations.
pub(crate) const NEVER: Moment = i128::MAX / 4;

/// The length of a stretch of time, to the nearest nanosecond (or event).
pub(crate) fn length(stretch: Moment) -> u64 {
    u64::try_from((stretch + (1 << (FRACTION - 1))) >> FRACTION).unwrap_or(0)
}

/// An operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act {
    pub(crate) id: OpId,
    /// Its client, numbered.
    pub(crate) session: u32,
    pub(crate) step: Step,
    /// Position of its invocation.
    pub(crate) invoked: u32,
    /// Position by which it had taken effect; the largest number if it is pending.
    pub(crate) deadline: u32,
    pub(crate) began: Moment,
    /// [`NEVER`] if it is pending.
    pub(crate) ended: Moment,
}

impl Act {
    pub(crate) fn is_pending(&self) -> bool {
        self.deadline == u32::MAX
    }
}

/// Why a register's values say less than they might.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Muddle {
    /// Some value is written more than once, or the initial value is written again.
    Repeated,
    /// Something is only known to have found another value than this, or contradicts itself.
    Refusals,
}

impl Muddle {
    pub(crate) fn why(self) -> String {
        match self {
            Muddle::Repeated => {
                "some value was written more than once, so that a read does not tell which write it saw"
            }
            Muddle::Refusals => "refused compare-and-sets did not say what they saw",
        }
        .to_owned()
    }
}

/// The operations on one register, in the order of their invocations.
pub(crate) struct Scene<'a> {
    pub(crate) object: &'a Object<'a>,
    pub(crate) acts: Vec<Act>,
    /// How many sessions there are.
    pub(crate) sessions: u32,
    /// For each value, what wrote it ([`NONE`] if nothing did, or for the initial value).
    pub(crate) writers: Vec<u32>,
    pub(crate) muddle: Option<Muddle>,
    names: Vec<Value>,
}

impl<'a> Scene<'a> {
    /// None if the object is not a register.
    pub(crate) fn new(object: &'a Object<'a>, entries: &[Entry]) -> Option<Scene<'a>> {
        let (steps, values) = register::steps(&object.classes, object.specification)?;
        let unit = unit_of(object);
        let mut sessions: FxHashMap<u64, u32> = FxHashMap::default();
        let mut acts = Vec::with_capacity(entries.len());
        for entry in entries {
            let recorded = recorded(object, entry.id);
            let next = sessions.len() as u32;
            let (began, ended) = span(object, entry, unit);
            acts.push(Act {
                id: entry.id,
                session: *sessions.entry(recorded.process).or_insert(next),
                step: steps[entry.class as usize],
                invoked: entry.invoked,
                deadline: entry.deadline.unwrap_or(u32::MAX),
                began,
                ended,
            });
        }
        let mut scene = Scene {
            object,
            acts,
            sessions: sessions.len() as u32,
            writers: vec![NONE; values as usize],
            muddle: None,
            names: names(object, &steps, values),
        };
        scene.find_writers();
        Some(scene)
    }

    fn find_writers(&mut self) {
        for (i, act) in (0..).zip(&self.acts) {
            if let Some(value) = act.step.produces() {
                if value == INITIAL || self.writers[value as usize] != NONE {
                    self.muddle = Some(Muddle::Repeated);
                }
                self.writers[value as usize] = i;
            }
        }
        let is_refusal =
            |act: &Act| matches!(act.step, Step::Differs(_)) || act.step == Step::Never && !act.is_pending();
        if self.muddle.is_none() && self.acts.iter().any(is_refusal) {
            self.muddle = Some(Muddle::Refusals);
        }
    }

    pub(crate) fn values(&self) -> u32 {
        self.writers.len() as u32
    }

    /// Whether some value is written more than once, or the initial value again.
    pub(crate) fn has_repeated(&self) -> bool {
        self.muddle == Some(Muddle::Repeated)
    }

    /// Whether nothing can have left the value.
    pub(crate) fn is_from_nowhere(&self, value: u32) -> bool {
        value != INITIAL && self.writers[value as usize] == NONE
    }

    pub(crate) fn name(&self, value: u32) -> &Value {
        &self.names[value as usize]
    }

    pub(crate) fn recorded(&self, act: &Act) -> Recorded<'a> {
        recorded(self.object, act.id)
    }

    /// The identifiers of some operations, in the order of their invocations.
    pub(crate) fn ids(&self, some: impl IntoIterator<Item = u32>) -> Vec<OpId> {
        let mut ids: Vec<OpId> = some.into_iter().map(|i| self.acts[i as usize].id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// As the monitor sees them.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.acts
            .iter()
            .map(|act| Operation {
                step: act.step,
                began: act.invoked + 1,
                ended: match act.is_pending() {
                    true => register::NEVER,
                    false => act.deadline + 1,
                },
            })
            .collect()
    }
}

fn recorded<'a>(object: &Object<'a>, id: OpId) -> Recorded<'a> {
    object.history.operation(id)
}

/// What lengths of time on this object are counted in.
pub(crate) fn unit_of(object: &Object<'_>) -> Unit {
    let has_time = |entry: &Entry| {
        let operation = recorded(object, entry.id);
        operation.invoked.time > 0 || operation.completed.is_some_and(|moment| moment.time > 0)
    };
    match object.entries.iter().any(has_time) {
        true => Unit::Nanoseconds,
        false => Unit::Events,
    }
}

/// When an entry began and ended, in that unit.
pub(crate) fn span(object: &Object<'_>, entry: &Entry, unit: Unit) -> (Moment, Moment) {
    let operation = recorded(object, entry.id);
    let moment = |position: u32, time: u64| match unit {
        Unit::Nanoseconds => (Moment::from(time) << FRACTION) + Moment::from(position),
        Unit::Events => Moment::from(position) << FRACTION,
    };
    let began = moment(entry.invoked, operation.invoked.time);
    let ended = entry.deadline.map_or(NEVER, |deadline| {
        moment(
            deadline,
            operation.completed.map_or(0, |completed| completed.time),
        )
    });
    // A clock that went back must not turn an operation around.
    (began, ended.max(began))
}

/// For each number, its value.
fn names(object: &Object<'_>, steps: &[Step], values: u32) -> Vec<Value> {
    let mut names = vec![Value::Null; values as usize];
    names[INITIAL as usize] = object.specification.initial();
    for (step, class) in steps.iter().zip(object.classes.iter()) {
        let Some(access) = object.specification.access(class) else {
            continue;
        };
        for (number, value) in [
            (step.requires(), access.requires()),
            (step.produces(), access.produces()),
        ] {
            if let (Some(number), Some(value)) = (number, value) {
                names[number as usize] = value.clone();
            }
        }
    }
    names
}
