//! What the kernel passes on by itself: the packets of links to which nothing is done, and what the controller asks
//! from the address that no fault cuts. So a switch without faults costs what a bridge costs. A link is taken from the
//! kernel before something is done to it, and given back when nothing is and nothing of it waits.

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
    /// The links that the kernel does not serve.
    taken: BTreeSet<Link>,
}

impl FastPath {
    /// Has the kernel serve all links between these ports, in the calling thread's network namespace.
    ///
    /// # Errors
    /// If it can't serve all of them it serves none.
    pub(super) fn open(ports: &BTreeMap<Endpoint, Port>) -> io::Result<FastPath> {
        let fast_path = FastPath {
            netlink: Netlink::open()?,
            interfaces: ports.iter().map(|(end, port)| (*end, port.interface)).collect(),
            taken: BTreeSet::new(),
        };
        let laid = fast_path.lay();
        if laid.is_err() {
            for interface in fast_path.interfaces.values() {
                // There is none where it failed before it came to it.
                let _ = fast_path.netlink.close_entrance(*interface);
            }
        }
        laid.map(|()| fast_path)
    }

    fn lay(&self) -> io::Result<()> {
        for interface in self.interfaces.values() {
            self.netlink.open_entrance(*interface)?;
        }
        let ends = || self.interfaces.keys().copied();
        // What is there for control stays, so that no entrance is ever without a redirect.
        for redirect in ends().flat_map(|end| self.of_control(end)) {
            self.netlink.add_redirect(&redirect)?;
        }
        let links = ends().flat_map(|from| ends().map(move |to| Link { from, to }));
        for link in links.filter(|link| link.from != link.to) {
            self.netlink.add_redirect(&self.of_link(link))?;
        }
        Ok(())
    }

    /// When it returns the kernel no longer serves these links, though a frame of them may still be under way. On an
    /// error some of them may have been taken.
    pub(super) fn take(&mut self, links: impl IntoIterator<Item = Link>) -> io::Result<()> {
        for link in links {
            if !self.taken.contains(&link) {
                self.netlink.remove_redirect(&self.of_link(link))?;
                self.taken.insert(link);
            }
        }
        Ok(())
    }

    /// When it returns the kernel serves this link again.
    pub(super) fn give_back(&mut self, link: Link) -> io::Result<()> {
        self.netlink.add_redirect(&self.of_link(link))?;
        self.taken.remove(&link);
        Ok(())
    }

    pub(super) fn taken(&self) -> &BTreeSet<Link> {
        &self.taken
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
        let pass_on = |source, target, to| Redirect {
            enters: self.interfaces[&end],
            leaves: self.interfaces[&to],
            source,
            target,
            number: CONTROL_NUMBERS + last_byte(target),
        };
        let others = self.interfaces.keys().filter(|other| **other != end);
        match end {
            Endpoint::Clients => others
                .map(|node| pass_on(CONTROL, address(*node), *node))
                .collect(),
            Endpoint::Node(_) => others
                .filter(|other| **other == Endpoint::Clients)
                .map(|clients| pass_on(address(end), CONTROL, *clients))
                .collect(),
        }
    }
}

fn last_byte(address: Ipv4Addr) -> u32 {
    address.octets()[3].into()
}
