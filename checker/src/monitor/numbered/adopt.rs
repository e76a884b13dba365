//! What the operations of the models say of states.

use partita_history::Value;
use rustc_hash::FxHashMap;

use super::{Numbered, Step};
use crate::linearizability::entry::Classes;
use crate::model::{Class, Specification, append_log as log, counter, versioned_register as register};
use crate::monitor::Monitor;

/// Values as numbers.
#[derive(Default)]
struct Names<'a>(FxHashMap<&'a Value, u32>);

impl<'a> Names<'a> {
    fn of(&mut self, value: &'a Value) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(value).or_insert(next)
    }
}

fn monitor(steps: Vec<Result<Step, &'static str>>, states_max: i64) -> Box<dyn Monitor> {
    Box::new(Numbered { steps, states_max })
}

/// A counter whose increments tell the count.
pub(in crate::monitor) fn counting(classes: &Classes, initial: i64) -> Box<dyn Monitor> {
    let step = |class: &Class| match (class.action, &class.argument, &class.result) {
        (counter::READ, _, Value::Int(count)) => {
            let state = count.saturating_sub(initial);
            let (from, to, saw) = (state, state, None);
            Ok(Step::Observe { from, to, saw })
        }
        (counter::ADD, Value::Int(1), told) => Ok(Step::Change {
            state: match told {
                Value::Int(count) => Some(count.saturating_sub(initial)),
                _ => None,
            },
            value: 0,
        }),
        _ => Err(super::super::counter::OTHER),
    };
    monitor(
        classes.iter().map(step).collect(),
        i64::MAX.saturating_sub(initial),
    )
}

/// A log that is read by offset.
pub(in crate::monitor) fn append_log(
    classes: &Classes,
    specification: &dyn Specification,
) -> Option<Box<dyn Monitor>> {
    let Value::List(initial) = specification.initial() else {
        return None;
    };
    let first = initial.len() as i64;
    let mut names = Names::default();
    let steps = classes
        .iter()
        .map(|class| match (class.action, &class.argument, &class.result) {
            (log::APPEND, item, offset) => Step::Change {
                state: match offset {
                    Value::Int(offset) => Some(offset.saturating_sub(first).saturating_add(1)),
                    _ => None,
                },
                value: names.of(item),
            },
            (_, Value::Int(offset), seen) => read_at(*offset, seen, &initial, &mut names),
            _ => Step::Never,
        })
        .map(Ok)
        .collect();
    Some(monitor(steps, i64::MAX - first))
}

fn read_at<'a>(offset: i64, seen: &'a Value, initial: &[Value], names: &mut Names<'a>) -> Step {
    let first = initial.len() as i64;
    let there = usize::try_from(offset).ok().and_then(|at| initial.get(at));
    let anywhere = Step::Observe {
        from: 0,
        to: i64::MAX,
        saw: None,
    };
    match (there, seen) {
        (Some(there), seen) if there == seen => anywhere,
        (Some(_), _) => Step::Never,
        (None, Value::Null) if offset < 0 => anywhere,
        (None, _) if offset < 0 => Step::Never,
        (None, Value::Null) => Step::Observe {
            from: 0,
            to: offset - first,
            saw: None,
        },
        (None, item) => {
            let from = (offset - first).saturating_add(1);
            Step::Observe {
                from,
                to: i64::MAX,
                saw: Some((from, names.of(item))),
            }
        }
    }
}

/// A register with versions.
pub(in crate::monitor) fn versioned_register(
    classes: &Classes,
    specification: &dyn Specification,
) -> Option<Box<dyn Monitor>> {
    let initial = specification.initial();
    let (Value::Int(first), initial) = initial.as_pair()? else {
        return None;
    };
    let mut names = Names::default();
    let state = |version: i64| version.saturating_sub(*first);
    let steps = classes
        .iter()
        .map(|class| match (class.action, &class.argument, &class.result) {
            (register::WRITE, value, made) => Ok(Step::Change {
                state: match made {
                    Value::Int(made) => Some(state(*made)),
                    _ => None,
                },
                value: names.of(value),
            }),
            (register::CAS, argument, made) => Ok(match argument.as_pair() {
                Some((Value::Int(expected), value)) => match (expected.checked_add(1), made) {
                    (Some(next), made) if made.is_null() || *made == Value::Int(next) => Step::Change {
                        state: Some(state(next)),
                        value: names.of(value),
                    },
                    _ => Step::Never,
                },
                _ => Step::Never,
            }),
            (register::READ, _, seen) => Ok(match seen.as_pair() {
                Some((Value::Int(version), value)) if version == first && value != initial => Step::Never,
                Some((Value::Int(version), value)) => {
                    let at = state(*version);
                    let saw = (at > 0).then(|| (at, names.of(value)));
                    Step::Observe {
                        from: at,
                        to: at,
                        saw,
                    }
                }
                _ => Step::Never,
            }),
            (register::DIFFERS, Value::Int(version), _) => Ok(Step::Differ(state(*version))),
            (register::NEVER, _, _) => Ok(Step::Never),
            _ => Err("the version of what was read is not known"),
        })
        .collect();
    Some(monitor(steps, i64::MAX.saturating_sub(*first)))
}
