//! Whether nodes that have applied as much hold the same: what no client may have seen yet.

use std::collections::BTreeMap;
use std::time::Duration;

use partita_checker::{Analysis, Verdict};
use partita_targets::Checksum;

use super::watch::Watch;

/// How long nodes have to catch up with each other when nobody asks them for anything.
const LIMIT: Duration = Duration::from_secs(10);

/// The name of the check, and of what it finds.
const CHECKER: &str = "replicas";

/// Compares all nodes once each of them has applied as much as any; `None` if the target has no means for it.
pub(crate) async fn compare(watch: &Watch, names: &[String]) -> Option<Analysis> {
    let deadline = tokio::time::Instant::now() + LIMIT;
    loop {
        let told = watch.checksums().await;
        if told.iter().any(|told| matches!(told, Ok(None))) {
            return None;
        }
        let known = names
            .iter()
            .zip(&told)
            .filter_map(|(name, told)| Some((name.as_str(), told.as_ref().ok()?.as_ref()?)));
        let analysis = judge(names.len(), known);
        if analysis.verdict != Verdict::NotExercised || tokio::time::Instant::now() >= deadline {
            return Some(analysis);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// By what some of so many nodes said.
fn judge<'a>(nodes: usize, known: impl Iterator<Item = (&'a str, &'a Checksum)>) -> Analysis {
    let mut positions: BTreeMap<u64, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for (node, Checksum { position, sum }) in known {
        let sums = positions.entry(*position).or_default();
        sums.entry(sum).or_default().push(node);
    }
    let apart = positions.iter().find(|(_, sums)| sums.len() > 1);
    let (verdict, reason) = if let Some((position, sums)) = apart {
        let mut groups: Vec<String> = sums.values().map(|nodes| nodes.join(", ")).collect();
        groups.sort();
        let told = format!(
            "nodes that have applied the same {position} positions hold different things: {}",
            groups.join(" against ")
        );
        (Verdict::Invalid, told)
    } else if let Some((position, sums)) = positions.iter().next()
        && sums.values().map(Vec::len).sum::<usize>() == nodes
    {
        let told = format!("all {nodes} nodes hold the same at position {position}");
        (Verdict::Valid, told)
    } else {
        let at: Vec<String> = positions
            .iter()
            .flat_map(|(position, sums)| {
                sums.values()
                    .flatten()
                    .map(move |node| format!("{node} at {position}"))
            })
            .collect();
        let told = format!(
            "the nodes could not be compared: after {} s of quiet they were not at one position ({})",
            LIMIT.as_secs(),
            at.join(", ")
        );
        (Verdict::NotExercised, told)
    };
    Analysis {
        checker: CHECKER.into(),
        verdict,
        reason,
        ..Analysis::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sums: &[(&str, u64, &str)]) -> Analysis {
        let sums: Vec<(&str, Checksum)> = sums
            .iter()
            .map(|&(node, position, sum)| {
                (
                    node,
                    Checksum {
                        position,
                        sum: sum.into(),
                    },
                )
            })
            .collect();
        judge(3, sums.iter().map(|(node, sum)| (*node, sum)))
    }

    #[test]
    fn nodes_are_compared_where_they_have_applied_as_much() {
        let same = told(&[("n1", 7, "a"), ("n2", 7, "a"), ("n3", 7, "a")]);
        assert_eq!(same.verdict, Verdict::Valid, "{}", same.reason);
        let apart = told(&[("n1", 7, "a"), ("n2", 7, "b"), ("n3", 7, "a")]);
        assert_eq!(apart.verdict, Verdict::Invalid);
        assert!(apart.reason.ends_with("n1, n3 against n2"), "{}", apart.reason);
        let behind = told(&[("n1", 7, "a"), ("n2", 6, "b"), ("n3", 7, "a")]);
        assert_eq!(behind.verdict, Verdict::NotExercised);
        assert!(behind.reason.contains("n2 at 6, n1 at 7"), "{}", behind.reason);
        let silent = told(&[("n1", 7, "a"), ("n3", 7, "a")]);
        assert_eq!(silent.verdict, Verdict::NotExercised);
        let apart_though_one_is_silent = told(&[("n1", 7, "a"), ("n3", 7, "b")]);
        assert_eq!(apart_though_one_is_silent.verdict, Verdict::Invalid);
    }
}
