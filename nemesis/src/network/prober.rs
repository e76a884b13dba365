//! Finds out, by datagrams of its own, which links carry and which don't.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use super::link::{Endpoint, Link};

/// The port that probe datagrams are sent to.
const PORT: u16 = 7999;
/// How long a cut link is watched, so that several datagrams have had the time to get through.
const WATCH: Duration = Duration::from_millis(90);
/// How long a link that ought to carry is given until it does.
const PATIENCE: Duration = Duration::from_millis(1_000);
/// Time between two rounds of datagrams.
const ROUND: Duration = Duration::from_millis(25);

/// A socket at each end. A socket stays in the namespace it was made in, whoever uses it.
#[derive(Debug)]
pub(crate) struct Prober {
    sockets: BTreeMap<Endpoint, (Ipv4Addr, UdpSocket)>,
    probes: u64,
}

/// Opens one end, in the calling thread's network namespace.
pub(crate) fn open_end(address: Ipv4Addr) -> io::Result<(Ipv4Addr, UdpSocket)> {
    let socket = UdpSocket::bind(SocketAddrV4::new(address, PORT))?;
    socket.set_nonblocking(true)?;
    Ok((address, socket))
}

impl Prober {
    pub(crate) fn new(sockets: BTreeMap<Endpoint, (Ipv4Addr, UdpSocket)>) -> Prober {
        Prober { sockets, probes: 0 }
    }

    /// Sends over every directed link at once, a few times, and returns those links over which anything
    /// arrived. Takes 0.1 s; up to 1 s if a link that is not `cut` does not carry at once. Blocks.
    pub(crate) fn carried(&mut self, cut: &BTreeSet<Link>) -> BTreeSet<Link> {
        self.probes += 1;
        let links = super::link::all_links(self.sockets.len() - 1);
        let expected = links.difference(cut).count();
        let mut carried = BTreeSet::new();
        let begun = Instant::now();
        let mut sent: Option<Instant> = None;
        loop {
            if sent.is_none_or(|sent| sent.elapsed() >= ROUND) {
                sent = Some(Instant::now());
                for link in &links {
                    self.send(*link);
                }
            }
            std::thread::sleep(Duration::from_millis(2));
            for end in self.sockets.keys() {
                self.receive(*end, &mut carried);
            }
            let open_carried = carried.difference(cut).count();
            let elapsed = begun.elapsed();
            if elapsed >= PATIENCE || (elapsed >= WATCH && open_carried == expected) {
                return carried;
            }
        }
    }

    fn send(&self, link: Link) {
        let (_, socket) = &self.sockets[&link.from];
        let (address, _) = self.sockets[&link.to];
        let mut datagram = [0; 16];
        datagram[..8].copy_from_slice(&self.probes.to_le_bytes());
        datagram[8..].copy_from_slice(&number(link.from).to_le_bytes());
        // One that can't be sent does not arrive: that is an answer too.
        let _ = socket.send_to(&datagram, SocketAddrV4::new(address, PORT));
    }

    fn receive(&self, to: Endpoint, carried: &mut BTreeSet<Link>) {
        let mut datagram = [0; 16];
        while let Ok(length) = self.sockets[&to].1.recv(&mut datagram) {
            let (probe, from) = datagram.split_at(8);
            // A datagram of an earlier probe says nothing of now.
            if length == 16 && probe == self.probes.to_le_bytes() {
                let from = self
                    .sockets
                    .keys()
                    .find(|end| number(**end).to_le_bytes() == from);
                carried.extend(from.map(|from| Link::new(*from, to)));
            }
        }
    }
}

fn number(end: Endpoint) -> u64 {
    match end {
        Endpoint::Node(index) => index as u64,
        Endpoint::Clients => u64::MAX,
    }
}
