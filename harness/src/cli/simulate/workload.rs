//! A workload of real runs as a load of simulated ones: the same operations, judged by the same checker.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::{Context, anyhow};
use partita_checker::{Analysis, Model, Verdict};
use partita_generator::{Client, Generator, Random};
use partita_history::{Event, EventType, History, OpEvent, Value};
use partita_protocols::Encode;
use partita_protocols::store::{self, Answer, Operation};
use partita_simulator::{
    Ask, Ended, Extras, Happened, Load, Options, Recorded, Simulator, TraceEvent, Violation,
};
use partita_workloads::Workload;

/// What the checker judges.
const PROPERTY: &str = "linearizability";

/// The functions that clients of a simulated run can call.
const FUNCTIONS: [&str; 3] = ["read", "write", "cas"];

/// Can simulated clients do what the workload's do?
pub(super) fn fits(workload: &dyn Workload) -> bool {
    workload.functions().iter().all(|f| FUNCTIONS.contains(f))
}

/// A run, and what its clients saw.
pub(super) struct Judged {
    pub(super) recorded: Recorded,
    /// What clients did, where they were those of a workload.
    pub(super) operations: Vec<Event>,
    /// What the checker says of that, if it was asked.
    pub(super) analysis: Option<Analysis>,
}

impl Judged {
    /// Was it the checker that found something?
    pub(super) fn is_invalid(&self) -> bool {
        let mut analyses = self.analysis.iter();
        analyses.any(|analysis| analysis.verdict == Verdict::Invalid)
    }
}

/// Runs a seed with the workload, and has the checker judge what clients saw, unless something else was
/// violated before. In the counts every request that changes something is a write.
///
/// The checker judges when the run is over, but it says when the contradiction became certain: there the trace has
/// the violation.
pub(super) fn simulate(
    simulator: &Simulator,
    workload: &dyn Workload,
    seed: u64,
    options: &Options,
    extras: Extras,
) -> anyhow::Result<Judged> {
    let events = Rc::new(RefCell::new(Vec::new()));
    let load = Operations {
        generator: workload.generator(),
        random: partita_generator::random(seed, "operations"),
        clients: (0..options.clients)
            .map(|client| Doing {
                process: client as u64,
                invoked: None,
            })
            .collect(),
        events: Rc::clone(&events),
    };
    let extras = Extras {
        load: Some(Box::new(load)),
        ..extras
    };
    let traced = extras.traced;
    let mut recorded = (simulator.simulate_with)(seed, options, extras);
    let mut operations = events.take();
    name_nodes(&mut operations, options.clients, &recorded.events);
    if recorded.report.violation.is_some() {
        return Ok(Judged {
            recorded,
            operations,
            analysis: None,
        });
    }
    let history =
        History::from_events(operations.iter().cloned()).context("the history of a simulated run")?;
    let model = Model::by_name(workload.model())
        .ok_or_else(|| anyhow!("there is no model {:?}", workload.model()))?;
    let analysis = partita_checker::check(&history, model, &partita_checker::Options::default(), &|| false)?;
    if analysis.verdict == Verdict::Invalid {
        let certain = analysis
            .anomalies
            .first()
            .map(|anomaly| anomaly.prefix_events as usize);
        let at = certain.and_then(|events| operations.get(events.checked_sub(1)?));
        let time_us = at.map_or(recorded.report.virtual_us, time_us);
        if traced {
            let place = recorded.events.partition_point(|event| event.time_us <= time_us);
            let violated = TraceEvent {
                time_us,
                node: None,
                what: Happened::Violated {
                    property: PROPERTY.to_owned(),
                    text: analysis.reason.clone(),
                },
            };
            recorded.events.insert(place, violated);
        }
        recorded.report.violation = Some(Violation {
            time_us,
            property: PROPERTY,
            node: None,
            what: analysis.reason.clone(),
        });
    }
    Ok(Judged {
        recorded,
        operations,
        analysis: Some(analysis),
    })
}

/// Says of each operation which node was asked, as far as the trace tells.
fn name_nodes(operations: &mut [Event], clients: usize, trace: &[TraceEvent]) {
    let asked = trace.iter().filter_map(|event| match &event.what {
        Happened::Asked { by, .. } => Some(((by.as_str(), event.time_us), event.node.as_ref()?)),
        _ => None,
    });
    let asked: BTreeMap<_, _> = asked.collect();
    let mut open: BTreeMap<u64, Option<String>> = BTreeMap::new();
    for event in operations {
        let time_us = time_us(event);
        let Event::Op(event) = event else { continue };
        if event.kind == EventType::Invoke {
            let client = format!("c{}", event.process % (clients.max(1) as u64));
            let node = asked.get(&(client.as_str(), time_us));
            open.insert(event.process, node.map(|node| (*node).clone()));
        }
        event.node = open.get(&event.process).cloned().flatten();
    }
}

fn time_us(event: &Event) -> u64 {
    match event {
        Event::Op(event) => event.time / 1_000,
        Event::Fault(event) => event.time / 1_000,
        Event::Other => 0,
    }
}

struct Operations {
    generator: Box<dyn Generator>,
    random: Random,
    clients: Vec<Doing>,
    events: Rc<RefCell<Vec<Event>>>,
}

/// A client: the process that it is, and what that has under way.
struct Doing {
    process: u64,
    invoked: Option<OpEvent>,
}

impl Operations {
    fn record(&mut self, mut event: OpEvent, now_us: u64) {
        let mut events = self.events.borrow_mut();
        event.index = events.len() as u64;
        event.time = now_us * 1_000;
        self.generator.update(&event);
        events.push(Event::Op(event));
    }
}

impl Load for Operations {
    fn ask(&mut self, client: usize, now_us: u64) -> Option<Ask> {
        let process = self.clients[client].process;
        let seat = u32::try_from(client).unwrap_or(u32::MAX);
        let op = self.generator.next(Client { process, seat }, &mut self.random)?;
        let event = OpEvent {
            index: 0,
            time: 0,
            process,
            kind: EventType::Invoke,
            f: op.f.to_owned(),
            key: op.key,
            value: op.value,
            observed: None,
            node: None,
            error: None,
        };
        let operation = operation(&event)?;
        self.clients[client].invoked = Some(event.clone());
        self.record(event, now_us);
        let reads = matches!(operation, Operation::Read { .. });
        let command = store::Command {
            session: None,
            operation,
        };
        let bytes = command.to_bytes().into();
        Some(if reads {
            Ask::Query(bytes)
        } else {
            Ask::Apply(bytes)
        })
    }

    fn reseed(&mut self, seed: u64) {
        self.random = partita_generator::random(seed, "operations");
    }

    fn settle(&mut self, client: usize, ended: Ended, now_us: u64) -> Result<(), String> {
        let Some(mut event) = self.clients[client].invoked.take() else {
            return Ok(());
        };
        let kind = match ended {
            Ended::Answer(Answer::Value(value)) => {
                event.value = from_store(value);
                EventType::Ok
            }
            Ended::Answer(Answer::Done | Answer::Swapped) => EventType::Ok,
            Ended::Answer(Answer::Kept { observed }) => {
                event.observed = Some(from_store(observed));
                EventType::Fail
            }
            Ended::Answer(other) => return Err(format!("{} was answered {other:?}", event.f)),
            Ended::Refused => EventType::Fail,
            Ended::Unknown => EventType::Info,
        };
        if kind == EventType::Info {
            // It may still take effect: nobody else may act in its name.
            self.clients[client].process += self.clients.len() as u64;
        }
        event.kind = kind;
        self.record(event, now_us);
        Ok(())
    }
}

/// What the store is to do. None for what it does not offer.
fn operation(event: &OpEvent) -> Option<Operation> {
    let key = match event.key.as_ref() {
        Some(Value::Str(key)) => key.clone(),
        Some(Value::Int(key)) => key.to_string(),
        _ => "register".to_owned(),
    };
    match event.f.as_str() {
        "read" => Some(Operation::Read { key }),
        "write" => Some(Operation::Write {
            key,
            value: to_store(&event.value),
        }),
        "cas" => event.value.as_pair().map(|(from, to)| Operation::CompareAndSet {
            key,
            from: to_store(from),
            to: to_store(to),
        }),
        _ => None,
    }
}

fn to_store(value: &Value) -> store::Value {
    match value {
        Value::Null => store::Value::Null,
        Value::Int(number) => store::Value::Int(*number),
        Value::Str(text) => store::Value::Str(text.clone()),
        Value::List(items) => store::Value::List(items.iter().map(to_store).collect()),
    }
}

fn from_store(value: store::Value) -> Value {
    match value {
        store::Value::Null => Value::Null,
        store::Value::Int(number) => Value::Int(number),
        store::Value::Str(text) => Value::Str(text),
        store::Value::List(items) => Value::List(items.into_iter().map(from_store).collect()),
    }
}

#[cfg(test)]
mod tests {
    use partita_protocols::Defect;

    use super::*;

    fn run(seed: u64, defect: Option<&str>, traced: bool) -> Recorded {
        let simulator = Simulator::by_name("raft").expect("raft");
        let workload = partita_workloads::find("register").expect("the workload");
        let options = Options {
            defect: defect.map(|name| Defect::by_name(name).expect("a defect")),
            ..Options::default()
        };
        let extras = Extras {
            traced,
            ..Extras::default()
        };
        simulate(simulator, workload, seed, &options, extras)
            .expect("a run")
            .recorded
    }

    #[test]
    fn the_checker_judges_what_simulated_clients_saw() {
        for seed in 0..5 {
            let report = run(seed, None, false).report;
            assert_eq!(report.violation, None, "seed {seed}");
            assert!(report.counts.writes > 20, "seed {seed}: {:?}", report.counts);
            assert_eq!(run(seed, None, false).report, report, "seed {seed}, again");
        }
        let found = (0..200).find_map(|seed| run(seed, Some("stale-reads"), false).report.violation);
        assert_eq!(found.expect("a stale read").property, PROPERTY);
    }

    #[test]
    fn a_trace_tells_when_the_contradiction_became_certain() {
        let found = (0..200)
            .map(|seed| run(seed, Some("stale-reads"), true))
            .find(|recorded| recorded.report.violation.is_some())
            .expect("a stale read");
        let violation = found.report.violation.expect("a stale read");
        assert!(violation.time_us < found.report.virtual_us, "{violation:?}");
        let told = super::super::view::until_violation(&found.events);
        assert!(told.len() < found.events.len());
        let last = told.last().expect("events");
        assert_eq!(last.time_us, violation.time_us);
        assert!(matches!(last.what, Happened::Violated { .. }), "{last}");
        assert!(found.events.is_sorted_by_key(|event| event.time_us));
    }
}
