//! What a node is told on its command line.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use partita_protocols::{Config, Defect, NodeId, ProtocolKind};

/// The length of a tick.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// What a node is told on its command line.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Which protocol it speaks.
    pub protocol: ProtocolKind,
    /// Its name.
    pub id: String,
    /// Where it keeps its log. Made if it is not there; one process at a time can have it.
    pub data: PathBuf,
    /// Where peers reach it.
    pub listen_peer: SocketAddr,
    /// Where clients reach it.
    pub listen_client: SocketAddr,
    /// The other members by name, and where they listen for peers (`host:port`).
    pub peers: BTreeMap<String, String>,
    /// How often a leader shows that it lives. Counted in ticks of 10 ms.
    pub heartbeat: Duration,
    /// The shortest silence after which the leader is taken for lost. Counted in ticks of 10 ms.
    pub election: Duration,
    /// The deliberate bug to have, if any.
    pub defect: Option<&'static Defect>,
    /// How many requests of clients may wait at once; more are refused at once (503).
    pub requests_max: usize,
    /// How long a client's request may wait before it is answered as unknown (504).
    pub request_timeout: Duration,
}

impl NodeOptions {
    /// A node alone, with heartbeats every 50 ms, elections after 500 ms, 1024 requests at once of 5 s at
    /// most.
    pub fn new(
        protocol: ProtocolKind,
        id: impl Into<String>,
        data: impl Into<PathBuf>,
        listen_peer: SocketAddr,
        listen_client: SocketAddr,
    ) -> NodeOptions {
        NodeOptions {
            protocol,
            id: id.into(),
            data: data.into(),
            listen_peer,
            listen_client,
            peers: BTreeMap::new(),
            heartbeat: Duration::from_millis(50),
            election: Duration::from_millis(500),
            defect: None,
            requests_max: 1024,
            request_timeout: Duration::from_secs(5),
        }
    }

    /// What the core is told.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let me = NodeId::new(&self.id)?;
        let peers = self
            .peers
            .keys()
            .map(|name| NodeId::new(name))
            .collect::<Result<Vec<_>, _>>()?;
        let config = Config::new(me, peers, ticks(self.heartbeat), ticks(self.election))?;
        Ok(config.with_defect(self.defect))
    }
}

fn ticks(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u32::MAX)
}
