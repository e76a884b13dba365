//! Operations that found "not u" (ALGORITHMS.md 3.4).

use super::chains::{Bound, Chains, at, successors, written};
use super::versions::Versions;
use super::{DAWN, Failure, INITIAL, NEVER, NONE, Operation, Step, Time};

/// Puts them into an order of all other operations, each at the first place where it may be.
pub(super) fn insert(
    operations: &[Operation],
    versions: &Versions,
    chains: &Chains,
    order: Vec<u32>,
) -> Result<Vec<u32>, Failure> {
    let refusals: Vec<Refusal> = (0..)
        .zip(operations)
        .filter(|(_, operation)| !operation.is_pending())
        .filter_map(|(i, operation)| match operation.step {
            Step::Differs(value) => Some(Refusal { operation: i, value }),
            _ => None,
        })
        .collect();
    if refusals.is_empty() {
        return Ok(order);
    }
    contradict(operations, versions, chains, &refusals)?;
    let places = Places::new(operations, versions, chains, &order);
    let gaps = places.choose(operations, &refusals)?;
    let mut placed: Vec<(usize, u32)> = gaps
        .into_iter()
        .zip(refusals.iter().map(|refusal| refusal.operation))
        .collect();
    // In one gap, by invocation.
    placed.sort_unstable();
    let mut placed = placed.into_iter().peekable();
    let mut complete = Vec::with_capacity(operations.len());
    for (gap, next) in order.into_iter().map(Some).chain([None]).enumerate() {
        while let Some((_, refusal)) = placed.next_if(|&(at, _)| at == gap) {
            complete.push(refusal);
        }
        complete.extend(next);
    }
    Ok(complete)
}

#[derive(Clone, Copy)]
struct Refusal {
    operation: u32,
    /// The value that was not there.
    value: u32,
}

/// Fails if some value was certainly there all the while that it was found missing.
fn contradict(
    operations: &[Operation],
    versions: &Versions,
    chains: &Chains,
    refusals: &[Refusal],
) -> Result<(), Failure> {
    // For each value that was there, the moments between which it certainly was.
    let mut periods: Vec<(Bound, Bound)> = vec![((NEVER, 0), (DAWN, 0)); versions.len()];
    for root in chains.roots() {
        let chain: Vec<u32> = successors(versions, root).collect();
        // It was there once something had ended that came after its write ...
        let mut first_end = (NEVER, root);
        for &value in chain.iter().rev() {
            let version = versions.get(value);
            let ended = written(operations, version).1.min(version.read_ended);
            first_end = first_end.min((ended, value));
            periods[value as usize].0 = first_end;
        }
        // ... and until something began that came before it was overwritten, or overwrote it itself: it can't have
        // been gone before that.
        let mut last_begin = (DAWN, root);
        for &value in &chain {
            let version = versions.get(value);
            let began = written(operations, version).0.max(version.read_began);
            last_begin = last_begin.max((began, value));
            let mut until = last_begin;
            if version.successor != NONE {
                let next = versions.get(version.successor);
                until = until.max((written(operations, next).0, version.successor));
            }
            periods[value as usize].1 = until;
        }
    }
    for refusal in refusals {
        let Operation { began, ended, .. } = operations[refusal.operation as usize];
        let (since, until) = periods[refusal.value as usize];
        if since.0 < began && ended < until.0 {
            let bounds = [at(operations, since, false), at(operations, until, true)];
            let found = bounds.into_iter().flatten().chain([refusal.operation]);
            let possible = breakers(operations, versions, *refusal);
            return Err(Failure::Violation(found.chain(possible).collect()));
        }
    }
    Ok(())
}

/// What might have overwritten the refused value in time, other things being different: without these, there
/// would seem to be no need for all that shows that none of them did.
fn breakers(operations: &[Operation], versions: &Versions, refusal: Refusal) -> impl Iterator<Item = u32> {
    let since = written(operations, versions.get(refusal.value)).0;
    let until = operations[refusal.operation as usize].ended;
    let is_breaker = move |operation: &Operation| {
        operation.step.produces().is_some() && operation.ended >= since && operation.began <= until
    };
    (0..)
        .zip(operations)
        .filter(move |(_, operation)| is_breaker(operation))
        .map(|(i, _)| i)
}

/// Gaps of an order: gap g comes before its operation g, and the last one after all.
struct Places {
    /// For each gap, when the last operation before it began.
    begun: Vec<Time>,
    /// For each gap, when the first operation after it ended.
    ends: Vec<Time>,
    /// For each value that was there, the first gap and the last in which it is.
    held: Vec<Option<(usize, usize)>>,
}

impl Places {
    fn new(operations: &[Operation], versions: &Versions, chains: &Chains, order: &[u32]) -> Places {
        let mut begun = vec![DAWN; order.len() + 1];
        let mut ends = vec![NEVER; order.len() + 1];
        for (gap, &i) in order.iter().enumerate() {
            begun[gap + 1] = begun[gap].max(operations[i as usize].began);
        }
        for (gap, &i) in order.iter().enumerate().rev() {
            ends[gap] = ends[gap + 1].min(operations[i as usize].ended);
        }
        let mut held = vec![None; versions.len()];
        let mut gap = 0;
        for value in chains.values(versions) {
            let version = versions.get(value);
            gap += usize::from(value != INITIAL);
            let last = gap + version.reads as usize;
            held[value as usize] = Some((gap, last));
            gap = last;
        }
        Places { begun, ends, held }
    }

    /// A gap for each, none before that of one that ended before it began. (The refusals are in the order of
    /// their invocations; gaps found are in the same order only where they must be.)
    fn choose(&self, operations: &[Operation], refusals: &[Refusal]) -> Result<Vec<usize>, Failure> {
        let mut gaps: Vec<usize> = Vec::with_capacity(refusals.len());
        let mut by_end: Vec<usize> = (0..refusals.len()).collect();
        by_end.sort_unstable_by_key(|&i| operations[refusals[i].operation as usize].ended);
        let (mut over, mut least) = (0, 0);
        for refusal in refusals {
            let Operation { began, ended, .. } = operations[refusal.operation as usize];
            while let Some(&earlier) = by_end.get(over)
                && operations[refusals[earlier].operation as usize].ended < began
            {
                least = least.max(gaps[earlier]);
                over += 1;
            }
            let mut gap = self.ends.partition_point(|&end| end < began).max(least);
            if let Some((first, last)) = self.held[refusal.value as usize]
                && (first..=last).contains(&gap)
            {
                gap = last + 1;
            }
            if self.begun.get(gap).is_none_or(|&begun| begun > ended) {
                return Err(Failure::NotApplicable(
                    "refused compare-and-sets that did not say what they saw leave too many orders",
                ));
            }
            gaps.push(gap);
        }
        Ok(gaps)
    }
}
