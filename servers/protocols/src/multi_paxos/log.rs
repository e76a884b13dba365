//! The slots, in memory.

use std::collections::BTreeMap;

use super::ballot::Ballot;
use super::value::Value;
use crate::codec::{Decode, DecodeError, Encode, Reader};

/// What a node last accepted for a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// In which ballot.
    pub ballot: Ballot,
    /// What.
    pub value: Value,
}

/// A slot that holds something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What was accepted last.
    pub vote: Vote,
    /// Is this value known to be chosen?
    pub chosen: bool,
}

/// Every slot that holds something, durable or not. Slots are filled in any order and may have gaps.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Up to here slots are chosen and gone: a snapshot holds what they did.
    base: u64,
    slots: BTreeMap<u64, Slot>,
}

impl Log {
    /// Up to here slots are gone.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The last slot that holds something, or that is gone.
    pub fn last(&self) -> u64 {
        self.slots.last_key_value().map_or(self.base, |(&slot, _)| slot)
    }

    /// The slot, if it holds something.
    pub fn get(&self, slot: u64) -> Option<&Slot> {
        self.slots.get(&slot)
    }

    /// The slots from this one on that hold something.
    pub fn from(&self, slot: u64) -> impl Iterator<Item = (u64, &Slot)> {
        self.slots.range(slot..).map(|(&slot, what)| (slot, what))
    }

    /// Accepts, unless that was done in this ballot or a later one, or the slot is known to be chosen: then
    /// it is this very value that was. Says whether anything changed.
    pub(super) fn accept(&mut self, slot: u64, ballot: Ballot, value: &Value) -> bool {
        let settled = |held: &Slot| held.chosen || held.vote.ballot >= ballot;
        if slot <= self.base || self.slots.get(&slot).is_some_and(settled) {
            return false;
        }
        let vote = Vote {
            ballot,
            value: value.clone(),
        };
        self.slots.insert(slot, Slot { vote, chosen: false });
        true
    }

    /// The value is chosen, whatever was accepted here. Says whether that is news.
    pub(super) fn learn(&mut self, slot: u64, vote: Vote) -> bool {
        if slot <= self.base || self.slots.get(&slot).is_some_and(|held| held.chosen) {
            return false;
        }
        self.slots.insert(slot, Slot { vote, chosen: true });
        true
    }

    /// What was accepted for the slot is chosen.
    pub(super) fn mark_chosen(&mut self, slot: u64) {
        if let Some(held) = self.slots.get_mut(&slot) {
            held.chosen = true;
        }
    }

    /// Forgets the slots up to this one.
    pub(super) fn forget_through(&mut self, slot: u64) {
        if slot > self.base {
            self.slots = self.slots.split_off(&(slot + 1));
            self.base = slot;
        }
    }

    /// The sizes of the values up to this slot, the last first.
    pub(super) fn sizes_upto(&self, slot: u64) -> impl Iterator<Item = usize> {
        let held = self.slots.range(..=slot).rev();
        held.map(|(_, held)| held.vote.value.size())
    }

    /// Votes of slots without a gap from this one on: at least one if the slot holds something, and then
    /// while they fit and are wanted.
    pub(super) fn run_from(
        &self,
        first: u64,
        slots_max: usize,
        bytes_max: usize,
        wanted: impl Fn(u64, &Slot) -> bool,
    ) -> Vec<Vote> {
        let mut bytes = 0;
        (first..)
            .zip(self.slots.range(first..))
            .take(slots_max)
            .take_while(|(expected, (slot, held))| {
                let is_first = bytes == 0;
                bytes += held.vote.value.size();
                expected == *slot && wanted(**slot, held) && (is_first || bytes <= bytes_max)
            })
            .map(|(_, (_, held))| held.vote.clone())
            .collect()
    }
}

impl Encode for Vote {
    fn encode(&self, out: &mut Vec<u8>) {
        self.ballot.encode(out);
        self.value.encode(out);
    }
}

impl Decode for Vote {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Vote {
            ballot: Ballot::decode(input)?,
            value: Value::decode(input)?,
        })
    }
}
