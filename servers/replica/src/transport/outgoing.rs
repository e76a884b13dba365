//! The connection to a peer, on which this node only sends.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use partita_protocols::{Encode, NodeId};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::STALL;
use super::frame::{FRAME_BYTES_MAX, Hello, frame};

/// How many messages wait for a peer at most; more are dropped.
const QUEUE_MESSAGES_MAX: usize = 1024;
/// How many bytes wait for a peer at most, but for the last message; more are dropped.
const QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How many bytes are gathered into one write.
const WRITE_BYTES: usize = 256 * 1024;
/// How long an attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);
/// The wait after the first failure; it doubles up to the last.
const BACK_OFF_FIRST: Duration = Duration::from_millis(20);
const BACK_OFF_LAST: Duration = Duration::from_millis(200);

/// The queue of messages to a peer.
#[derive(Debug)]
pub(crate) struct Link {
    to: NodeId,
    queue: mpsc::Sender<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
}

/// The other end of it.
struct Queued {
    queue: mpsc::Receiver<Vec<u8>>,
    bytes: Arc<AtomicUsize>,
}

impl Link {
    /// The queue, and the task that empties it; the task never ends by itself.
    pub(crate) fn new(
        protocol: &'static str,
        from: NodeId,
        to: NodeId,
        address: String,
    ) -> (Link, impl Future<Output = ()> + Send) {
        let (queue, receiver) = mpsc::channel(QUEUE_MESSAGES_MAX);
        let queued_bytes = Arc::<AtomicUsize>::default();
        let queued = Queued {
            queue: receiver,
            bytes: Arc::clone(&queued_bytes),
        };
        let hello = frame(&Hello {
            protocol: protocol.into(),
            from,
            to,
        });
        let link = Link {
            to,
            queue,
            queued_bytes,
        };
        (link, run(hello, to, address, queued))
    }

    /// Queues a message. If the queue is full it is dropped, as by the network: the driver must not wait for
    /// one slow peer while a majority of others goes on. The newest is, since the messages before it are what
    /// it builds on.
    pub(crate) fn send(&self, message: &impl Encode) {
        if self.queued_bytes.load(Ordering::Relaxed) > QUEUE_BYTES_MAX {
            return;
        }
        let Ok(slot) = self.queue.try_reserve() else {
            return;
        };
        let frame = frame(message);
        if frame.len() - 4 > FRAME_BYTES_MAX {
            // The peer would close the connection, again and again.
            error!(peer = %self.to, bytes = frame.len(), "a message is too long to be sent: dropped");
            return;
        }
        self.queued_bytes.fetch_add(frame.len(), Ordering::Relaxed);
        slot.send(frame);
    }
}

impl Queued {
    async fn next(&mut self) -> Option<Vec<u8>> {
        let frame = self.queue.recv().await?;
        Some(self.took(frame))
    }

    fn next_now(&mut self) -> Option<Vec<u8>> {
        let frame = self.queue.try_recv().ok()?;
        Some(self.took(frame))
    }

    fn took(&self, frame: Vec<u8>) -> Vec<u8> {
        self.bytes.fetch_sub(frame.len(), Ordering::Relaxed);
        frame
    }
}

async fn run(hello: Vec<u8>, to: NodeId, address: String, mut queued: Queued) {
    let mut back_off = BACK_OFF_FIRST;
    let mut reported = false;
    loop {
        let error = match connect(&address, &hello).await {
            Ok(stream) => {
                // What queued up while there was no connection is stale; the protocol will repeat what
                // matters.
                while queued.next_now().is_some() {}
                let mut sending = pin!(send_queued(stream, &mut queued));
                // A forwarder accepts whoever dials, and breaks the connection if there is nobody behind it: only
                // a connection that lasts is one.
                let ended = match timeout(BACK_OFF_LAST, &mut sending).await {
                    Ok(ended) => ended,
                    Err(_) => {
                        info!(peer = %to, %address, "connected");
                        (back_off, reported) = (BACK_OFF_FIRST, false);
                        sending.await
                    }
                };
                match ended {
                    Ok(()) => return,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        // Once for each time that it breaks, and not for each attempt.
        if !reported {
            warn!(peer = %to, %address, %error, "not connected; will keep trying");
            reported = true;
        }
        sleep(back_off).await;
        back_off = (back_off * 2).min(BACK_OFF_LAST);
    }
}

async fn connect(address: &str, hello: &[u8]) -> io::Result<TcpStream> {
    let attempt = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        limit_unacknowledged(&stream)?;
        stream.write_all(hello).await?;
        Ok(stream)
    };
    timeout(CONNECT_TIMEOUT, attempt).await?
}

/// Breaks the connection when what was sent is not acknowledged for as long as [`STALL`]. A write alone would
/// not notice: small messages to a peer that is cut off disappear into the socket's buffer for minutes.
fn limit_unacknowledged(stream: &TcpStream) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::socket::setsockopt(
        stream,
        nix::sys::socket::sockopt::TcpUserTimeout,
        &(STALL.as_millis() as u32),
    )?;
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
    Ok(())
}

/// Sends what is queued, as much as there is at a time. Ends well only when the queue is closed.
async fn send_queued(mut stream: TcpStream, queued: &mut Queued) -> io::Result<()> {
    let mut buffer = Vec::new();
    // The peer never sends on this connection: anything it does, in particular closing it, ends it.
    let mut closed = [0; 1];
    loop {
        let first = tokio::select! {
            first = queued.next() => first,
            read = async { stream.readable().await?; stream.try_read(&mut closed) } => match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
                Ok(_) => return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the peer closed the connection")),
            },
        };
        let Some(first) = first else { return Ok(()) };
        buffer.clear();
        buffer.extend(first);
        while buffer.len() < WRITE_BYTES
            && let Some(next) = queued.next_now()
        {
            buffer.extend(next);
        }
        timeout(STALL, stream.write_all(&buffer)).await??;
    }
}
