//! Registers that are written once: what clients ask of them, and what they may be answered.
//!
//! Several clients propose values for a register at about the same time, each value once; others read it. What
//! must hold: *validity* (what is decided was proposed), *agreement* (all are told the same) and *integrity*
//! (for ever); and once anybody was told what is decided, nobody who asks later is told that nothing is.

use std::collections::{BTreeMap, BTreeSet};

use partita_protocols::store::{Answer, Command, Operation, Value};
use partita_protocols::{Encode as _, Random};
use rand::{RngExt, SeedableRng};

use crate::load::{Ask, Ended, Load};

/// After how many requests there is a new register.
const REQUESTS_A_REGISTER: u64 = 12;
/// Most requests are about one of so many that are the newest, about which clients compete;
const NEWEST: u64 = 3;
/// some about one of so many, with which something may have gone wrong; and a few about any.
const RECENT: u64 = 30;

/// The registers, and what is known of each.
#[derive(Debug)]
pub struct Registers {
    random: Random,
    requests: u64,
    registers: BTreeMap<u64, Register>,
    /// What each client waits for.
    doing: BTreeMap<usize, Asked>,
}

#[derive(Debug, Default)]
struct Register {
    /// The values that anybody proposed.
    proposed: BTreeSet<i64>,
    /// What somebody was told that is decided.
    decided: Option<i64>,
}

/// What a client asked for.
#[derive(Clone, Debug)]
enum Asked {
    Propose {
        register: u64,
    },
    Read {
        register: u64,
        /// Somebody had been told what is decided before.
        was_decided: bool,
    },
}

impl Load for Registers {
    fn ask(&mut self, client: usize, _now_us: u64) -> Option<Ask> {
        self.requests += 1;
        let newest = self.requests / REQUESTS_A_REGISTER;
        let age = match self.random.random_range(0..10) {
            0..6 => self.random.random_range(0..NEWEST),
            6..9 => self.random.random_range(0..RECENT),
            _ => self.random.random_range(0..=newest),
        };
        let register = newest.saturating_sub(age);
        let state = self.registers.entry(register).or_default();
        let key = name(register);
        let reads = self.random.random_bool(0.5);
        let (asked, operation) = if reads {
            let was_decided = state.decided.is_some();
            (
                Asked::Read {
                    register,
                    was_decided,
                },
                Operation::Read { key },
            )
        } else {
            let value = self.requests.cast_signed();
            state.proposed.insert(value);
            let value = Value::Int(value);
            (Asked::Propose { register }, Operation::Propose { key, value })
        };
        self.doing.insert(client, asked);
        let session = None;
        let command = Command { session, operation }.to_bytes().into();
        Some(if reads {
            Ask::Query(command)
        } else {
            Ask::Apply(command)
        })
    }

    fn reseed(&mut self, seed: u64) {
        self.random = Random::seed_from_u64(seed);
    }

    fn settle(&mut self, client: usize, ended: Ended, _now_us: u64) -> Result<(), String> {
        match (self.doing.remove(&client), ended) {
            (Some(asked), Ended::Answer(Answer::Value(value))) => self.judge(&asked, &value),
            (asked, Ended::Answer(answer)) => Err(format!("{asked:?} was answered {answer:?}")),
            (_, Ended::Refused | Ended::Unknown) => Ok(()),
        }
    }
}

impl Registers {
    /// Of any number of clients.
    pub fn new(random: Random) -> Registers {
        Registers {
            random,
            requests: 0,
            registers: BTreeMap::new(),
            doing: BTreeMap::new(),
        }
    }

    /// Says what is wrong with an answer.
    fn judge(&mut self, asked: &Asked, value: &Value) -> Result<(), String> {
        let (Asked::Propose { register } | Asked::Read { register, .. }) = *asked;
        let name = name(register);
        let Register { proposed, decided } = self.registers.entry(register).or_default();
        match (asked, value) {
            (
                Asked::Read {
                    was_decided: false, ..
                },
                Value::Null,
            ) => Ok(()),
            (Asked::Read { .. }, Value::Null) => Err(format!(
                "stale read: {name} was read as empty, but {decided:?} had been decided before the read"
            )),
            (_, Value::Int(value)) if !proposed.contains(value) => Err(format!(
                "validity: {value} was decided for {name}, and nobody proposed it"
            )),
            (_, Value::Int(value)) => match *decided.get_or_insert(*value) {
                known if known == *value => Ok(()),
                known => Err(format!(
                    "agreement: {known} was decided for {name}, and {value} was, too"
                )),
            },
            _ => Err(format!("{asked:?} was answered {value:?}")),
        }
    }
}

fn name(register: u64) -> String {
    format!("w{register}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn what_breaks_a_property_is_told_by_its_name() {
        let mut registers = Registers::new(Random::seed_from_u64(1));
        let proposed = [7, 8].into();
        registers.registers.insert(
            1,
            Register {
                proposed,
                decided: None,
            },
        );
        let propose = Asked::Propose { register: 1 };
        let read = |was_decided| Asked::Read {
            register: 1,
            was_decided,
        };
        let mut judge = |asked: &Asked, value| match registers.judge(asked, &value) {
            Ok(()) => "fine".to_owned(),
            Err(what) => what.split(':').next().unwrap_or_default().to_owned(),
        };
        assert_eq!(judge(&read(false), Value::Null), "fine");
        assert_eq!(judge(&propose, Value::Int(9)), "validity");
        assert_eq!(judge(&propose, Value::Int(8)), "fine");
        assert_eq!(
            judge(&read(false), Value::Null),
            "fine",
            "it may have come before"
        );
        assert_eq!(judge(&read(true), Value::Null), "stale read");
        assert_eq!(judge(&propose, Value::Int(8)), "fine");
        assert_eq!(judge(&read(true), Value::Int(7)), "agreement");
    }
}
