//! The connections that peers open, on which this node only receives.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use partita_protocols::{Decode as _, NodeId, Protocol};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::STALL;
use super::frame::{FRAME_BYTES_MAX, HELLO_BYTES_MAX, Hello, read_frame};
use crate::event::Event;

/// How many connections there are at most: each peer has one, and while it reconnects two. One that has not
/// greeted holds a small buffer for a short time, and a later one of the same peer ends the one before: so
/// what strangers can make a node hold is bounded, whatever they send.
const CONNECTIONS_MAX: usize = 256;

/// The connection of each peer: dropping its sender ends the one before it.
type Current = Arc<Mutex<BTreeMap<NodeId, oneshot::Sender<()>>>>;

/// Accepts connections of peers and hands their messages to the driver. Never ends by itself; the connections
/// end with it.
pub(crate) async fn accept<P: Protocol<Message: Send> + 'static>(
    listener: TcpListener,
    me: NodeId,
    known: Vec<NodeId>,
    events: mpsc::Sender<Event<P::Message>>,
) {
    let current = Current::default();
    let known: Arc<[NodeId]> = known.into();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: wait for some to be closed.
                warn!(%error, "failed to accept a peer's connection");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if connections.len() >= CONNECTIONS_MAX {
            warn!(%address, "too many connections: closed");
            continue;
        }
        let (current, known, events) = (Arc::clone(&current), Arc::clone(&known), events.clone());
        connections.spawn(async move {
            if let Err(error) = receive::<P>(stream, me, &known, &current, &events).await {
                warn!(%address, "closed a peer's connection: {error:#}");
            }
        });
    }
}

async fn receive<P: Protocol>(
    stream: TcpStream,
    me: NodeId,
    known: &[NodeId],
    current: &Current,
    events: &mpsc::Sender<Event<P::Message>>,
) -> anyhow::Result<()> {
    let mut stream = BufReader::with_capacity(64 * 1024, stream);
    let mut buffer = Vec::new();
    let greeted = timeout(STALL, read_frame(&mut stream, &mut buffer, HELLO_BYTES_MAX))
        .await
        .context("no greeting came")?;
    ensure!(
        greeted.context("failed to read the greeting")?,
        "closed before the greeting"
    );
    let hello = Hello::from_bytes(&buffer).context("a malformed greeting")?;
    if hello.to != me || hello.protocol != P::NAME || hello.from == me || !known.contains(&hello.from) {
        bail!(
            "{} asks for {} to speak {}, which is not this node",
            hello.from,
            hello.to,
            hello.protocol
        );
    }
    let from = hello.from;
    info!(peer = %from, "the peer has connected");

    // A peer that connects again has given up its earlier connection, though this side may not have heard.
    let (ours, mut replaced) = oneshot::channel();
    drop(
        current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(from, ours),
    );
    loop {
        let more = tokio::select! {
            more = read_frame(&mut stream, &mut buffer, FRAME_BYTES_MAX) => more,
            _ = &mut replaced => return Ok(()),
        };
        match more {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => bail!("{from} sent {error}"),
            Err(error) => return Err(error).with_context(|| format!("lost {from}")),
        }
        let message = P::Message::from_bytes(&buffer)
            .with_context(|| format!("{from} sent a malformed message of {} bytes", buffer.len()))?;
        if events.send(Event::Message { from, message }).await.is_err() {
            return Ok(());
        }
    }
}
