//! Messages between peers, over TCP.
//!
//! A node opens one connection to each peer and only sends on it; what it receives comes by the connections
//! that its peers open. So neither side ever waits for the other to agree on who connects, and a broken
//! direction is one broken connection. Messages may be lost (a queue is full, a connection breaks), which the
//! protocol expects; they are not damaged or forged on the way, which it does not. What is malformed or too
//! long closes the connection, and the log says why. Where the driver is slower than the peers, they wait:
//! nothing more is read from their sockets (back-pressure); where a peer is slower than the driver, messages
//! to it are dropped.

mod frame;
mod incoming;
mod outgoing;

pub(crate) use incoming::accept;
pub(crate) use outgoing::Link;

use std::time::Duration;

/// How long a connection, or a write, may make no progress before it is given up. Short, because a partition
/// that heals leaves TCP waiting for its own retransmission timer, which doubles each time: a new connection
/// is faster.
const STALL: Duration = Duration::from_secs(1);
