//! Ports of loopback for nodes to listen on, kept for one run.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// A port that no other run takes while this exists, not even while the node that uses it is down.
#[derive(Debug)]
pub(super) struct ReservedPort {
    pub(super) number: u16,
    /// An abstract name, which only one process can hold, and which the kernel frees when that ends.
    _claim: UnixListener,
}

/// Where the kernel picks ports for outgoing connections from, if it does not say.
const EPHEMERAL: u16 = 32_768;
/// Below this there are well-known services.
const LOWEST: u16 = 10_000;

/// Reserves so many free ports, below those that the kernel hands out: a node that is down must find its port
/// free when it comes back.
pub(super) fn reserve(count: usize) -> io::Result<Vec<ReservedPort>> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range
        .split_whitespace()
        .next()
        .and_then(|port| port.parse().ok())
        .unwrap_or(EPHEMERAL);
    let last = if first > LOWEST + 1_000 {
        first - 1
    } else {
        u16::MAX
    };
    let ports: Vec<_> = (LOWEST..last).filter_map(claim).take(count).collect();
    if ports.len() < count {
        return Err(io::Error::other("no free ports on loopback"));
    }
    Ok(ports)
}

fn claim(number: u16) -> Option<ReservedPort> {
    let name = SocketAddr::from_abstract_name(format!("partita-port-{number}")).ok()?;
    let claim = UnixListener::bind_addr(&name).ok()?;
    // Programs of others don't know our claims.
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
    Some(ReservedPort {
        number,
        _claim: claim,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_not_given_twice() {
        let ours = reserve(3).unwrap();
        let theirs = reserve(3).unwrap();
        assert!(
            ours.iter()
                .all(|port| theirs.iter().all(|other| other.number != port.number))
        );
        let first = ours[0].number;
        assert!(claim(first).is_none());
        drop(ours);
        // Whether it is free again another process may know better: anybody may take it now.
        assert_eq!(reserve(1).unwrap().len(), 1);
    }
}
