//! Plain processes on loopback, and a forwarder between them.
//!
//! Every node has two fronts in the controller: one that peers dial and one that clients dial. Behind them a
//! connection is relayed to the port that the node really listens on, through a gate for each direction and
//! pair of ends.

mod dialler;
mod gate;
mod port;
mod relay;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

pub(crate) use gate::Traffic;
use gate::{Gate, Passage};
use port::ReservedPort;

use super::PortRole;
use super::link::{Endpoint, Force, Impositions, Link, all_links};
use crate::host::Process;

type Gates = BTreeMap<Link, Gate>;

#[derive(Debug)]
pub(crate) struct Proxy {
    gates: Arc<Gates>,
    impositions: Mutex<Impositions>,
    /// By node: where it listens, for peers and for clients.
    ports: Vec<[ReservedPort; 2]>,
    /// By node: what is dialled instead.
    fronts: Vec<[SocketAddr; 2]>,
    tasks: Vec<AbortHandle>,
}

/// A front, and what it needs to serve those who dial it.
struct Front {
    listener: TcpListener,
    address: SocketAddr,
    node: usize,
    role: PortRole,
    target: SocketAddr,
    gates: Arc<Gates>,
    processes: Arc<Vec<Arc<Process>>>,
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

impl Proxy {
    /// Opens the fronts. They are served by the runtime that this is called in.
    pub(crate) async fn build(processes: Vec<Arc<Process>>) -> io::Result<Proxy> {
        allow_many_descriptors();
        let nodes = processes.len();
        let gates: Arc<Gates> = Arc::new(
            all_links(nodes)
                .into_iter()
                .map(|link| (link, Gate::open()))
                .collect(),
        );
        let processes = Arc::new(processes);
        let mut proxy = Proxy {
            gates: Arc::clone(&gates),
            impositions: Mutex::default(),
            ports: Vec::new(),
            fronts: Vec::new(),
            tasks: Vec::new(),
        };
        let mut reserved = port::reserve(2 * nodes)?.into_iter();
        while let (Some(peer), Some(client)) = (reserved.next(), reserved.next()) {
            let node = proxy.ports.len();
            let mut addresses = [loopback(0); 2];
            for (role, port) in [(PortRole::Peer, &peer), (PortRole::Client, &client)] {
                let listener = TcpListener::bind(loopback(0)).await?;
                let address = listener.local_addr()?;
                addresses[role as usize] = address;
                let front = Front {
                    listener,
                    address,
                    node,
                    role,
                    target: loopback(port.number),
                    gates: Arc::clone(&gates),
                    processes: Arc::clone(&processes),
                };
                proxy.tasks.push(tokio::spawn(front.serve()).abort_handle());
            }
            proxy.ports.push([peer, client]);
            proxy.fronts.push(addresses);
        }
        Ok(proxy)
    }

    pub(crate) fn listen(&self, node: usize, role: PortRole) -> SocketAddr {
        loopback(self.ports[node][role as usize].number)
    }

    pub(crate) fn front(&self, node: usize, role: PortRole) -> SocketAddr {
        self.fronts[node][role as usize]
    }

    pub(crate) fn impose(&self, force: Force, links: BTreeSet<Link>) -> Result<(), String> {
        if let Some(obstacle) = gate::obstacle(force.interference) {
            return Err(obstacle);
        }
        let mut table = self.table();
        table.impose(force, links);
        self.enforce(&table);
        Ok(())
    }

    /// Undoes what the fault did, and nothing else.
    pub(crate) fn lift(&self, fault: u64) -> BTreeSet<Link> {
        let mut table = self.table();
        let links = table.lift(fault);
        self.enforce(&table);
        links
    }

    pub(crate) fn lift_all(&self) -> BTreeSet<Link> {
        let mut table = self.table();
        let links = table.lift_all();
        self.enforce(&table);
        links
    }

    pub(crate) fn cut(&self) -> BTreeSet<Link> {
        self.table().cut()
    }

    pub(crate) fn traffic(&self, links: &BTreeSet<Link>) -> BTreeMap<Link, Traffic> {
        links
            .iter()
            .filter_map(|link| Some((*link, self.gates.get(link)?.traffic())))
            .collect()
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Impositions> {
        self.impositions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enforce(&self, table: &Impositions) {
        let in_force = table.in_force();
        for (link, gate) in &*self.gates {
            let forces = in_force.get(link).map_or(&[][..], Vec::as_slice);
            let seed = forces.first().map_or(0, |force| force.seed);
            gate.set(Passage::under(forces), seed);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Front {
    /// Serves for ever. When it is aborted its connections end with it.
    async fn serve(self) {
        let front = Arc::new(self);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = front.listener.accept() => match accepted {
                    Ok((stream, dialler)) => {
                        connections.spawn(Arc::clone(&front).connect(stream, dialler));
                    }
                    // Out of descriptors, most likely: some are going to be freed.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn connect(self: Arc<Self>, stream: TcpStream, dialler: SocketAddr) {
        let from = match self.role {
            PortRole::Client => Some(Endpoint::Clients),
            PortRole::Peer => self.identify(dialler).await,
        };
        let to = Endpoint::Node(self.node);
        // A node that dials itself meets no link; it may as well not exist.
        let gates = from.and_then(|from| {
            Some((
                self.gates.get(&Link { from, to })?,
                self.gates.get(&Link { from: to, to: from })?,
            ))
        });
        if let Some((there, back)) = gates {
            relay::relay(stream, self.target, there, back).await;
        } else if from == Some(to) {
            let (there, back) = (Gate::open(), Gate::open());
            relay::relay(stream, self.target, &there, &back).await;
        }
    }

    async fn identify(&self, dialler: SocketAddr) -> Option<Endpoint> {
        let (front, processes) = (self.address, Arc::clone(&self.processes));
        let search = move || {
            let pids = processes.iter().enumerate();
            let leaders = pids
                .filter_map(|(node, process)| Some((node, process.state().pid()?)))
                .collect();
            dialler::who(dialler, front, &leaders)
        };
        // Whoever is not (yet) known to be a node is not let in among them; a node dials again.
        tokio::task::spawn_blocking(search)
            .await
            .ok()?
            .map(Endpoint::Node)
    }
}

/// The forwarder has two descriptors for each connection, and connections that are held pile up.
fn allow_many_descriptors() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // It stays as it is if this fails.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}
