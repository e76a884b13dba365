//! A fingerprint of all that happened.

use partita_protocols::{Administration, Effect, Encode, Input, NodeId};

/// Takes in everything that happens, in order; two runs that differ anywhere differ in it, as good as
/// certainly. It is the same on every machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fingerprint {
    value: u64,
    /// What is being taken in; kept, so that its memory is.
    bytes: Vec<u8>,
}

impl Fingerprint {
    pub(crate) fn value(&self) -> u64 {
        self.value
    }

    /// A message reaches a node. What it says was taken in when it was sent.
    pub(crate) fn delivery(&mut self, node: NodeId, number: u64) {
        self.bytes.extend_from_slice(node.as_bytes());
        self.take(1, number);
    }

    /// A node takes an input, other than ticks, which show in their effects, and messages.
    pub(crate) fn input<M>(&mut self, node: NodeId, input: &Input<M>) {
        let (tag, number) = match input {
            Input::Tick | Input::Receive { .. } => return,
            Input::Propose(proposals) => {
                for proposal in proposals {
                    self.bytes.extend_from_slice(&proposal.command);
                }
                (2, proposals.first().map_or(0, |proposal| proposal.request.0))
            }
            Input::Read(queries) => (3, queries.first().map_or(0, |query| query.request.0)),
            Input::Administer { request, what } => {
                self.administration(what);
                (4, request.0)
            }
            Input::Persisted(write) => (5, write.0),
            // A state follows from what was applied; its bytes are taken in when they go to disk.
            Input::SnapshotTaken { index, .. } => (6, *index),
        };
        self.bytes.extend_from_slice(node.as_bytes());
        self.take(tag, number);
    }

    /// A node has an effect.
    pub(crate) fn effect<M: Encode>(&mut self, effect: &Effect<M>) {
        let (tag, number) = match effect {
            Effect::Persist { write, record } => {
                self.bytes.extend_from_slice(record);
                (10, write.0)
            }
            Effect::Compact {
                write,
                snapshot,
                records,
            } => {
                self.bytes.extend_from_slice(snapshot);
                for record in records {
                    self.bytes.extend_from_slice(record);
                }
                (11, write.0)
            }
            Effect::Send { to, message } => {
                self.bytes.extend_from_slice(to.as_bytes());
                message.encode(&mut self.bytes);
                (12, 0)
            }
            Effect::Apply {
                index,
                command,
                request,
            } => {
                self.bytes
                    .extend_from_slice(command.as_deref().unwrap_or_default());
                (13 + u64::from(request.is_some()), *index)
            }
            Effect::TakeSnapshot => (15, 0),
            Effect::Restore { index, .. } => (16, *index),
            Effect::ReadReady(request) => (17, request.0),
            Effect::Refuse { request, leader } => {
                let leader = leader.as_ref().map_or(&[][..], NodeId::as_bytes);
                self.bytes.extend_from_slice(leader);
                (18, request.0)
            }
            Effect::Done(request) => (19, request.0),
            Effect::Reject { request, why } => {
                self.bytes.extend_from_slice(why.as_bytes());
                (20, request.0)
            }
            Effect::Unknown(request) => (21, request.0),
        };
        self.take(tag, number);
    }

    /// Something else happens.
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.take(30, 0);
    }

    fn administration(&mut self, what: &Administration) {
        let (tag, node) = match what {
            Administration::AddMember(node) => (0, Some(node)),
            Administration::RemoveMember(node) => (1, Some(node)),
            Administration::Transfer { to } => (2, to.as_ref()),
            Administration::Snapshot => (3, None),
        };
        self.bytes.push(tag);
        self.bytes.extend_from_slice(node.map_or(&[], NodeId::as_bytes));
    }

    fn take(&mut self, tag: u64, number: u64) {
        self.mix(tag | (self.bytes.len() as u64) << 8);
        self.mix(number);
        let bytes = std::mem::take(&mut self.bytes);
        let (words, rest) = bytes.as_chunks();
        for &word in words {
            self.mix(u64::from_le_bytes(word));
        }
        if !rest.is_empty() {
            self.mix(rest.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)));
        }
        self.bytes = bytes;
        self.bytes.clear();
    }

    /// As FxHash mixes: fast, and good enough to tell runs apart.
    fn mix(&mut self, word: u64) {
        self.value = (self.value.rotate_left(5) ^ word).wrapping_mul(0x51_7c_c1_b7_27_22_0a_95);
    }
}
