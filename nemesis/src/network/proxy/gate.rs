//! What a directed link of the forwarder does with bytes, and how many it has seen.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::watch;

use crate::network::link::Interference;

/// Every connection's bytes in one direction between two ends pass one of these.
#[derive(Debug)]
pub(super) struct Gate {
    /// `None` is open.
    state: watch::Sender<Option<Interference>>,
    forwarded: AtomicU64,
    held: AtomicU64,
    held_connections: AtomicU64,
}

/// How much has gone through a link, and how much has been kept back, since the network was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Bytes handed to the receiver.
    pub(crate) forwarded: u64,
    /// Bytes that came while the link was cut.
    pub(crate) held: u64,
    /// Connections that were begun while the link was cut.
    pub(crate) held_connections: u64,
}

impl Traffic {
    /// What came after `earlier`.
    pub(crate) fn since(self, earlier: Traffic) -> Traffic {
        Traffic {
            forwarded: self.forwarded - earlier.forwarded,
            held: self.held - earlier.held,
            held_connections: self.held_connections - earlier.held_connections,
        }
    }

    /// Whether anything tried to cross and was kept back.
    pub(crate) fn was_held(self) -> bool {
        self.held + self.held_connections > 0
    }
}

impl Gate {
    pub(super) fn open() -> Gate {
        Gate {
            state: watch::Sender::new(None),
            forwarded: AtomicU64::new(0),
            held: AtomicU64::new(0),
            held_connections: AtomicU64::new(0),
        }
    }

    pub(super) fn set(&self, state: Option<Interference>) {
        self.state.send_if_modified(|current| {
            let changed = *current != state;
            *current = state;
            changed
        });
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<Interference>> {
        self.state.subscribe()
    }

    pub(super) fn state(&self) -> Option<Interference> {
        *self.state.borrow()
    }

    pub(super) fn is_cut(&self) -> bool {
        self.state().is_some_and(Interference::is_cut)
    }

    /// Waits until bytes may pass.
    pub(super) async fn passable(&self) {
        let mut state = self.watch();
        // It can't fail: the sender is `self`.
        let _ = state
            .wait_for(|state| !state.is_some_and(Interference::is_cut))
            .await;
    }

    /// Waits until connections are to break.
    pub(super) async fn reset(&self) {
        let mut state = self.watch();
        let _ = state.wait_for(|state| *state == Some(Interference::Reset)).await;
    }

    pub(super) fn count_forwarded(&self, bytes: usize) {
        self.forwarded.fetch_add(bytes as u64, Relaxed);
    }

    /// Bytes have arrived for this gate; they count as held if it is cut.
    pub(super) fn count_arrived(&self, bytes: usize) {
        if self.is_cut() {
            self.held.fetch_add(bytes as u64, Relaxed);
        }
    }

    /// A connection has been begun through this gate; it counts as held if it is cut.
    pub(super) fn count_connection(&self) {
        if self.is_cut() {
            self.held_connections.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            forwarded: self.forwarded.load(Relaxed),
            held: self.held.load(Relaxed),
            held_connections: self.held_connections.load(Relaxed),
        }
    }
}
