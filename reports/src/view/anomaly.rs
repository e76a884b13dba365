//! An anomaly, ready to be drawn: lanes, bars, arrows, attempts.

use std::collections::{BTreeMap, BTreeSet};

use partita_checker::{Analysis, Anomaly, Edge, Partial, Step, Stuck};
use partita_history::{History, OpId, Operation, Outcome};
use serde::Serialize;

use super::faults::Band;
use super::{seconds, severity};
use crate::evidence;
use crate::ledger::{self, Ledger};
use crate::load::Run;
use crate::words;

/// How many anomalies are drawn. The rest is counted.
pub(super) const ANOMALIES_MAX: usize = 20;
/// How many operations of the counterexample are drawn.
const CORE_MAX: usize = 60;
/// How many operations around the counterexample are drawn, in grey.
const CONTEXT_MAX: usize = 48;
/// How many attempts at an order are shown, and how many of the last steps of each.
const PARTIALS_MAX: usize = 12;
const STEPS_MAX: usize = 100;
/// The longest state or reason that is shown, in characters.
const STATE_CHARS_MAX: usize = 300;
/// How many items of a set or queue are told of.
const ITEMS_MAX: usize = 50;
/// How many lanes are drawn, unless the counterexample itself needs more.
const LANES_MAX: usize = 9;

/// One anomaly.
#[derive(Serialize)]
pub(super) struct Drawing {
    checker: String,
    name: String,
    key: Option<String>,
    story: String,
    /// What the nodes were at the time, in sentences.
    evidence: Vec<String>,
    /// When the contradiction became certain, in seconds.
    moment: f64,
    confirmed: bool,
    /// Whether the history has times; if not, positions take their place.
    timed: bool,
    /// The processes, from top to bottom.
    lanes: Vec<u64>,
    operations: Vec<Bar>,
    edges: Vec<Edge>,
    /// Operations each of which had to come before the next one, round in a circle.
    cycle: Vec<Edge>,
    /// How wrong the key is, if that was measured.
    severity: Option<severity::HowWrong>,
    /// What became of items, of a set or queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<Ledger>,
    partials: Vec<Attempt>,
    /// How many operations of the counterexample are not drawn.
    core_left_out: usize,
    /// How many operations on the same key in the same stretch are not drawn.
    left_out: usize,
    /// Faults in force in that stretch.
    faults: Vec<InForce>,
}

/// One operation.
#[derive(Serialize)]
struct Bar {
    id: OpId,
    process: u64,
    label: String,
    /// The label where there is little room.
    short: String,
    node: Option<String>,
    error: Option<String>,
    outcome: &'static str,
    part: Part,
    /// Begin and end: positions in the history.
    at: (u32, Option<u32>),
    /// Begin and end: seconds.
    time: (f64, Option<f64>),
}

/// What an operation has to do with the anomaly.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Part {
    /// The contradiction became certain when it completed.
    Culprit,
    /// Belongs to the counterexample.
    Core,
    /// Happened at the same time on the same key.
    Context,
}

/// How far an order could be found.
#[derive(Serialize)]
struct Attempt {
    /// Steps before those shown.
    skipped: usize,
    steps: Vec<Step>,
    stuck: Vec<Stuck>,
}

#[derive(Serialize)]
struct InForce {
    label: String,
    from: f64,
    to: f64,
}

/// The anomalies of all checks.
pub(super) fn drawings(run: &Run, bands: &[Band]) -> Vec<Drawing> {
    let checks = run.summary.checks.iter();
    checks
        .flat_map(|check| check.anomalies.iter().map(move |anomaly| (check, anomaly)))
        .take(ANOMALIES_MAX)
        .map(|(check, anomaly)| draw(run, bands, check, anomaly))
        .collect()
}

/// How many anomalies are not drawn.
pub(super) fn left_out(run: &Run) -> usize {
    let all = run.summary.checks.iter().map(|check| check.anomalies.len());
    all.sum::<usize>().saturating_sub(ANOMALIES_MAX)
}

fn draw(run: &Run, bands: &[Band], check: &Analysis, anomaly: &Anomaly) -> Drawing {
    let history = &run.history;
    let named = named(history, anomaly);
    let core = core(history, anomaly);
    let window = window(history, &core);
    let (context, left_out) = context(history, anomaly, &core, &named, window);
    let mut drawn: Vec<(OpId, Part)> = core.iter().map(|&id| (id, part(anomaly, id))).collect();
    drawn.extend(context.iter().map(|&id| (id, Part::Context)));
    drawn.sort_by_key(|&(id, _)| id);
    let drawn_ids: BTreeSet<OpId> = drawn.iter().map(|&(id, _)| id).collect();
    let time_of = |position| time_at(history, &core, position);
    let (from, to) = (time_of(window.0), time_of(window.1));
    Drawing {
        checker: check.checker.clone(),
        name: anomaly.name.clone(),
        key: anomaly.key.as_ref().map(words::key),
        story: words::story(&anomaly.story),
        evidence: evidence::evidence(run, anomaly),
        moment: moment(history, anomaly.culprit),
        confirmed: anomaly.confirmed,
        timed: history.operations().any(|operation| operation.invoked.time > 0),
        lanes: lanes(history, &core, &context),
        operations: drawn
            .iter()
            .map(|&(id, part)| bar(id, history.operation(id), part))
            .collect(),
        edges: anomaly
            .edges
            .iter()
            .filter(|edge| drawn_ids.contains(&edge.before) && drawn_ids.contains(&edge.after))
            .map(|edge| Edge {
                why: words::clip(&edge.why, words::WHY_CHARS_MAX),
                ..edge.clone()
            })
            .collect(),
        cycle: severity::cycle(anomaly),
        severity: severity::how_wrong(anomaly),
        ledger: ledger::ledger(run, check, anomaly, ITEMS_MAX),
        partials: anomaly.partials.iter().take(PARTIALS_MAX).map(attempt).collect(),
        core_left_out: named.len() - core.len(),
        left_out,
        faults: bands
            .iter()
            .filter(|band| band.in_force && band.from <= to && band.to >= from)
            .map(|band| InForce {
                label: band.label(),
                from: band.from,
                to: band.to,
            })
            .collect(),
    }
}

fn moment(history: &History, culprit: OpId) -> f64 {
    let culprit = history.get(culprit);
    culprit.map_or(0.0, |operation| {
        seconds(operation.completed.unwrap_or(operation.invoked).time)
    })
}

fn attempt(partial: &Partial) -> Attempt {
    let skipped = partial.steps.len().saturating_sub(STEPS_MAX);
    let clip = |text: &str| words::clip(text, STATE_CHARS_MAX);
    let step = |step: &Step| Step {
        operation: step.operation,
        state: clip(&step.state),
    };
    let stuck = |stuck: &Stuck| Stuck {
        operation: stuck.operation,
        why: clip(&stuck.why),
    };
    Attempt {
        skipped,
        steps: partial.steps[skipped..].iter().map(step).collect(),
        stuck: partial.stuck.iter().take(STEPS_MAX).map(stuck).collect(),
    }
}

fn part(anomaly: &Anomaly, id: OpId) -> Part {
    if id == anomaly.culprit {
        Part::Culprit
    } else {
        Part::Core
    }
}

/// The operations that the anomaly speaks of.
fn named(history: &History, anomaly: &Anomaly) -> BTreeSet<OpId> {
    let named = anomaly.operations.iter().copied().chain(essential(anomaly));
    named.filter(|&id| id < history.len()).collect()
}

/// The culprit, and those that contradict one another.
fn essential(anomaly: &Anomaly) -> impl Iterator<Item = OpId> {
    let in_edges = anomaly.edges.iter().flat_map(|edge| [edge.before, edge.after]);
    [anomaly.culprit].into_iter().chain(in_edges)
}

/// The operations that the anomaly speaks of, in order. Where they are too many, those that contradict one another
/// are among them, and then those nearest to the culprit.
pub(crate) fn core(history: &History, anomaly: &Anomaly) -> Vec<OpId> {
    let essential: BTreeSet<OpId> = essential(anomaly).collect();
    let mut core: Vec<OpId> = named(history, anomaly).into_iter().collect();
    core.sort_by_key(|id| {
        let far = id.abs_diff(anomaly.culprit);
        (far > 0, !essential.contains(id), far)
    });
    core.truncate(CORE_MAX);
    core.sort_unstable();
    core
}

/// The stretch of the history that the counterexample covers, in positions.
fn window(history: &History, core: &[OpId]) -> (u32, u32) {
    let from = core
        .iter()
        .map(|&id| history.operation(id).invoked.position)
        .min();
    let to = core.iter().map(|&id| {
        let operation = history.operation(id);
        operation.deadline().unwrap_or(operation.invoked.position)
    });
    (from.unwrap_or(0), to.max().unwrap_or(0))
}

/// The time at a position at which an operation of the counterexample begins or ends, in seconds.
fn time_at(history: &History, core: &[OpId], position: u32) -> f64 {
    let moments = core.iter().flat_map(|&id| {
        [
            Some(history.operation(id).invoked),
            history.operation(id).completed,
        ]
    });
    let found = moments.flatten().find(|moment| moment.position == position);
    found.map_or(0.0, |moment| seconds(moment.time))
}

/// Operations on the same key that overlap the window, those nearest to the culprit; and how many more there
/// are.
fn context(
    history: &History,
    anomaly: &Anomaly,
    core: &[OpId],
    named: &BTreeSet<OpId>,
    (from, to): (u32, u32),
) -> (Vec<OpId>, usize) {
    let Some(culprit) = history.get(anomaly.culprit) else {
        return (Vec::new(), 0);
    };
    let near = |operation: Operation<'_>| operation.invoked.position.abs_diff(culprit.invoked.position);
    let mut candidates: Vec<OpId> = history
        .operations()
        .enumerate()
        .filter(|(id, operation)| {
            operation.key == culprit.key
                && operation.invoked.position < to
                && operation.deadline().is_none_or(|deadline| deadline > from)
                && !named.contains(id)
        })
        .map(|(id, _)| id)
        .collect();
    candidates.sort_by_key(|&id| (near(history.operation(id)), id));
    let mut lanes: BTreeSet<u64> = core.iter().map(|&id| history.operation(id).process).collect();
    let mut kept = Vec::new();
    for &id in &candidates {
        let process = history.operation(id).process;
        if kept.len() < CONTEXT_MAX && (lanes.contains(&process) || lanes.len() < LANES_MAX) {
            lanes.insert(process);
            kept.push(id);
        }
    }
    let left_out = candidates.len() - kept.len();
    (kept, left_out)
}

/// Processes of the counterexample in the order in which they enter it, then the others.
fn lanes(history: &History, core: &[OpId], context: &[OpId]) -> Vec<u64> {
    let mut place: BTreeMap<u64, (bool, OpId)> = BTreeMap::new();
    for (others, ids) in [(false, core), (true, context)] {
        for &id in ids {
            let seat = place.entry(history.operation(id).process).or_insert((others, id));
            *seat = (*seat).min((others, id));
        }
    }
    let mut lanes: Vec<u64> = place.keys().copied().collect();
    lanes.sort_by_key(|process| place[process]);
    lanes
}

fn bar(id: OpId, operation: Operation<'_>, part: Part) -> Bar {
    Bar {
        id,
        process: operation.process,
        label: words::operation(&operation),
        short: words::operation_briefly(&operation),
        node: operation.node.map(|node| words::clip(node, 60)),
        error: operation.error.map(|error| words::clip(error, 200)),
        outcome: match operation.outcome {
            Outcome::Ok => "ok",
            Outcome::Fail => "fail",
            Outcome::Info => "info",
        },
        part,
        at: (
            operation.invoked.position,
            operation.completed.map(|moment| moment.position),
        ),
        time: (
            seconds(operation.invoked.time),
            operation.completed.map(|moment| seconds(moment.time)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use partita_checker::EdgeKind;
    use partita_history::{Event, EventType, OpEvent, Value};

    use super::*;

    #[test]
    fn of_a_long_counterexample_the_end_is_drawn() {
        let mut history = History::default();
        for id in 0..200_u64 {
            let event = OpEvent {
                index: 0,
                time: 0,
                process: id,
                kind: EventType::Invoke,
                f: "read".into(),
                key: None,
                value: Value::Null,
                observed: None,
                node: None,
                error: None,
            };
            history.push(Event::Op(event)).unwrap();
        }
        let anomaly = Anomaly {
            name: String::new(),
            key: None,
            story: String::new(),
            operations: (0..150).collect(),
            culprit: 149,
            prefix_events: 0,
            edges: vec![Edge {
                before: 3,
                after: 149,
                why: String::new(),
                kind: EdgeKind::RealTime,
            }],
            cycle: Vec::new(),
            partials: Vec::new(),
            confirmed: true,
            blind: Vec::new(),
            minimal: true,
            severity: None,
        };
        let expected: Vec<OpId> = [3].into_iter().chain(150 - (CORE_MAX - 1)..150).collect();
        assert_eq!(core(&history, &anomaly), expected);
        let named = named(&history, &anomaly);
        let (context, _) = context(&history, &anomaly, &expected, &named, (0, 200));
        assert!(context.iter().all(|id| !named.contains(id)), "{context:?}");
    }
}
