//! Which links a fault hits: pure functions of the seed, so that a schedule hits alike when it is replayed.

use std::collections::BTreeSet;

use partita_generator::{Random, random};
use rand::RngExt;
use rand::seq::SliceRandom;

use super::Shape;
use super::selection::{leader, minority, obstacle, shuffled};
use crate::network::{Endpoint, Link};

/// The shapes of faults that spoil the traffic over links.
pub(super) const TRAFFIC_SHAPES: &[Shape] = &[
    Shape {
        name: "one",
        summary: "one node",
    },
    Shape {
        name: "leader",
        summary: "the leader",
    },
    Shape {
        name: "all",
        summary: "all nodes at once",
    },
    Shape {
        name: "one-way",
        summary: "what one node sends to the others, and not what it gets",
    },
    Shape {
        name: "all-clients",
        summary: "what clients and all nodes say to one another",
    },
];

/// The shapes of faults that cut links.
pub(super) const CUT_SHAPES: &[Shape] = &[
    Shape {
        name: "halves",
        summary: "a minority from a majority",
    },
    Shape {
        name: "isolate-one",
        summary: "one node from all others",
    },
    Shape {
        name: "isolate-leader",
        summary: "the leader from all other nodes",
    },
    Shape {
        name: "leader-with-minority",
        summary: "the leader and a minority from the rest",
    },
    Shape {
        name: "handover",
        summary: "a minority until it lags, then instead the leader and others, so that only one node of the majority \
                  that is left has all that was committed",
    },
    Shape {
        name: "majorities-ring",
        summary: "each node from some, so that each sees another majority",
    },
    Shape {
        name: "bridge",
        summary: "two halves that only one node connects",
    },
    Shape {
        name: "one-way-in",
        summary: "what other nodes send to one node",
    },
    Shape {
        name: "one-way-out",
        summary: "what one node sends to the others",
    },
    Shape {
        name: "random-links",
        summary: "a third of all directed links, drawn by lot",
    },
    Shape {
        name: "flapping",
        summary: "one node from all others, again and again for less than a second",
    },
    Shape {
        name: "until-snapshot",
        summary: "a follower from all others, until it needs the leader's snapshot or four seconds more have passed",
    },
    Shape {
        name: "clients",
        summary: "clients from one node or a minority",
    },
];

/// Which links to cut, and the nodes that the fault is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) nodes: Vec<usize>,
    pub(super) links: BTreeSet<Link>,
}

/// The links that are cut. `Err` says why there are none.
pub(super) fn cut(shape: &str, nodes: usize, leaders: &[usize], seed: u64) -> Result<Cut, String> {
    if let Some(obstacle) = obstacle(shape, nodes) {
        return Err(obstacle);
    }
    let mut rng = random(seed, "victims");
    let order = shuffled(nodes, &mut rng);
    let all = || 0..nodes;
    Ok(match shape {
        "halves" => apart(&order[..minority(nodes)], nodes),
        "isolate-one" | "flapping" => apart(&order[..1], nodes),
        "until-snapshot" => {
            let leader = leader(leaders, &mut rng)?;
            let followers: Vec<usize> = order.into_iter().filter(|node| *node != leader).collect();
            apart(&followers[..1], nodes)
        }
        "random-links" => drawn(nodes, &mut rng),
        "isolate-leader" => apart(&[leader(leaders, &mut rng)?], nodes),
        "leader-with-minority" => {
            let leader = leader(leaders, &mut rng)?;
            let others = order
                .into_iter()
                .filter(|node| *node != leader)
                .take(minority(nodes) - 1);
            apart(&others.chain([leader]).collect::<Vec<_>>(), nodes)
        }
        "handover" => handover(nodes, leaders, seed)?.1,
        "majorities-ring" => ring(&order),
        "bridge" => bridge(&order),
        "one-way-in" => {
            let node = order[0];
            one_sided(
                node,
                all()
                    .filter(|&other| other != node)
                    .map(|other| Link::between(other, node)),
            )
        }
        "one-way-out" => outwards(order[0], nodes),
        "clients" => {
            let count = if rng.random_bool(0.5) {
                1
            } else {
                minority(nodes).max(1)
            };
            from_clients(&order[..count])
        }
        _ => return Err(format!("there is no shape {shape}")),
    })
}

/// The links whose traffic is spoilt. `Err` says why there are none.
pub(super) fn traffic(shape: &str, nodes: usize, leaders: &[usize], seed: u64) -> Result<Cut, String> {
    if let Some(obstacle) = obstacle(shape, nodes) {
        return Err(obstacle);
    }
    let mut rng = random(seed, "victims");
    let order = shuffled(nodes, &mut rng);
    let hit = match shape {
        "one" => apart(&order[..1], nodes),
        "leader" => apart(&[leader(leaders, &mut rng)?], nodes),
        "all" => Cut {
            nodes: (0..nodes).collect(),
            links: among(nodes),
        },
        "one-way" => outwards(order[0], nodes),
        "all-clients" => from_clients(&order),
        _ => return Err(format!("there is no shape {shape}")),
    };
    if hit.links.is_empty() {
        return Err("there are no links among so few nodes".to_owned());
    }
    Ok(hit)
}

/// The two cuts of a `handover`: first those that are to lag, then instead the leader with all but as many of the
/// others as complete a majority. The election that follows is between nodes of unequal logs and needs the vote
/// of every one of them: the case that the comparison of logs in votes is for (Raft paper, 5.4.1).
pub(super) fn handover(nodes: usize, leaders: &[usize], seed: u64) -> Result<(Cut, Cut), String> {
    if let Some(obstacle) = obstacle("handover", nodes) {
        return Err(obstacle);
    }
    let mut rng = random(seed, "victims");
    let leader = leader(leaders, &mut rng)?;
    let mut laggards = shuffled(nodes, &mut rng);
    laggards.retain(|&node| node != leader);
    let others = laggards.split_off(minority(nodes));
    let quorum = nodes / 2 + 1;
    let with_leader: Vec<usize> = others
        .into_iter()
        .take(nodes - quorum - 1)
        .chain([leader])
        .collect();
    Ok((apart(&laggards, nodes), apart(&with_leader, nodes)))
}

fn one_sided(node: usize, links: impl Iterator<Item = Link>) -> Cut {
    Cut {
        nodes: vec![node],
        links: links.collect(),
    }
}

/// What one node sends to the others.
fn outwards(node: usize, nodes: usize) -> Cut {
    let others = (0..nodes).filter(|&other| other != node);
    one_sided(node, others.map(|other| Link::between(node, other)))
}

/// All links among nodes.
fn among(nodes: usize) -> BTreeSet<Link> {
    let pairs = (0..nodes).flat_map(|a| (0..nodes).map(move |b| (a, b)));
    pairs
        .filter(|(a, b)| a != b)
        .map(|(a, b)| Link::between(a, b))
        .collect()
}

/// A third of the links, and at least one; and the nodes that they lead from.
fn drawn(nodes: usize, rng: &mut Random) -> Cut {
    let mut links: Vec<Link> = among(nodes).into_iter().collect();
    links.shuffle(rng);
    links.truncate((links.len() / 3).max(1));
    let from = |link: &Link| match link.from {
        Endpoint::Node(node) => Some(node),
        Endpoint::Clients => None,
    };
    let nodes: BTreeSet<usize> = links.iter().filter_map(from).collect();
    Cut {
        nodes: nodes.into_iter().collect(),
        links: links.into_iter().collect(),
    }
}

fn both_ways(a: usize, b: usize) -> [Link; 2] {
    [Link::between(a, b), Link::between(b, a)]
}

/// A group from all others.
fn apart(group: &[usize], nodes: usize) -> Cut {
    let others: Vec<usize> = (0..nodes).filter(|node| !group.contains(node)).collect();
    let mut nodes = group.to_vec();
    nodes.sort_unstable();
    let links = group
        .iter()
        .flat_map(|&a| others.iter().flat_map(move |&b| both_ways(a, b)))
        .collect();
    Cut { nodes, links }
}

/// Each node keeps its neighbours on a ring, as few on either side as make a majority with itself.
fn ring(order: &[usize]) -> Cut {
    let nodes = order.len();
    let reach = (nodes / 2).div_ceil(2);
    let mut links = BTreeSet::new();
    for (i, &a) in order.iter().enumerate() {
        for (j, &b) in order.iter().enumerate() {
            let distance = i.abs_diff(j).min(nodes - i.abs_diff(j));
            if distance > reach {
                links.extend(both_ways(a, b));
            }
        }
    }
    Cut {
        nodes: (0..nodes).collect(),
        links,
    }
}

/// The first is the bridge; the rest is split in two.
fn bridge(order: &[usize]) -> Cut {
    let (left, right) = order[1..].split_at(order[1..].len() / 2);
    let links = left
        .iter()
        .flat_map(|&a| right.iter().flat_map(move |&b| both_ways(a, b)))
        .collect();
    let mut nodes = order[1..].to_vec();
    nodes.sort_unstable();
    Cut { nodes, links }
}

fn from_clients(group: &[usize]) -> Cut {
    let ends = |&node: &usize| {
        let node = Endpoint::Node(node);
        [
            Link::new(Endpoint::Clients, node),
            Link::new(node, Endpoint::Clients),
        ]
    };
    let mut nodes = group.to_vec();
    nodes.sort_unstable();
    Cut {
        nodes,
        links: group.iter().flat_map(ends).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sees(cut: &Cut, nodes: usize, node: usize) -> BTreeSet<usize> {
        let open = |other: usize| {
            both_ways(node, other)
                .iter()
                .all(|link| !cut.links.contains(link))
        };
        (0..nodes).filter(|&other| other == node || open(other)).collect()
    }

    #[test]
    fn on_a_ring_every_node_sees_another_majority() {
        for nodes in 5..=9 {
            let cut = cut("majorities-ring", nodes, &[], 3).unwrap();
            let views: BTreeSet<_> = (0..nodes).map(|node| sees(&cut, nodes, node)).collect();
            assert_eq!(views.len(), nodes, "{nodes} nodes: all views differ");
            assert!(
                views
                    .iter()
                    .all(|view| 2 * view.len() > nodes && view.len() < nodes)
            );
        }
        assert_eq!(cut("majorities-ring", 5, &[], 3).unwrap().links.len(), 10);
    }

    #[test]
    fn halves_have_a_majority_on_one_side_only() {
        for nodes in 3..=9 {
            let cut = cut("halves", nodes, &[], 5).unwrap();
            let with_majority = (0..nodes)
                .filter(|&node| 2 * sees(&cut, nodes, node).len() > nodes)
                .count();
            assert_eq!(with_majority, nodes - minority(nodes));
            assert_eq!(cut.nodes.len(), minority(nodes));
        }
    }

    #[test]
    fn a_bridge_is_the_only_way_across() {
        for nodes in 3..=7 {
            let cut = cut("bridge", nodes, &[], 11).unwrap();
            let all_seeing: Vec<_> = (0..nodes)
                .filter(|&node| sees(&cut, nodes, node).len() == nodes)
                .collect();
            assert_eq!(all_seeing.len(), 1, "{nodes} nodes");
            assert!(!cut.nodes.contains(&all_seeing[0]));
        }
    }

    #[test]
    fn leader_shapes_put_the_leader_where_they_say() {
        for seed in 0..20 {
            let isolated = cut("isolate-leader", 5, &[2], seed).unwrap();
            assert_eq!(
                (isolated.nodes.as_slice(), sees(&isolated, 5, 2).len()),
                (&[2][..], 1)
            );
            let minority = cut("leader-with-minority", 5, &[2], seed).unwrap();
            assert_eq!(sees(&minority, 5, 2).len(), 2);
            assert!(minority.nodes.contains(&2));
        }
        assert!(
            cut("leader-with-minority", 3, &[2], 0)
                .unwrap_err()
                .contains("at least 5")
        );
        assert!(cut("isolate-leader", 5, &[], 0).is_err());
    }

    #[test]
    fn a_handover_leaves_a_bare_majority_of_which_all_but_few_lag() {
        for nodes in 3..=9 {
            for seed in 0..20 {
                let (lag, then) = handover(nodes, &[1], seed).unwrap();
                assert!(!lag.nodes.contains(&1) && then.nodes.contains(&1));
                assert!(lag.nodes.iter().all(|node| !then.nodes.contains(node)));
                assert_eq!(nodes - then.nodes.len(), nodes / 2 + 1);
                assert!(
                    2 * (nodes - lag.nodes.len()) > nodes,
                    "the leader keeps a majority while they lag"
                );
            }
        }
    }

    #[test]
    fn one_way_cuts_leave_the_other_way() {
        for seed in 0..20 {
            let inwards = cut("one-way-in", 5, &[], seed).unwrap();
            let node = Endpoint::Node(inwards.nodes[0]);
            assert!(inwards.links.len() == 4 && inwards.links.iter().all(|link| link.to == node));
            let outwards = cut("one-way-out", 5, &[], seed).unwrap();
            let node = Endpoint::Node(outwards.nodes[0]);
            assert!(outwards.links.len() == 4 && outwards.links.iter().all(|link| link.from == node));
        }
    }

    #[test]
    fn links_drawn_by_lot_differ_with_the_seed_and_are_never_none() {
        for nodes in 2..=9 {
            let drawn: BTreeSet<_> = (0..30)
                .map(|seed| cut("random-links", nodes, &[], seed).unwrap().links)
                .collect();
            assert!(drawn.len() > 1 && drawn.iter().all(|links| !links.is_empty()));
        }
    }

    #[test]
    fn who_is_to_need_a_snapshot_is_not_the_leader() {
        for seed in 0..20 {
            let cut = cut("until-snapshot", 3, &[1], seed).unwrap();
            assert!(cut.nodes.len() == 1 && cut.nodes != [1]);
        }
    }

    #[test]
    fn traffic_shapes_hit_the_links_that_they_say() {
        let hit = |shape| traffic(shape, 5, &[2], 1).unwrap().links;
        assert_eq!(hit("one").len(), 8);
        assert!(hit("leader").contains(&Link::between(2, 0)) && hit("leader").contains(&Link::between(0, 2)));
        assert_eq!(hit("all").len(), 20);
        assert_eq!(hit("one-way").len(), 4);
        assert!(
            hit("all-clients")
                .iter()
                .all(|link| link.from == Endpoint::Clients || link.to == Endpoint::Clients)
        );
        assert_eq!(hit("all-clients").len(), 10);
        assert!(traffic("all", 1, &[], 1).is_err());
    }

    #[test]
    fn clients_are_cut_off_one_node_or_a_minority() {
        let counts: BTreeSet<usize> = (0..50)
            .map(|seed| cut("clients", 5, &[], seed).unwrap().nodes.len())
            .collect();
        assert_eq!(counts, BTreeSet::from([1, 2]));
        let single = cut("clients", 1, &[], 0).unwrap();
        assert_eq!(single.links.len(), 2);
    }
}
