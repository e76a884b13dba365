//! What nodes say to each other, and its binary form.

use super::history::{Transaction, put_transactions, transactions};
use super::zxid::{Recency, Vote, Zxid};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_optional, put_unsigned};
use crate::config::NodeId;
use crate::transfer::Chunk;

/// The last epoch that a node has promised to take part in (f.p), and to whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The epoch.
    pub epoch: u64,
    /// The would-be leader that proposed it.
    pub leader: Option<NodeId>,
}

/// What a node is, as its notifications say (Medeiros, section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Looks for a leader.
    Looking,
    /// Follows the node that its vote names.
    Following,
    /// Leads.
    Leading,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// How the sender votes, or has voted, in its round of election.
    Notification {
        /// The sender's round.
        round: u64,
        /// The sender's vote.
        vote: Vote,
        /// What the sender is.
        standing: Standing,
    },
    /// "Lead me" (CEPOCH, which ZooKeeper calls FOLLOWERINFO).
    CurrentEpoch {
        /// What the follower last promised.
        accepted: Accepted,
    },
    /// What leader and follower say to each other within an epoch.
    Epoch {
        /// The epoch.
        epoch: u64,
        /// What is said.
        body: Body,
    },
}

/// What leader and follower say to each other. A leader's transactions and a follower's acknowledgements name
/// what is before them, or how far they go, so that they may be lost, doubled and reordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// "This shall be our epoch" (NEWEPOCH; LEADERINFO).
    NewEpoch,
    /// "I promise; this is how recent my history is" (ACK-E; ACKEPOCH).
    AckEpoch {
        /// How recent it is.
        recency: Recency,
    },
    /// "Cut what you have after this" (TRUNC).
    Truncate {
        /// The last transaction that may stay.
        to: Zxid,
    },
    /// Part of a snapshot (SNAP).
    Snapshot(Chunk),
    /// "Go on with the snapshot that ends at this index, from this byte on."
    WantChunk {
        /// The last index of the snapshot.
        index: u64,
        /// The first byte that is missing.
        offset: u64,
    },
    /// "Accept these, which follow that one" (PROPOSE; while a follower is synchronized, that is DIFF).
    Propose {
        /// The transaction before them.
        previous: Zxid,
        /// What to accept.
        transactions: Vec<Transaction>,
        /// The last committed one.
        commit: Zxid,
    },
    /// "My history is yours up to this one, durably" (ACK).
    Ack {
        /// The last of those that were accepted.
        last: Zxid,
    },
    /// "That does not follow what I have; this is the last of mine."
    Lacks {
        /// The last transaction here.
        last: Zxid,
    },
    /// "You now have my history; go by it" (NEWLEADER).
    NewLeader {
        /// The last transaction of it.
        last: Zxid,
    },
    /// "My history is yours, durably, and this epoch is my current one" (ACK-LD).
    AckNewLeader {
        /// The last transaction of it.
        last: Zxid,
    },
    /// "A quorum has my history: it is committed" (COMMIT-LD; UPTODATE).
    UpToDate {
        /// The last committed transaction.
        commit: Zxid,
    },
    /// "Committed up to this one" (COMMIT).
    Commit {
        /// The last committed transaction.
        last: Zxid,
    },
    /// "I still lead."
    Ping {
        /// The round of pings, to which the answer refers: reads wait for a round.
        round: u64,
        /// The last committed transaction.
        commit: Zxid,
        /// Has a quorum acknowledged NEWLEADER?
        established: bool,
    },
    /// "I have promised no later epoch."
    Pong {
        /// The round that is answered.
        round: u64,
    },
    /// "How far is what I may serve?" (SYNC).
    Sync {
        /// The number of the question, among this follower's.
        number: u64,
    },
    /// "This far, for all your questions up to this one."
    Synced {
        /// The last question that is answered.
        number: u64,
        /// The last committed transaction.
        commit: Zxid,
    },
    /// "I hand over": the receiver shall lead, or follow the one that shall.
    HandOver {
        /// Who shall lead.
        to: NodeId,
        /// The round of election of which that counts as the outcome.
        round: u64,
    },
}

impl Encode for Accepted {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.epoch);
        put_optional(out, self.leader.as_ref(), |out, node| node.encode(out));
    }
}

impl Decode for Accepted {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Accepted {
            epoch: input.unsigned("an epoch")?,
            leader: input.optional("a leader", NodeId::decode)?,
        })
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Notification {
                round,
                vote,
                standing,
            } => {
                out.push(match standing {
                    Standing::Looking => 0,
                    Standing::Following => 1,
                    Standing::Leading => 2,
                });
                put_unsigned(out, *round);
                vote.encode(out);
            }
            Message::CurrentEpoch { accepted } => {
                out.push(3);
                accepted.encode(out);
            }
            Message::Epoch { epoch, body } => {
                out.push(4 + body.tag());
                put_unsigned(out, *epoch);
                body.encode_fields(out);
            }
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let notification = |standing, input: &mut Reader<'_>| {
            Ok(Message::Notification {
                round: input.unsigned("a round")?,
                vote: Vote::decode(input)?,
                standing,
            })
        };
        match input.byte("a message")? {
            0 => notification(Standing::Looking, input),
            1 => notification(Standing::Following, input),
            2 => notification(Standing::Leading, input),
            3 => Ok(Message::CurrentEpoch {
                accepted: Accepted::decode(input)?,
            }),
            tag => Ok(Message::Epoch {
                epoch: input.unsigned("an epoch")?,
                body: Body::decode_fields(tag, input)?,
            }),
        }
    }
}

impl Body {
    fn tag(&self) -> u8 {
        match self {
            Body::NewEpoch => 0,
            Body::AckEpoch { .. } => 1,
            Body::Truncate { .. } => 2,
            Body::Snapshot(_) => 3,
            Body::WantChunk { .. } => 4,
            Body::Propose { .. } => 5,
            Body::Ack { .. } => 6,
            Body::Lacks { .. } => 7,
            Body::NewLeader { .. } => 8,
            Body::AckNewLeader { .. } => 9,
            Body::UpToDate { .. } => 10,
            Body::Commit { .. } => 11,
            Body::Ping { .. } => 12,
            Body::Pong { .. } => 13,
            Body::Sync { .. } => 14,
            Body::Synced { .. } => 15,
            Body::HandOver { .. } => 16,
        }
    }

    fn encode_fields(&self, out: &mut Vec<u8>) {
        match self {
            Body::NewEpoch => {}
            Body::AckEpoch { recency } => recency.encode(out),
            Body::Snapshot(chunk) => chunk.encode(out),
            Body::WantChunk { index, offset } => {
                put_unsigned(out, *index);
                put_unsigned(out, *offset);
            }
            Body::Propose {
                previous,
                transactions,
                commit,
            } => {
                previous.encode(out);
                commit.encode(out);
                put_transactions(out, transactions);
            }
            Body::Truncate { to: zxid }
            | Body::Ack { last: zxid }
            | Body::Lacks { last: zxid }
            | Body::NewLeader { last: zxid }
            | Body::AckNewLeader { last: zxid }
            | Body::UpToDate { commit: zxid }
            | Body::Commit { last: zxid } => zxid.encode(out),
            Body::Ping {
                round,
                commit,
                established,
            } => {
                put_unsigned(out, *round);
                commit.encode(out);
                out.push(u8::from(*established));
            }
            Body::Pong { round: number } | Body::Sync { number } => put_unsigned(out, *number),
            Body::Synced { number, commit } => {
                put_unsigned(out, *number);
                commit.encode(out);
            }
            Body::HandOver { to, round } => {
                to.encode(out);
                put_unsigned(out, *round);
            }
        }
    }

    fn decode_fields(tag: u8, input: &mut Reader<'_>) -> Result<Body, DecodeError> {
        Ok(match tag - 4 {
            0 => Body::NewEpoch,
            1 => Body::AckEpoch {
                recency: Recency::decode(input)?,
            },
            2 => Body::Truncate {
                to: Zxid::decode(input)?,
            },
            3 => Body::Snapshot(Chunk::decode(input)?),
            4 => Body::WantChunk {
                index: input.unsigned("an index")?,
                offset: input.unsigned("an offset")?,
            },
            5 => Body::Propose {
                previous: Zxid::decode(input)?,
                commit: Zxid::decode(input)?,
                transactions: transactions(input)?,
            },
            6 => Body::Ack {
                last: Zxid::decode(input)?,
            },
            7 => Body::Lacks {
                last: Zxid::decode(input)?,
            },
            8 => Body::NewLeader {
                last: Zxid::decode(input)?,
            },
            9 => Body::AckNewLeader {
                last: Zxid::decode(input)?,
            },
            10 => Body::UpToDate {
                commit: Zxid::decode(input)?,
            },
            11 => Body::Commit {
                last: Zxid::decode(input)?,
            },
            12 => Body::Ping {
                round: input.unsigned("a round")?,
                commit: Zxid::decode(input)?,
                established: input.boolean("a ping")?,
            },
            13 => Body::Pong {
                round: input.unsigned("a round")?,
            },
            14 => Body::Sync {
                number: input.unsigned("a number")?,
            },
            15 => Body::Synced {
                number: input.unsigned("a number")?,
                commit: Zxid::decode(input)?,
            },
            16 => Body::HandOver {
                to: NodeId::decode(input)?,
                round: input.unsigned("a round")?,
            },
            _ => {
                return Err(DecodeError::UnknownTag {
                    what: "a message",
                    tag,
                });
            }
        })
    }
}
