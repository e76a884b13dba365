//! Has the kernel pass IPv4 packets of one interface on to another (tc-u32(8), tc-mirred(8)): the classifier at the
//! entrance of an interface, `clsact`, compares both addresses and redirects.

use std::io;
use std::net::Ipv4Addr;

use nix::errno::Errno;
use nix::libc;

use super::{NEW, Netlink, attribute, text};

/// What comes in at one interface, from one address to another, goes out at another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redirect {
    /// The index of the interface where packets come in.
    pub(crate) enters: i32,
    /// The index of that where they go out.
    pub(crate) leaves: i32,
    pub(crate) source: Ipv4Addr,
    pub(crate) target: Ipv4Addr,
    /// Tells it from all others of the same entrance: 1 to 4095.
    pub(crate) number: u32,
}

impl Netlink {
    /// Prepares the entrance of an interface, once.
    pub(crate) fn open_entrance(&self, interface: i32) -> io::Result<()> {
        let mut message = header(interface, CLSACT_HANDLE, CLSACT, 0);
        attribute(&mut message, libc::TCA_KIND, &text("clsact"));
        self.ask(libc::RTM_NEWQDISC, NEW, &message)
    }

    /// Takes all redirects of an interface away.
    pub(crate) fn close_entrance(&self, interface: i32) -> io::Result<()> {
        self.ask(
            libc::RTM_DELQDISC,
            0,
            &header(interface, CLSACT_HANDLE, CLSACT, 0),
        )
    }

    /// When it returns packets are redirected. While there is no redirect at an entrance, adding the first and removing
    /// the last takes the kernel a grace period of many milliseconds: one should stay.
    pub(crate) fn add_redirect(&self, redirect: &Redirect) -> io::Result<()> {
        let mut options = Vec::new();
        attribute(&mut options, TCA_U32_SEL, &selector(redirect));
        attribute(&mut options, TCA_U32_ACT, &action(redirect.leaves));
        let mut message = redirect.header();
        attribute(&mut message, libc::TCA_KIND, &text("u32"));
        attribute(&mut message, libc::TCA_OPTIONS, &options);
        // One with this number is this one.
        tolerate(&[Errno::EEXIST], self.ask(libc::RTM_NEWTFILTER, NEW, &message))
    }

    /// When it returns packets are no longer redirected; one that has been already may still be under way.
    pub(crate) fn remove_redirect(&self, redirect: &Redirect) -> io::Result<()> {
        let mut message = redirect.header();
        attribute(&mut message, libc::TCA_KIND, &text("u32"));
        // Nor are they where there is none, or no interface any more.
        tolerate(
            &[Errno::ENOENT, Errno::ENODEV],
            self.ask(libc::RTM_DELTFILTER, 0, &message),
        )
    }
}

fn tolerate(these: &[Errno], result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| match error.raw_os_error().map(Errno::from_raw) {
        Some(errno) if these.contains(&errno) => Ok(()),
        _ => Err(error),
    })
}

impl Redirect {
    /// All redirects of an entrance belong to one classifier.
    fn header(&self) -> Vec<u8> {
        let protocol = u16::try_from(libc::ETH_P_IP).unwrap_or_default();
        let (handle, protocol) = (FIRST_TABLE | self.number, u32::from(protocol.to_be()));
        header(self.enters, handle, INGRESS, PRIORITY << 16 | protocol)
    }
}

// linux/pkt_sched.h
const CLSACT: u32 = 0xffff_fff1;
const CLSACT_HANDLE: u32 = 0xffff_0000;
const INGRESS: u32 = 0xffff_fff2;
const PRIORITY: u32 = 1;
// linux/pkt_cls.h
const FIRST_TABLE: u32 = 0x8000_0000;
const TCA_U32_SEL: u16 = 5;
const TCA_U32_ACT: u16 = 7;
const TC_U32_TERMINAL: u8 = 1;
const TCA_ACT_KIND: u16 = 1;
const TCA_ACT_OPTIONS: u16 = 2;
const TC_ACT_STOLEN: u32 = 4;
// linux/tc_act/tc_mirred.h
const TCA_MIRRED_PARMS: u16 = 2;
const TCA_EGRESS_REDIR: u32 = 1;

/// struct tcmsg: family and filling, interface, handle, parent, priority and protocol
fn header(interface: i32, handle: u32, parent: u32, information: u32) -> Vec<u8> {
    let mut header = vec![0; 4];
    header.extend(interface.to_ne_bytes());
    for word in [handle, parent, information] {
        header.extend(word.to_ne_bytes());
    }
    header
}

/// struct tc_u32_sel with two keys, each of them a mask, a value, and where in the IPv4 header it stands.
fn selector(redirect: &Redirect) -> Vec<u8> {
    const SOURCE_AT: i32 = 12;
    const TARGET_AT: i32 = 16;
    let keys = [(redirect.source, SOURCE_AT), (redirect.target, TARGET_AT)];
    let mut selector = vec![0; 16];
    selector[0] = TC_U32_TERMINAL;
    selector[2] = 2;
    for (address, at) in keys {
        selector.extend(u32::MAX.to_ne_bytes());
        selector.extend(address.octets());
        selector.extend(at.to_ne_bytes());
        selector.extend([0; 4]);
    }
    selector
}

/// The first and only action: `mirred`, with struct tc_mirred (index, capabilities, what becomes of the packet,
/// two counts, what is done, and the interface).
fn action(leaves: i32) -> Vec<u8> {
    let mut parameters = Vec::new();
    for word in [0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR] {
        parameters.extend(word.to_ne_bytes());
    }
    parameters.extend(leaves.to_ne_bytes());
    let mut options = Vec::new();
    attribute(&mut options, TCA_MIRRED_PARMS, &parameters);
    let mut action = Vec::new();
    attribute(&mut action, TCA_ACT_KIND, &text("mirred"));
    attribute(&mut action, TCA_ACT_OPTIONS, &options);
    let mut actions = Vec::new();
    attribute(&mut actions, 1, &action);
    actions
}
