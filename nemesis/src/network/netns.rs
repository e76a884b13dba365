//! A network namespace for each node, and what joins them.
//!
//! ```text
//! controller, 10.77.0.254 (clients) and .253 (control)    node i, 10.77.0.i
//!   br0 --- v<i> ========================================== eth0            cut by packet filters
//!   eth0 ====== vc  hub namespace, our switch  v<i> ======= eth0            cut by the switch
//! ```
//! The namespaces have no names and belong to threads, so two labs on one machine use the same addresses and
//! never meet. With packet filters a link a > b is cut where it ends: the filter of b drops what comes from a. What
//! the controller itself wants to know of a node it asks from the control address, which no fault cuts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::link::{Endpoint, Force, Impositions, Link};
use super::prober::{End, PORT, Prober, open_end};
use super::switch::{Switch, Tally};
use super::tcp::{Recovery, reset_connections, write_setting};
use super::{filter, netlink};
use crate::host::Room;
use crate::lab::{Cutter, Lab, Tools};

/// More nodes than anyone wants, and few enough for one subnet.
pub(crate) const NODES_MAX: usize = 200;

pub(super) const CLIENTS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);
pub(super) const CONTROL: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 253);
/// How long one waits for an answer to a knock.
const PATIENCE: Duration = Duration::from_millis(500);

/// What joins the namespaces and can part them.
#[derive(Debug)]
enum Means {
    /// A bridge, and a packet filter at each end.
    Filters(Tools),
    /// A switch of our own, in the room of the hub.
    Switch { switch: Switch, _hub: Room },
}

#[derive(Debug)]
pub(crate) struct Netns {
    means: Means,
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

/// Who has an address, as far as it can be anybody.
pub(super) fn end_of(address: Ipv4Addr) -> Option<Endpoint> {
    match address.octets() {
        _ if address == CLIENTS || address == CONTROL => Some(Endpoint::Clients),
        [10, 77, 0, number] => Some(Endpoint::Node(usize::from(number).checked_sub(1)?)),
        _ => None,
    }
}

/// Whether it is the address that no fault cuts.
pub(super) fn is_control(address: Ipv4Addr) -> bool {
    address == CONTROL
}

/// The address from which the controller asks nodes how they are.
pub(crate) fn control_source() -> IpAddr {
    CONTROL.into()
}

impl Netns {
    /// Joins the rooms, each of which has a network namespace of its own, to a network.
    pub(crate) async fn build(lab: &Lab, cutter: &Cutter, rooms: Vec<Arc<Room>>) -> Result<Netns, String> {
        let open = |name, own_network| {
            Room::open(name, own_network).map_err(|error| format!("make the {name}: {error}"))
        };
        let hall = open("hall", false)?;
        let recovery = Recovery::choose(lab.tcp(), lab.ss().cloned());
        // The pairs of interfaces have to be there before the nodes' ends can be set up.
        let cables = cables(&rooms, &hall);
        let means = match cutter {
            Cutter::Filters(tools) => {
                answer(hall.start(move || lay_bridge(&cables).map_err(in_words("lay the bridge")))).await?;
                Means::Filters(tools.clone())
            }
            Cutter::Switch => {
                let hub = open("hub", true)?;
                let laid = hub.start(move || lay_hub(&cables).map_err(in_words("lay the hub")));
                let switch = answer(laid).await?;
                Means::Switch { switch, _hub: hub }
            }
        };
        let ends = (0..rooms.len()).map(Endpoint::Node).chain([Endpoint::Clients]);
        let furnished: Vec<_> = ends
            .map(|end| {
                let room = room_of(&rooms, &hall, end);
                let filters = match cutter {
                    Cutter::Filters(tools) => Some((tools.clone(), room.lock_file())),
                    Cutter::Switch => None,
                };
                let recovery = recovery.clone();
                (end, room.start(move || furnish(end, filters, &recovery)))
            })
            .collect();
        let mut ends = BTreeMap::new();
        for (end, opened) in furnished {
            ends.insert(end, answer(opened).await?);
        }
        Ok(Netns {
            means,
            rooms,
            hall,
            impositions: Arc::default(),
            prober: Arc::new(Mutex::new(Prober::new(ends))),
            recovery,
        })
    }

    pub(crate) fn facts(&self) -> BTreeMap<String, String> {
        let cut_by = match &self.means {
            Means::Filters(tools) => ("packet filter".into(), tools.restore.display().to_string()),
            Means::Switch { switch, .. } => {
                let others = match switch.obstacle() {
                    None => "links without a fault are left to the kernel".to_owned(),
                    Some(obstacle) => {
                        format!("all links, as the kernel takes none (u32, mirred): {obstacle}")
                    }
                };
                let fact = format!(
                    "our own; {others}; a frame is what TCP hands over at once, up to 64 KiB; a corrupted one is \
                     dropped by the receiver's kernel"
                );
                ("switch".into(), fact)
            }
        };
        BTreeMap::from([("recovery of tcp".into(), self.recovery.fact()), cut_by])
    }

    /// Begins to interfere with links. Returns once it is in force.
    pub(crate) async fn impose(&self, force: Force, links: BTreeSet<Link>) -> Result<(), String> {
        if let Means::Filters(_) = self.means
            && let Some(obstacle) = filter::obstacle(force.interference)
        {
            return Err(obstacle);
        }
        self.table().impose(force, links.clone());
        self.enforce(&links).await
    }

    /// Undoes what the fault did, and nothing else.
    pub(crate) async fn lift(&self, fault: u64) -> Result<BTreeSet<Link>, String> {
        let links = self.table().lift(fault);
        self.enforce(&links).await?;
        self.revive(&links).await?;
        Ok(links)
    }

    /// Undoes everything, blocking the calling thread. Every end is visited, whatever the table says and whatever
    /// goes wrong at another; the error is the first.
    pub(crate) fn lift_all(&self) -> Result<BTreeSet<Link>, String> {
        let links = self.table().lift_all();
        let mut result = Ok(());
        match &self.means {
            Means::Switch { switch, .. } => result = set_switch(switch, &self.table()),
            Means::Filters(tools) => {
                let ends = (0..self.rooms.len())
                    .map(Endpoint::Node)
                    .chain([Endpoint::Clients]);
                for end in ends {
                    result = result.and(self.room(end).run(self.enforcement(tools, end)));
                }
            }
        }
        for (end, revival) in self.revivals(&links) {
            result = result.and(self.room(end).run(revival));
        }
        result.map(|()| links)
    }

    pub(crate) fn cut(&self) -> BTreeSet<Link> {
        self.table().cut()
    }

    /// All that is done to links just now.
    pub(crate) fn in_force(&self) -> BTreeMap<Link, Vec<Force>> {
        self.table().in_force()
    }

    /// Which links carry datagrams just now.
    pub(crate) async fn carried(&self) -> Result<BTreeSet<Link>, String> {
        let (prober, cut) = (self.prober(), self.cut());
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

    /// Begins a connection over a link; whether it is refused. Nothing but the link refuses it.
    pub(crate) fn start_knock(&self, link: Link) -> oneshot::Receiver<bool> {
        let door = SocketAddr::new(address(link.to).into(), PORT);
        let knock = move || {
            let answer = TcpStream::connect_timeout(&door, PATIENCE);
            answer.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        self.room(link.from).start(knock)
    }

    pub(crate) fn prober(&self) -> Arc<Mutex<Prober>> {
        Arc::clone(&self.prober)
    }

    /// What the switch has counted on these links, if it is one.
    pub(crate) fn tally(&self, links: &BTreeSet<Link>) -> Option<Tally> {
        match &self.means {
            Means::Switch { switch, .. } => Some(switch.tallies(links).into_values().sum()),
            Means::Filters(_) => None,
        }
    }

    /// Whether the switch leaves all these links to the kernel, which counts nothing.
    pub(crate) fn leaves(&self, links: &BTreeSet<Link>) -> bool {
        matches!(&self.means, Means::Switch { switch, .. } if switch.leaves(links))
    }

    pub(crate) fn is_switched(&self) -> bool {
        matches!(self.means, Means::Switch { .. })
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Impositions> {
        self.impositions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self, end: Endpoint) -> &Room {
        room_of(&self.rooms, &self.hall, end)
    }

    /// Has what the table says be in force on these links: all at once, or, with filters, end by end.
    async fn enforce(&self, links: &BTreeSet<Link>) -> Result<(), String> {
        let tools = match &self.means {
            Means::Switch { switch, .. } => return set_switch(switch, &self.table()),
            Means::Filters(tools) => tools,
        };
        let ends: BTreeSet<Endpoint> = links.iter().map(|link| link.to).collect();
        let begun: Vec<_> = ends
            .into_iter()
            .map(|end| self.room(end).start(self.enforcement(tools, end)))
            .collect();
        let mut result = Ok(());
        for enforced in begun {
            result = answer(enforced).await.and(result);
        }
        result
    }

    /// Writes the filter of one end. It reads the table only when it runs, one after another in each room, so
    /// the filter always ends up as the table last said.
    fn enforcement(
        &self,
        tools: &Tools,
        end: Endpoint,
    ) -> impl FnOnce() -> Result<(), String> + Send + use<> + 'static {
        let (tools, impositions, lock) = (
            tools.clone(),
            Arc::clone(&self.impositions),
            self.room(end).lock_file(),
        );
        move || {
            let in_force = impositions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .in_force();
            tools.restore(&lock, &filter::rules(end, &in_force))
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

fn in_words(doing: &'static str) -> impl Fn(io::Error) -> String {
    move |error| format!("{doing}: {error}")
}

/// The table stays locked meanwhile, so the switch always ends up as the table last said.
fn set_switch(switch: &Switch, table: &Impositions) -> Result<(), String> {
    let set = switch.set(table.in_force());
    set.map_err(in_words("take links from the kernel"))
}

/// A pair of interfaces: an end's, and the one that is joined to the others.
struct Cable {
    end: Endpoint,
    interface: String,
    namespace: std::path::PathBuf,
}

/// One for each node, and one for the controller.
fn cables(rooms: &[Arc<Room>], hall: &Room) -> Vec<Cable> {
    let of_nodes = rooms.iter().enumerate().map(|(index, room)| Cable {
        end: Endpoint::Node(index),
        interface: format!("v{index}"),
        namespace: room.namespace().clone(),
    });
    let of_clients = Cable {
        end: Endpoint::Clients,
        interface: "vc".into(),
        namespace: hall.namespace().clone(),
    };
    of_nodes.chain([of_clients]).collect()
}

/// What an end calls its interface.
const INTERFACE: &str = "eth0";
const BRIDGE: &str = "br0";

/// A bridge in the controller's own namespace, where it needs no cable.
fn lay_bridge(cables: &[Cable]) -> io::Result<()> {
    netlink::add_bridge(BRIDGE)?;
    netlink::add_address(BRIDGE, CLIENTS)?;
    netlink::add_address(BRIDGE, CONTROL)?;
    netlink::set_up(BRIDGE)?;
    for cable in cables.iter().filter(|cable| cable.end != Endpoint::Clients) {
        netlink::add_veth(&cable.interface, INTERFACE, &cable.namespace)?;
        netlink::set_master(&cable.interface, BRIDGE)?;
        netlink::set_up(&cable.interface)?;
    }
    Ok(())
}

/// All cables end in the hub's namespace, where nothing but the switch reads them.
fn lay_hub(cables: &[Cable]) -> io::Result<Switch> {
    let ipv6 = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
    if fs::exists(ipv6).unwrap_or(false) {
        fs::write(ipv6, "1")?;
    }
    for cable in cables {
        netlink::add_veth(&cable.interface, INTERFACE, &cable.namespace)?;
        netlink::set_up(&cable.interface)?;
    }
    let interfaces = cables.iter().map(|cable| (cable.end, cable.interface.clone()));
    Switch::open(&interfaces.collect())
}

/// Sets up one end, in its own room.
fn furnish(
    end: Endpoint,
    filters: Option<(Tools, std::path::PathBuf)>,
    recovery: &Recovery,
) -> Result<End, String> {
    let address = address(end);
    if end != Endpoint::Clients {
        netlink::set_up("lo").map_err(in_words("set up loopback"))?;
    }
    if end != Endpoint::Clients || filters.is_none() {
        // Links are cut for IPv4, and nothing may go round that.
        let ipv6 = format!("/proc/sys/net/ipv6/conf/{INTERFACE}/disable_ipv6");
        if Path::new(&ipv6).exists() {
            write_setting(&ipv6, "1")?;
        }
        let mut addresses = vec![address];
        addresses.extend((end == Endpoint::Clients).then_some(CONTROL));
        for address in addresses {
            netlink::add_address(INTERFACE, address).map_err(in_words("give an address"))?;
        }
        netlink::set_up(INTERFACE).map_err(in_words("set up an interface"))?;
    }
    recovery.set_up()?;
    if let Some((tools, lock)) = filters {
        filter::install(&tools, &lock)?;
    }
    open_end(address).map_err(|error| format!("open a socket at {address}: {error}"))
}
