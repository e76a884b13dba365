//! The operations that make a violation one by themselves.

use super::versions::Versions;
use super::{NONE, Operation};

/// With `found`, what wrote the values that are required, and what shows that pending operations happened.
///
/// A set closed in this way has a linearization if the whole has one: leaving out a chain, the end of a chain,
/// or a read is a weakening (ALGORITHMS.md 7). It is not if something found "not u", unless all that might have
/// overwritten u is among `found`.
pub(super) fn closed(operations: &[Operation], versions: &Versions, found: Vec<u32>) -> Vec<u32> {
    let mut is_in = vec![false; operations.len()];
    let mut work = found;
    while let Some(i) = work.pop() {
        if std::mem::replace(&mut is_in[i as usize], true) {
            continue;
        }
        let operation = &operations[i as usize];
        if let Some(value) = operation.step.requires() {
            work.push(versions.get(value).writer);
        }
        if let Some(value) = operation.step.produces()
            && operation.is_pending()
        {
            work.push(versions.get(value).reason);
        }
        work.retain(|&i| i != NONE);
    }
    (0..operations.len() as u32)
        .filter(|&i| is_in[i as usize])
        .collect()
}
