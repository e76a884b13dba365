//! How nodes reach each other and their clients, and how they are cut off.

mod echo;
mod evidence;
mod filter;
mod link;
pub(crate) mod netlink;
mod netns;
mod prober;
mod proxy;
pub(crate) mod switch;
mod tcp;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

pub(crate) use evidence::{Evidence, Period};
pub(crate) use link::Force;
pub use link::{Endpoint, Interference, Jitter, Link, Share};
pub(crate) use netns::{NODES_MAX, Netns};
pub(crate) use proxy::Proxy;

/// Which of a node's two ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortRole {
    /// For the other nodes.
    Peer,
    /// For clients.
    Client,
}

/// The network of a cluster, of one kind or the other.
#[derive(Debug)]
pub(crate) enum Network {
    Netns(Netns),
    Proxy(Proxy),
}

/// Ports are free to choose where every node has its own address.
fn fixed_port(role: PortRole) -> u16 {
    match role {
        PortRole::Peer => 7_000,
        PortRole::Client => 8_000,
    }
}

impl Network {
    pub(crate) fn listen(&self, node: usize, role: PortRole) -> SocketAddr {
        match self {
            Network::Netns(_) => (netns::address(Endpoint::Node(node)), fixed_port(role)).into(),
            Network::Proxy(proxy) => proxy.listen(node, role),
        }
    }

    pub(crate) fn dial(&self, node: usize, role: PortRole) -> SocketAddr {
        match self {
            Network::Netns(_) => self.listen(node, role),
            Network::Proxy(proxy) => proxy.front(node, role),
        }
    }

    pub(crate) fn control_source(&self) -> Option<IpAddr> {
        match self {
            Network::Netns(_) => Some(netns::control_source()),
            Network::Proxy(_) => None,
        }
    }

    pub(crate) fn facts(&self) -> BTreeMap<String, String> {
        match self {
            Network::Netns(netns) => netns.facts(),
            Network::Proxy(_) => BTreeMap::from([(
                "recovery of tcp".into(),
                "the forwarder keeps connections open: held bytes are delivered when a link is healed".into(),
            )]),
        }
    }

    /// Begins to interfere; returns once it is in force.
    pub(crate) async fn impose(&self, force: Force, links: BTreeSet<Link>) -> Result<(), String> {
        match self {
            Network::Netns(netns) => netns.impose(force, links).await,
            Network::Proxy(proxy) => proxy.impose(force, links),
        }
    }

    /// Undoes what one fault did; returns the links that it had interfered with.
    pub(crate) async fn lift(&self, fault: u64) -> Result<BTreeSet<Link>, String> {
        match self {
            Network::Netns(netns) => netns.lift(fault).await,
            Network::Proxy(proxy) => Ok(proxy.lift(fault)),
        }
    }

    /// Undoes everything, blocking the calling thread for some milliseconds.
    pub(crate) fn lift_all(&self) -> Result<BTreeSet<Link>, String> {
        match self {
            Network::Netns(netns) => netns.lift_all(),
            Network::Proxy(proxy) => Ok(proxy.lift_all()),
        }
    }

    /// The links that nothing is meant to get through just now.
    pub(crate) fn cut(&self) -> BTreeSet<Link> {
        match self {
            Network::Netns(netns) => netns.cut(),
            Network::Proxy(proxy) => proxy.cut(),
        }
    }
}
