//! What clients do, and what must hold: one file a workload, and one line in [`ALL`].

mod agreement;
mod counter;
mod keys;
mod list_append;
mod lock;
mod multi_register;
mod queue;
mod register;
mod set;

use std::collections::BTreeMap;

use partita_generator::Generator;
use partita_history::{History, Outcome};

/// What clients do, and what must hold of what they saw. A workload knows nothing of targets: a target that
/// offers the functions in [`Workload::functions`] can run it.
pub trait Workload: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;
    /// What it does and what it finds, in one line.
    fn summary(&self) -> &'static str;
    /// The type of the objects that clients act upon: `register`, `queue`, ...
    fn object(&self) -> &'static str;
    /// The functions that clients call.
    fn functions(&self) -> &'static [&'static str];
    /// The checker's model that histories are judged against.
    fn model(&self) -> &'static str;
    /// The operations of the run.
    fn generator(&self) -> Box<dyn Generator>;
}

/// All workloads.
pub const ALL: &[&dyn Workload] = &[
    &register::REGISTER,
    &agreement::Agreement,
    &list_append::ListAppend,
    &set::Set,
    &counter::Counter,
    &queue::Queue,
    &lock::Lock,
    &multi_register::MultiRegister,
    &register::PLAIN,
];

/// The workload of this name.
pub fn find(name: &str) -> Option<&'static dyn Workload> {
    ALL.iter().copied().find(|workload| workload.name() == name)
}

/// The number of ok operations of every function below which a run is not worth a verdict.
pub const OK_MIN: u64 = 20;

/// What the history is too poor in, in words: a pass is never given for work that was not done.
pub fn shortfalls(workload: &dyn Workload, history: &History) -> Vec<String> {
    let mut ok: BTreeMap<&str, u64> = workload.functions().iter().map(|&f| (f, 0)).collect();
    for operation in history.operations() {
        if operation.outcome == Outcome::Ok {
            *ok.entry(operation.f).or_default() += 1;
        }
    }
    ok.into_iter()
        .filter(|&(_, count)| count < OK_MIN)
        .map(|(f, count)| format!("only {count} `{f}` operations ended ok (at least {OK_MIN} are wanted)"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use partita_generator::{Client, Op, random};
    use partita_history::{EventType, OpEvent, Value};

    use super::*;

    #[test]
    fn names_are_unique_kebab_case_and_explained() {
        let names: BTreeSet<_> = ALL.iter().map(|workload| workload.name()).collect();
        assert_eq!(names.len(), ALL.len());
        for workload in ALL {
            assert!(
                workload
                    .name()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-')
            );
            assert!(!workload.summary().is_empty() && !workload.functions().is_empty());
            assert_eq!(
                find(workload.name()).map(|found| found.summary()),
                Some(workload.summary())
            );
        }
    }

    /// Runs a generator to its end, or for so many operations, by clients of which every fourth operation has an
    /// unknown outcome; gives what was asked for. Acquisitions give tokens that grow, and dequeues find nothing.
    fn run(generator: &mut dyn Generator, operations: u64) -> Vec<Op> {
        let mut rng = random(7, "operations");
        let mut process = 0;
        let mut asked = Vec::new();
        for number in 0..operations {
            let seat = (number / 5 % 2) as u32;
            let Some(op) = generator.next(Client { process, seat }, &mut rng) else {
                break;
            };
            let mut event = OpEvent {
                index: 0,
                time: number,
                process,
                kind: EventType::Invoke,
                f: op.f.into(),
                key: op.key.clone(),
                value: op.value.clone(),
                observed: None,
                node: None,
                error: None,
            };
            generator.update(&event);
            event.kind = if number % 4 == 3 {
                EventType::Info
            } else {
                EventType::Ok
            };
            if op.f == "acquire" {
                event.value = Value::Int(number.cast_signed());
            }
            generator.update(&event);
            process += u64::from(event.kind == EventType::Info);
            asked.push(op);
        }
        asked
    }

    #[test]
    fn workloads_call_their_functions_and_no_others_and_look_at_all_objects_in_the_end() {
        for workload in ALL {
            let name = workload.name();
            let mut generator = workload.generator();
            let asked = run(&mut *generator, 5_000);
            assert_eq!(asked.len(), 5_000, "{name}");
            let called: BTreeSet<_> = asked.iter().map(|op| op.f).collect();
            assert_eq!(called, workload.functions().iter().copied().collect(), "{name}");
            assert_eq!(
                run(&mut *workload.generator(), 5_000),
                asked,
                "{name} is not the same twice"
            );
            let keys = |asked: &[Op]| asked.iter().map(|op| op.key.clone()).collect::<BTreeSet<_>>();
            let finally = run(&mut *generator.finally(), 100_000);
            assert!(finally.len() < 5_000, "{name} does not end");
            assert!(keys(&finally).is_superset(&keys(&asked)), "{name}");
        }
    }

    #[test]
    fn an_empty_history_falls_short_of_everything() {
        for workload in ALL {
            assert_eq!(
                shortfalls(*workload, &History::default()).len(),
                workload.functions().len()
            );
        }
    }
}
