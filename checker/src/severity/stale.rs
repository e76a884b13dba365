//! The reads that were certainly stale, and where they came from (ALGORITHMS.md 4).

use std::collections::BTreeMap;

use super::origin::Origin;
use super::result::{Offender, Spread, StaleReads};
use super::scene::{Scene, length};

/// The most offenders that are named.
const OFFENDERS_MAX: usize = 5;

/// Counts them.
pub(super) fn stale_reads(scene: &Scene<'_>, origins: &[Origin]) -> StaleReads {
    let (mut times, mut versions) = (Vec::new(), Vec::new());
    let (mut from_nowhere, mut of) = (0, 0);
    let mut places: BTreeMap<(Option<&str>, u64), (usize, usize)> = BTreeMap::new();
    for (act, origin) in scene.acts.iter().zip(origins) {
        if act.step.requires().is_none() || act.is_pending() {
            continue;
        }
        of += 1;
        let recorded = scene.recorded(act);
        let place = match recorded.node {
            Some(node) => (Some(node), 0),
            None => (None, recorded.process),
        };
        let (stale, all) = places.entry(place).or_default();
        *all += 1;
        match *origin {
            Origin::Possible => {}
            Origin::Nowhere => from_nowhere += 1,
            Origin::Overwritten {
                overwriter, missed, ..
            } => {
                *stale += 1;
                let since = scene.acts[overwriter as usize].ended;
                times.push(length(act.began - since));
                versions.push(u64::from(missed));
            }
        }
    }
    let mut offenders: Vec<Offender> = places
        .into_iter()
        .filter(|&(_, (stale, _))| stale > 0)
        .map(|((node, process), (stale, of))| Offender {
            name: node.map_or_else(|| format!("client {process}"), str::to_owned),
            stale,
            of,
        })
        .collect();
    offenders.sort_by_key(|offender| std::cmp::Reverse(offender.stale));
    offenders.truncate(OFFENDERS_MAX);
    StaleReads {
        stale: times.len(),
        from_nowhere,
        of,
        time: spread(times),
        versions: spread(versions),
        offenders,
    }
}

/// The middle, the 99th of a hundred, and the largest (by nearest rank).
fn spread(mut sizes: Vec<u64>) -> Spread {
    sizes.sort_unstable();
    let at = |percent: usize| {
        let rank = (sizes.len() * percent).div_ceil(100).max(1);
        sizes.get(rank - 1).copied().unwrap_or(0)
    };
    Spread {
        p50: at(50),
        p99: at(99),
        max: at(100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_by_nearest_rank() {
        let of = |sizes: &[u64]| {
            let Spread { p50, p99, max } = spread(sizes.to_vec());
            (p50, p99, max)
        };
        assert_eq!(of(&[]), (0, 0, 0));
        assert_eq!(of(&[7]), (7, 7, 7));
        assert_eq!(of(&[3, 1, 2]), (2, 3, 3));
        assert_eq!(of(&(1..=200).collect::<Vec<_>>()), (100, 198, 200));
    }
}
