//! Finds out, by datagrams of its own, which links carry and which don't, and what becomes of what they carry.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use super::link::{Endpoint, Link};

/// The port that probe datagrams are sent to, and that answers those who knock.
pub(super) const PORT: u16 = 7999;
/// How long a cut link is watched, so that several datagrams have had the time to get through.
const WATCH: Duration = Duration::from_millis(90);
/// How long a link that ought to carry is given until it does: longer than any fault delays.
const PATIENCE: Duration = Duration::from_millis(2_000);
/// Time between two rounds of datagrams.
const ROUND: Duration = Duration::from_millis(25);
/// The same, when it matters what becomes of each.
const CLOSE_ROUND: Duration = Duration::from_millis(5);
const POLL: Duration = Duration::from_millis(1);

/// What the probe has at one end. A socket stays in the namespace it was made in, whoever uses it.
#[derive(Debug)]
pub(crate) struct End {
    address: Ipv4Addr,
    socket: UdpSocket,
    /// Takes up connections of those who knock.
    door: TcpListener,
}

#[derive(Debug)]
pub(crate) struct Prober {
    ends: BTreeMap<Endpoint, End>,
    probes: u64,
}

/// What became of the probe datagrams sent over one link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Echo {
    pub(crate) sent: u32,
    /// How long each took that arrived, in the order of arrival.
    pub(crate) took: Vec<Duration>,
    pub(crate) twice: u32,
    pub(crate) overtaken: u32,
    seen: BTreeSet<u32>,
}

/// Opens one end, in the calling thread's network namespace.
pub(crate) fn open_end(address: Ipv4Addr) -> io::Result<End> {
    let place = SocketAddrV4::new(address, PORT);
    let socket = UdpSocket::bind(place)?;
    socket.set_nonblocking(true)?;
    let door = TcpListener::bind(place)?;
    door.set_nonblocking(true)?;
    Ok(End {
        address,
        socket,
        door,
    })
}

/// What a probe datagram says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Datagram {
    probe: u64,
    from: u64,
    number: u32,
}

const LENGTH: usize = 20;

impl Datagram {
    fn bytes(self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length);
        bytes.extend(self.probe.to_le_bytes());
        bytes.extend(self.from.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        bytes.resize(length.max(LENGTH), 0);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Datagram> {
        Some(Datagram {
            probe: u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?),
            from: u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?),
            number: u32::from_le_bytes(bytes.get(16..LENGTH)?.try_into().ok()?),
        })
    }
}

impl Prober {
    pub(crate) fn new(ends: BTreeMap<Endpoint, End>) -> Prober {
        Prober { ends, probes: 0 }
    }

    /// Sends over every directed link at once, a few times, and returns those links over which anything
    /// arrived. Takes 0.1 s; longer if a link that is not `cut` does not carry at once. Blocks.
    pub(crate) fn carried(&mut self, cut: &BTreeSet<Link>) -> BTreeSet<Link> {
        self.probes += 1;
        let links = super::link::all_links(self.ends.len() - 1);
        let expected = links.difference(cut).count();
        let mut carried = BTreeSet::new();
        let begun = Instant::now();
        let mut sent: Option<Instant> = None;
        loop {
            if sent.is_none_or(|sent| sent.elapsed() >= ROUND) {
                sent = Some(Instant::now());
                for link in &links {
                    self.send(*link, 0, LENGTH);
                }
            }
            std::thread::sleep(2 * POLL);
            self.receive(|link, _| {
                carried.insert(link);
            });
            let open_carried = carried.difference(cut).count();
            let elapsed = begun.elapsed();
            if elapsed >= PATIENCE || (elapsed >= WATCH && open_carried == expected) {
                return carried;
            }
        }
    }

    /// Sends so many datagrams of this length over each of these links, one after another, and waits so long for
    /// the last, or until all have come, and for a moment more for what comes twice. Blocks.
    pub(crate) fn echoes(
        &mut self,
        links: &BTreeSet<Link>,
        count: u32,
        length: usize,
        drain: Duration,
    ) -> BTreeMap<Link, Echo> {
        self.probes += 1;
        let mut echoes: BTreeMap<Link, Echo> = links.iter().map(|link| (*link, Echo::default())).collect();
        let mut sent_at: Vec<Instant> = Vec::new();
        loop {
            let due = sent_at.last().is_none_or(|last| last.elapsed() >= CLOSE_ROUND);
            if sent_at.len() < count as usize && due {
                let number = u32::try_from(sent_at.len()).unwrap_or(u32::MAX);
                sent_at.push(Instant::now());
                for (link, echo) in &mut echoes {
                    echo.sent += u32::from(self.send(*link, number, length));
                }
            }
            std::thread::sleep(POLL);
            self.receive(|link, number| {
                if let (Some(echo), Some(sent)) = (echoes.get_mut(&link), sent_at.get(number as usize)) {
                    echo.hear(number, sent.elapsed());
                }
            });
            let quiet_for = sent_at.last().map_or(drain, Instant::elapsed);
            let all_sent = sent_at.len() == count as usize;
            let all_came = echoes.values().all(|echo| echo.missing() == 0);
            if all_sent && (quiet_for >= drain || all_came && quiet_for >= ROUND) {
                return echoes;
            }
        }
    }

    /// Whether it was sent. A full queue on the way refuses it at once.
    fn send(&self, link: Link, number: u32, length: usize) -> bool {
        let datagram = Datagram {
            probe: self.probes,
            from: code(link.from),
            number,
        };
        let target = SocketAddrV4::new(self.ends[&link.to].address, PORT);
        // One that can't be sent does not arrive: that is an answer too.
        let sent = self.ends[&link.from]
            .socket
            .send_to(&datagram.bytes(length), target);
        sent.is_ok()
    }

    fn receive(&self, mut hear: impl FnMut(Link, u32)) {
        let mut bytes = [0; 2_048];
        for (to, end) in &self.ends {
            while let Ok(length) = end.socket.recv(&mut bytes) {
                // A datagram of an earlier probe says nothing of now.
                let ours = |datagram: &Datagram| datagram.probe == self.probes;
                let Some(datagram) = Datagram::read(&bytes[..length]).filter(ours) else {
                    continue;
                };
                let from = self.ends.keys().find(|end| code(**end) == datagram.from);
                if let Some(from) = from {
                    hear(Link::new(*from, *to), datagram.number);
                }
            }
        }
    }

    /// Lets go of those who knocked.
    pub(crate) fn show_out(&self) {
        for end in self.ends.values() {
            while end.door.accept().is_ok() {}
        }
    }
}

impl Echo {
    fn hear(&mut self, number: u32, took: Duration) {
        if self.seen.last().is_some_and(|last| *last > number) && !self.seen.contains(&number) {
            self.overtaken += 1;
        }
        if self.seen.insert(number) {
            self.took.push(took);
        } else {
            self.twice += 1;
        }
    }

    pub(crate) fn missing(&self) -> u32 {
        let arrived = u32::try_from(self.took.len()).unwrap_or(u32::MAX);
        self.sent.saturating_sub(arrived)
    }
}

fn code(end: Endpoint) -> u64 {
    match end {
        Endpoint::Node(index) => index as u64,
        Endpoint::Clients => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_tells_doubles_from_those_overtaken() {
        let mut echo = Echo {
            sent: 6,
            ..Echo::default()
        };
        for number in [0, 1, 1, 4, 2] {
            echo.hear(number, Duration::ZERO);
        }
        assert_eq!((echo.twice, echo.overtaken, echo.missing()), (1, 1, 2));
    }

    #[test]
    fn what_is_no_datagram_of_ours_is_not_heard() {
        let datagram = Datagram {
            probe: 1,
            from: 2,
            number: 3,
        };
        assert_eq!(Datagram::read(&datagram.bytes(200)), Some(datagram));
        assert_eq!(Datagram::read(&datagram.bytes(0)[..19]), None);
    }
}
