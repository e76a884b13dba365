//! Findings about the *test*: what makes a history mean less than it seems to, apart from any verdict.
//!
//! A checker believes what a history says: `fail` means that it did not happen, one process does one thing at a time,
//! a later event came later. Clients, and those who write histories by hand, get this wrong. [`lint`] looks for the
//! traces of it, and for tests too weak to find anything. It never changes a verdict.
//!
//! What can't be read as a history at all (a completion without an invocation, a second invocation while the first is
//! open) is no finding but an error of the reader, with its line: a verdict on a history with holes is worth nothing.

mod clients;
mod coverage;
mod values;

use std::fmt;

use partita_history::{History, OpId, Operation, Outcome};
use serde::{Deserialize, Serialize};

use crate::linearizability::words::{Words, client_via};
use crate::model::{self, Model, Options, Specification};

/// The most operations that a finding names.
const NAMED_MAX: usize = 5;

/// What is wrong, or weak, about a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// An operation that `fail`ed, and so did not happen, had an effect that somebody saw.
    FailedButSeen,
    /// An operation that changes something `fail`ed for a reason that leaves open whether it happened.
    IndeterminateFail,
    /// A process did something after an operation of unknown outcome, whose client can't be told from a dead one.
    GoesOnAfterInfo,
    /// Of two events, the later has the earlier time.
    TimeBackwards,
    /// A write completed with another value than it was invoked with.
    OtherValueCompleted,
    /// Every read of a key found null, although something was written there.
    OnlyNullReads,
    /// Nothing that ended ok saw anything.
    NothingSeen,
    /// No two operations overlapped.
    NoConcurrency,
    /// Many operations ended with an unknown outcome.
    MostlyUnknown,
    /// Some keys saw hardly any operation.
    HardlyUsedKeys,
    /// A value is written, or an item put in, more than once.
    RepeatedValues,
    /// Refused compare-and-sets did not record what they saw.
    RefusedWithoutObserved,
}

impl FindingKind {
    /// Whether the history says something that is not so, which no verdict can make up for. Otherwise the test is
    /// right, but it finds less, or takes longer to judge, than it could.
    pub fn is_mistake(self) -> bool {
        self <= FindingKind::OtherValueCompleted
    }
}

/// In words: `failed but seen`.
impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            FindingKind::FailedButSeen => "failed but seen",
            FindingKind::IndeterminateFail => "fail that should be info",
            FindingKind::GoesOnAfterInfo => "process goes on after info",
            FindingKind::TimeBackwards => "time runs backwards",
            FindingKind::OtherValueCompleted => "other value completed",
            FindingKind::OnlyNullReads => "only null was read",
            FindingKind::NothingSeen => "nothing was seen",
            FindingKind::NoConcurrency => "nothing was concurrent",
            FindingKind::MostlyUnknown => "many unknown outcomes",
            FindingKind::HardlyUsedKeys => "hardly used keys",
            FindingKind::RepeatedValues => "repeated values",
            FindingKind::RefusedWithoutObserved => "refusals say nothing",
        })
    }
}

/// Something about the test that its author should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// How often it occurs: operations, or keys for [`FindingKind::OnlyNullReads`] and
    /// [`FindingKind::HardlyUsedKeys`], or values for [`FindingKind::RepeatedValues`]; 1 where it is said of the
    /// whole history.
    pub count: usize,
    /// The first few operations that show it, if single operations do.
    pub operations: Vec<OpId>,
    /// Who, when, what follows from it, and what to do.
    pub text: String,
}

/// Looks for traces of a wrong or a weak test in a history that `model` is to judge under `options`. Mistakes come
/// first. Operations that the model does not understand are passed over: [`crate::check`] tells of them.
///
/// Takes time and memory near-linear in the length of the history.
pub fn lint(history: &History, model: &Model, options: &Options) -> Vec<Finding> {
    let specification = (model.specification)(options);
    let test = Test {
        history,
        model: model::registered_name(&*specification).unwrap_or_default(),
        specification: &*specification,
        words: Words::new(history),
    };
    let mut findings: Vec<Finding> = [
        values::failed_but_seen(&test),
        clients::indeterminate_fail(&test),
        clients::goes_on_after_info(&test),
        clients::time_backwards(&test),
        values::other_value_completed(&test),
        coverage::only_null_reads(&test),
        coverage::nothing_seen(&test),
        coverage::no_concurrency(&test),
        coverage::mostly_unknown(&test),
        coverage::hardly_used_keys(&test),
        values::repeated_values(&test),
        values::refused_without_observed(&test, options.fail),
    ]
    .into_iter()
    .flatten()
    .collect();
    findings.sort_by_key(|finding| finding.kind);
    findings
}

/// The kinds of the findings on a line, for where there is little room; none if there are none.
pub fn in_short(findings: &[Finding]) -> Option<String> {
    let kinds: Vec<String> = findings.iter().map(|finding| finding.kind.to_string()).collect();
    (!kinds.is_empty()).then(|| kinds.join("; "))
}

/// What is looked at.
struct Test<'a> {
    history: &'a History,
    /// The name of the model, if it is one of ours.
    model: &'static str,
    specification: &'a dyn Specification,
    words: Words,
}

impl<'a> Test<'a> {
    fn operations(&self) -> impl Iterator<Item = (OpId, Operation<'a>)> {
        self.history.operations().enumerate()
    }

    fn operation(&self, id: OpId) -> Operation<'a> {
        self.history.operation(id)
    }

    /// `client 4 (via n1) at 12.402 s`, the time being that of its end.
    fn who_and_when(&self, operation: Operation<'_>) -> String {
        let when = match operation.completed {
            Some(_) => self.words.ended(operation),
            None => self.words.at(operation.invoked),
        };
        format!("{} {when}", client_via(operation))
    }

    /// Whether it would change something, had it happened.
    fn may_change(&self, operation: Operation<'_>) -> bool {
        let crashed = Operation {
            outcome: Outcome::Info,
            ..operation
        };
        let class = self.specification.classify(&crashed).ok().flatten();
        class.is_some_and(|class| !self.specification.is_observer(&class))
    }
}

/// A finding about these operations, all of which `text` is said to apply to; none if there are none.
fn about(
    kind: FindingKind,
    operations: Vec<OpId>,
    text: impl FnOnce(OpId, &str) -> String,
) -> Option<Finding> {
    let first = *operations.first()?;
    let others = match operations.len() - 1 {
        0 => String::new(),
        1 => " One more operation is like this.".to_owned(),
        more => format!(" {more} more operations are like this."),
    };
    let count = operations.len();
    Some(Finding {
        kind,
        count,
        text: text(first, &others),
        operations: operations.into_iter().take(NAMED_MAX).collect(),
    })
}

#[cfg(test)]
mod tests;
