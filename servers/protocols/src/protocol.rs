//! The seam between a consensus protocol and whatever drives it.
//!
//! [`Protocol::step`] takes one input and appends its effects, which the driver carries out in order. Two
//! rules of the contract carry the weight:
//!
//! - **A disk write is an effect, its completion an input.** [`Effect::Persist`] starts a write and
//!   [`Input::Persisted`] says that it would survive a crash. A core that promises something before it is
//!   told so is wrong *in the protocol*, where a reader and a simulator can see it, and not in the order in
//!   which some driver happens to work. Writes become durable in the order they were issued, as in one log.
//! - **A request ends in exactly one way**: applied, ready to be read, done, refused, rejected, or unknown.
//!   Refused and rejected mean that it certainly had no effect; unknown that it may have had, now or later.
//!
//! # Snapshots
//!
//! The driver holds the store, so the core asks it for a copy ([`Effect::TakeSnapshot`]) and is given one
//! ([`Input::SnapshotTaken`]); it keeps the newest, sends it to whoever is too far behind, and has it replace
//! the log on disk ([`Effect::Compact`]). When a peer's snapshot comes, and at every start,
//! [`Effect::Restore`] gives the store the state that it begins with.
//!
//! Nothing here knows a term from a ballot: a protocol's messages, records and snapshots are its own.

use std::fmt::Debug;
use std::sync::Arc;

use crate::Random;
use crate::codec::{Decode, DecodeError, Encode};
use crate::config::{Config, NodeId};

/// A client's command, opaque to the protocol. Shared, because a leader hands one to every peer.
pub type Command = Arc<[u8]>;

/// Names a client's request between the driver and the core, within one life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Names a disk write, within one life of the process. Later writes have greater numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u64);

/// A command that a client wants applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// To whom the answer goes.
    pub request: RequestId,
    /// What to apply.
    pub command: Command,
}

/// What a client wants to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// To whom the answer goes.
    pub request: RequestId,
    /// What to read. Opaque, but to a protocol whose instances are keys.
    pub command: Command,
}

/// What an operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Administration {
    /// This node, running and without state of its own, shall become a member.
    AddMember(NodeId),
    /// This node shall be a member no more.
    RemoveMember(NodeId),
    /// The leader shall hand over to this node, or to whichever is best.
    Transfer {
        /// To whom, if it matters.
        to: Option<NodeId>,
    },
    /// This node shall take a snapshot now, and cut its log.
    Snapshot,
}

/// What happens to a core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<M> {
    /// A tick of time has passed. Ticks may come late, never early.
    Tick,
    /// A message has come. Messages may be lost, doubled, delayed and reordered, but are not forged.
    Receive {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        message: M,
    },
    /// Clients want these commands applied, in this order. They come together so that one disk write and one
    /// message to each peer can carry them.
    Propose(Vec<Proposal>),
    /// Clients want to read: for each, say when the applied state is one that may be read.
    Read(Vec<Query>),
    /// An operator wants something.
    Administer {
        /// To whom the answer goes.
        request: RequestId,
        /// What is wanted.
        what: Administration,
    },
    /// This write, and every one issued before it, survives a crash from here on.
    Persisted(WriteId),
    /// The state of the store that [`Effect::TakeSnapshot`] asked for.
    SnapshotTaken {
        /// The last index applied to it.
        index: u64,
        /// The state, opaque to the protocol.
        state: Arc<[u8]>,
    },
}

/// What a core wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<M> {
    /// Append the record to the log on disk, and say so by [`Input::Persisted`] when it would survive a
    /// crash.
    Persist {
        /// Names the write.
        write: WriteId,
        /// What to append. Given back to [`Protocol::recover`], in order.
        record: Vec<u8>,
    },
    /// Replace all that the disk holds by this snapshot and these records, atomically, and say so by
    /// [`Input::Persisted`].
    ///
    /// After a crash in the middle, recovery gives either what was there before *with these records appended*
    /// or the snapshot with the records: they must mean the same in both places, as far as anything was
    /// promised.
    Compact {
        /// Names the write.
        write: WriteId,
        /// What [`Protocol::recover`] is given as the snapshot, from then on.
        snapshot: Arc<[u8]>,
        /// What else must be remembered.
        records: Vec<Vec<u8>>,
    },
    /// Send the message; it may be lost.
    Send {
        /// To whom.
        to: NodeId,
        /// What to say.
        message: M,
    },
    /// Apply the command to the store. Indexes come in order, without gaps, from 1 after every start, or from
    /// the one after the last [`Effect::Restore`].
    Apply {
        /// Its position in the agreed order.
        index: u64,
        /// The command, or nothing for an entry of the protocol's own.
        command: Option<Command>,
        /// The request of this node's client that the result answers, if any.
        request: Option<RequestId>,
    },
    /// Copy the state of the store, as it is with all that has been applied up to here, and give it back, now
    /// or later, by [`Input::SnapshotTaken`]. A second one is not asked for before.
    TakeSnapshot,
    /// Replace the store's state by this one.
    Restore {
        /// The last index applied to it.
        index: u64,
        /// The state, as [`Input::SnapshotTaken`] once gave it.
        state: Arc<[u8]>,
    },
    /// The state with all that has been applied up to here may be read for this request.
    ReadReady(RequestId),
    /// The request certainly had no effect: this node is not the one to ask.
    Refuse {
        /// Which request.
        request: RequestId,
        /// Whom to ask, if that is known.
        leader: Option<NodeId>,
    },
    /// What the operator wanted is done.
    Done(RequestId),
    /// What the operator wanted can not be done, or not now, and had no effect.
    Reject {
        /// Which request.
        request: RequestId,
        /// Why, as part of a sentence: "another change of members is under way".
        why: &'static str,
    },
    /// The request may have an effect, or may never have: this node will not learn which in time to say.
    Unknown(RequestId),
}

/// What a node is in its cluster, in words that every protocol has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Follows, or looks for, a leader.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
    /// Follows without a vote: not a member, or not yet.
    Learner,
}

impl Role {
    /// In lower case, as the status shows it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Follower => "follower",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
            Role::Learner => "learner",
        }
    }
}

/// What a core shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// What the node is.
    pub role: Role,
    /// The term, ballot, view or epoch that it is in.
    pub term: u64,
    /// The leader it knows of.
    pub leader: Option<NodeId>,
    /// The last index known to be committed.
    pub commit: u64,
    /// The last index handed out to be applied.
    pub applied: u64,
    /// The last index in its log, durable or not.
    pub last_index: u64,
    /// The last index of its newest snapshot; 0 without one.
    pub snapshot_index: u64,
}

/// Why a core could not start from what its disk holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// The snapshot is not one of this protocol's.
    #[error("the snapshot is not understood")]
    BadSnapshot(#[source] DecodeError),
    /// A record is not one of this protocol's.
    #[error("record {number} of the log is not understood")]
    BadRecord {
        /// Its number, from 1.
        number: usize,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// A record does not fit those before it.
    #[error("record {number} of the log holds entries from {first_index}, but the log ends at {last_index}")]
    Gap {
        /// Its number, from 1.
        number: usize,
        /// The first index that it holds.
        first_index: u64,
        /// The last index before it.
        last_index: u64,
    },
}

/// A consensus protocol, as a state machine that touches nothing outside itself.
pub trait Protocol: Sized {
    /// Its name on the command line, and between peers: nodes of different protocols do not talk.
    const NAME: &'static str;

    /// What its nodes say to each other.
    type Message: Clone + Debug + PartialEq + Encode + Decode;

    /// Starts from the snapshot and the records that survived, these in the order they were issued; from none
    /// at all at first. So the path by which a node recovers is the one by which it always starts.
    ///
    /// Randomness comes from `random` alone. What is to be done at once, such as [`Effect::Restore`], is
    /// appended to `effects`.
    fn recover(
        config: Config,
        disk: OnDisk<'_>,
        random: Random,
        effects: &mut Vec<Effect<Self::Message>>,
    ) -> Result<Self, RecoverError>;

    /// Takes one input, and appends what is to be done about it.
    fn step(&mut self, input: Input<Self::Message>, effects: &mut Vec<Effect<Self::Message>>);

    /// What it shows of itself.
    fn status(&self) -> Status;

    /// Who has a vote, as far as this node knows, in order of name.
    fn members(&self) -> Vec<NodeId>;
}

/// What a disk holds when a node starts.
#[derive(Default)]
pub struct OnDisk<'a> {
    /// The snapshot of the last [`Effect::Compact`] that was carried out.
    pub snapshot: Option<&'a [u8]>,
    /// The records since, in order.
    pub records: Records<'a>,
}

impl<'a> OnDisk<'a> {
    /// A disk whose records are in memory.
    pub fn new(snapshot: Option<&'a [u8]>, records: &'a [Vec<u8>]) -> OnDisk<'a> {
        let records = Records::new(records.iter());
        OnDisk { snapshot, records }
    }
}

/// Where the records of a log come from, each to be looked at before the next is asked for: so that a log
/// need not be in memory twice, and one part of it is read while another is decoded.
pub trait RecordSource {
    /// The next record; nothing after the last.
    fn next_record(&mut self) -> Option<&[u8]>;
}

impl RecordSource for std::slice::Iter<'_, Vec<u8>> {
    fn next_record(&mut self) -> Option<&[u8]> {
        self.next().map(Vec::as_slice)
    }
}

/// The records of a log, in order.
#[derive(Default)]
pub struct Records<'a> {
    source: Option<Box<dyn RecordSource + 'a>>,
    number: usize,
    bytes: u64,
}

impl<'a> Records<'a> {
    /// All that the source has.
    pub fn new(source: impl RecordSource + 'a) -> Records<'a> {
        Records {
            source: Some(Box::new(source)),
            number: 0,
            bytes: 0,
        }
    }

    /// How many bytes of records have been read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the next record, and its number, from 1.
    pub(crate) fn read<R: Decode>(&mut self) -> Result<Option<(usize, R)>, RecoverError> {
        let next = self.source.as_mut().and_then(|source| source.next_record());
        let Some(bytes) = next else { return Ok(None) };
        self.number += 1;
        self.bytes += bytes.len() as u64;
        let number = self.number;
        let record = R::from_bytes(bytes);
        let record = record.map_err(|source| RecoverError::BadRecord { number, source })?;
        Ok(Some((number, record)))
    }
}
