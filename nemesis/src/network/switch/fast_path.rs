//! What the kernel passes on by itself: the packets of links to which nothing is done, and what the controller asks
//! from the address that no fault cuts. So a switch without faults costs what a bridge costs; a link comes to us
//! when something is to be done to it, and goes back when nothing is and nothing of it waits.
//!
//! A socket sees a frame before it is redirected. While a link changes over, both ways are open for a moment: a
//! frame may arrive twice then, which TCP takes for nothing, and none is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;

use super::socket::Port;
use crate::network::link::{Endpoint, Link};
use crate::network::netlink::Netlink;
use crate::network::netlink::redirect::Redirect;
use crate::network::netns::{CONTROL, address};

/// Control's redirects have numbers above those of the links.
const CONTROL_NUMBERS: u32 = 0x100;

#[derive(Debug)]
pub(super) struct FastPath {
    netlink: Netlink,
    /// The index of each end's interface.
    interfaces: BTreeMap<Endpoint, i32>,
    /// The links that the kernel serves.
    links: BTreeSet<Link>,
}

impl FastPath {
    /// Opens the entrances of all ports, in the calling thread's network namespace, and lets the kernel serve
    /// control. No link yet.
    pub(super) fn open(ports: &BTreeMap<Endpoint, Port>) -> io::Result<FastPath> {
        let fast_path = FastPath {
            netlink: Netlink::open()?,
            interfaces: ports.iter().map(|(end, port)| (*end, port.interface())).collect(),
            links: BTreeSet::new(),
        };
        for interface in fast_path.interfaces.values() {
            fast_path.netlink.open_entrance(*interface)?;
        }
        for redirect in fast_path
            .interfaces
            .keys()
            .flat_map(|end| fast_path.of_control(*end))
        {
            fast_path.netlink.add_redirect(&redirect)?;
        }
        fast_path.have_skipped(ports, fast_path.interfaces.keys().copied())?;
        Ok(fast_path)
    }

    /// From its return on the kernel serves all links but these.
    pub(super) fn serve_all_but(
        &mut self,
        ports: &BTreeMap<Endpoint, Port>,
        ours: &BTreeSet<Link>,
    ) -> io::Result<()> {
        let ends = || self.interfaces.keys().copied();
        let all = ends().flat_map(|from| ends().map(move |to| Link { from, to }));
        let wanted: BTreeSet<Link> = all
            .filter(|link| link.from != link.to && !ours.contains(link))
            .collect();
        let come: Vec<Link> = self.links.difference(&wanted).copied().collect();
        let go: Vec<Link> = wanted.difference(&self.links).copied().collect();
        for link in &come {
            self.links.remove(link);
        }
        self.have_skipped(ports, come.iter().map(|link| link.from).collect::<BTreeSet<_>>())?;
        for link in &come {
            self.netlink.remove_redirect(&self.of_link(*link))?;
        }
        for link in &go {
            self.netlink.add_redirect(&self.of_link(*link))?;
            self.links.insert(*link);
        }
        self.have_skipped(ports, go.iter().map(|link| link.from).collect::<BTreeSet<_>>())
    }

    /// Has the sockets of these ends no longer give us what the kernel passes on.
    fn have_skipped(
        &self,
        ports: &BTreeMap<Endpoint, Port>,
        ends: impl IntoIterator<Item = Endpoint>,
    ) -> io::Result<()> {
        for end in ends {
            let of_links = self.links.iter().filter(|link| link.from == end);
            let redirects = of_links
                .map(|link| self.of_link(*link))
                .chain(self.of_control(end));
            let pairs: Vec<(Ipv4Addr, Ipv4Addr)> = redirects
                .map(|redirect| (redirect.source, redirect.target))
                .collect();
            ports[&end].skip(&pairs)?;
        }
        Ok(())
    }

    fn of_link(&self, link: Link) -> Redirect {
        let target = address(link.to);
        Redirect {
            enters: self.interfaces[&link.from],
            leaves: self.interfaces[&link.to],
            source: address(link.from),
            target,
            number: last_byte(target),
        }
    }

    /// What is asked and answered by way of this end.
    fn of_control(&self, end: Endpoint) -> Vec<Redirect> {
        let enters = self.interfaces[&end];
        let pass_on = |source, target, to| {
            Some(Redirect {
                enters,
                leaves: *self.interfaces.get(&to)?,
                source,
                target,
                number: CONTROL_NUMBERS + last_byte(target),
            })
        };
        match end {
            Endpoint::Node(_) => pass_on(address(end), CONTROL, Endpoint::Clients)
                .into_iter()
                .collect(),
            Endpoint::Clients => {
                let nodes = self.interfaces.keys().filter(|other| **other != end);
                nodes
                    .filter_map(|node| pass_on(CONTROL, address(*node), *node))
                    .collect()
            }
        }
    }
}

fn last_byte(address: Ipv4Addr) -> u32 {
    address.octets()[3].into()
}
