//! What clients do, and what must hold: one file a workload, and one line in [`ALL`].

mod agreement;
mod register;

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
    /// The functions that clients call.
    fn functions(&self) -> &'static [&'static str];
    /// The checker's model that histories are judged against.
    fn model(&self) -> &'static str;
    /// The operations of the run.
    fn generator(&self) -> Box<dyn Generator>;
}

/// All workloads.
pub const ALL: &[&dyn Workload] = &[&register::Register, &agreement::Agreement];

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
