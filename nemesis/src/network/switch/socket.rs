//! One port of the switch: sockets that get, and give, whole frames of one interface (packet(7)).
//!
//! One socket is for IPv4 and one for ARP, as a socket for all protocols would see a frame before the kernel redirects it,
//! and these see only what it does not: each frame takes one way or the other.

use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, recv, send, setsockopt, socket, sockopt,
};

/// Room for what a sender hands over while the switch is not running.
const BUFFER: usize = 8 << 20;

/// What `setsockopt` gets, beyond what the libraries have names for.
const OPTIONS: [(libc::c_int, &str); 2] = [
    // Checksums and segmentation stay with the kernel: a frame holds up to 64 KiB.
    (libc::PACKET_VNET_HDR, "PACKET_VNET_HDR"),
    (libc::PACKET_QDISC_BYPASS, "PACKET_QDISC_BYPASS"),
];

#[derive(Debug)]
pub(super) struct Port {
    /// The index of the interface.
    pub(super) interface: i32,
    /// For IPv4, and for all that is sent.
    ip: OwnedFd,
    arp: OwnedFd,
}

impl Port {
    /// Opens the port at an interface of the calling thread's network namespace.
    pub(super) fn open(interface: &str) -> io::Result<Port> {
        let interface = i32::try_from(if_nametoindex(interface)?).map_err(io::Error::other)?;
        let ip = open_socket(interface, libc::ETH_P_IP)?;
        // Only the host's root may have as much as it likes; others get what the host allows everybody.
        setsockopt(&ip, sockopt::RcvBufForce, &BUFFER)
            .or_else(|_| setsockopt(&ip, sockopt::RcvBuf, &BUFFER))?;
        setsockopt(&ip, sockopt::SndBuf, &BUFFER)?;
        let arp = open_socket(interface, libc::ETH_P_ARP)?;
        Ok(Port { interface, ip, arp })
    }

    /// What becomes readable when there is a frame.
    pub(super) fn sockets(&self) -> [BorrowedFd<'_>; 2] {
        [self.ip.as_fd(), self.arp.as_fd()]
    }

    /// The next frame, if there is one; how long it is.
    pub(super) fn receive(&self, frame: &mut [u8]) -> io::Result<usize> {
        let mut receive = |socket: &OwnedFd| recv(socket.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT);
        Ok(receive(&self.ip).or_else(|_| receive(&self.arp))?)
    }

    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        send(self.ip.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT)?;
        Ok(())
    }
}

/// A socket that gets all frames of this protocol which come in at the interface.
fn open_socket(interface: i32, protocol: libc::c_int) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    // Without a protocol nothing arrives yet, least of all from other interfaces.
    let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
    for (option, name) in OPTIONS {
        switch_on(&socket, option)
            .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
    }
    attach(&socket, interface, protocol)?;
    Ok(socket)
}

fn length_of<T>(value: &T) -> libc::socklen_t {
    libc::socklen_t::try_from(size_of_val(value)).unwrap_or_default()
}

fn switch_on(socket: &OwnedFd, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    #[expect(
        unsafe_code,
        reason = "nix knows no options of packet sockets; the value outlives the call"
    )]
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            (&raw const on).cast(),
            length_of(&on),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// From here on the socket gets the frames of this protocol.
fn attach(socket: &OwnedFd, interface: i32, protocol: libc::c_int) -> io::Result<()> {
    let protocol = u16::try_from(protocol).map_err(io::Error::other)?;
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as libc::sa_family_t,
        sll_protocol: protocol.to_be(),
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
