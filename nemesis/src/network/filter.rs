//! The packet filter of one end of links.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::link::{Endpoint, Force, Interference, Link};
use super::netns::{CLIENTS, address};
use crate::lab::Tools;

/// A chain of our own, through which everything passes.
pub(super) fn install(tools: &Tools, lock: &Path) -> Result<(), String> {
    tools.restore(lock, "*filter\n:PARTITA - [0:0]\n-A INPUT -j PARTITA\nCOMMIT\n")
}

/// What a filter can't do to packets, if that is what is asked for.
pub(super) fn obstacle(interference: Interference) -> Option<String> {
    let can = matches!(interference, Interference::Stall | Interference::Reset);
    (!can).then(|| "packet filters can only cut; the network switch can do more".to_owned())
}

/// The whole filter of one end: what it lets in from whom.
pub(super) fn rules(end: Endpoint, in_force: &BTreeMap<Link, Vec<Force>>) -> String {
    let mut rules = "*filter\n:PARTITA - [0:0]\n".to_owned();
    for (link, forces) in in_force.iter().filter(|(link, _)| link.to == end) {
        let from = address(link.from);
        // The controller has an address for its own questions, which are not the clients'.
        let to = if end == Endpoint::Clients {
            format!(" -d {CLIENTS}")
        } else {
            String::new()
        };
        if forces
            .iter()
            .any(|force| force.interference == Interference::Reset)
        {
            // The other side's refusals have to get through, or neither side ever hears of one.
            let tcp = format!("-A PARTITA -s {from}{to} -p tcp");
            let _ = writeln!(rules, "{tcp} --tcp-flags RST RST -j ACCEPT");
            let _ = writeln!(rules, "{tcp} -j REJECT --reject-with tcp-reset");
        }
        let _ = writeln!(rules, "-A PARTITA -s {from}{to} -j DROP");
    }
    rules + "COMMIT\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_those_whose_packets_the_end_refuses() {
        let forces = |interference| {
            vec![Force {
                interference,
                fault: 0,
                seed: 0,
            }]
        };
        let in_force = BTreeMap::from([
            (Link::between(0, 1), forces(Interference::Stall)),
            (Link::between(2, 1), forces(Interference::Reset)),
            (Link::between(1, 0), forces(Interference::Stall)),
            (
                Link::new(Endpoint::Node(3), Endpoint::Clients),
                forces(Interference::Stall),
            ),
        ]);
        assert_eq!(
            rules(Endpoint::Node(1), &in_force),
            "*filter\n:PARTITA - [0:0]\n-A PARTITA -s 10.77.0.1 -j DROP\n\
             -A PARTITA -s 10.77.0.3 -p tcp --tcp-flags RST RST -j ACCEPT\n\
             -A PARTITA -s 10.77.0.3 -p tcp -j REJECT --reject-with tcp-reset\n\
             -A PARTITA -s 10.77.0.3 -j DROP\nCOMMIT\n"
        );
        assert_eq!(
            rules(Endpoint::Clients, &in_force),
            "*filter\n:PARTITA - [0:0]\n-A PARTITA -s 10.77.0.4 -d 10.77.0.254 -j DROP\nCOMMIT\n"
        );
        assert_eq!(
            rules(Endpoint::Node(4), &in_force),
            "*filter\n:PARTITA - [0:0]\nCOMMIT\n"
        );
    }
}
