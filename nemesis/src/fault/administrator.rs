//! What faults ask of the operator of a cluster: changes of its members, of its leader, of its snapshots.

use std::time::Duration;

use super::BoxFuture;

/// What a fault can't do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Members can be added and removed.
    Members,
    /// A leader can be told to hand over.
    Leadership,
    /// Nodes can be told to take a snapshot.
    Snapshots,
    /// A member that comes back with an empty disk does no harm, and is taken back.
    EmptyDisks,
}

/// What came of a change that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is done, or was so before.
    Done,
    /// It certainly had no effect.
    Rejected(String),
    /// We can't know; it may yet happen.
    Unknown(String),
}

/// Does for the cluster what its operator does. Nodes are named by their position in the cluster. Every call
/// ends within a bound of its own.
pub trait Administrator: Send + Sync {
    /// Makes a member of a node that runs and waits for it.
    fn add(&self, node: usize) -> BoxFuture<'_, Changed>;

    /// Has a node be a member no more.
    fn remove(&self, node: usize) -> BoxFuture<'_, Changed>;

    /// For how long the members must have been connected before they can be changed.
    fn settling(&self) -> Duration;

    /// Has the leader hand over: to this node, or to whichever it likes.
    fn transfer(&self, to: Option<usize>) -> BoxFuture<'_, Changed>;

    /// Has a node take a snapshot.
    fn snapshot(&self, node: usize) -> BoxFuture<'_, Changed>;

    /// Takes the data of a node away that does not run. Gives how many files that were.
    fn wipe(&self, node: usize) -> BoxFuture<'_, Result<usize, String>>;

    /// Stops a node that is no member, takes its data away, and starts it anew, to wait until it is added.
    /// Whoever starts it again later starts it so. Gives its pid; the error says what went wrong.
    fn start_anew(&self, node: usize) -> BoxFuture<'_, Result<i32, String>>;
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The node that it takes for the leader.
    pub leader: Option<String>,
    /// The leadership number.
    pub term: u64,
    /// The highest log position that it has applied.
    pub applied: u64,
    /// The last log position in its newest snapshot, or what grows with its snapshots, where it says so.
    pub snapshot_index: Option<u64>,
    /// The members of the cluster, in order of name, where it says so.
    pub members: Option<Vec<String>>,
}

/// The leader that a majority of all nodes names, and the greatest leadership number at which it does.
pub(super) fn acknowledged_leader(standings: &[Option<Standing>]) -> Option<(String, u64)> {
    let naming = |leader: &String| {
        standings
            .iter()
            .flatten()
            .filter(|standing| standing.leader.as_ref() == Some(leader))
            .map(|standing| standing.term)
            .collect::<Vec<_>>()
    };
    let named = standings
        .iter()
        .flatten()
        .filter_map(|standing| standing.leader.as_ref());
    named
        .map(|leader| (leader, naming(leader)))
        .find(|(_, terms)| 2 * terms.len() > standings.len())
        .and_then(|(leader, terms)| Some((leader.clone(), terms.into_iter().max()?)))
}

/// The nodes that say that these are the members, if they are a majority of these; by name.
pub(super) fn who_agrees<'a>(
    nodes: &[&'a str],
    standings: &[Option<Standing>],
    members: &[String],
) -> Option<Vec<&'a str>> {
    let says_so = |standing: &Option<Standing>| {
        standing
            .as_ref()
            .is_some_and(|standing| standing.members.as_deref() == Some(members))
    };
    let agreeing: Vec<&str> = nodes
        .iter()
        .zip(standings)
        .filter(|(node, standing)| members.iter().any(|member| member == *node) && says_so(standing))
        .map(|(node, _)| *node)
        .collect();
    (2 * agreeing.len() > members.len()).then_some(agreeing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn says(leader: &str, term: u64, members: &[&str]) -> Option<Standing> {
        Some(Standing {
            leader: Some(leader.to_owned()),
            term,
            members: Some(names(members)),
            ..Standing::default()
        })
    }

    #[test]
    fn a_leader_is_acknowledged_by_a_majority_of_all() {
        let old = || says("n1", 4, &[]);
        let new = |term| says("n2", term, &[]);
        assert_eq!(
            acknowledged_leader(&[old(), new(5), new(6), new(5), None]),
            Some(("n2".into(), 6))
        );
        assert_eq!(acknowledged_leader(&[old(), old(), new(5), new(5), None]), None);
        assert_eq!(acknowledged_leader(&[None, None]), None);
    }

    #[test]
    fn members_are_what_a_majority_of_them_says() {
        let nodes = ["n1", "n2", "n3", "n4"];
        let [three, four] = [&["n1", "n2", "n3"][..], &nodes].map(|members| says("n1", 1, members));
        let agree = |standings: [&Option<Standing>; 4]| {
            who_agrees(&nodes, &standings.map(Clone::clone), &names(&["n1", "n2", "n3"]))
        };
        assert_eq!(agree([&three, &four, &three, &four]), Some(vec!["n1", "n3"]));
        assert_eq!(agree([&three, &four, &four, &three]), None, "n4 has no say");
        assert_eq!(agree([&three, &None, &None, &None]), None);
    }
}
