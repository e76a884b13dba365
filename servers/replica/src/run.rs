//! Puts the parts of a node together.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Context as _;
use partita_protocols::store::Store;
use partita_protocols::{NodeId, Protocol, ProtocolVisitor, Random, defect};
use rand::SeedableRng as _;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::api::{self, Api};
use crate::driver::Driver;
use crate::event::Event;
use crate::options::NodeOptions;
use crate::recovery::{Recovered, recover};
use crate::transport::{self, Link};
use crate::wal::{Wal, WalEvent};

/// How many events wait for the driver at most. Peers then wait in their sockets; clients are refused.
const EVENTS_MAX: usize = 4096;

/// Runs a node. Returns only when something failed: an address in use, a damaged or unwritable log. Dropping
/// the future stops the node, as a crash would; what was given to the log's thread is still written.
pub async fn run(options: NodeOptions) -> anyhow::Result<()> {
    let bind = async |address| {
        TcpListener::bind(address)
            .await
            .with_context(|| format!("failed to listen on {address}"))
    };
    let peers = bind(options.listen_peer).await?;
    let clients = bind(options.listen_client).await?;
    run_on(options, peers, clients).await
}

/// The same, on sockets that are listened on already.
pub(crate) async fn run_on(
    options: NodeOptions,
    peers: TcpListener,
    clients: TcpListener,
) -> anyhow::Result<()> {
    let protocol = options.protocol;
    protocol
        .visit(Serve {
            options,
            peers,
            clients,
        })
        .await
}

/// A node that is to be served, whatever its protocol.
struct Serve {
    options: NodeOptions,
    peers: TcpListener,
    clients: TcpListener,
}

impl ProtocolVisitor for Serve {
    type Output = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

    fn visit<P>(self) -> Self::Output
    where
        P: Protocol<Message: Send> + Send + 'static,
    {
        Box::pin(serve::<P>(self.options, self.peers, self.clients))
    }
}

async fn serve<P>(
    options: NodeOptions,
    peer_listener: TcpListener,
    client_listener: TcpListener,
) -> anyhow::Result<()>
where
    P: Protocol<Message: Send> + Send + 'static,
{
    let config = options.config()?;
    let me = config.me;
    info!(
        node = %me, protocol = P::NAME, peers = %peer_listener.local_addr()?, clients = %client_listener.local_addr()?,
        data = %options.data.display(), "starting"
    );
    if let Some(defect) = options.defect {
        warn!(%defect, "this node has a deliberate bug: {}", defect.summary);
    }

    let (events, events_queue) = mpsc::channel(EVENTS_MAX);
    let directory = options.data.join("wal");
    let random = random();
    let recovering = tokio::task::spawn_blocking(move || recover::<P>(&directory, config, random));
    let recovered = recovering
        .await?
        .with_context(|| format!("failed to recover from {}", options.data.display()))?;
    let Recovered { core, effects, log } = recovered;
    let status = core.status();
    info!(
        snapshot_index = status.snapshot_index,
        torn_bytes = log.torn_bytes,
        term = status.term,
        last_index = status.last_index,
        "recovered"
    );

    let report_to = events.clone();
    let wal = Wal::start(
        log,
        options.defect == Some(&defect::UNSYNCED_ACKS),
        move |event| {
            let event = match event {
                WalEvent::Persisted(write) => Event::Persisted(write),
                WalEvent::Failed(error) => Event::DiskFailed(error),
            };
            report_to.blocking_send(event).is_ok()
        },
    )
    .context("failed to start the log's thread")?;

    // Everything that runs beside the driver ends when this is dropped.
    let mut tasks = JoinSet::new();
    let mut links = BTreeMap::new();
    for (name, address) in &options.peers {
        let peer = NodeId::new(name)?;
        let (link, task) = Link::new(P::NAME, me, peer, address.clone());
        links.insert(peer, link);
        tasks.spawn(task);
    }
    let known = links.keys().copied().collect();
    tasks.spawn(transport::accept::<P>(peer_listener, me, known, events.clone()));

    let store = Store::with_defect(options.defect);
    let driver = Driver::new(me, core, effects, store, wal, links, &events).with_leases(options.lease_reads);
    let api = Api {
        me,
        defect: options.defect,
        view: driver.view(),
        permits: Arc::new(Semaphore::new(options.requests_max)),
        connections_max: options.connections_max,
        request_timeout: options.request_timeout,
        events,
    };
    tasks.spawn(api::serve(client_listener, Arc::new(api)));
    // In a task of its own, so that dropping this future stops it, too, and it is not polled along with
    // others.
    let mut driver_task = JoinSet::new();
    driver_task.spawn(driver.run(events_queue));
    match driver_task.join_next().await {
        Some(result) => result.context("the driver ended")?,
        None => Ok(()),
    }
}

/// Randomness that differs from node to node and from start to start: the keys that the standard library
/// draws from the operating system for its hash maps.
fn random() -> Random {
    let mut seed = [0; 32];
    for chunk in seed.chunks_exact_mut(8) {
        chunk.copy_from_slice(&RandomState::new().hash_one("seed").to_le_bytes());
    }
    Random::from_seed(seed)
}
