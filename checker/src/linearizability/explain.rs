//! From a small violation to the [`Anomaly`] of a report: what had to come before what, how far any order gets,
//! and the exhaustive checker's confirmation.

use partita_history::{OpId, Value};

use super::cycle;
use super::entry::{Entry, Object};
use super::judge::Violation;
use super::minimise::Core;
use super::search::{self, Budget, Finding, Order};
use super::story;
use super::words::Words;
use crate::monitor;
use crate::oracle::{Candidate, Oracle};
use crate::verdict::{Anomaly, Edge, EdgeKind, Partial, Step, Stuck};

/// The most completed operations that the exhaustive checker is asked about.
const CONFIRMED_MAX: usize = 16;
/// How many steps the exhaustive checker makes for one explanation (some 250 MB at most); and if the budget was spent
/// before.
const STEPS_MAX: usize = 1_000_000;
const STEPS_MAX_HURRIED: usize = 50_000;
/// The most partial linearizations shown.
const PARTIALS_MAX: usize = 3;
/// How many configurations may be visited for a partial linearization of a counterexample too large for the oracle.
const PARTIAL_CONFIGURATIONS_MAX: u64 = 1_000_000;
/// The most edges shown of a counterexample that is too large for finding out which of them matter.
const EDGES_MAX: usize = 40;

/// Explains a violation by its minimal entries.
pub(crate) fn explain(
    object: &Object<'_>,
    violation: &Violation,
    core: &Core,
    budget: Budget<'_>,
) -> Anomaly {
    let Core {
        entries: core,
        blind,
        is_minimal,
    } = core;
    let completed = core.iter().filter(|entry| entry.deadline.is_some()).count();
    let oracle = (completed <= CONFIRMED_MAX && core.len() <= Oracle::OPERATIONS_MAX)
        .then(|| Oracle::new(object.specification, candidates(object, core)))
        .map(|oracle| {
            let has_time = *is_minimal && !(budget.stop)();
            oracle.limited_to(if has_time { STEPS_MAX } else { STEPS_MAX_HURRIED })
        });
    let confirmed = oracle.as_ref().and_then(Oracle::is_linearizable) == Some(false);
    let exact = oracle.filter(|_| confirmed);
    let (edges, mut partials) = match &exact {
        Some(oracle) => {
            // The orders first: they take the same steps once, the edges once for each pair.
            let partials = maximal(object, oracle, core);
            (essential_edges(oracle, core, budget), partials)
        }
        None => (
            nearest_edges(core),
            without_culprit(object, core, violation.culprit, budget)
                .into_iter()
                .collect(),
        ),
    };
    if partials.is_empty() && exact.is_some() {
        partials.extend(without_culprit(object, core, violation.culprit, budget));
    }
    let words = Words::new(object.history);
    let history = object.history;
    let edges: Vec<Edge> = edges
        .into_iter()
        .map(|(a, b)| (core[a].id, core[b].id))
        .map(|(before, after)| Edge {
            before,
            after,
            why: words.before(history.operation(before), history.operation(after)),
            kind: EdgeKind::RealTime,
        })
        .collect();
    let (name, mut story) = story::tell(object, violation, core, &partials);
    story += &caveats(blind.len(), *is_minimal);
    Anomaly {
        name: name.to_owned(),
        key: object.key.cloned(),
        story,
        operations: core.iter().map(|entry| entry.id).collect(),
        culprit: violation.culprit,
        prefix_events: violation.position + 1,
        edges,
        cycle: cycle::cycle(object, core, violation.culprit),
        partials,
        confirmed,
        blind: blind.clone(),
        minimal: *is_minimal,
        severity: None,
    }
}

/// What else must be said of a counterexample.
fn caveats(blind: usize, is_minimal: bool) -> String {
    let blind = match blind {
        0 => String::new(),
        1 => " (Of one operation shown, only what it left matters here, and not what it needed to find.)"
            .to_owned(),
        n => format!(
            " (Of {n} operations shown, only what they left matters here, and not what they needed to find.)"
        ),
    };
    let larger = if is_minimal {
        ""
    } else {
        " (The budget did not suffice to make this counterexample as small as it could be.)"
    };
    blind + larger
}

fn candidates<'a>(object: &'a Object<'_>, core: &[Entry]) -> Vec<Candidate<'a>> {
    core.iter()
        .map(|entry| Candidate {
            class: object.classes.get(entry.class),
            invoked: entry.invoked,
            deadline: entry.deadline,
        })
        .collect()
}

/// The gap between the end of `a` and the beginning of `b`, if there is one.
fn gap(core: &[Entry], a: usize, b: usize) -> Option<u32> {
    core[b]
        .invoked
        .checked_sub(core[a].deadline?)
        .filter(|&gap| gap > 0)
}

/// Pairs in real-time order, the closest first.
fn ordered_pairs(core: &[Entry]) -> Vec<(usize, usize)> {
    let all = (0..core.len()).flat_map(|a| (0..core.len()).map(move |b| (a, b)));
    let mut pairs: Vec<_> = all.filter_map(|(a, b)| Some((gap(core, a, b)?, a, b))).collect();
    pairs.sort_unstable();
    pairs.into_iter().map(|(_, a, b)| (a, b)).collect()
}

/// The pairs without any one of which there would be a linearization. Forgetting that one operation came before
/// another is a weakening, so what is left still proves the violation.
fn essential_edges(oracle: &Oracle<'_>, core: &[Entry], budget: Budget<'_>) -> Vec<(usize, usize)> {
    let mut oracle = oracle.clone();
    let pairs = ordered_pairs(core);
    // What others imply goes first: a reader sees more in a chain than in its ends.
    let between = |&(a, b): &(usize, usize)| {
        (0..core.len()).any(|c| gap(core, a, c).is_some() && gap(core, c, b).is_some())
    };
    let (implied, direct): (Vec<_>, Vec<_>) = pairs.into_iter().partition(between);
    let mut essential = Vec::new();
    for &(a, b) in implied.iter().chain(&direct) {
        oracle.set_before(a, b, false);
        // Without the time to find out, every pair counts.
        if (budget.stop)() || oracle.is_linearizable() != Some(false) {
            oracle.set_before(a, b, true);
            essential.push((a, b));
        }
    }
    essential.sort_unstable();
    essential
}

/// The pairs with nothing between them.
fn nearest_edges(core: &[Entry]) -> Vec<(usize, usize)> {
    // Of all that began after `a` ended, those that began before any of the others ended.
    let mut edges: Vec<(usize, usize)> = Vec::new();
    for (a, entry) in core.iter().enumerate() {
        let Some(deadline) = entry.deadline else { continue };
        let first = core.partition_point(|other| other.invoked <= deadline);
        let mut end = u32::MAX;
        for (b, other) in core.iter().enumerate().skip(first) {
            if other.invoked > end || edges.len() == EDGES_MAX {
                break;
            }
            end = end.min(other.deadline.unwrap_or(u32::MAX));
            edges.push((a, b));
        }
    }
    edges
}

/// The orders that get furthest, and where each is stuck.
fn maximal(object: &Object<'_>, oracle: &Oracle<'_>, core: &[Entry]) -> Vec<Partial> {
    let maximal = oracle.maximal(PARTIALS_MAX);
    maximal
        .iter()
        .map(|order| {
            let (steps, state) = replay(object, order.iter().map(|&i| &core[i]));
            let done = order.iter().fold(0, |set, i| set | 1 << i);
            let due = oracle.next(done).filter(|&i| core[i].deadline.is_some());
            Partial {
                steps,
                stuck: due.map(|i| stuck(object, &core[i], &state)).collect(),
            }
        })
        .collect()
}

/// For a counterexample too large for the oracle: the order that the search finds for all but the operation
/// that made it one.
fn without_culprit(
    object: &Object<'_>,
    core: &[Entry],
    culprit: OpId,
    budget: Budget<'_>,
) -> Option<Partial> {
    if (budget.stop)() {
        return None;
    }
    let last = core.iter().find(|entry| entry.id == culprit)?;
    let others: Vec<Entry> = core.iter().filter(|entry| entry.id != culprit).copied().collect();
    let monitored = object.monitor.as_ref().map(|monitor| monitor.judge(&others));
    if let Some(monitor::Finding::Pass(order)) = monitored {
        return Some(up_to(object, &others, &order, last));
    }
    let budget = Budget {
        configurations: budget.configurations.min(PARTIAL_CONFIGURATIONS_MAX),
        ..budget
    };
    let (finding, _) = search::search(
        Order::DepthFirst { foresight: true },
        &others,
        &object.classes,
        object.specification,
        budget,
    );
    let Finding::Linearizable(Some(order)) = finding else {
        return None;
    };
    Some(up_to(object, &others, &order, last))
}

/// An order of all others, and why `last` can't come next.
fn up_to(object: &Object<'_>, others: &[Entry], order: &[u32], last: &Entry) -> Partial {
    let (steps, state) = replay(object, order.iter().map(|&i| &others[i as usize]));
    Partial {
        steps,
        stuck: vec![stuck(object, last, &state)],
    }
}

fn replay<'e>(object: &Object<'_>, order: impl Iterator<Item = &'e Entry>) -> (Vec<Step>, Value) {
    let mut state = object.specification.initial();
    let mut steps = Vec::new();
    for entry in order {
        let Some(next) = object.specification.step(&state, object.classes.get(entry.class)) else {
            break;
        };
        state = next;
        steps.push(Step {
            operation: entry.id,
            state: object.specification.describe_state(object.key, &state),
        });
    }
    (steps, state)
}

fn stuck(object: &Object<'_>, entry: &Entry, state: &Value) -> Stuck {
    let specification = object.specification;
    Stuck {
        operation: entry.id,
        why: format!(
            "{}, but {}",
            specification.describe_state(object.key, state),
            specification.describe_need(object.classes.get(entry.class))
        ),
    }
}
