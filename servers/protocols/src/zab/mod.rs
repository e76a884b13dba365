//! Zab (Junqueira, Reed, Serafini, *Zab: High-performance broadcast for primary-backup systems*, DSN 2011:
//! "the paper"; Medeiros, *ZooKeeper's atomic broadcast protocol: Theory and practice*, 2012: "Medeiros").
//!
//! One node, the *leader* or primary, makes *transactions* and broadcasts them in order. Each has a *zxid*:
//! the *epoch* of its leader and a counter. What a node has accepted is its *history*; a transaction that a
//! quorum has accepted is *committed*, and *delivered* (here: applied) by all in the order of zxids.
//!
//! | phase | what happens | where |
//! |---|---|---|
//! | 0 election | who looks for a leader takes over the best vote: current epoch, zxid, name | `election.rs`, Medeiros 4.2 |
//! | 1 discovery | CEPOCH, NEWEPOCH, ACK-E: a quorum promises an epoch later than any before | `lead.rs`, `follow.rs`, paper phase 1 |
//! | 2 synchronization | DIFF, TRUNC or SNAP, then NEWLEADER, ACK-LD, UPTODATE: a quorum goes by the leader's history | `peer.rs`, `lead.rs`, `follow.rs`, `snapshot.rs`, paper phase 2 |
//! | 3 broadcast | PROPOSE, ACK, COMMIT | `broadcast.rs`, `follow.rs`, paper phase 3 |
//!
//! | file | what else it decides |
//! |---|---|
//! | `node.rs` | one step; delivery; promises wait until what they promise is durable |
//! | `read.rs` | SYNC: linearizable reads, at the leader and at followers |
//! | `membership.rs`, `ensemble.rs` | reconfiguration (Shraer et al. 2012); what a quorum is |
//! | `handover.rs` | a leader names its successor |
//! | `zxid.rs`, `history.rs`, `record.rs`, `message.rs` | names, the history, its form on disk, what nodes say |
//!
//! A leader that a quorum does not answer, and a follower that does not hear its leader, look for a leader
//! again.
//!
//! **Paper and practice.** In the paper anybody may be elected, and takes over the most recent history of the
//! quorum that promises it its epoch. As in ZooKeeper, ours must have that history already: votes are compared
//! by how recent histories are, and a leader to which a follower of its quorum shows a more recent one gives
//! up. So once a quorum has promised, the leader's own history is the one that the paper would have it take.
//! It holds all that is committed: what was committed in epoch e, a quorum held with e as its current epoch,
//! and of every later quorum of promises one node is among those; whoever is at least as recent either goes
//! by a later epoch, whose leader had it (by induction), or by the same, and then has a history that is as
//! long of the same leader.
//!
//! **Two epochs on disk.** The *accepted* epoch (f.p) is what a node has promised, and to whom; the *current*
//! one (f.a) is that of the last leader by whose history it goes. The first keeps an epoch to one leader: it
//! is durable before ACK-E leaves, at the leader before NEWEPOCH does. The second says how recent a history
//! is: it is written after the history that was taken over, and ACK-LD leaves when both are durable. While a
//! follower is being synchronized its current epoch stays what it was, so it boasts of nothing it may lack;
//! all it has lost by TRUNC or SNAP was not committed.
//!
//! **The network.** Zab is written for channels in order (TCP). Ours lose, double and reorder; what takes the
//! place of the order is said in `peer.rs`.

mod broadcast;
mod defects;
mod election;
mod ensemble;
mod follow;
mod handover;
mod history;
mod lead;
mod membership;
mod message;
mod node;
mod peer;
mod read;
mod record;
mod snapshot;
#[cfg(test)]
mod tests;
mod zxid;

pub use defects::DEFECTS;
pub use ensemble::{Ensemble, Pending};
pub use history::{History, Payload, Transaction};
pub use message::{Accepted, Body, Message, Standing};
pub use node::Zab;
pub use zxid::{Recency, Vote, Zxid};
