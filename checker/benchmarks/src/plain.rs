//! The yardstick: the search of Wing and Gong with Lowe's memo, as Porcupine does it (ALGORITHMS.md 2.2), with
//! interned states and a table of transitions. So what the ratio shows is the algorithm, and not Rust.
//!
//! Operations of unknown outcome return at the very end, as Porcupine demands of its caller, and may then also
//! have done nothing.

use partita_checker::model::{Class, Specification};
use partita_checker::{Model, Options};
use partita_history::{History, Value};
use rustc_hash::FxHashMap;

const NONE: u32 = u32::MAX;
const IMPOSSIBLE: u32 = u32::MAX;

/// A call or a return in a doubly linked list.
struct Node {
    previous: u32,
    next: u32,
    /// Of a call: its return.
    returns: u32,
    operation: u32,
}

/// Interned states and what each class does to them.
struct Table<'a> {
    specification: &'a dyn Specification,
    classes: Vec<Class>,
    states: Vec<Value>,
    ids: FxHashMap<Value, u32>,
    next: FxHashMap<(u32, u32), u32>,
}

impl Table<'_> {
    fn step(&mut self, state: u32, class: u32) -> u32 {
        if let Some(&next) = self.next.get(&(state, class)) {
            return next;
        }
        let value = self
            .specification
            .step(&self.states[state as usize], &self.classes[class as usize]);
        let next = value.map_or(IMPOSSIBLE, |value| {
            *self.ids.entry(value).or_insert_with_key(|value| {
                self.states.push(value.clone());
                self.states.len() as u32 - 1
            })
        });
        self.next.insert((state, class), next);
        next
    }
}

/// One operation: its class, and whether it may have done nothing.
struct Operation {
    class: u32,
    is_pending: bool,
}

/// Whether all keys are linearizable, and how many configurations that took.
pub fn check(history: &History, model: &Model, options: &Options) -> (bool, u64) {
    let specification = (model.specification)(options);
    let mut visited = 0;
    let all = history
        .by_key()
        .into_iter()
        .all(|(_, ids)| check_key(history, &ids, &*specification, &mut visited));
    (all, visited)
}

fn check_key(history: &History, ids: &[usize], specification: &dyn Specification, visited: &mut u64) -> bool {
    let mut classes: FxHashMap<Class, u32> = FxHashMap::default();
    let mut operations = Vec::new();
    let mut events: Vec<(u32, bool, u32)> = Vec::new();
    for &id in ids {
        let operation = history.operation(id);
        let Ok(Some(class)) = specification.classify(&operation) else {
            continue;
        };
        let deadline = operation.deadline();
        if deadline.is_none() && specification.is_observer(&class) {
            continue;
        }
        let number = classes.len() as u32;
        let i = operations.len() as u32;
        operations.push(Operation {
            class: *classes.entry(class).or_insert(number),
            is_pending: deadline.is_none(),
        });
        events.push((operation.invoked.position, false, i));
        events.push((deadline.unwrap_or(u32::MAX), true, i));
    }
    events.sort_unstable();
    let mut by_number: Vec<(Class, u32)> = classes.into_iter().collect();
    by_number.sort_unstable_by_key(|&(_, number)| number);
    let initial = specification.initial();
    let mut table = Table {
        specification,
        classes: by_number.into_iter().map(|(class, _)| class).collect(),
        states: vec![initial.clone()],
        ids: FxHashMap::from_iter([(initial, 0)]),
        next: FxHashMap::default(),
    };
    search(&events, &operations, &mut table, visited)
}

fn search(
    events: &[(u32, bool, u32)],
    operations: &[Operation],
    table: &mut Table<'_>,
    visited: &mut u64,
) -> bool {
    // Node 0 is the head.
    let mut nodes = vec![Node {
        previous: NONE,
        next: NONE,
        returns: NONE,
        operation: NONE,
    }];
    let mut calls = vec![NONE; operations.len()];
    for &(_, returns, operation) in events {
        let at = nodes.len() as u32;
        nodes[at as usize - 1].next = at;
        nodes.push(Node {
            previous: at - 1,
            next: NONE,
            returns: NONE,
            operation,
        });
        if returns {
            nodes[calls[operation as usize] as usize].returns = at;
        } else {
            calls[operation as usize] = at;
        }
    }
    let mut linearized = vec![0u64; operations.len().div_ceil(64)];
    let mut seen: FxHashMap<u64, Vec<(Box<[u64]>, u32)>> = FxHashMap::default();
    let mut stack: Vec<(u32, u32)> = Vec::new();
    let mut state = 0;
    let mut at = nodes[0].next;
    while nodes[0].next != NONE {
        let Node {
            returns,
            operation,
            next,
            ..
        } = nodes[at as usize];
        if returns != NONE {
            let Operation { class, is_pending } = operations[operation as usize];
            let mut after = table.step(state, class);
            if after == IMPOSSIBLE && is_pending {
                after = state;
            }
            if after != IMPOSSIBLE {
                let (word, bit) = (operation as usize / 64, 1 << (operation % 64));
                linearized[word] |= bit;
                let hash = linearized.iter().fold(u64::from(after), |hash, word| {
                    (hash ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd)
                });
                let same = seen.entry(hash).or_default();
                if !same
                    .iter()
                    .any(|(set, other)| *other == after && **set == *linearized)
                {
                    same.push((linearized.clone().into(), after));
                    *visited += 1;
                    stack.push((at, state));
                    state = after;
                    unlink(&mut nodes, at);
                    unlink(&mut nodes, returns);
                    at = nodes[0].next;
                    continue;
                }
                linearized[word] &= !bit;
            }
            at = next;
        } else {
            let Some((call, before)) = stack.pop() else {
                return false;
            };
            let operation = nodes[call as usize].operation;
            linearized[operation as usize / 64] &= !(1 << (operation % 64));
            state = before;
            let returns = nodes[call as usize].returns;
            relink(&mut nodes, returns);
            relink(&mut nodes, call);
            at = nodes[call as usize].next;
        }
    }
    true
}

fn unlink(nodes: &mut [Node], at: u32) {
    let Node { previous, next, .. } = nodes[at as usize];
    nodes[previous as usize].next = next;
    if next != NONE {
        nodes[next as usize].previous = previous;
    }
}

fn relink(nodes: &mut [Node], at: u32) {
    let Node { previous, next, .. } = nodes[at as usize];
    nodes[previous as usize].next = at;
    if next != NONE {
        nodes[next as usize].previous = at;
    }
}
