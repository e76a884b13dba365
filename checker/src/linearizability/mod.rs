//! Linearizability: is there an order of all operations that real time allows and a sequential object accepts?
//!
//! Each key is judged by itself (P-compositionality: Horn and Kroening, FORTE 2015), by a monitor of its model
//! where one applies (`crate::monitor`), which takes near-linear time. Otherwise, reads of values that can't
//! have been there (`orphan`) show most violations of registers without a search. If there is
//! none, the reduced configuration graph (`graph`; after Lowe, Testing for linearizability, 2017) is walked depth first, and
//! breadth first if that takes too much memory. A violation is then made small (`minimise`), confirmed by an
//! exhaustive search that shares no code with this one, and told in words (`story`).

mod breadth_first;
mod cycle;
mod depth_first;
pub(crate) mod entry;
mod explain;
mod graph;
mod judge;
mod keys;
mod lookahead;
mod mask;
mod minimise;
mod orphan;
mod problem;
pub(crate) mod search;
mod story;
mod summary;
mod table;
mod transitions;
mod usage;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod tests;

use partita_history::{History, OpId, Outcome as OpOutcome, Value};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::model::{self, Engine, Model, Options};
use crate::monitor;
use crate::severity::{self, Severity};
use crate::verdict::{Analysis, Anomaly, KeyResult, Verdict};
use crate::{InputError, Witness};

use entry::{Classes, Object};
use judge::{Judgement, Outcome, Violation};
use search::Budget;

/// Judges a history. `stop` is asked now and then whether to give up (for a time limit, or a cancelled run);
/// what is then not yet known is [`Verdict::Unknown`].
///
/// # Errors
/// When an operation makes no sense to the model.
pub fn check(
    history: &History,
    model: &Model,
    options: &Options,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Analysis, InputError> {
    check_with_witness(history, model, options, stop).map(|(analysis, _)| analysis)
}

/// As [`check`], and gives for each linearizable key the linearization found, unless only the breadth-first
/// search could find one, which keeps none. If the verdict is valid and there is one for every key,
/// [`crate::verify`] accepts them.
///
/// # Errors
/// As [`check`].
pub fn check_with_witness<'h>(
    history: &'h History,
    model: &Model,
    options: &Options,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(Analysis, Vec<Witness>), InputError> {
    let specification = (model.specification)(options);
    let budget = Budget {
        configurations: options.configurations_max,
        bytes: options.memory_bytes_max,
        stop,
    };
    let registered = match options.engine {
        Engine::Search => None,
        Engine::Auto | Engine::Monitor => model::registered_name(&*specification),
    };
    let monitor = |classes: &Classes| monitor::of(registered?, classes, &*specification);
    let keys: Vec<_> = history.by_key().into_iter().collect();
    let object = |(key, operations): (Option<&'h Value>, Vec<OpId>)| {
        let (entries, classes) = entry::classify(history, &operations, &*specification)?;
        Ok(Object {
            history,
            specification: &*specification,
            key,
            monitor: monitor(&classes),
            may_search: options.engine != Engine::Monitor,
            classes,
            entries,
        })
    };
    let objects: Vec<Result<Object<'_>, InputError>> = match keys.len() {
        1 => keys.into_iter().map(object).collect(),
        _ => keys.into_par_iter().map(object).collect(),
    };
    // The error of the first key that has one, whichever was found first.
    let mut objects: Vec<Object<'_>> = objects.into_iter().collect::<Result<_, _>>()?;
    let judgements = keys::judge_all(&objects, budget, options.first_violation_only);
    let keys: Vec<KeyResult> = objects.iter().zip(&judgements).map(summary::key_result).collect();
    let exercised = history.operations().any(|op| op.outcome == OpOutcome::Ok);
    let verdict = keys
        .iter()
        .map(|key| key.verdict)
        .fold(Verdict::Valid, Verdict::join)
        .join(if exercised {
            Verdict::Valid
        } else {
            Verdict::NotExercised
        });
    let inapplicable = judgements.iter().find_map(|judgement| match judgement.outcome {
        Outcome::NotApplicable(why) => Some(why),
        _ => None,
    });
    let violated = clearest(&objects, &judgements, options.explained_max);
    let together = match violated.is_empty() {
        true => None,
        false => severity::measure_together(&objects, budget),
    };
    let severities: Vec<Severity> = violated
        .iter()
        .map(|&(i, _)| severity::measure(&objects[i], budget))
        .collect();
    for &(i, _) in &violated {
        let object = &mut objects[i];
        object.classes.add_blind(object.specification);
        object.monitor = monitor(&object.classes);
    }
    let mut anomalies: Vec<Anomaly> = violated
        .into_iter()
        .zip(severities)
        .map(|((i, violation), mut severity)| {
            let core = minimise::minimise(&objects[i], violation, budget);
            severity.levels.extend(together.clone());
            Anomaly {
                severity: Some(severity),
                ..explain::explain(&objects[i], violation, &core, budget)
            }
        })
        .collect();
    anomalies.sort_by_key(|anomaly| anomaly.operations.len());
    let analysis = Analysis {
        checker: "linearizability".to_owned(),
        model: model.name.to_owned(),
        verdict,
        reason: summary::reason(verdict, &keys, &anomalies, inapplicable),
        anomalies,
        keys,
        assumptions: options.assumptions(),
    };
    let witnesses = objects
        .iter()
        .zip(judgements)
        .filter_map(|(object, judgement)| match judgement.outcome {
            Outcome::Linearizable(Some(order)) => Some(Witness {
                key: object.key.cloned(),
                order,
            }),
            _ => None,
        })
        .collect();
    Ok((analysis, witnesses))
}

/// The violations whose prefixes are shortest, with the indices of their objects.
fn clearest<'j>(
    objects: &[Object<'_>],
    judgements: &'j [Judgement],
    at_most: usize,
) -> Vec<(usize, &'j Violation)> {
    let mut violated: Vec<_> = judgements
        .iter()
        .enumerate()
        .filter_map(|(i, judgement)| match &judgement.outcome {
            Outcome::Violated(violation) => Some((i, violation)),
            _ => None,
        })
        .collect();
    violated.sort_by_key(|(i, violation)| {
        objects[*i]
            .entries
            .partition_point(|entry| entry.invoked < violation.position)
    });
    violated.truncate(at_most);
    violated
}
