//! One port of the switch: a socket that gets, and gives, whole frames of one interface (packet(7)).

use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};

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
}

impl Port {
    /// Opens the port at an interface of the calling thread's network namespace.
    pub(super) fn open(interface: &str) -> io::Result<Port> {
        let index = if_nametoindex(interface)?;
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        // Without a protocol nothing arrives yet, least of all from other interfaces.
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        for (option, name) in OPTIONS {
            switch_on(&socket, option)
                .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
        }
        // Only the host's root may have as much as it likes; others get what the host allows everybody.
        setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)
            .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &BUFFER))?;
        setsockopt(&socket, sockopt::SndBuf, &BUFFER)?;
        attach(&socket, index)?;
        Ok(Port { socket })
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

/// From here on the socket gets every frame of the interface.
fn attach(socket: &OwnedFd, index: libc::c_uint) -> io::Result<()> {
    let all = SockProtocol::EthAll as libc::c_int;
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as libc::sa_family_t,
        sll_protocol: u16::try_from(all).map_err(io::Error::other)?,
        sll_ifindex: i32::try_from(index).map_err(io::Error::other)?,
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
