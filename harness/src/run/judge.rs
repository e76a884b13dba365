//! The verdict of a run: what the checkers say, whether nodes stood and came back, and whether enough was
//! done to say so.

use std::collections::{BTreeMap, BTreeSet};

use partita_checker::{Analysis, Verdict};
use partita_generator::faults::PlannedFault;
use partita_history::{FaultOutcome, FaultPhase, History, Outcome};
use partita_reports::run::{Outcomes, Rate, Summary, count_faults};
use partita_workloads::Workload;

use crate::child::INTERRUPTED;
use crate::plan::Plan;

/// How a load ended that was to stop at its first violation.
pub(crate) const VIOLATION: &str = "violation";

/// What the controller saw, apart from the history.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// How the load ended: `time limit`, `interrupted`, `violation`.
    pub(crate) ended: String,
    /// How long clients worked, in seconds, without the final reads.
    pub(crate) load_seconds: f64,
    /// Operations in that time.
    pub(crate) load: super::recorder::Counts,
    /// Snapshots that nodes were seen to install, where they tell.
    pub(crate) snapshots_installed: Option<u64>,
    /// Exits that nobody caused, each in words.
    pub(crate) unexpected_exits: Vec<String>,
    /// Whether nodes that have applied as much hold the same, where that can be asked.
    pub(crate) replicas: Option<Analysis>,
    /// Two leaders of one term, in words, if any were seen; none where the target may have several.
    pub(crate) leaders_apart: Option<Option<String>>,
    /// Why the cluster did not recover when all faults were healed; none if it did.
    pub(crate) not_recovered: Option<String>,
}

/// Fills in everything of the summary that follows from the history and from what was observed.
pub(crate) fn judge(
    summary: &mut Summary,
    plan: &Plan,
    workload: &dyn Workload,
    history: &History,
    observed: &Observed,
    linearizability: Analysis,
) {
    summary.ended.clone_from(&observed.ended);
    summary.rate = Rate {
        asked: plan.rate,
        invoked: per_second(observed.load.invoked, observed.load_seconds),
        ok: per_second(observed.load.ok, observed.load_seconds),
    };
    summary.operations = outcomes(history);
    summary.faults = count_faults(&history.faults);
    summary.snapshots_installed = observed.snapshots_installed;
    let last = history
        .operations()
        .filter_map(|operation| operation.completed)
        .map(|moment| moment.time)
        .max();
    summary.duration_ms = last.unwrap_or(0) / 1_000_000;
    summary.not_exercised = not_exercised(plan, workload, history, observed);
    if let Some(findings) = about_the_test(history, &linearizability) {
        summary.facts.insert("about the test".to_owned(), findings);
    }
    let has_leader = partita_targets::find(&plan.target).is_none_or(|target| target.has_leader());
    let recovery = recovery(observed, has_leader);
    summary.checks = vec![linearizability, processes(observed), recovery];
    summary.checks.extend(observed.replicas.clone());
    summary
        .checks
        .extend(observed.leaders_apart.as_ref().map(leaders));
    let exercised = if summary.not_exercised.is_empty() {
        Verdict::Valid
    } else {
        Verdict::NotExercised
    };
    summary.verdict = summary
        .checks
        .iter()
        .fold(exercised, |verdict, check| verdict.join(check.verdict));
    summary.exit_code = summary.verdict.exit_code();
    summary.reason = reason(summary);
}

/// Fills in the verdict of a run that was interrupted before its load began.
pub(crate) fn not_begun(summary: &mut Summary) {
    let why = "the run was interrupted while its nodes started";
    summary.ended = INTERRUPTED.into();
    summary.not_exercised = vec![why.into()];
    summary.verdict = Verdict::NotExercised;
    summary.exit_code = summary.verdict.exit_code();
    summary.reason = reason(summary);
}

/// What the linter says, which has no bearing on the verdict.
fn about_the_test(history: &History, linearizability: &Analysis) -> Option<String> {
    let model = partita_checker::Model::by_name(&linearizability.model)?;
    let findings = partita_checker::lint(history, model, &partita_checker::Options::default());
    let sentences: Vec<String> = findings
        .iter()
        .map(|finding| format!("{}: {}", finding.kind, finding.text))
        .collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

pub(crate) fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

/// How operations ended, by function.
pub(crate) fn outcomes(history: &History) -> BTreeMap<String, Outcomes> {
    let mut counts: BTreeMap<String, Outcomes> = BTreeMap::new();
    for operation in history.operations() {
        let count = counts.entry(operation.f.to_owned()).or_default();
        match operation.outcome {
            Outcome::Ok => count.ok += 1,
            Outcome::Fail => count.fail += 1,
            Outcome::Info => count.info += 1,
        }
    }
    counts
}

fn not_exercised(
    plan: &Plan,
    workload: &dyn Workload,
    history: &History,
    observed: &Observed,
) -> Vec<String> {
    let mut missing = Vec::new();
    if observed.ended == INTERRUPTED {
        // First: whatever else is missing may be so because of it.
        missing.push("the run was interrupted before its time limit".into());
    }
    missing.extend(partita_workloads::shortfalls(workload, history));
    let is_of = |fault: &PlannedFault, (name, shape): (&str, Option<&str>)| {
        fault.fault == name && shape.is_none_or(|shape| fault.shape == shape)
    };
    let asked = plan.asked();
    // Whoever wrote the plan by hand may have planned what its `nemesis` does not ask for.
    let is_unasked = |fault: &&PlannedFault| !asked.iter().any(|asked| is_of(fault, *asked));
    let unasked = plan.faults.iter().filter(is_unasked);
    let unasked = unasked.map(|fault| (fault.fault.as_str(), None));
    let expected: BTreeSet<_> = asked.iter().copied().chain(unasked).collect();
    for (name, shape) in expected {
        let asked = shape.map_or(name.to_owned(), |shape| format!("{name}:{shape}"));
        let planned: BTreeSet<u64> = plan
            .faults
            .iter()
            .filter(|fault| is_of(fault, (name, shape)))
            .map(|fault| fault.id)
            .collect();
        let took = history.faults.iter().any(|event| {
            planned.contains(&event.value.id)
                && event.value.phase == FaultPhase::Injected
                && event.value.outcome == Some(FaultOutcome::Took)
        });
        if planned.is_empty() && !plan.is_as_drawn() {
            missing.push(format!("the plan has no `{asked}`"));
        } else if !planned.is_empty() && !took {
            missing.push(format!("no `{asked}` took effect, of {} planned", planned.len()));
        }
    }
    missing.extend(plan.no_time());
    missing
}

/// A server that ends by itself is a finding.
fn processes(observed: &Observed) -> Analysis {
    let exits = &observed.unexpected_exits;
    Analysis {
        checker: "processes".into(),
        verdict: if exits.is_empty() {
            Verdict::Valid
        } else {
            Verdict::Invalid
        },
        reason: match exits.as_slice() {
            [] => "no node ended by itself".into(),
            [only] => format!("a node ended by itself: {only}"),
            several => format!(
                "nodes ended by themselves, {} times: {}",
                several.len(),
                several.join("; and ")
            ),
        },
        ..Analysis::default()
    }
}

/// Two leaders in one term are a finding, whatever clients saw: election safety (Raft, section 5.2).
fn leaders(apart: &Option<String>) -> Analysis {
    Analysis {
        checker: "leaders".into(),
        verdict: if apart.is_some() {
            Verdict::Invalid
        } else {
            Verdict::Valid
        },
        reason: match apart {
            Some(apart) => apart.clone(),
            None => "no two nodes said that they lead in one term".into(),
        },
        ..Analysis::default()
    }
}

/// A cluster that does not come back when all faults are gone is a finding.
fn recovery(observed: &Observed, has_leader: bool) -> Analysis {
    if observed.ended == VIOLATION {
        return Analysis {
            checker: "recovery".into(),
            verdict: Verdict::NotExercised,
            reason: "not judged: the run ended at its first violation".into(),
            ..Analysis::default()
        };
    }
    Analysis {
        checker: "recovery".into(),
        verdict: if observed.not_recovered.is_none() {
            Verdict::Valid
        } else {
            Verdict::Invalid
        },
        reason: match &observed.not_recovered {
            None if has_leader => {
                "after the last healing every node answered, all knew one leader, and all that was used could be read"
                    .into()
            }
            None => "after the last healing every node answered, and all that was used could be read".into(),
            Some(why) => format!("the cluster did not recover when all faults were healed: {why}"),
        },
        ..Analysis::default()
    }
}

/// One sentence: that of the check that made the verdict, or what was done and survived.
fn reason(summary: &Summary) -> String {
    let is_broken_off = summary.ended == INTERRUPTED && summary.verdict == Verdict::NotExercised;
    if !is_broken_off
        && let Some(check) = summary
            .checks
            .iter()
            .find(|check| check.verdict == summary.verdict)
        && summary.verdict != Verdict::Valid
    {
        return check.reason.clone();
    }
    if let Some(first) = summary.not_exercised.first() {
        return format!("nothing was violated, but too little was done: {first}");
    }
    let ok: u64 = summary.operations.values().map(|outcomes| outcomes.ok).sum();
    let keys = summary.checks.iter().map(|check| check.keys.len()).sum::<usize>();
    let took: Vec<_> = summary
        .faults
        .iter()
        .filter(|(_, count)| count.took > 0)
        .map(|(name, count)| format!("{} {name}", count.took))
        .collect();
    let faults = if took.is_empty() {
        "no faults".into()
    } else {
        took.join(", ")
    };
    format!("linearizable: {ok} ok operations on {keys} keys, under {faults}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::plan;

    fn workload() -> &'static dyn Workload {
        partita_workloads::find("register").unwrap()
    }

    fn rich_history() -> History {
        use partita_history::{Event, EventType, OpEvent, Value};
        let mut history = History::default();
        for (i, f) in ["read", "write", "cas"].iter().cycle().take(300).enumerate() {
            for kind in [EventType::Invoke, EventType::Ok] {
                let event = OpEvent {
                    index: 0,
                    time: i as u64,
                    process: 0,
                    kind,
                    f: (*f).into(),
                    key: None,
                    value: Value::Null,
                    observed: None,
                    node: None,
                    error: None,
                };
                history.push(Event::Op(event)).unwrap();
            }
        }
        history
    }

    fn verdict(plan: &Plan, history: &History, observed: &Observed, check: Verdict) -> (Verdict, String) {
        let mut summary = Summary::default();
        let analysis = Analysis {
            verdict: check,
            reason: "so said the checker".into(),
            ..Analysis::default()
        };
        judge(&mut summary, plan, workload(), history, observed, analysis);
        assert_eq!(summary.exit_code, summary.verdict.exit_code());
        (summary.verdict, summary.reason)
    }

    #[test]
    fn a_pass_is_never_given_for_work_that_was_not_done() {
        let calm = plan("none");
        let observed = Observed {
            ended: "time limit".into(),
            ..Observed::default()
        };
        assert_eq!(
            verdict(&calm, &rich_history(), &observed, Verdict::Valid).0,
            Verdict::Valid
        );
        assert_eq!(
            verdict(&calm, &History::default(), &observed, Verdict::Valid).0,
            Verdict::NotExercised
        );
        let (judged, why) = verdict(&plan("kill"), &rich_history(), &observed, Verdict::Valid);
        assert_eq!(judged, Verdict::NotExercised);
        assert!(why.contains("no `kill` took effect"), "{why}");
        let interrupted = Observed {
            ended: "interrupted".into(),
            ..Observed::default()
        };
        let early =
            "nothing was violated, but too little was done: the run was interrupted before its time limit";
        for (plan, history) in [(&calm, rich_history()), (&plan("kill"), History::default())] {
            // Whatever else there was too little of.
            for checked in [Verdict::Valid, Verdict::NotExercised] {
                let (judged, why) = verdict(plan, &history, &interrupted, checked);
                assert_eq!((judged, why.as_str()), (Verdict::NotExercised, early));
            }
        }
        let mut summary = Summary::default();
        not_begun(&mut summary);
        assert_eq!((summary.verdict, summary.exit_code), (Verdict::NotExercised, 3));
        assert!(summary.reason.ends_with("interrupted while its nodes started"));
    }

    #[test]
    fn a_plan_made_by_hand_must_take_effect_as_well() {
        let observed = Observed {
            ended: "time limit".into(),
            ..Observed::default()
        };
        let judged = |plan: &Plan| verdict(plan, &rich_history(), &observed, Verdict::Valid);
        let mut unasked = plan("kill");
        unasked.nemesis.clear();
        let (it, why) = judged(&unasked);
        assert_eq!(it, Verdict::NotExercised);
        assert!(why.contains("no `kill` took effect, of "), "{why}");
        let mut taken_out = plan("kill");
        taken_out.faults.clear();
        let (it, why) = judged(&taken_out);
        assert_eq!(it, Verdict::NotExercised);
        assert!(why.contains("the plan has no `kill`"), "{why}");
    }

    #[test]
    fn every_kind_of_fault_that_was_asked_for_and_never_took_is_missed() {
        use partita_history::{Event, FaultEvent, FaultValue};
        let all = Plan::new(crate::plan::Request {
            // Of all targets the one that nothing is left out for.
            target: "viewstamped".into(),
            binary_b: Some("/tmp/b".into()),
            time_limit: std::time::Duration::from_secs(900),
            ..crate::plan::tests::request()
        })
        .unwrap();
        let observed = Observed {
            ended: "time limit".into(),
            ..Observed::default()
        };
        let missed = |but: &str, outcome| {
            let mut history = rich_history();
            for planned in &all.faults {
                let outcome = if planned.fault == but {
                    outcome
                } else {
                    FaultOutcome::Took
                };
                let value = FaultValue {
                    id: planned.id,
                    phase: FaultPhase::Injected,
                    outcome: Some(outcome),
                    what: String::new(),
                    started: 0,
                    nodes: vec!["n1".into()],
                    roles: BTreeMap::new(),
                    links: Vec::new(),
                    evidence: String::new(),
                };
                let event = FaultEvent {
                    index: 0,
                    time: 300,
                    f: planned.fault.clone(),
                    value,
                };
                history.push(Event::Fault(event)).unwrap();
            }
            verdict(&all, &history, &observed, Verdict::Valid)
        };
        assert_eq!(missed("", FaultOutcome::Skipped).0, Verdict::Valid);
        for fault in partita_nemesis::fault::ALL {
            for outcome in [FaultOutcome::Skipped, FaultOutcome::Uncertain] {
                let (judged, why) = missed(fault.name(), outcome);
                assert_eq!(judged, Verdict::NotExercised, "{}", fault.name());
                assert!(
                    why.contains(&format!("no `{}` took effect", fault.name())),
                    "{why}"
                );
            }
        }
    }

    #[test]
    fn findings_outrank_a_poor_run_and_name_themselves() {
        let observed = Observed {
            ended: "interrupted".into(),
            ..Observed::default()
        };
        let (judged, why) = verdict(&plan("kill"), &History::default(), &observed, Verdict::Invalid);
        assert_eq!((judged, why.as_str()), (Verdict::Invalid, "so said the checker"));
        let crashed = Observed {
            unexpected_exits: vec!["n1: exit 101".into()],
            ..Observed::default()
        };
        let (judged, why) = verdict(&plan("none"), &rich_history(), &crashed, Verdict::Valid);
        assert_eq!(
            (judged, why.as_str()),
            (Verdict::Invalid, "a node ended by itself: n1: exit 101")
        );
        let twice = Observed {
            unexpected_exits: vec!["n1: exit 101".into(), "n2: signal 11".into()],
            ..Observed::default()
        };
        let (_, why) = verdict(&plan("none"), &rich_history(), &twice, Verdict::Valid);
        let expected = "nodes ended by themselves, 2 times: n1: exit 101; and n2: signal 11";
        assert_eq!(why, expected, "none is only counted");
        let stuck = Observed {
            not_recovered: Some("no leader is known".into()),
            ..Observed::default()
        };
        assert_eq!(
            verdict(&plan("none"), &rich_history(), &stuck, Verdict::Valid).0,
            Verdict::Invalid
        );
    }
}
