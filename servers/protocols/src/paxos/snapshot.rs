//! What replaces the log.
//!
//! The core knows every decision, and the store holds nothing else: so the snapshot is the core's own, made
//! in one step, without a copy of the store; and a node that starts applies its decisions again. Beside them
//! it holds what the acceptor must not forget: its promises and acceptances where nothing is decided yet.

use std::collections::BTreeMap;

use super::acceptor::{Acceptor, Instance};
use super::ballots::{Ballot, Numbered};
use super::defects;
use super::message::{decision, key, put_key};
use super::node::{Effects, Key, Paxos};
use super::record::Record;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_optional, put_unsigned};
use crate::protocol::{Command, WriteId};

/// All that must survive.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) reserved: u64,
    pub(super) acceptor: Acceptor,
    pub(super) decisions: BTreeMap<Key, Command>,
}

impl Paxos {
    /// Cuts the log when it has become long, and longer than what replaces it: so the work of cutting it is
    /// bounded by that of writing it.
    pub(super) fn cut_long_log(&mut self, effects: &mut Effects) {
        let live = self.decisions.len() + self.acceptor.instances.len();
        let many = self.log_changes >= self.config.snapshot_entries.max(live as u64);
        if many || self.config.is_long(&self.writes) {
            self.cut_log(effects);
        }
    }

    pub(super) fn cut_log(&mut self, effects: &mut Effects) {
        let nothing = Acceptor::default();
        let acceptor = if self.config.has(&defects::SNAPSHOT_FORGETS_ACCEPTED) {
            &nothing
        } else {
            &self.acceptor
        };
        let snapshot = encode(self.rounds.reserved, acceptor, &self.decisions);
        self.writes.compact(snapshot.into(), &[] as &[Record], effects);
        self.log_changes = 0;
        self.in_snapshot = self.decisions.len() as u64;
    }
}

fn encode(reserved: u64, acceptor: &Acceptor, decisions: &BTreeMap<Key, Command>) -> Vec<u8> {
    let mut out = Vec::new();
    put_unsigned(&mut out, reserved);
    put_optional(&mut out, acceptor.floor, |out, floor| floor.encode(out));
    put_unsigned(&mut out, acceptor.instances.len() as u64);
    for (
        key,
        Instance {
            promised, accepted, ..
        },
    ) in &acceptor.instances
    {
        put_key(&mut out, key);
        promised.encode(&mut out);
        put_optional(&mut out, accepted.as_ref(), |out, accepted| accepted.encode(out));
    }
    put_unsigned(&mut out, decisions.len() as u64);
    for (key, value) in decisions {
        put_key(&mut out, key);
        put_bytes(&mut out, value);
    }
    out
}

impl Decode for Snapshot {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut snapshot = Snapshot {
            reserved: input.unsigned("a round")?,
            ..Snapshot::default()
        };
        snapshot.acceptor.floor = input.optional("a ballot", Ballot::decode)?;
        for _ in 0..input.unsigned("a number of instances")? {
            let key = key(input)?;
            let instance = Instance {
                promised: Ballot::decode(input)?,
                accepted: input.optional("a proposal", Numbered::decode)?,
                write: WriteId(0),
            };
            snapshot.acceptor.instances.insert(key, instance);
        }
        for _ in 0..input.unsigned("a number of decisions")? {
            let (key, value) = decision(input)?;
            snapshot.decisions.insert(key, value);
        }
        Ok(snapshot)
    }
}
