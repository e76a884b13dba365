//! The nodes of a run, and the network between them.

mod exits;
mod spoilt;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::spoilt::Spoilt;
use crate::clock::{self, NodeClock};
use crate::disk;
use crate::host::{CommandSpec, Host, ProcessState, Room};
use crate::lab::{Lab, NetworkKind};
use crate::mark::Mark;
use crate::network::{Endpoint, Force, Interference, Link, NODES_MAX, Netns, Network, PortRole, Proxy};

/// Why a cluster can't be had, or does not do what it was told. A failure of the harness.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The names of the nodes can't be used.
    #[error("{0}")]
    Names(String),
    /// The network can't be built or changed.
    #[error("the network failed: {0}")]
    Network(String),
    /// A node's program can't be started.
    #[error("can't start {node} ({program}): {source}")]
    Start {
        /// The node.
        node: String,
        /// Its program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A disk can't be put under a node.
    #[error("can't mount the disk of {node}: {source}")]
    Disk {
        /// The node.
        node: String,
        /// What the system said.
        source: io::Error,
    },
    /// A node's clock can't be had ready to be bent.
    #[error("can't have the clock of {node} ready to be bent: {source}")]
    Clock {
        /// The node.
        node: String,
        /// What the system said.
        source: io::Error,
    },
    /// A thread or a socket can't be made.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// The name of the clients' end of a link; no node may bear it.
const CLIENTS: &str = "clients";

/// How long a node that is killed may take to be gone.
const GONE: Duration = Duration::from_secs(10);

/// Hosts and network of one run. When it is dropped, its processes are killed and its network vanishes.
///
/// Nodes are named by their position in the list that it was made from.
#[derive(Debug)]
pub struct Cluster {
    // The network comes first: it holds rooms, and sockets inside them.
    network: Network,
    hosts: Vec<Host>,
    mark: Mark,
    facts: BTreeMap<String, String>,
    has_own_mounts: bool,
    spoilt: Spoilt,
    /// The nodes that a fault hit last.
    last_hit: Mutex<Option<Vec<usize>>>,
    /// When each fault last began to interfere with links.
    imposed: Mutex<BTreeMap<u64, Instant>>,
}

impl Cluster {
    /// Builds the network of these nodes; none is started yet. Logs go to `<run_dir>/nodes/<node>/node.log`.
    ///
    /// Names are made of lower-case letters, digits and `-`. Call it inside the runtime that is to serve the
    /// forwarder.
    pub async fn start_network(
        lab: &Lab,
        nodes: &[String],
        run_dir: &Path,
    ) -> Result<Arc<Cluster>, ClusterError> {
        check_names(nodes)?;
        let begun = Instant::now();
        let run_dir = std::path::absolute(run_dir).map_err(|source| ClusterError::System {
            doing: "find the run directory",
            source,
        })?;
        let cutter = lab.cutter();
        let mut hosts = Vec::new();
        for name in nodes {
            let room = Room::open(name, cutter.is_some()).map_err(|source| ClusterError::System {
                doing: "make a network namespace",
                source,
            })?;
            hosts.push(Host::new(name, Arc::new(room), &run_dir));
        }
        let network = match cutter {
            Some(cutter) => {
                let rooms = hosts.iter().map(|host| Arc::clone(&host.room)).collect();
                let netns = Netns::build(lab, cutter, rooms).await;
                Network::Netns(netns.map_err(ClusterError::Network)?)
            }
            None => {
                let processes = hosts.iter().map(|host| Arc::clone(&host.process)).collect();
                let system = |source| ClusterError::System {
                    doing: "open a port on loopback",
                    source,
                };
                Network::Proxy(Proxy::build(processes).await.map_err(system)?)
            }
        };
        let mut facts = lab.facts();
        facts.extend(network.facts());
        facts.insert(
            "network built in".into(),
            format!("{} ms", begun.elapsed().as_millis()),
        );
        Ok(Arc::new(Cluster {
            network,
            hosts,
            mark: lab.mark().clone(),
            facts,
            has_own_mounts: lab.has_own_mounts(),
            spoilt: Spoilt::default(),
            last_hit: Mutex::default(),
            imposed: Mutex::default(),
        }))
    }

    /// Has each node keep its data, in the folder `data` in its own folder, on a disk that can be made to fail.
    /// Before the first is started. Returns what they can be made to do here.
    pub fn mount_disks(&self, options: disk::Options) -> Result<disk::Reach, ClusterError> {
        // If there is no way, the better one says why.
        let (reach, _) = disk::reach_with(self.has_own_mounts);
        let reach = reach.unwrap_or(disk::Reach::Everything);
        for host in &self.hosts {
            let mounted = host.mount_disk(reach, options);
            mounted.map_err(|source| ClusterError::Disk {
                node: host.name.clone(),
                source,
            })?;
        }
        Ok(reach)
    }

    /// Has the clocks of the nodes ready to be bent, where they can't be once a program runs (see
    /// [`Fault::bends_clocks`](crate::fault::Fault::bends_clocks)). Before the first is started. Returns by which means
    /// they then are; `None` if there is none.
    pub fn prepare_clocks(&self) -> Result<Option<String>, ClusterError> {
        let Ok(means) = clock::means() else {
            return Ok(None);
        };
        if let clock::Means::Preload(library) = &means {
            if self.has_own_mounts {
                let program = std::env::current_exe().unwrap_or_default();
                clock::own_shared_memory(&[&program, self.folder(0)]).map_err(|source| {
                    ClusterError::System {
                        doing: "mount shared memory of our own",
                        source,
                    }
                })?;
            }
            for host in &self.hosts {
                let preloaded = host.preload_clock(library);
                preloaded.map_err(|source| ClusterError::Clock {
                    node: host.name.clone(),
                    source,
                })?;
            }
        }
        Ok(Some(means.to_string()))
    }

    /// The path by which the controller gets at a node's data, whatever is done to its disk.
    pub fn data(&self, node: usize) -> std::path::PathBuf {
        self.hosts[node].data()
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Never: a cluster has nodes.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// A node's name.
    pub fn name(&self, node: usize) -> &str {
        &self.hosts[node].name
    }

    /// The position of a node.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.hosts.iter().position(|host| host.name == name)
    }

    /// A node's own folder in the run directory: its log, and whatever else it writes.
    pub fn folder(&self, node: usize) -> &Path {
        self.hosts[node].folder()
    }

    /// What a node is to bind.
    pub fn listen(&self, node: usize, role: PortRole) -> SocketAddr {
        self.network.listen(node, role)
    }

    /// What other nodes are to dial to reach a node.
    pub fn peer_address(&self, node: usize) -> SocketAddr {
        self.network.dial(node, PortRole::Peer)
    }

    /// What clients are to dial to reach a node.
    pub fn client_address(&self, node: usize) -> SocketAddr {
        self.network.dial(node, PortRole::Client)
    }

    /// What the controller is to dial to ask how a node is (its client port). No fault cuts this, provided that
    /// it is dialled from [`control_source`](Cluster::control_source).
    pub fn control_address(&self, node: usize) -> SocketAddr {
        self.network.listen(node, PortRole::Client)
    }

    /// The local address to dial [`control_address`](Cluster::control_address) from; `None` if it does not
    /// matter.
    pub fn control_source(&self) -> Option<IpAddr> {
        self.network.control_source()
    }

    /// Settings of hosts and network that a report should name.
    pub fn facts(&self) -> &BTreeMap<String, String> {
        &self.facts
    }

    /// What the network is made of.
    pub fn kind(&self) -> NetworkKind {
        match &self.network {
            Network::Netns(netns) if netns.is_switched() => NetworkKind::Switch,
            Network::Netns(_) => NetworkKind::Netns,
            Network::Proxy(_) => NetworkKind::Proxy,
        }
    }

    /// Starts a node; does nothing if it runs. Returns its pid if it was started.
    pub fn start(&self, node: usize, spec: CommandSpec) -> Result<Option<i32>, ClusterError> {
        let program = spec.program.display().to_string();
        let start_error = |source| ClusterError::Start {
            node: self.name(node).into(),
            program,
            source,
        };
        self.hosts[node].start(spec, &self.mark).map_err(start_error)
    }

    /// Starts a node as it was last started; does nothing if it runs or never did. Returns its pid if it was
    /// started.
    pub fn restart(&self, node: usize) -> Result<Option<i32>, ClusterError> {
        let start_error = |source| ClusterError::Start {
            node: self.name(node).into(),
            program: "as before".into(),
            source,
        };
        self.hosts[node].restart(&self.mark).map_err(start_error)
    }

    /// Sets how a node is started from now on, by whomever; one that runs goes on.
    pub fn set_command(&self, node: usize, spec: CommandSpec) {
        self.hosts[node].set_command(spec);
    }

    /// What a node's process is doing.
    pub fn status(&self, node: usize) -> ProcessState {
        self.hosts[node].process.state()
    }

    /// Sends SIGKILL to a node with all its children. Returns its pid, if it ran.
    pub fn kill(&self, node: usize) -> Option<i32> {
        self.hosts[node].kill()
    }

    /// Sends SIGTERM to a node with all its children: it is asked to end. Returns its pid, if it ran.
    pub fn terminate(&self, node: usize) -> Option<i32> {
        self.hosts[node].process.terminate()
    }

    /// Has a node be started with its [other program](CommandSpec::other) from now on, or with its own; one that
    /// runs goes on. False if it has no other program.
    pub fn use_other_program(&self, node: usize, other: bool) -> bool {
        self.hosts[node].use_other_program(other)
    }

    /// How a node is started just now; `None` if it never was.
    pub fn command(&self, node: usize) -> Option<CommandSpec> {
        self.hosts[node].command()
    }

    /// Sends SIGSTOP to a node with all its children. Returns its pid, if it ran.
    pub fn pause(&self, node: usize) -> Option<i32> {
        self.hosts[node].process.pause()
    }

    /// Sends SIGCONT to a paused node with all its children. Returns its pid, if it was paused.
    pub fn resume(&self, node: usize) -> Option<i32> {
        self.hosts[node].process.resume()
    }

    /// Waits until a killed process and its children are gone. Returns how it ended; `None` if that takes longer
    /// than `patience`.
    pub async fn gone(&self, node: usize, pid: i32, patience: Duration) -> Option<ProcessState> {
        self.hosts[node].gone(pid, patience).await
    }

    /// The last lines of a node's log; empty if there is none.
    pub fn log_tail(&self, node: usize, lines: usize) -> String {
        self.hosts[node].log_tail(lines).unwrap_or_default()
    }

    /// Begins to interfere with links on behalf of a fault; returns once it is in force. Each fault is undone by
    /// itself, whatever others do to the same links.
    pub async fn impose(
        &self,
        fault: u64,
        interference: Interference,
        links: BTreeSet<Link>,
    ) -> Result<(), ClusterError> {
        self.impose_seeded(fault, fault, interference, links).await
    }

    /// The same; the seed decides which packets are hit, so that they are the same ones again.
    pub async fn impose_seeded(
        &self,
        fault: u64,
        seed: u64,
        interference: Interference,
        links: BTreeSet<Link>,
    ) -> Result<(), ClusterError> {
        let force = Force {
            interference,
            fault,
            seed,
        };
        self.imposed().insert(fault, Instant::now());
        self.network
            .impose(force, links)
            .await
            .map_err(ClusterError::Network)
    }

    /// Undoes what one fault does to links, and nothing else. Returns the links.
    pub async fn lift(&self, fault: u64) -> Result<BTreeSet<Link>, ClusterError> {
        self.network.lift(fault).await.map_err(ClusterError::Network)
    }

    /// When a fault last began to interfere with links, if it ever did. It takes a moment from then.
    pub(crate) fn imposed_at(&self, fault: u64) -> Option<Instant> {
        self.imposed().get(&fault).copied()
    }

    fn imposed(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.imposed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The links that nothing is meant to get through just now.
    pub fn cut_links(&self) -> BTreeSet<Link> {
        self.network.cut()
    }

    /// A link as reports name it: `n1>n2`.
    pub fn link_name(&self, link: Link) -> String {
        let name = |end| match end {
            Endpoint::Node(node) => self.name(node),
            Endpoint::Clients => CLIENTS,
        };
        format!("{}>{}", name(link.from), name(link.to))
    }

    /// The nodes of which a fault has spoilt a file.
    pub(crate) fn spoilt(&self) -> &Spoilt {
        &self.spoilt
    }

    /// The nodes that a fault hit last.
    pub(crate) fn last_hit(&self) -> Option<Vec<usize>> {
        self.last_hit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// To be called once a fault was done. One that is about links alone, and no nodes, does not count.
    pub(crate) fn remember_hit(&self, nodes: &[usize]) {
        if nodes.is_empty() {
            return;
        }
        *self.last_hit.lock().unwrap_or_else(PoisonError::into_inner) = Some(nodes.to_vec());
    }

    pub(crate) fn mark(&self) -> &Mark {
        &self.mark
    }

    pub(crate) fn host(&self, node: usize) -> &Host {
        &self.hosts[node]
    }

    pub(crate) fn clock(&self, node: usize) -> &Arc<NodeClock> {
        &self.hosts[node].clock
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Opens every link, puts every clock right, continues every paused node, gives every disk its power and every
    /// node its own program and our time since boot, and starts every node that is down. Blocks for some milliseconds. Returns what there
    /// was to do, in words; whatever goes wrong, all else is done, and the error is the first.
    pub fn final_heal(&self) -> Result<Vec<String>, ClusterError> {
        let mut done = Vec::new();
        let mut result = Ok(());
        match self.network.lift_all() {
            Ok(links) if links.is_empty() => {}
            Ok(links) => done.push(format!("opened {} links", links.len())),
            Err(error) => result = Err(ClusterError::Network(error)),
        }
        for node in 0..self.len() {
            result = result.and(self.heal_node(node, &mut done));
        }
        result.map(|()| done)
    }

    fn heal_node(&self, node: usize, done: &mut Vec<String>) -> Result<(), ClusterError> {
        let (name, host) = (self.name(node), &self.hosts[node]);
        let mended = self.mend_disk(node);
        if mended > 0 {
            done.push(format!("ended {mended} troubles of {name}'s disk"));
        }
        let (clock, leader) = (self.clock(node), self.status(node).pid());
        match clock::apart(|| clock.restore(leader)) {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => done.push(format!("put the clocks of {name} right")),
            // That it is still wrong is for the clean bill to say.
            Ok(Err(error)) => tracing::error!("the clocks of {name}: {error}"),
            Err(_) => tracing::error!("the clocks of {name}: the thread that sees to them panicked"),
        }
        if self.resume(node).is_some() {
            done.push(format!("continued {name}"));
        }
        // Both come with a start: it gives the disk its power, and runs what is to be run from then on.
        let lacks_power = host.disk().is_some_and(|disk| !disk.has_power());
        let is_on_other_program = host.is_on_other_program();
        if is_on_other_program {
            host.use_other_program(false);
            done.push(format!("gave {name} its own program"));
        }
        let is_booted_elsewhere = host.forget_boots();
        if is_booted_elsewhere {
            done.push(format!("gave {name} our time since boot"));
        }
        if lacks_power {
            done.push(format!("gave {name}'s disk its power"));
        }
        let ended = if lacks_power || is_on_other_program || is_booted_elsewhere {
            host.end(GONE)
        } else {
            Ok(())
        };
        if let ProcessState::Killed(exit) | ProcessState::Exited(exit) = self.status(node)
            && self.restart(node)?.is_some()
        {
            done.push(format!("restarted {name} ({exit})"));
        }
        ended.map_err(|source| ClusterError::System {
            doing: "end a node that is to be started as it was",
            source,
        })
    }

    /// Ends all that ails a disk and is yet to ail it, and gives back how much that was.
    fn mend_disk(&self, node: usize) -> usize {
        let Some(disk) = self.hosts[node].disk() else {
            return 0;
        };
        let faults = disk.faults();
        let ended = faults.into_iter().filter_map(|fault| disk.end(fault)).count();
        ended + usize::from(disk.disarm())
    }

    /// Kills every node with all its children. Returns the names of those that were not gone in time.
    pub async fn stop_all(&self, patience: Duration) -> Vec<String> {
        let killed: Vec<(usize, i32)> = (0..self.len())
            .filter_map(|node| Some((node, self.kill(node)?)))
            .collect();
        let mut left = Vec::new();
        for (node, pid) in killed {
            if self.gone(node, pid, patience).await.is_none() {
                left.push(self.name(node).to_owned());
            }
        }
        left
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in 0..self.len() {
            self.kill(node);
        }
    }
}

fn check_names(nodes: &[String]) -> Result<(), ClusterError> {
    let fits = |name: &String| {
        let mut letters = name.chars();
        letters.next().is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
            && name != CLIENTS
    };
    if let Some(name) = nodes.iter().find(|name| !fits(name)) {
        let message =
            format!("`{name}` is no name for a node: use letters a-z, digits and -, and not `{CLIENTS}`");
        return Err(ClusterError::Names(message));
    }
    let distinct: BTreeSet<&String> = nodes.iter().collect();
    if distinct.len() != nodes.len() || nodes.is_empty() || nodes.len() > NODES_MAX {
        return Err(ClusterError::Names(format!(
            "1 to {NODES_MAX} nodes with different names are needed"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_confuse_paths_or_reports_are_refused() {
        let check =
            |names: &[&str]| check_names(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert!(check(&["n1", "n2", "node-3"]).is_ok());
        for names in [
            &[""][..],
            &["../x"],
            &["clients"],
            &["N1"],
            &["1n"],
            &["n1", "n1"],
            &[],
        ] {
            assert!(check(names).is_err(), "{names:?}");
        }
    }
}
