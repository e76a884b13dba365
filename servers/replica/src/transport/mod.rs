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

/// Hands the content of each frame to `take`, as if the bytes had come from a peer; the first is a greeting.
pub(crate) fn read_frames(mut bytes: &[u8], mut take: impl FnMut(&[u8])) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
        return;
    };
    let mut buffer = Vec::new();
    let mut bytes_max = frame::HELLO_BYTES_MAX;
    while let Ok(true) = runtime.block_on(frame::read_frame(&mut bytes, &mut buffer, bytes_max)) {
        if bytes_max == frame::HELLO_BYTES_MAX {
            let _ = frame::Hello::from_bytes(&buffer);
            bytes_max = frame::FRAME_BYTES_MAX;
        } else {
            take(&buffer);
        }
    }
}

use std::time::Duration;

use partita_protocols::Decode as _;

/// How long a connection, or a write, may make no progress before it is given up. Short, because a partition
/// that heals leaves TCP waiting for its own retransmission timer, which doubles each time: a new connection
/// is faster.
const STALL: Duration = Duration::from_secs(1);
