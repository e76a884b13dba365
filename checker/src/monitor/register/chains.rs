//! Chains of versions, and the order between them (ALGORITHMS.md 3.2, and 3.3, steps 3 to 6).

use super::versions::{Version, Versions};
use super::{DAWN, Failure, INITIAL, NEVER, NONE, Operation, Step, Time};

/// A moment at which an operation of this version begins or ends.
pub(super) type Bound = (Time, u32);

/// Versions that follow each other by compare-and-set.
#[derive(Clone, Copy, Debug)]
struct Chain {
    /// Its first version.
    root: u32,
    /// When its first operation ended.
    first_end: Bound,
    /// When its last operation began.
    last_begin: Bound,
}

impl Chain {
    /// Whether it was certainly there for some time.
    fn is_forward(&self) -> bool {
        self.first_end.0 < self.last_begin.0
    }

    /// At the earliest, when it may have been there: for sorting. Of two at the same moment a forward chain comes
    /// second, since it may have to.
    fn rank(&self) -> (Time, bool) {
        match self.is_forward() {
            true => (self.first_end.0, true),
            false => (self.last_begin.0, false),
        }
    }
}

/// When the writer of a version began, and when it ended.
pub(super) fn written(operations: &[Operation], version: &Version) -> (Time, Time) {
    operations
        .get(version.writer as usize)
        .map_or((DAWN, DAWN), |writer| (writer.began, writer.ended))
}

/// The completed or needed operation of a version that begins or ends at that moment.
pub(super) fn at(operations: &[Operation], (time, value): Bound, begins: bool) -> Option<u32> {
    let is_it = |operation: &Operation| {
        operation.step.version() == Some(value)
            && time == if begins { operation.began } else { operation.ended }
    };
    operations.iter().position(is_it).map(|i| i as u32)
}

/// All chains, in an order in which they may have followed each other.
#[derive(Debug)]
pub(super) struct Chains {
    chains: Vec<Chain>,
}

impl Chains {
    pub(super) fn new(operations: &[Operation], versions: &Versions) -> Result<Chains, Failure> {
        let mut chains = Vec::new();
        let (mut reached, mut happened) = (0, 0);
        for value in versions.values() {
            happened += 1;
            if versions.get(value).predecessor == NONE {
                let (chain, length) = walk(operations, versions, value)?;
                chains.push(chain);
                reached += length;
            }
        }
        if reached < happened {
            return Err(Failure::Violation(circle(versions)));
        }
        sort(&mut chains);
        let mut latest: Option<&Chain> = None;
        for chain in &chains {
            // What began before the end of the latest forward chain overlaps it; it must not end before that, too.
            if let Some(latest) = latest
                && chain.first_end.0 < latest.last_begin.0
            {
                let ends = [latest, chain].map(|chain| at(operations, chain.first_end, false));
                let begins = [latest, chain].map(|chain| at(operations, chain.last_begin, true));
                return Err(Failure::Violation(
                    ends.into_iter().chain(begins).flatten().collect(),
                ));
            }
            if chain.is_forward() {
                latest = Some(chain);
            }
        }
        Ok(Chains { chains })
    }

    /// All values, in the order in which they were there.
    pub(super) fn values(&self, versions: &Versions) -> impl Iterator<Item = u32> {
        self.chains
            .iter()
            .flat_map(|chain| successors(versions, chain.root))
    }

    /// The first values of all chains.
    pub(super) fn roots(&self) -> impl Iterator<Item = u32> {
        self.chains.iter().map(|chain| chain.root)
    }

    /// The operations in order, apart from those that found "not u".
    pub(super) fn order(&self, operations: &[Operation], versions: &Versions) -> Vec<u32> {
        let mut order = Vec::with_capacity(operations.len());
        // Where the next read of a value goes.
        let mut next = vec![0; versions.len()];
        for value in self.values(versions) {
            let version = versions.get(value);
            if version.writer != NONE {
                order.push(version.writer);
            }
            next[value as usize] = order.len();
            order.resize(order.len() + version.reads as usize, NONE);
        }
        for (i, operation) in (0..).zip(operations) {
            if let Step::Read(value) = operation.step
                && !operation.is_pending()
            {
                let next = &mut next[value as usize];
                order[*next] = i;
                *next += 1;
            }
        }
        order
    }
}

/// A value and what was swapped in for it, again and again.
pub(super) fn successors(versions: &Versions, root: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(root), |&value| {
        let next = versions.get(value).successor;
        (next != NONE).then_some(next)
    })
}

/// The chain that begins with `root`, and its length; or an operation that ended before another began that must
/// come before it.
fn walk(operations: &[Operation], versions: &Versions, root: u32) -> Result<(Chain, usize), Failure> {
    let mut chain = Chain {
        root,
        first_end: (NEVER, root),
        last_begin: (DAWN, root),
    };
    let mut length = 0;
    for value in successors(versions, root) {
        let version = versions.get(value);
        let writes = written(operations, version);
        for (began, ended) in [writes, (version.read_began, version.read_ended)] {
            if ended < chain.last_begin.0 {
                let late = at(operations, (ended, value), false);
                let early = at(operations, chain.last_begin, true);
                return Err(Failure::Violation(late.into_iter().chain(early).collect()));
            }
            chain.last_begin = chain.last_begin.max((began, value));
            chain.first_end = chain.first_end.min((ended, value));
        }
        length += 1;
    }
    Ok((chain, length))
}

fn sort(chains: &mut [Chain]) {
    chains.sort_unstable_by_key(Chain::rank);
}

/// The compare-and-sets of versions that were each made from another one.
fn circle(versions: &Versions) -> Vec<u32> {
    let mut is_reached = vec![false; versions.len()];
    for root in versions.values() {
        if root == INITIAL || versions.get(root).predecessor == NONE {
            for value in successors(versions, root) {
                is_reached[value as usize] = true;
            }
        }
    }
    let unreached = versions.values().find(|&value| !is_reached[value as usize]);
    let mut circle = Vec::new();
    let mut next = unreached;
    while let Some(value) = next {
        let version = versions.get(value);
        circle.push(version.writer);
        next = (unreached != Some(version.predecessor)).then_some(version.predecessor);
    }
    circle
}
