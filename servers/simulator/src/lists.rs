//! Single-writer lists: a load whose judgement costs nearly nothing.
//!
//! Every other client owns a list, to which it alone appends 1, 2, 3 and so on, trying each again until it is
//! acknowledged; all read all lists. (Those that only read matter: a client whose append hangs at a leader
//! that was cut off sees nothing of what that leader serves meanwhile.) So a read must give a list `1..=k`:
//! nothing lost in the middle, nothing twice. And it is linearizable if and only if k is at least what was
//! acknowledged to the owner, or seen by anyone, before the read began, and no more than what the owner had
//! begun by its end. For one writer that is all there is to check.

use partita_protocols::store::{Answer, Command, Operation, SessionSequence, Value};
use partita_protocols::{Encode, Random};
use rand::{RngExt, SeedableRng};

use crate::load::{Ask, Ended, Load};

/// The lists, and what is known of each.
#[derive(Debug)]
pub struct Lists {
    random: Random,
    lists: Vec<List>,
    doing: Vec<Option<Doing>>,
}

/// A client's list; of clients that only read, an empty one.
#[derive(Clone, Debug, Default)]
struct List {
    /// The last value that its owner has begun to append, and the last that was acknowledged.
    begun: i64,
    acknowledged: i64,
    /// The last value that any read gave.
    seen: i64,
}

#[derive(Clone, Debug)]
enum Doing {
    Append,
    /// A read of this client's list, which must be at least so long.
    Read {
        owner: usize,
        at_least: i64,
    },
}

impl Lists {
    /// For so many clients.
    pub fn new(clients: usize, random: Random) -> Lists {
        Lists {
            random,
            lists: vec![List::default(); clients],
            doing: vec![None; clients],
        }
    }

    fn judge(&mut self, owner: usize, at_least: i64, value: &Value) -> Result<(), String> {
        let items = match value {
            Value::Null => &[][..],
            Value::List(items) => items,
            _ => return Err(format!("the list of {} is {value:?}", name(owner))),
        };
        let list = &mut self.lists[owner];
        let length = items.len() as i64;
        if let Some((expected, found)) = (1..)
            .zip(items)
            .find(|(expected, item)| **item != Value::Int(*expected))
        {
            return Err(format!(
                "the list of {} has {found:?} where {expected} should be",
                name(owner)
            ));
        }
        if length < at_least {
            let owner = name(owner);
            return Err(format!(
                "the list of {owner} was read up to {length}, but it had {at_least} before the read"
            ));
        }
        if length > list.begun {
            let begun = list.begun;
            return Err(format!(
                "the list of {} was read up to {length}; only {begun} was begun",
                name(owner)
            ));
        }
        list.seen = list.seen.max(length);
        Ok(())
    }
}

impl Load for Lists {
    fn ask(&mut self, client: usize, _now_us: u64) -> Option<Ask> {
        let owner = self.random.random_range(0..self.lists.len()) / 2 * 2;
        let mine = &mut self.lists[client];
        let unacknowledged = mine.begun > mine.acknowledged;
        let appends = client.is_multiple_of(2) && (unacknowledged || self.random.random_bool(0.7));
        if !appends {
            let at_least = self.lists[owner].acknowledged.max(self.lists[owner].seen);
            self.doing[client] = Some(Doing::Read { owner, at_least });
            return Some(Ask::Query(read(name(owner))));
        }
        mine.begun = mine.acknowledged + 1;
        let command = Command {
            session: Some(SessionSequence {
                session: name(client),
                sequence: mine.begun.unsigned_abs(),
            }),
            operation: Operation::Append {
                key: name(client),
                value: Value::Int(mine.begun),
            },
        };
        self.doing[client] = Some(Doing::Append);
        Some(Ask::Apply(command.to_bytes().into()))
    }

    fn reseed(&mut self, seed: u64) {
        self.random = Random::seed_from_u64(seed);
    }

    fn settle(&mut self, client: usize, ended: Ended, _now_us: u64) -> Result<(), String> {
        let Some(doing) = self.doing[client].take() else {
            return Ok(());
        };
        match (doing, ended) {
            (Doing::Append, Ended::Answer(Answer::Done)) => {
                let mine = &mut self.lists[client];
                mine.acknowledged = mine.begun;
                Ok(())
            }
            (Doing::Read { owner, at_least }, Ended::Answer(Answer::Value(value))) => {
                self.judge(owner, at_least, &value)
            }
            (_, Ended::Refused | Ended::Unknown) => Ok(()),
            (doing, Ended::Answer(answer)) => Err(format!(
                "{} was doing {doing:?} and was answered {answer:?}",
                name(client)
            )),
        }
    }
}

fn read(key: String) -> partita_protocols::Command {
    let command = Command {
        session: None,
        operation: Operation::Read { key },
    };
    command.to_bytes().into()
}

fn name(client: usize) -> String {
    format!("c{client}")
}
