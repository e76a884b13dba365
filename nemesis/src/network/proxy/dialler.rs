//! Who dialled: from the source port of a connection over loopback to the process that holds its other end.
//!
//! All nodes of a black-box target dial one advertised address, so the address can't tell them apart.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};

use crate::procfs;

/// Finds the end whose process holds the socket with this local address, connected to `remote`. `None` if it
/// is gone. A process that is not a node's counts as a client. `leaders` are the nodes' pids by position.
pub(super) fn who(local: SocketAddr, remote: SocketAddr, leaders: &BTreeMap<usize, i32>) -> Option<usize> {
    let inode = ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .into_iter()
        .find_map(|table| {
            let table = fs::read_to_string(table).ok()?;
            table.lines().find_map(|line| inode_of(line, local, remote))
        })?;
    let socket = format!("socket:[{inode}]");
    let of_node = leaders.iter().find(|(_, pid)| holds(**pid, &socket)).or_else(|| {
        let child_holds = |pid| procfs::family(pid).into_iter().any(|pid| holds(pid, &socket));
        leaders.iter().find(|(_, pid)| child_holds(**pid))
    });
    of_node.map(|(node, _)| *node)
}

fn holds(pid: i32, socket: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors
        .flatten()
        .any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|link| *link == *socket))
}

/// A line of `/proc/net/tcp` (proc_pid_net(5)): number, local and remote address, ..., the inode tenth. An inode
/// of 0 belongs to nobody any more.
fn inode_of(line: &str, local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let is = |index: usize, address| fields.get(index).is_some_and(|text| parse(text) == Some(address));
    let inode = (is(1, local) && is(2, remote)).then(|| fields.get(9)?.parse().ok())??;
    (inode != 0).then_some(inode)
}

/// An address as the kernel prints it: 32-bit words in the machine's order, in hexadecimal.
fn parse(text: &str) -> Option<SocketAddr> {
    let (address, port) = text
        .split_once(':')
        .filter(|(address, _)| address.len().is_multiple_of(8))?;
    let words = address.as_bytes().chunks(8).map(|word| {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        Some(word.to_ne_bytes())
    });
    let bytes: Vec<u8> = words.collect::<Option<Vec<_>>>()?.concat();
    let address = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        // A node may well use one socket of IPv6 for both; what it dials is then an IPv4 address in disguise.
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn finds_the_process_that_dialled() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let remote = listener.local_addr().unwrap();
        let stream = TcpStream::connect(remote).unwrap();
        let local = stream.local_addr().unwrap();
        let own = std::process::id().cast_signed();
        assert_eq!(who(local, remote, &BTreeMap::from([(3, own)])), Some(3));
        assert_eq!(who(local, remote, &BTreeMap::new()), None);
        drop(stream);
        assert_eq!(who(local, remote, &BTreeMap::from([(3, own)])), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn reads_addresses_of_both_kinds() {
        let expected = Some("127.0.0.1:8080".parse().unwrap());
        assert_eq!(parse("0100007F:1F90"), expected);
        assert_eq!(parse("0000000000000000FFFF00000100007F:1F90"), expected);
        for bad in ["", "0100007F", "0100007:1F90", "01zz007F:1F90", "0100007F:1F901"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
