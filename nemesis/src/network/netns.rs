//! A network namespace for each node, joined by a bridge in the controller's own.
//!
//! ```text
//! controller, 10.77.0.254 (clients) and .253 (control)    node i, 10.77.0.i
//!   br0 --- v<i> ========================================== eth0
//! ```
//! The namespaces have no names and belong to threads, so two labs on one machine use the same addresses and
//! never meet. A link a > b is cut where it ends: the filter of b drops what comes from a. What the controller
//! itself wants to know of a node it asks from the control address, which no fault cuts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::link::{Endpoint, Impositions, Interference, Link};
use super::prober::{Prober, open_end};
use crate::host::Room;
use crate::lab::{BACK_OFF, Tools};

/// More nodes than anyone wants, and few enough for one subnet.
pub(crate) const NODES_MAX: usize = 200;

const CLIENTS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);
const CONTROL: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 253);

/// How TCP is brought to use a healed link soon. Left to itself it waits as long again as the cut lasted, up
/// to two minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Recovery {
    /// It is never to wait longer than a second.
    BoundedBackOff,
    /// Connections over the healed link are ended; whoever cares makes new ones.
    ResetConnections(PathBuf),
    /// By nothing: neither way is to be had here.
    Patience,
}

#[derive(Debug)]
pub(crate) struct Netns {
    tools: Tools,
    rooms: Vec<Arc<Room>>,
    /// A room in the controller's own namespace.
    hall: Room,
    impositions: Arc<Mutex<Impositions>>,
    prober: Arc<Mutex<Prober>>,
    recovery: Recovery,
}

/// The address of a node, or of the clients.
pub(crate) fn address(end: Endpoint) -> Ipv4Addr {
    match end {
        Endpoint::Node(index) => Ipv4Addr::new(10, 77, 0, u8::try_from(index + 1).unwrap_or(u8::MAX)),
        Endpoint::Clients => CLIENTS,
    }
}

/// The address from which the controller asks nodes how they are.
pub(crate) fn control_source() -> IpAddr {
    CONTROL.into()
}

impl Netns {
    /// Joins the rooms, each of which has a network namespace of its own, to a network.
    pub(crate) async fn build(tools: &Tools, rooms: Vec<Arc<Room>>) -> Result<Netns, String> {
        let hall = Room::open("hall", false).map_err(|error| format!("start a thread: {error}"))?;
        let recovery = recovery(tools);
        // The pairs of interfaces have to be there before the nodes' ends can be set up.
        let (commands, ip) = (bridge_commands(&rooms), tools.clone());
        answer(hall.start(move || ip.ip(&commands))).await?;
        let ends = (0..rooms.len()).map(Endpoint::Node).chain([Endpoint::Clients]);
        let furnished: Vec<_> = ends
            .map(|end| {
                let room = room_of(&rooms, &hall, end);
                let (tools, recovery, lock) = (tools.clone(), recovery.clone(), room.lock_file());
                (end, room.start(move || furnish(&tools, &lock, end, &recovery)))
            })
            .collect();
        let mut sockets = BTreeMap::new();
        for (end, socket) in furnished {
            sockets.insert(end, answer(socket).await?);
        }
        Ok(Netns {
            tools: tools.clone(),
            rooms,
            hall,
            impositions: Arc::default(),
            prober: Arc::new(Mutex::new(Prober::new(sockets))),
            recovery,
        })
    }

    pub(crate) fn facts(&self) -> BTreeMap<String, String> {
        let recovery = match &self.recovery {
            Recovery::BoundedBackOff => {
                "tcp_rto_max_ms=1000, tcp_retries2=255: connections survive a cut and go on within a second"
                    .into()
            }
            Recovery::ResetConnections(ss) => {
                format!("connections over a healed link are reset ({} -K)", ss.display())
            }
            Recovery::Patience => {
                "neither tcp_rto_max_ms nor ss is to be had: connections may stay silent after a cut".into()
            }
        };
        BTreeMap::from([
            ("recovery of tcp".into(), recovery),
            ("packet filter".into(), self.tools.restore.display().to_string()),
        ])
    }

    /// Begins to interfere with links. Returns once it is in force.
    pub(crate) async fn impose(
        &self,
        fault: u64,
        interference: Interference,
        links: BTreeSet<Link>,
    ) -> Result<(), String> {
        if let Interference::Delay(_) = interference {
            return Err("packet filters can't delay; a proxy can".into());
        }
        self.table().impose(fault, interference, links.clone());
        self.enforce(&links).await
    }

    /// Undoes what the fault did, and nothing else.
    pub(crate) async fn lift(&self, fault: u64) -> Result<BTreeSet<Link>, String> {
        let links = self.table().lift(fault);
        self.enforce(&links).await?;
        self.revive(&links).await?;
        Ok(links)
    }

    /// Undoes everything, blocking the calling thread. Every end is visited, whatever the table says.
    pub(crate) fn lift_all(&self) -> Result<BTreeSet<Link>, String> {
        let links = self.table().lift_all();
        let ends = (0..self.rooms.len())
            .map(Endpoint::Node)
            .chain([Endpoint::Clients]);
        for end in ends {
            self.room(end).run(self.enforcement(end))?;
        }
        for (end, revival) in self.revivals(&links) {
            self.room(end).run(revival)?;
        }
        Ok(links)
    }

    pub(crate) fn cut(&self) -> BTreeSet<Link> {
        self.table().cut()
    }

    /// Which links carry datagrams just now.
    pub(crate) async fn carried(&self) -> Result<BTreeSet<Link>, String> {
        let (prober, cut) = (Arc::clone(&self.prober), self.cut());
        let probe = move || {
            prober
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .carried(&cut)
        };
        tokio::task::spawn_blocking(probe)
            .await
            .map_err(|error| error.to_string())
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Impositions> {
        self.impositions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self, end: Endpoint) -> &Room {
        room_of(&self.rooms, &self.hall, end)
    }

    /// Brings the filters at the ends of these links up to date, all at once.
    async fn enforce(&self, links: &BTreeSet<Link>) -> Result<(), String> {
        let ends: BTreeSet<Endpoint> = links.iter().map(|link| link.to).collect();
        let begun: Vec<_> = ends
            .into_iter()
            .map(|end| self.room(end).start(self.enforcement(end)))
            .collect();
        let mut result = Ok(());
        for enforced in begun {
            result = answer(enforced).await.and(result);
        }
        result
    }

    /// Writes the filter of one end. It reads the table only when it runs, one after another in each room, so
    /// the filter always ends up as the table last said.
    fn enforcement(&self, end: Endpoint) -> impl FnOnce() -> Result<(), String> + Send + 'static {
        let (tools, impositions, lock) = (
            self.tools.clone(),
            Arc::clone(&self.impositions),
            self.room(end).lock_file(),
        );
        move || {
            let in_force = impositions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .in_force();
            tools.restore(&lock, &filter(end, &in_force))
        }
    }

    /// Has connections over healed links made anew, where TCP can't be told to try soon.
    async fn revive(&self, links: &BTreeSet<Link>) -> Result<(), String> {
        let revivals = self.revivals(links).into_iter();
        let begun: Vec<_> = revivals
            .map(|(end, revival)| self.room(end).start(revival))
            .collect();
        for revived in begun {
            answer(revived).await?;
        }
        Ok(())
    }

    /// What has to be done for that at each end.
    fn revivals(
        &self,
        links: &BTreeSet<Link>,
    ) -> BTreeMap<Endpoint, impl FnOnce() -> Result<(), String> + Send + 'static> {
        let mut peers: BTreeMap<Endpoint, BTreeSet<Endpoint>> = BTreeMap::new();
        if let Recovery::ResetConnections(_) = self.recovery {
            for link in links {
                peers.entry(link.to).or_default().insert(link.from);
                peers.entry(link.from).or_default().insert(link.to);
            }
        }
        let revival = |(end, peers)| {
            let recovery = self.recovery.clone();
            let reset = move || match &recovery {
                Recovery::ResetConnections(ss) => reset_connections(ss, &peers),
                _ => Ok(()),
            };
            (end, reset)
        };
        peers.into_iter().map(revival).collect()
    }
}

fn room_of<'a>(rooms: &'a [Arc<Room>], hall: &'a Room, end: Endpoint) -> &'a Room {
    match end {
        Endpoint::Node(index) => &rooms[index],
        Endpoint::Clients => hall,
    }
}

async fn answer<T>(answer: oneshot::Receiver<Result<T, String>>) -> Result<T, String> {
    answer
        .await
        .map_err(|_| "a thread of the network ended early".to_owned())?
}

/// The bridge and one pair of interfaces for each node.
fn bridge_commands(rooms: &[Arc<Room>]) -> String {
    let mut commands = format!(
        "link add br0 type bridge forward_delay 0 stp_state 0\n\
         address add {CLIENTS}/24 dev br0\naddress add {CONTROL}/24 dev br0\nlink set br0 up\n"
    );
    for (index, room) in rooms.iter().enumerate() {
        let namespace = room.namespace().display();
        let _ = write!(
            commands,
            "link add v{index} type veth peer name eth0 netns {namespace}\nlink set v{index} master br0 up\n"
        );
    }
    commands
}

/// Sets up one end, in its own room.
fn furnish(
    tools: &Tools,
    lock: &std::path::Path,
    end: Endpoint,
    recovery: &Recovery,
) -> Result<(Ipv4Addr, UdpSocket), String> {
    let address = address(end);
    if end != Endpoint::Clients {
        // The filter is one of IPv4, and nothing may go round it.
        let ipv6 = "/proc/sys/net/ipv6/conf/eth0/disable_ipv6";
        if fs::exists(ipv6).unwrap_or(false) {
            write_setting(ipv6, "1")?;
        }
        tools.ip(&format!(
            "link set lo up\naddress add {address}/24 dev eth0\nlink set eth0 up\n"
        ))?;
    }
    if *recovery == Recovery::BoundedBackOff {
        // With a short back-off 15 retries are over in seconds, and the connection would be given up.
        for (file, value) in [(BACK_OFF, "1000"), ("/proc/sys/net/ipv4/tcp_retries2", "255")] {
            write_setting(file, value)?;
        }
    }
    tools.restore(lock, "*filter\n:PARTITA - [0:0]\n-A INPUT -j PARTITA\nCOMMIT\n")?;
    open_end(address).map_err(|error| format!("open a socket at {address}: {error}"))
}

fn write_setting(file: &str, value: &str) -> Result<(), String> {
    fs::write(file, value).map_err(|error| format!("write {file}: {error}"))
}

fn recovery(tools: &Tools) -> Recovery {
    match &tools.ss {
        _ if fs::exists(BACK_OFF).unwrap_or(false) => Recovery::BoundedBackOff,
        Some(ss) => Recovery::ResetConnections(ss.clone()),
        None => Recovery::Patience,
    }
}

/// The whole filter of one end: what it lets in from whom.
fn filter(end: Endpoint, in_force: &BTreeMap<Link, Interference>) -> String {
    let mut rules = "*filter\n:PARTITA - [0:0]\n".to_owned();
    for (link, interference) in in_force.iter().filter(|(link, _)| link.to == end) {
        let from = address(link.from);
        // The controller has an address for its own questions, which are not the clients'.
        let to = if end == Endpoint::Clients {
            format!(" -d {CLIENTS}")
        } else {
            String::new()
        };
        if *interference == Interference::Reset {
            // The other side's refusals have to get through, or neither side ever hears of one.
            let tcp = format!("-A PARTITA -s {from}{to} -p tcp");
            let _ = writeln!(rules, "{tcp} --tcp-flags RST RST -j ACCEPT");
            let _ = writeln!(rules, "{tcp} -j REJECT --reject-with tcp-reset");
        }
        let _ = writeln!(rules, "-A PARTITA -s {from}{to} -j DROP");
    }
    rules + "COMMIT\n"
}

/// `ss` ends those connections that match (`SOCK_DESTROY`). That it says "Invalid argument" is of no account:
/// some sockets can't be ended.
fn reset_connections(ss: &std::path::Path, peers: &BTreeSet<Endpoint>) -> Result<(), String> {
    for peer in peers {
        let address = address(*peer).to_string();
        std::process::Command::new(ss)
            .args(["-K", "-t", "-n", "dst", &address])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .map_err(|error| format!("{}: {error}", ss.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_those_whose_packets_the_end_refuses() {
        let in_force = BTreeMap::from([
            (Link::between(0, 1), Interference::Stall),
            (Link::between(2, 1), Interference::Reset),
            (Link::between(1, 0), Interference::Stall),
            (
                Link::new(Endpoint::Node(3), Endpoint::Clients),
                Interference::Stall,
            ),
        ]);
        assert_eq!(
            filter(Endpoint::Node(1), &in_force),
            "*filter\n:PARTITA - [0:0]\n-A PARTITA -s 10.77.0.1 -j DROP\n\
             -A PARTITA -s 10.77.0.3 -p tcp --tcp-flags RST RST -j ACCEPT\n\
             -A PARTITA -s 10.77.0.3 -p tcp -j REJECT --reject-with tcp-reset\n\
             -A PARTITA -s 10.77.0.3 -j DROP\nCOMMIT\n"
        );
        assert_eq!(
            filter(Endpoint::Clients, &in_force),
            "*filter\n:PARTITA - [0:0]\n-A PARTITA -s 10.77.0.4 -d 10.77.0.254 -j DROP\nCOMMIT\n"
        );
        assert_eq!(
            filter(Endpoint::Node(4), &in_force),
            "*filter\n:PARTITA - [0:0]\nCOMMIT\n"
        );
    }
}
