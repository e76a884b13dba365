//! What a directed link of the forwarder does with bytes, and how many it has seen.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use partita_generator::{Random, random};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::network::link::{Force, Interference, Jitter};

/// What becomes of bytes at a gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Passage {
    /// None pass.
    cut: bool,
    /// Connections break.
    reset: bool,
    delays: Vec<(Duration, Jitter)>,
    /// In bytes a second.
    rate: Option<u64>,
}

impl Passage {
    pub(super) fn under(forces: &[Force]) -> Passage {
        let mut passage = Passage::default();
        for force in forces {
            match force.interference {
                Interference::Delay { least, jitter } => passage.delays.push((least, jitter)),
                Interference::Rate(rate) => {
                    passage.rate = Some(passage.rate.map_or(rate, |least| least.min(rate)))
                }
                Interference::Hold | Interference::Stall => passage.cut = true,
                Interference::Reset => (passage.cut, passage.reset) = (true, true),
                // Refused before it comes here.
                Interference::Reorder { .. }
                | Interference::Duplicate(_)
                | Interference::Corrupt(_)
                | Interference::Loss(_) => {}
            }
        }
        passage
    }
}

/// What a forwarder of streams can't do, if that is what is asked for.
pub(super) fn obstacle(interference: Interference) -> Option<String> {
    let of_packets = matches!(
        interference,
        Interference::Reorder { .. }
            | Interference::Duplicate(_)
            | Interference::Corrupt(_)
            | Interference::Loss(_)
    );
    of_packets.then(|| "a forwarder of TCP sees no packets; the network switch does".to_owned())
}

/// Every connection's bytes in one direction between two ends pass one of these.
#[derive(Debug)]
pub(super) struct Gate {
    passage: watch::Sender<Passage>,
    pace: Mutex<Pace>,
    forwarded: AtomicU64,
    slowed: AtomicU64,
    held: AtomicU64,
    held_connections: AtomicU64,
}

#[derive(Debug)]
struct Pace {
    /// Draws the jitter.
    rng: Random,
    /// When a limited rate has let through all that came before.
    free_at: Instant,
}

/// How much has gone through a link, and how much has been kept back, since the network was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Bytes handed to the receiver.
    pub(crate) forwarded: u64,
    /// Bytes that were made to wait.
    pub(crate) slowed: u64,
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
            slowed: self.slowed - earlier.slowed,
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
            passage: watch::Sender::default(),
            pace: Mutex::new(Pace {
                rng: random(0, "pace"),
                free_at: Instant::now(),
            }),
            forwarded: AtomicU64::new(0),
            slowed: AtomicU64::new(0),
            held: AtomicU64::new(0),
            held_connections: AtomicU64::new(0),
        }
    }

    /// The seed decides about jitter from now on.
    pub(super) fn set(&self, passage: Passage, seed: u64) {
        self.passage.send_if_modified(|current| {
            let changed = *current != passage;
            if changed {
                *current = passage;
                let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
                pace.rng = random(seed, "pace");
                pace.free_at = Instant::now();
            }
            changed
        });
    }

    pub(super) fn watch(&self) -> watch::Receiver<Passage> {
        self.passage.subscribe()
    }

    pub(super) fn is_cut(&self) -> bool {
        self.passage.borrow().cut
    }

    /// Does something short unless the gate is cut, which it can't become meanwhile: once a cut is in force nothing
    /// gets through that was under way.
    pub(super) fn unless_cut<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let passage = self.passage.borrow();
        (!passage.cut).then(work)
    }

    /// When bytes that arrive now may go on at the earliest.
    pub(super) fn due(&self, length: usize) -> Instant {
        let passage = self.passage.borrow().clone();
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let mut due = now;
        if let Some(rate) = passage.rate {
            let takes = Duration::from_secs_f64(length as f64 / rate.max(1) as f64);
            pace.free_at = pace.free_at.max(now) + takes;
            due = pace.free_at;
        }
        for (least, jitter) in passage.delays {
            due += least + jitter.draw(&mut pace.rng);
        }
        if due > now {
            self.slowed.fetch_add(length as u64, Relaxed);
        }
        due
    }

    /// Waits until bytes may pass.
    pub(super) async fn passable(&self) {
        let mut passage = self.watch();
        // It can't fail: the sender is `self`.
        let _ = passage.wait_for(|passage| !passage.cut).await;
    }

    /// Waits until nothing delays what passes, nor limits how much.
    pub(super) async fn prompt(&self) {
        let mut passage = self.watch();
        let _ = passage
            .wait_for(|passage| passage.delays.is_empty() && passage.rate.is_none())
            .await;
    }

    /// Waits until connections are to break.
    pub(super) async fn reset(&self) {
        let mut passage = self.watch();
        let _ = passage.wait_for(|passage| passage.reset).await;
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
            slowed: self.slowed.load(Relaxed),
            held: self.held.load(Relaxed),
            held_connections: self.held_connections.load(Relaxed),
        }
    }
}
