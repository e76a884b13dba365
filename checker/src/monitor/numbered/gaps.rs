//! Which pending changes must have happened.

use rustc_hash::FxHashMap;

use super::{Failure, NEVER, Operation, Step, Violation, needs};

/// No operation.
const NONE: u32 = u32::MAX;

/// A complete sequence of changes.
pub(super) struct Filled {
    /// The last state that must have been.
    pub(super) last: u32,
    /// For each pending change that happened, its state.
    pub(super) fillers: FxHashMap<u32, u32>,
}

/// A state, and what is known of it.
#[derive(Clone, Copy)]
struct State {
    /// The change that made it.
    maker: u32,
    /// What the maker put there, and the observer that saw that.
    saw: Option<(u32, u32)>,
    /// The pending change that began first of those that can only have made this state, what it put there being right.
    candidate: u32,
    /// When the first operation ends that can't be before this state, and which that is.
    needed: (u32, u32),
}

fn fail<T>(operations: impl Into<Vec<u32>>) -> Result<T, Failure> {
    Err(Failure::Violation(Violation(operations.into())))
}

pub(super) fn fill(operations: &[Operation<Step>]) -> Result<Filled, Failure> {
    let mut states = table(operations)?;
    observe(operations, &mut states)?;
    make(operations, &mut states)?;
    // What needs a state needs all before it.
    for at in (1..states.len()).rev() {
        let after = states.get(at + 1).map_or((NEVER, NONE), |state| state.needed);
        states[at].needed = states[at].needed.min(after);
    }
    let mut anonymous: FxHashMap<u32, Anonymous> = FxHashMap::default();
    for operation in operations {
        if let Step::Change { state: None, value } = operation.step {
            let entry = anonymous.entry(value).or_insert(Anonymous {
                first: operation.index,
                is_alone: true,
            });
            entry.is_alone = entry.first == operation.index;
        }
    }
    let filled = Filled {
        last: states.len() as u32 - 1,
        fillers: FxHashMap::default(),
    };
    Gaps {
        operations,
        states: &states,
        anonymous,
        filled,
        free: Vec::new(),
    }
    .fill()
}

/// The pending changes of unknown number that put the same there.
struct Anonymous {
    first: u32,
    is_alone: bool,
}

/// A state for each that must have been.
fn table(operations: &[Operation<Step>]) -> Result<Vec<State>, Failure> {
    let completed = || operations.iter().filter(|operation| !operation.is_pending());
    let is_impossible = |operation: &&Operation<Step>| match operation.step {
        Step::Never => true,
        Step::Change { state, .. } => state.is_some_and(|state| state < 1),
        Step::Observe { to, .. } => to < 0,
        Step::Differ(_) => false,
    };
    if let Some(operation) = completed().find(is_impossible) {
        return fail([operation.index]);
    }
    let changes = operations
        .iter()
        .filter(|operation| matches!(operation.step, Step::Change { .. }))
        .count();
    let last = completed().max_by_key(|operation| needs(operation.step));
    let last_state = last.map_or(0, |last| needs(last.step));
    match usize::try_from(last_state) {
        Ok(needed) if needed > changes => fail(last.map(|last| last.index).into_iter().collect::<Vec<_>>()),
        needed => {
            let state = State {
                maker: NONE,
                saw: None,
                candidate: NONE,
                needed: (NEVER, NONE),
            };
            Ok(vec![state; needed.unwrap_or(0) + 1])
        }
    }
}

/// What completed operations say of states.
fn observe(operations: &[Operation<Step>], states: &mut [State]) -> Result<(), Failure> {
    for operation in operations.iter().filter(|operation| !operation.is_pending()) {
        let index = operation.index;
        let state = &mut states[usize::try_from(needs(operation.step)).unwrap_or(0)];
        state.needed = state.needed.min((operation.deadline, index));
        match operation.step {
            Step::Change { state: Some(_), .. } if state.maker != NONE => return fail([state.maker, index]),
            Step::Change { state: Some(_), .. } => state.maker = index,
            Step::Observe {
                saw: Some((_, value)),
                ..
            } => match state.saw {
                Some((other, seer)) if other != value => return fail([seer, index]),
                _ => state.saw = Some((value, index)),
            },
            _ => {}
        }
    }
    Ok(())
}

/// What changes put there, and whether that was seen.
fn make(operations: &[Operation<Step>], states: &mut [State]) -> Result<(), Failure> {
    for operation in operations {
        let Step::Change {
            state: Some(state),
            value,
        } = operation.step
        else {
            continue;
        };
        let Some(state) = usize::try_from(state)
            .ok()
            .and_then(|state| states.get_mut(state))
        else {
            continue;
        };
        match state.saw {
            Some((seen, seer)) if seen != value && !operation.is_pending() => {
                return fail([operation.index, seer]);
            }
            Some((seen, _)) if seen != value => {}
            // The first of them began first.
            _ if state.candidate == NONE => state.candidate = operation.index,
            _ => {}
        }
    }
    Ok(())
}

struct Gaps<'a> {
    operations: &'a [Operation<Step>],
    states: &'a [State],
    /// By what they put there.
    anonymous: FxHashMap<u32, Anonymous>,
    filled: Filled,
    /// States that any change can have made.
    free: Vec<u32>,
}

impl Gaps<'_> {
    fn fill(mut self) -> Result<Filled, Failure> {
        for number in 1..self.states.len() as u32 {
            let state = self.states[number as usize];
            if state.maker != NONE {
                continue;
            }
            if state.candidate != NONE && self.began(state.candidate) <= state.needed.0 {
                self.filled.fillers.insert(state.candidate, number);
                continue;
            }
            match state.saw {
                Some((value, seer)) => self.by_value(number, value, seer)?,
                None => self.free.push(number),
            }
        }
        self.freely()?;
        Ok(self.filled)
    }

    fn began(&self, index: u32) -> u32 {
        self.operations[index as usize].invoked
    }

    /// Only what put that there can have made the state.
    fn by_value(&mut self, number: u32, value: u32, seer: u32) -> Result<(), Failure> {
        let needed = self.states[number as usize].needed;
        match self.anonymous.get(&value) {
            Some(Anonymous { is_alone: false, .. }) => Err(Failure::NotApplicable(
                "it is not known which of several equal changes made a state",
            )),
            Some(&Anonymous { first, .. }) if self.began(first) <= needed.0 => {
                match self.filled.fillers.insert(first, number) {
                    // It can't have made both.
                    Some(other) => {
                        let other = self.states[other as usize];
                        let seers = [other, self.states[number as usize]]
                            .map(|state| [state.saw.map(|(_, seer)| seer), Some(state.needed.1)]);
                        fail(seers.into_iter().flatten().flatten().collect::<Vec<_>>())
                    }
                    None => Ok(()),
                }
            }
            _ => fail([seer, needed.1]),
        }
    }

    fn freely(&mut self) -> Result<(), Failure> {
        let mut fillers = self
            .operations
            .iter()
            .filter(|operation| matches!(operation.step, Step::Change { state: None, .. }));
        for &number in &self.free {
            let needed = self.states[number as usize].needed;
            let used = &mut self.filled.fillers;
            match fillers.find(|operation| !used.contains_key(&operation.index)) {
                Some(filler) if filler.invoked <= needed.0 => {
                    used.insert(filler.index, number);
                }
                _ => {
                    // What was seen there may have kept others from making it, here or by making another state;
                    // and what needed a state too early kept the one that says it made it.
                    let began = |index: u32| self.operations[index as usize].invoked;
                    let gaps = self.states.iter().filter(|state| state.maker == NONE);
                    let witnesses = gaps.flat_map(|state| {
                        let late = state.candidate != NONE && began(state.candidate) > state.needed.0;
                        let hurry = late.then_some(state.needed.1);
                        state.saw.map(|(_, seer)| seer).into_iter().chain(hurry)
                    });
                    return fail(witnesses.chain([needed.1]).collect::<Vec<_>>());
                }
            }
        }
        Ok(())
    }
}
