//! Makes interfaces by asking the kernel itself (rtnetlink(7)), in the calling thread's network namespace. It is
//! so little that we ask for that no program and no library is worth its while.

pub(crate) mod redirect;

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use nix::errno::Errno;
use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

/// Makes a pair of interfaces: one here, one in the other namespace.
pub(crate) fn add_veth(name: &str, peer: &str, peer_namespace: &Path) -> io::Result<()> {
    let namespace = File::open(peer_namespace)?;
    let mut peer_link = link_header(0, 0);
    attribute(&mut peer_link, libc::IFLA_IFNAME, &text(peer));
    attribute(
        &mut peer_link,
        libc::IFLA_NET_NS_FD,
        &namespace.as_raw_fd().to_ne_bytes(),
    );
    let mut data = Vec::new();
    attribute(&mut data, VETH_INFO_PEER, &peer_link);
    add_link(name, "veth", &data)
}

/// Makes a bridge that forwards at once, and knows no loops.
pub(crate) fn add_bridge(name: &str) -> io::Result<()> {
    let mut data = Vec::new();
    for option in [IFLA_BR_FORWARD_DELAY, IFLA_BR_STP_STATE] {
        attribute(&mut data, option, &0_u32.to_ne_bytes());
    }
    add_link(name, "bridge", &data)
}

/// Has an interface be a port of a bridge.
pub(crate) fn set_master(name: &str, bridge: &str) -> io::Result<()> {
    let mut link = link_header(index_of(name)?, 0);
    attribute(
        &mut link,
        libc::IFLA_MASTER,
        &if_nametoindex(bridge)?.to_ne_bytes(),
    );
    ask(libc::RTM_NEWLINK, 0, &link)
}

/// Switches an interface on.
pub(crate) fn set_up(name: &str) -> io::Result<()> {
    let up = u32::try_from(libc::IFF_UP).map_err(io::Error::other)?;
    ask(libc::RTM_NEWLINK, 0, &link_header(index_of(name)?, up))
}

/// Gives an interface an address in a network of 256.
pub(crate) fn add_address(name: &str, address: Ipv4Addr) -> io::Result<()> {
    let family = u8::try_from(libc::AF_INET).map_err(io::Error::other)?;
    // struct ifaddrmsg: family, length of the prefix, flags, scope, interface
    let mut message = vec![family, 24, 0, 0];
    message.extend(index_of(name)?.to_ne_bytes());
    for kind in [libc::IFA_LOCAL, libc::IFA_ADDRESS] {
        attribute(&mut message, kind, &address.octets());
    }
    ask(libc::RTM_NEWADDR, NEW, &message)
}

const NEW: libc::c_int = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
// linux/veth.h and linux/if_link.h
const VETH_INFO_PEER: u16 = 1;
const IFLA_BR_FORWARD_DELAY: u16 = 1;
const IFLA_BR_STP_STATE: u16 = 5;

fn index_of(name: &str) -> io::Result<i32> {
    i32::try_from(if_nametoindex(name)?).map_err(io::Error::other)
}

fn add_link(name: &str, kind: &str, data: &[u8]) -> io::Result<()> {
    let mut information = Vec::new();
    attribute(&mut information, libc::IFLA_INFO_KIND, &text(kind));
    attribute(&mut information, libc::IFLA_INFO_DATA, data);
    let mut link = link_header(0, 0);
    attribute(&mut link, libc::IFLA_IFNAME, &text(name));
    attribute(&mut link, libc::IFLA_LINKINFO, &information);
    ask(libc::RTM_NEWLINK, NEW, &link)
}

/// struct ifinfomsg: family, padding, type, interface, flags, which of them change
fn link_header(index: i32, flags: u32) -> Vec<u8> {
    let mut header = vec![0; 4];
    header.extend(index.to_ne_bytes());
    header.extend(flags.to_ne_bytes());
    header.extend(flags.to_ne_bytes());
    header
}

fn text(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}

/// struct rtattr: length, type; then the value, and filling up to four bytes
fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).expect("what we ask for is short");
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// struct nlmsghdr: length, type, flags, number, port
const HEADER: usize = 16;
const NUMBER_AT: usize = 8;

/// Asks in the network namespace in which it was opened, from whichever thread.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: OwnedFd,
    /// The number of the last request, which its answer bears.
    asked: AtomicU32,
}

impl Netlink {
    pub(crate) fn open() -> io::Result<Netlink> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        Ok(Netlink {
            socket,
            asked: AtomicU32::new(0),
        })
    }

    /// Sends one request and waits for the answer, which the kernel has ready when the request is sent.
    fn ask(&self, kind: u16, flags: libc::c_int, body: &[u8]) -> io::Result<()> {
        let number = self.asked.fetch_add(1, Relaxed) + 1;
        let flags = u16::try_from(flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK).map_err(io::Error::other)?;
        let length = u32::try_from(HEADER + body.len()).map_err(io::Error::other)?;
        let mut message = Vec::with_capacity(HEADER + body.len());
        message.extend(length.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend(number.to_ne_bytes());
        message.extend([0; 4]);
        message.extend(body);
        let socket = self.socket.as_raw_fd();
        sendto(socket, &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        let mut answer = [0; 4_096];
        loop {
            let length = match recv(socket, &mut answer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                received => received?,
            };
            let word = |at: usize| {
                Some(i32::from_ne_bytes(
                    answer[..length].get(at..at + 4)?.try_into().ok()?,
                ))
            };
            match (word(NUMBER_AT), word(HEADER)) {
                (Some(other), _) if other.cast_unsigned() != number => {}
                (_, Some(0)) => return Ok(()),
                (_, Some(error)) => return Err(Errno::from_raw(-error).into()),
                (_, None) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }
}

fn ask(kind: u16, flags: libc::c_int, body: &[u8]) -> io::Result<()> {
    Netlink::open()?.ask(kind, flags, body)
}
