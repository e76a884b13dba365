//! Whom a fault hits: pure functions of the seed, so that a schedule hits alike when it is replayed.

use partita_generator::{Random, random};
use rand::seq::{IndexedRandom, SliceRandom};

use super::Shape;

/// The shapes of faults that hit processes.
pub(super) const PROCESS_SHAPES: &[Shape] = &[
    Shape {
        name: "one",
        summary: "one node",
    },
    Shape {
        name: "minority",
        summary: "as many nodes as the cluster must survive",
    },
    Shape {
        name: "majority",
        summary: "so many nodes that no quorum is left",
    },
    Shape {
        name: "all",
        summary: "all nodes at once",
    },
    Shape {
        name: "leader",
        summary: "the leader",
    },
    Shape {
        name: "followers",
        summary: "all nodes but the leader",
    },
    Shape {
        name: AGAIN,
        summary: "the nodes that a fault hit last",
    },
];

/// The shape whose nodes were chosen before.
pub(super) const AGAIN: &str = "again";

/// The shapes of changes of members.
pub(super) const MEMBERSHIP_SHAPES: &[Shape] = &[
    Shape {
        name: "remove-one",
        summary: "one node is removed, and added when it is healed",
    },
    Shape {
        name: "remove-leader",
        summary: "the leader is removed, and added when it is healed",
    },
    Shape {
        name: "replace",
        summary: "one node is removed and at once added anew, as when a machine is replaced",
    },
    Shape {
        name: "leader-killed",
        summary: "one node is removed, the leader is killed in the middle of that and starts again; healing adds the node",
    },
    Shape {
        name: "shrink",
        summary: "as many nodes as the cluster must survive are removed one by one; healing lets it grow again",
    },
];

/// The shapes of hand-overs.
pub(super) const TRANSFER_SHAPES: &[Shape] = &[
    Shape {
        name: "any",
        summary: "to whichever node the leader chooses",
    },
    Shape {
        name: "one",
        summary: "to one node drawn by lot",
    },
];

/// The shapes of snapshots.
pub(super) const SNAPSHOT_SHAPES: &[Shape] = &[
    Shape {
        name: "one",
        summary: "one node",
    },
    Shape {
        name: "all",
        summary: "all nodes at once",
    },
    Shape {
        name: "leader",
        summary: "the leader",
    },
];

/// The fewest nodes that a cluster must have for a shape.
pub(super) fn least(shape: &str) -> usize {
    match shape {
        // Below, a minority with the leader in it is the leader alone, or every majority is everyone.
        "leader-with-minority" | "majorities-ring" | "shrink" => 5,
        "remove-one" | "remove-leader" | "leader-killed" | "replace" | "minority" | "halves" | "handover"
        | "bridge" | "until-snapshot" => 3,
        "followers" | "isolate-one" | "isolate-leader" | "one-way-in" | "one-way-out" | "one-way"
        | "random-links" | "flapping" => 2,
        _ => 1,
    }
}

/// Why a cluster of so many nodes can't have a shape, if it can't.
pub(super) fn obstacle(shape: &str, nodes: usize) -> Option<String> {
    too_few(shape, least(shape), nodes)
}

/// That there are fewer nodes than something needs.
pub(super) fn too_few(what: &str, least: usize, nodes: usize) -> Option<String> {
    (nodes < least).then(|| format!("{what} needs at least {least} nodes; there are {nodes}"))
}

/// Whether a shape can't be had without a leader.
pub(super) fn needs_leader(shape: &str) -> bool {
    matches!(
        shape,
        "leader"
            | "followers"
            | "leader-killed"
            | "isolate-leader"
            | "leader-with-minority"
            | "handover"
            | "until-snapshot"
            | "remove-leader"
    )
}

/// The most nodes that can fail while a majority is left.
pub(super) fn minority(nodes: usize) -> usize {
    nodes.saturating_sub(1) / 2
}

pub(super) fn shuffled(nodes: usize, rng: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..nodes).collect();
    order.shuffle(rng);
    order
}

/// The nodes whose processes are hit. `Err` says why there are none.
pub(super) fn victims(shape: &str, nodes: usize, leaders: &[usize], seed: u64) -> Result<Vec<usize>, String> {
    if let Some(obstacle) = obstacle(shape, nodes) {
        return Err(obstacle);
    }
    let mut rng = random(seed, "victims");
    let count = match shape {
        "one" => 1,
        "minority" => minority(nodes),
        "majority" => nodes / 2 + 1,
        "all" => nodes,
        "leader" => return Ok(vec![leader(leaders, &mut rng)?]),
        "followers" => {
            leader(leaders, &mut rng)?;
            return Ok((0..nodes).filter(|node| !leaders.contains(node)).collect());
        }
        _ => return Err(format!("there is no shape {shape}")),
    };
    let mut victims = shuffled(nodes, &mut rng);
    victims.truncate(count);
    victims.sort_unstable();
    Ok(victims)
}

/// The nodes that are removed. `Err` says why there are none.
pub(super) fn leaving(shape: &str, nodes: usize, leaders: &[usize], seed: u64) -> Result<Vec<usize>, String> {
    if let Some(obstacle) = obstacle(shape, nodes) {
        return Err(obstacle);
    }
    let mut order = shuffled(nodes, &mut random(seed, "victims"));
    match shape {
        "remove-one" | "replace" => order.truncate(1),
        "remove-leader" => order = vec![leader(leaders, &mut random(seed, "leader"))?],
        "leader-killed" => {
            leader(leaders, &mut random(seed, "leader"))?;
            order.retain(|node| !leaders.contains(node));
            order.truncate(1);
        }
        "shrink" => order.truncate(minority(nodes)),
        _ => return Err(format!("there is no shape {shape}")),
    }
    Ok(order)
}

/// The leader that is to hand over, and to whom, if that is not left to it.
pub(super) fn successor(
    shape: &str,
    nodes: usize,
    leaders: &[usize],
    seed: u64,
) -> Result<(usize, Option<usize>), String> {
    let from = leader(leaders, &mut random(seed, "leader"))?;
    let order = shuffled(nodes, &mut random(seed, "victims"));
    let other = order.into_iter().find(|&node| node != from);
    match (shape, other) {
        (_, None) => Err("there is nobody to hand over to".to_owned()),
        ("any", _) => Ok((from, None)),
        ("one", other) => Ok((from, other)),
        _ => Err(format!("there is no shape {shape}")),
    }
}

pub(super) fn leader(leaders: &[usize], rng: &mut Random) -> Result<usize, String> {
    leaders
        .choose(rng)
        .copied()
        .ok_or_else(|| "no leader is known".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_hits_the_same_nodes_and_seeds_together_hit_all() {
        let mut hit = BTreeSet::new();
        for seed in 0..100 {
            assert_eq!(victims("one", 5, &[], seed), victims("one", 5, &[], seed));
            hit.extend(victims("one", 5, &[], seed).unwrap());
        }
        assert_eq!(hit.len(), 5);
    }

    #[test]
    fn process_shapes_hit_as_many_as_they_say() {
        for nodes in 1..=9 {
            let count = |shape| victims(shape, nodes, &[0], 7).map(|victims| victims.len());
            assert_eq!(count("one"), Ok(1));
            assert_eq!(count("all"), Ok(nodes));
            assert_eq!(count("leader"), Ok(1));
            let majority = count("majority").unwrap();
            assert!(2 * majority > nodes && 2 * (majority - 1) <= nodes);
            if nodes < 3 {
                assert!(count("minority").is_err());
            } else {
                let minority = count("minority").unwrap();
                assert!(minority >= 1 && 2 * (nodes - minority) > nodes);
            }
        }
        assert_eq!(victims("leader", 5, &[3], 0), Ok(vec![3]));
        assert_eq!(victims("followers", 5, &[3], 0), Ok(vec![0, 1, 2, 4]));
        assert_eq!(victims("followers", 5, &[], 0), Err("no leader is known".into()));
        assert_eq!(victims("leader", 5, &[], 0), Err("no leader is known".into()));
    }

    #[test]
    fn what_leaves_leaves_a_majority_and_whoever_takes_over_is_another() {
        for nodes in 1..=9 {
            for seed in 0..20 {
                let leave = |shape| leaving(shape, nodes, &[0], seed);
                for shape in ["remove-one", "remove-leader", "replace"] {
                    match leave(shape) {
                        Ok(leaving) => assert!(nodes >= 3 && leaving.len() == 1),
                        Err(_) => assert!(nodes < 3),
                    }
                }
                match leave("shrink") {
                    Ok(leaving) => assert!(leaving.len() > 1 && 2 * (nodes - leaving.len()) > nodes),
                    Err(_) => assert!(nodes < 5),
                }
                match successor("one", nodes, &[0], seed) {
                    Ok((from, to)) => assert!(from == 0 && to.is_some_and(|to| to != 0 && to < nodes)),
                    Err(_) => assert_eq!(nodes, 1),
                }
            }
        }
        assert_eq!(leaving("remove-leader", 5, &[3], 1), Ok(vec![3]));
        for seed in 0..20 {
            assert!(leaving("leader-killed", 3, &[1], seed).is_ok_and(|leaving| leaving != [1]));
        }
        assert_eq!(successor("any", 5, &[3], 1), Ok((3, None)));
        let nobody = Err("no leader is known".to_owned());
        assert_eq!(leaving("remove-leader", 5, &[], 1), nobody);
        assert!(
            leaving("remove-one", 5, &[], 1).is_ok(),
            "there may be one by and by"
        );
        assert!(successor("any", 5, &[], 1).is_err());
    }
}
