//! What a node is told on its command line.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, ensure};
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
    /// The address book: every other node that this one may ever talk to, by name, and where it listens for
    /// peers (`host:port`). Who is not in it can not be made a member later.
    pub peers: BTreeMap<String, String>,
    /// The members when the cluster began, by name, where these are not the node and all its peers.
    pub members: BTreeSet<String>,
    /// Is this node to be made a member later? It then waits, and its peers (or `members`) are the members.
    pub join: bool,
    /// How many entries are applied after a snapshot before the next is taken; the protocol's own number if
    /// nothing is said.
    pub snapshot_entries: Option<u64>,
    /// How many bytes are logged after a snapshot before the next is taken, however few entries they hold; the
    /// protocol's own number if nothing is said.
    pub snapshot_log_bytes: Option<u64>,
    /// May a leader answer reads on a lease? Safe only while clocks drift within
    /// [`partita_protocols::config::CLOCK_DRIFT_PERCENT_MAX`].
    pub lease_reads: bool,
    /// How often a leader shows that it lives. Counted in ticks of 10 ms.
    pub heartbeat: Duration,
    /// The shortest silence after which the leader is taken for lost. Counted in ticks of 10 ms.
    pub election: Duration,
    /// The deliberate bug to have, if any.
    pub defect: Option<&'static Defect>,
    /// How many requests of clients may wait at once; more are refused at once (503).
    pub requests_max: usize,
    /// How many connections of clients there may be at once; one more is refused at once (503). Each may hold a
    /// head of 16 KiB and a body of 128 KiB: with 4096 that is 576 MiB, if all of them are hostile.
    pub connections_max: usize,
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
            members: BTreeSet::new(),
            join: false,
            snapshot_entries: None,
            snapshot_log_bytes: None,
            lease_reads: false,
            heartbeat: Duration::from_millis(50),
            election: Duration::from_millis(500),
            defect: None,
            requests_max: 1024,
            connections_max: 4096,
            request_timeout: Duration::from_secs(5),
        }
    }

    /// What the core is told.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let me = NodeId::new(&self.id)?;
        ensure!(
            !self.peers.contains_key(&self.id),
            "{me} is given an address as its own peer"
        );
        if !self.members.is_empty() {
            ensure!(
                self.join || self.members.contains(&self.id),
                "{me} is not among the members: a node that becomes one later is started to join"
            );
            let stranger = self
                .members
                .iter()
                .find(|&name| *name != self.id && !self.peers.contains_key(name));
            if let Some(stranger) = stranger {
                bail!("{stranger} is a member, and there is no address of it among the peers");
            }
        }
        let others: Vec<&String> = match self.members.len() {
            0 => self.peers.keys().collect(),
            _ => self.members.iter().filter(|&name| *name != self.id).collect(),
        };
        let others = others
            .into_iter()
            .map(|name| NodeId::new(name))
            .collect::<Result<Vec<_>, _>>()?;
        let config = Config::new(me, others, ticks(self.heartbeat), ticks(self.election))?;
        let mut config = config.with_defect(self.defect);
        config.lease_reads = self.lease_reads;
        if let Some(entries) = self.snapshot_entries {
            config.snapshot_entries = entries.max(1);
        }
        if let Some(bytes) = self.snapshot_log_bytes {
            config.snapshot_log_bytes = bytes;
        }
        Ok(if self.join { config.joining() } else { config })
    }
}

fn ticks(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(members: &[&str]) -> NodeOptions {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut options = NodeOptions::new(ProtocolKind::Raft, "n1", "nowhere", nowhere, nowhere);
        options.peers = ["n2", "n3", "n4"]
            .map(|name| (name.to_owned(), nowhere.to_string()))
            .into();
        options.members = members.iter().map(|&name| name.to_owned()).collect();
        options
    }

    fn members(options: &NodeOptions) -> Result<Vec<String>, String> {
        let config = options.config().map_err(|error| error.to_string())?;
        Ok(config.members().iter().map(NodeId::to_string).collect())
    }

    #[test]
    fn the_address_book_is_not_the_membership() {
        let names = |names: &[&str]| Ok(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(members(&options(&[])), names(&["n1", "n2", "n3", "n4"]));
        assert_eq!(members(&options(&["n1", "n3"])), names(&["n1", "n3"]));
        let joining = |members: &[&str]| NodeOptions {
            join: true,
            ..options(members)
        };
        assert_eq!(members(&joining(&[])), names(&["n2", "n3", "n4"]));
        assert_eq!(members(&joining(&["n2", "n3"])), names(&["n2", "n3"]));

        let refused = |options| members(&options).expect_err("a refusal");
        assert!(refused(options(&["n2"])).contains("n1 is not among the members"));
        assert!(refused(options(&["n1", "n9"])).contains("no address of it"));
        let mut own_peer = options(&[]);
        own_peer.peers.insert("n1".into(), String::new());
        assert!(refused(own_peer).contains("as its own peer"));
    }
}
