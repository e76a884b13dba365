//! One port of the switch: a socket that gets, and gives, whole frames of one interface (packet(7)).

use std::io;
use std::mem::size_of_val;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};

use super::frame::ETHERTYPE_IPV4;
use crate::bpf::{JUMP_IF_EQUAL, LOAD_HALF_WORD, LOAD_WORD, RETURN, step};

/// Room for what a sender hands over while the switch is not running.
const BUFFER: usize = 8 << 20;

/// What `setsockopt` gets, beyond what the libraries have names for.
const OPTIONS: [(libc::c_int, &str); 3] = [
    // Checksums and segmentation stay with the kernel: a frame holds up to 64 KiB.
    (libc::PACKET_VNET_HDR, "PACKET_VNET_HDR"),
    // What we send ourselves is not to come back to us.
    (libc::PACKET_IGNORE_OUTGOING, "PACKET_IGNORE_OUTGOING"),
    (libc::PACKET_QDISC_BYPASS, "PACKET_QDISC_BYPASS"),
];

#[derive(Debug)]
pub(super) struct Port {
    socket: OwnedFd,
    interface: i32,
}

impl Port {
    /// Opens the port at an interface of the calling thread's network namespace.
    pub(super) fn open(interface: &str) -> io::Result<Port> {
        let interface = i32::try_from(if_nametoindex(interface)?).map_err(io::Error::other)?;
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        // Without a protocol nothing arrives yet, least of all from other interfaces.
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        for (option, name) in OPTIONS {
            set_option(&socket, libc::SOL_PACKET, option, &libc::c_int::from(true))
                .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
        }
        // Only the host's root may have as much as it likes; others get what the host allows everybody.
        setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)
            .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &BUFFER))?;
        setsockopt(&socket, sockopt::SndBuf, &BUFFER)?;
        attach(&socket, interface)?;
        Ok(Port { socket, interface })
    }

    /// The index of the interface.
    pub(super) fn interface(&self) -> i32 {
        self.interface
    }

    /// From now on it does not give what goes from one address to another, if they are such a pair.
    pub(super) fn skip(&self, pairs: &[(Ipv4Addr, Ipv4Addr)]) -> io::Result<()> {
        let mut steps = all_but(pairs);
        let program = libc::sock_fprog {
            len: u16::try_from(steps.len()).map_err(io::Error::other)?,
            filter: steps.as_mut_ptr(),
        };
        set_option(&self.socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }

    /// The next frame, if there is one; how long it is.
    pub(super) fn receive(&self, frame: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self.socket.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT)?)
    }

    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        send(self.socket.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT)?;
        Ok(())
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn length_of<T>(value: &T) -> libc::socklen_t {
    libc::socklen_t::try_from(size_of_val(value)).unwrap_or_default()
}

#[expect(
    unsafe_code,
    reason = "nix does not know these options; the value outlives the call"
)]
fn set_option<T>(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    let value_at = std::ptr::from_ref(value).cast();
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value_at, length_of(value)) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A program of the classic packet filter (McCanne and Jacobson, 1993): all frames but IPv4 packets between one of
/// these pairs of addresses.
fn all_but(pairs: &[(Ipv4Addr, Ipv4Addr)]) -> Vec<libc::sock_filter> {
    const ETHERTYPE_AT: u32 = 12;
    const SOURCE_AT: u32 = 26;
    const TARGET_AT: u32 = 30;
    let give = step(RETURN, u32::MAX, 0, 0);
    let skip = step(RETURN, 0, 0, 0);
    let ipv4 = u16::from_be_bytes(ETHERTYPE_IPV4).into();
    let mut program = vec![
        step(LOAD_HALF_WORD, ETHERTYPE_AT, 0, 0),
        step(JUMP_IF_EQUAL, ipv4, 1, 0),
        give,
    ];
    for (source, target) in pairs {
        program.extend([
            step(LOAD_WORD, SOURCE_AT, 0, 0),
            step(JUMP_IF_EQUAL, (*source).into(), 0, 3),
            step(LOAD_WORD, TARGET_AT, 0, 0),
            step(JUMP_IF_EQUAL, (*target).into(), 0, 1),
            skip,
        ]);
    }
    program.push(give);
    program
}

/// From here on the socket gets every frame of the interface.
fn attach(socket: &OwnedFd, interface: i32) -> io::Result<()> {
    let all = SockProtocol::EthAll as libc::c_int;
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as libc::sa_family_t,
        sll_protocol: u16::try_from(all).map_err(io::Error::other)?,
        sll_ifindex: interface,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    #[expect(unsafe_code, reason = "nix can't make such an address; it outlives the call")]
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            length_of(&address),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
