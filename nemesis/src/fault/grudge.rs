//! Links named by hand: `n1>n2+n3` is what n1 sends to n2 and n3, `n1<>n2` both ways, `clients` are an end too, and `;`
//! stands between several.

use std::collections::{BTreeMap, BTreeSet};

use super::links::Cut;
use super::{Context, roles_and_leaders, selection};
use crate::network::{Endpoint, Link};

/// What the clients are called where links are named by hand.
pub const CLIENTS: &str = "clients";

/// Is it links named by hand, or the name of a shape?
pub(super) fn is_grudge(shape: &str) -> bool {
    shape.contains('>')
}

/// The links, and the nodes that the fault is about. `Err` says what is wrong.
pub(super) fn parse(text: &str, names: &[String]) -> Result<Cut, String> {
    let mut links = BTreeSet::new();
    let mut nodes = BTreeSet::new();
    for part in text.split(';') {
        let Some((from, to)) = part.split_once('>') else {
            return Err(format!("`{part}` names no links: write n1>n2+n3, or n1<>n2"));
        };
        let (from, both) = from.strip_suffix('<').map_or((from, false), |from| (from, true));
        let (from, to) = (ends(from, part, names)?, ends(to, part, names)?);
        for (&a, &b) in from.iter().flat_map(|a| to.iter().map(move |b| (a, b))) {
            if a == b {
                return Err(format!("`{part}`: there is no link from a node to itself"));
            }
            links.insert(Link::new(a, b));
            links.extend(both.then(|| Link::new(b, a)));
        }
        let of_nodes = |ends: &[Endpoint]| -> Vec<usize> {
            let node = |end: &Endpoint| match end {
                Endpoint::Node(node) => Some(*node),
                Endpoint::Clients => None,
            };
            ends.iter().filter_map(node).collect()
        };
        let about = of_nodes(&from);
        nodes.extend(if about.is_empty() { of_nodes(&to) } else { about });
    }
    Ok(Cut {
        nodes: nodes.into_iter().collect(),
        links,
    })
}

fn ends(text: &str, part: &str, names: &[String]) -> Result<Vec<Endpoint>, String> {
    let end = |name: &str| {
        if name == CLIENTS {
            return Ok(Endpoint::Clients);
        }
        let node = names.iter().position(|known| known == name);
        node.map(Endpoint::Node).ok_or_else(|| {
            format!(
                "`{part}`: there is no node `{name}`; there are: {}, {CLIENTS}",
                names.join(", ")
            )
        })
    };
    text.split('+').map(end).collect()
}

/// Picks links, given a shape, how many nodes there are, the leaders, and a seed.
type Pick = fn(&str, usize, &[usize], u64) -> Result<Cut, String>;

/// The links that a shape or a grudge means just now, the roles of the nodes, and the leaders.
pub(super) async fn whom(
    context: &Context,
    shape: &str,
    seed: u64,
    pick: Pick,
) -> Result<(Cut, BTreeMap<String, String>, Vec<usize>), String> {
    let cluster = &context.cluster;
    let (roles, leaders) = roles_and_leaders(context, selection::needs_leader(shape)).await;
    let cut = if is_grudge(shape) {
        let names: Vec<String> = (0..cluster.len())
            .map(|node| cluster.name(node).to_owned())
            .collect();
        parse(shape, &names)?
    } else {
        pick(shape, cluster.len(), &leaders, seed)?
    };
    Ok((cut, roles, leaders))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["n1", "n2", "n3"].map(str::to_owned).to_vec()
    }

    #[test]
    fn links_are_what_was_written() {
        let cut = parse("n1>n2+n3", &names()).unwrap();
        assert_eq!(
            cut.links,
            BTreeSet::from([Link::between(0, 1), Link::between(0, 2)])
        );
        assert_eq!(cut.nodes, [0]);
        let cut = parse("n1+n2<>n3;clients>n2", &names()).unwrap();
        let mut expected: BTreeSet<Link> = [(0, 2), (2, 0), (1, 2), (2, 1)]
            .map(|(from, to)| Link::between(from, to))
            .into();
        expected.insert(Link::new(Endpoint::Clients, Endpoint::Node(1)));
        assert_eq!(cut.links, expected);
        assert_eq!(cut.nodes, [0, 1]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let refused = |text: &str| parse(text, &names()).unwrap_err();
        assert_eq!(
            refused("n1>n9"),
            "`n1>n9`: there is no node `n9`; there are: n1, n2, n3, clients"
        );
        assert!(refused("n1>n1").contains("to itself"));
        assert!(refused("n1>n2;n3").contains("`n3` names no links"));
        assert!(refused(">").contains("there is no node ``"));
        assert!(refused("n1>n2>n3").contains("there is no node `n2>n3`"));
    }
}
