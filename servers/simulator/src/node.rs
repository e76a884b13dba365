//! One node: a core while it is up, a disk that outlives it, and a clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_protocols::store::Store;
use partita_protocols::{Command, Config, NodeId, Protocol, RequestId, Status, WriteId, defect};

use crate::clients::Request;
use crate::disk::Disk;
use crate::queue::{MILLISECOND, Time};

/// The length of a tick by a clock that goes right, and heartbeats and elections in ticks: as in the real
/// replica.
const TICK: Time = 10 * MILLISECOND;
pub(crate) const HEARTBEAT_TICKS: u32 = 5;
pub(crate) const ELECTION_TICKS: u32 = 50;

/// What happens at a node.
#[derive(Clone, Debug)]
pub(crate) enum NodeEvent<M> {
    Tick {
        incarnation: u64,
    },
    Deliver {
        from: NodeId,
        /// Names the message, in a trace.
        number: u64,
        message: M,
    },
    /// A sync is done.
    Synced {
        incarnation: u64,
        last: WriteId,
    },
    /// A disk that lies says that a write is durable.
    Claimed {
        incarnation: u64,
        last: WriteId,
    },
    /// The node crashes, because it syncs.
    SyncCrash {
        incarnation: u64,
    },
    Request(Request),
    /// A copy of the store is made.
    Copied {
        incarnation: u64,
        index: u64,
        state: Arc<[u8]>,
    },
}

/// What can befall a node because it syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtSync {
    /// It crashes.
    Crash,
    /// It crashes, and a write is torn.
    Tear,
}

/// A node: a core while it is up, and a disk that outlives it.
pub(crate) struct Node<P: Protocol> {
    pub(crate) config: Config,
    /// Nothing while it is down.
    pub(crate) core: Option<P>,
    pub(crate) incarnation: u64,
    pub(crate) disk: Disk,
    pub(crate) store: Store,
    /// The last index applied to the store.
    pub(crate) applied: u64,
    pub(crate) reads: BTreeMap<RequestId, Command>,
    /// What happens while the node is paused, and reaches it when it goes on.
    pub(crate) backlog: Option<Vec<NodeEvent<P::Message>>>,
    pub(crate) clock: Clock,
    /// What it was after its last step.
    pub(crate) status: Option<Status>,
    /// What is to befall it when it next syncs.
    pub(crate) at_sync: Option<AtSync>,
    /// Its disk is not the first: what it had promised before is forgotten.
    pub(crate) disk_replaced: bool,
}

impl<P: Protocol> Node<P> {
    pub(crate) fn new(config: Config, speed_percent: u32) -> Node<P> {
        let lies = config.defect == Some(&defect::UNSYNCED_ACKS);
        Node {
            core: None,
            incarnation: 0,
            disk: Disk::new(lies),
            store: Store::with_defect(config.defect),
            applied: 0,
            reads: BTreeMap::new(),
            backlog: None,
            clock: Clock::new(speed_percent, config.lease_reads),
            status: None,
            at_sync: None,
            disk_replaced: false,
            config,
        }
    }

    /// A disk that lies says at once that a write is durable.
    pub(crate) fn claim(&self, last: WriteId) -> Option<NodeEvent<P::Message>> {
        let incarnation = self.incarnation;
        let lies = self.disk.lies();
        lies.then_some(NodeEvent::Claimed { incarnation, last })
    }
}

/// A node's clock: when its ticks are due.
///
/// Ticks may come late. Where reads rest on leases, none is lost, and those that are due come before anything
/// else: a leader that was stopped must not take its lease for valid because it did not feel the time pass.
/// Without leases a node may as well lose ticks while it is stopped, and never learn how long that was.
///
/// A core knows no other time than its ticks. So for a clock to jump forward means that many ticks come at once, and
/// to jump back that none comes for a while. The real replica counts by the monotonic clock, which nobody sets and
/// which never goes back; but a virtual machine that is stopped, moved or set right gives its guests just that, and
/// nothing but leases may depend on its not happening.
#[derive(Debug)]
pub(crate) struct Clock {
    speed_percent: u32,
    drawn_percent: u32,
    keeps_time: bool,
    due: Time,
}

impl Clock {
    fn new(speed_percent: u32, keeps_time: bool) -> Clock {
        Clock {
            speed_percent,
            drawn_percent: speed_percent,
            keeps_time,
            due: 0,
        }
    }

    pub(crate) fn tick_us(&self) -> Time {
        // Rounded up: no tick comes early.
        (TICK * 100).div_ceil(Time::from(self.speed_percent))
    }

    /// The node starts, somewhere within a tick.
    pub(crate) fn start(&mut self, now: Time, share_of_tick: f64) {
        self.due = now + 1 + (self.tick_us() as f64 * share_of_tick) as Time;
    }

    /// When the next tick is due.
    pub(crate) fn due(&self) -> Time {
        self.due
    }

    /// Does it catch up before anything else happens?
    pub(crate) fn keeps_time(&self) -> bool {
        self.keeps_time
    }

    /// Takes a tick that is due, if one is.
    pub(crate) fn take(&mut self, now: Time) -> bool {
        let due = self.due <= now;
        if due {
            let from = if self.keeps_time { self.due } else { now };
            self.due = from + self.tick_us();
        }
        due
    }

    /// It jumps back: the next tick is due so much later.
    pub(crate) fn stand_still(&mut self, for_us: Time) {
        self.due += for_us;
    }

    /// It stands still no more.
    pub(crate) fn go_on(&mut self, now: Time) {
        self.due = self.due.min(now + self.tick_us());
    }

    /// How many ticks it takes for so long.
    pub(crate) fn ticks_in(&self, us: Time) -> u64 {
        us / self.tick_us()
    }

    /// Has it run at this speed, or again as it did at first.
    pub(crate) fn set_speed(&mut self, percent: Option<u32>) {
        self.speed_percent = percent.unwrap_or(self.drawn_percent).max(1);
    }
}
