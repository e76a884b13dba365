//! A cluster of real processes on loopback. Each node is this test binary again, told by its environment to
//! be a node; so that `kill -9` is what it says.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use partita_protocols::{Defect, ProtocolKind};
use partita_replica::NodeOptions;
use serde_json::{Value, json};

use crate::http::Client;

/// For how long anything may take that should not take long. Generous: it is no measure, but the end of
/// waiting.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const NODE: &str = "PARTITA_TEST_NODE";
const PEERS: &str = "PARTITA_TEST_PEERS";
const DATA: &str = "PARTITA_TEST_DATA";
const DEFECT: &str = "PARTITA_TEST_DEFECT";
const PROTOCOL: &str = "PARTITA_TEST_PROTOCOL";
const MEMBERS: &str = "PARTITA_TEST_MEMBERS";
const SNAPSHOT_ENTRIES: &str = "PARTITA_TEST_SNAPSHOT_ENTRIES";

/// What a cluster is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) protocol: ProtocolKind,
    /// How many nodes there are.
    pub(crate) size: usize,
    /// How many of them, the first, are members from the start; the others wait to be made some.
    pub(crate) members: usize,
    pub(crate) defect: Option<&'static str>,
    pub(crate) snapshot_entries: u64,
    /// Do the nodes have but a small disk, in memory, that is gone when they are?
    pub(crate) small_disk: bool,
}

impl Setup {
    pub(crate) fn new(size: usize) -> Setup {
        Setup {
            protocol: ProtocolKind::Raft,
            size,
            members: size,
            defect: None,
            snapshot_entries: 100_000,
            small_disk: false,
        }
    }
}

/// What a child process runs; nothing in the test process itself.
#[test]
fn node_process() {
    let Ok(me) = std::env::var(NODE) else { return };
    // A test that is killed takes its nodes with it.
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)
        .expect("a signal at the parent's death");
    if nix::unistd::getppid().as_raw() == 1 {
        return;
    }
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let variable = |name| std::env::var(name).expect("a variable that the parent has set");
    let mut peers: BTreeMap<String, (String, String)> =
        serde_json::from_str(&variable(PEERS)).expect("the peers as JSON");
    let (peer, client) = peers.remove(&me).expect("the node itself among them");
    let mut options = NodeOptions::new(
        variable(PROTOCOL).parse().expect("a protocol"),
        me,
        variable(DATA),
        peer.parse().expect("an address"),
        client.parse().expect("an address"),
    );
    options.peers = peers.into_iter().map(|(name, (peer, _))| (name, peer)).collect();
    options.defect = std::env::var(DEFECT)
        .ok()
        .map(|defect| Defect::by_name(&defect).expect("a defect"));
    options.snapshot_entries = std::env::var(SNAPSHOT_ENTRIES)
        .ok()
        .map(|entries| entries.parse().expect("a number"));
    options.members = variable(MEMBERS).split(',').map(str::to_owned).collect();
    options.join = !options.members.contains(&options.id);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let ended = runtime
        .expect("a runtime")
        .block_on(partita_replica::run(options));
    panic!("the node ended: {ended:?}");
}

/// The processes; they and their files go with it.
pub(crate) struct Cluster {
    directory: tempfile::TempDir,
    addresses: BTreeMap<String, (SocketAddr, SocketAddr)>,
    running: BTreeMap<String, Child>,
    setup: Setup,
}

impl Cluster {
    pub(crate) fn start(size: usize, defect: Option<&'static str>) -> Cluster {
        Cluster::start_with(Setup {
            defect,
            ..Setup::new(size)
        })
    }

    pub(crate) fn start_with(setup: Setup) -> Cluster {
        let host = own_host();
        let addresses = (1..=setup.size)
            .map(|number| (format!("n{number}"), (free(host), free(host))))
            .collect();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut cluster = Cluster {
            directory,
            addresses,
            running: BTreeMap::new(),
            setup,
        };
        cluster.start_all();
        cluster
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.addresses.keys().cloned().collect()
    }

    /// Starts every node that does not run.
    pub(crate) fn start_all(&mut self) {
        for name in self.names() {
            if !self.running.contains_key(&name) {
                self.start_node(&name);
            }
        }
    }

    /// Starts a node that does not run.
    pub(crate) fn start_node(&mut self, name: &str) {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.log(name))
            .expect("a log file");
        let program = std::env::current_exe().expect("this test's path");
        let mut command = if self.setup.small_disk {
            let mut command = Command::new("unshare");
            let script = r#"mkdir -p "$0" && mount -t tmpfs -o size=1m none "$0" && exec "$@""#;
            command
                .args(["-Urm", "sh", "-c", script])
                .arg(self.data(name))
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        command
            .args([
                "cluster::node_process",
                "--exact",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(NODE, name)
            .env(
                PEERS,
                serde_json::to_string(&self.addresses).expect("addresses as JSON"),
            )
            .env(DATA, self.data(name))
            .env(PROTOCOL, self.setup.protocol.name())
            .env(MEMBERS, self.names()[..self.setup.members].join(","))
            .env(SNAPSHOT_ENTRIES, self.setup.snapshot_entries.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(defect) = self.setup.defect {
            command.env(DEFECT, defect);
        }
        self.running
            .insert(name.to_owned(), command.spawn().expect("a node's process"));
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, name: &str) {
        if let Some(mut child) = self.running.remove(name) {
            child.kill().expect("a killed node");
            child.wait().expect("a node's end");
        }
    }

    /// Stops the process where it is, or lets it go on.
    pub(crate) fn signal(&self, name: &str, signal: Signal) {
        let process = i32::try_from(self.running[name].id()).expect("a process id");
        nix::sys::signal::kill(Pid::from_raw(process), signal).expect("a signalled node");
    }

    pub(crate) fn kill_all(&mut self) {
        for name in self.names() {
            self.kill(&name);
        }
    }

    pub(crate) fn client(&self, name: &str) -> Client {
        Client::new(self.addresses[name].1)
    }

    /// Where the node listens for peers, and for clients.
    pub(crate) fn addresses(&self, name: &str) -> (SocketAddr, SocketAddr) {
        self.addresses[name]
    }

    pub(crate) fn status(&self, name: &str) -> Option<Value> {
        Some(self.client(name).get("/v1/status").ok()?.1)
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait_for_end(&mut self, name: &str) {
        let mut child = self.running.remove(name).expect("a running node");
        self.wait_for("the node's end", || child.try_wait().expect("a state"));
    }

    /// Where the node keeps what must survive.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A running node that says it leads, in the highest term.
    pub(crate) fn leader(&self) -> String {
        self.wait_for("a leader", || {
            let statuses = self
                .running
                .keys()
                .filter_map(|name| self.client(name).get("/v1/status").ok());
            let leaders = statuses
                .map(|(_, status)| status)
                .filter(|status| status["role"] == "leader");
            let leader = leaders.max_by_key(|status| status["term"].as_u64())?;
            leader["node"].as_str().map(str::to_owned)
        })
    }

    /// A leader other than this one.
    pub(crate) fn other_leader(&self, than: &str) -> String {
        self.wait_for("another leader", || {
            let others = self.running.keys().filter(|name| *name != than);
            let statuses = others.filter_map(|name| self.client(name).get("/v1/status").ok());
            let leader = statuses
                .map(|(_, status)| status)
                .find(|status| status["role"] == "leader")?;
            leader["node"].as_str().map(str::to_owned)
        })
    }

    /// Performs the operation at whoever leads, again and again until it is done. A retry has the session and
    /// sequence of the first try.
    pub(crate) fn perform(&self, body: &Value) -> Value {
        self.wait_for("an answer", || {
            let (status, answer) = self.client(&self.leader()).post("/v1/op", body).ok()?;
            (status == 200).then_some(answer)
        })
    }

    pub(crate) fn read(&self, key: &str) -> Value {
        self.perform(&json!({"op": {"f": "read", "key": key}}))["value"].clone()
    }

    pub(crate) fn wait_for<T>(&self, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(found) = attempt() {
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let logs: Vec<_> = self.names().iter().map(|name| self.log_text(name)).collect();
        panic!(
            "waited for {what} in vain; the nodes' logs:\n{}",
            logs.join("\n--\n")
        );
    }

    pub(crate) fn log_text(&self, name: &str) -> String {
        std::fs::read_to_string(self.log(name)).unwrap_or_default()
    }

    fn log(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.log"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill_all();
    }
}

/// A loopback address of this process's own where there is one, so that no other test takes a port that was
/// found free.
pub(crate) fn own_host() -> Ipv4Addr {
    static CLUSTERS: AtomicU8 = AtomicU8::new(1);
    if cfg!(target_os = "linux") {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        Ipv4Addr::new(127, high.max(1), low, CLUSTERS.fetch_add(1, Ordering::Relaxed))
    } else {
        Ipv4Addr::LOCALHOST
    }
}

/// A port there that nobody has.
pub(crate) fn free(host: Ipv4Addr) -> SocketAddr {
    let listener = TcpListener::bind((host, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}
