//! Locks with fencing tokens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use partita_generator::{Client, Generator, Op, Random};
use partita_history::{EventType, OpEvent, Value};
use rand::RngExt;

use crate::Workload;
use crate::keys::Keys;

/// Clients acquire locks and release what they hold, by its token. A client whose operation has an unknown
/// outcome is gone, and what it holds would be held for ever: whoever is refused learns the token, and if no
/// client is known to have it, the lock is released by that. In the end every lock is acquired once more: a lock
/// that was lost gives a token for the second time.
pub(crate) struct Lock;

const KEYS: usize = 8;
const OPERATIONS_A_KEY: u32 = 60;

impl Workload for Lock {
    fn name(&self) -> &'static str {
        "lock"
    }

    fn summary(&self) -> &'static str {
        "acquisitions and releases of several locks, each acquisition telling its fencing token; must be linearizable"
    }

    fn object(&self) -> &'static str {
        "lock"
    }

    fn functions(&self) -> &'static [&'static str] {
        &["acquire", "release"]
    }

    fn model(&self) -> &'static str {
        "fenced-lock"
    }

    fn generator(&self) -> Box<dyn Generator> {
        Box::new(Operations {
            keys: Keys::new('l', KEYS, OPERATIONS_A_KEY),
            holds: Holds::default(),
        })
    }
}

/// Who is known to hold what.
#[derive(Debug, Default)]
struct Holds {
    /// By lock: the process, and its token.
    held: BTreeMap<Value, (u64, Value)>,
    /// Locks that nobody is known to hold, with the token by which they are held nevertheless.
    orphans: BTreeMap<Value, Value>,
}

impl Holds {
    /// What this process is to do if it is to release something: its own, or an orphan.
    fn release(&mut self, process: u64) -> Option<Op> {
        let own = self.held.iter().find(|(_, (holder, _))| *holder == process);
        let (key, token) = match own {
            Some((key, (_, token))) => (key.clone(), token.clone()),
            None => self.orphans.pop_first()?,
        };
        Some(Op::new("release", key, token))
    }

    fn update(&mut self, event: &OpEvent) {
        let Some(key) = &event.key else { return };
        if event.kind == EventType::Info {
            // The client is replaced by another.
            self.held.retain(|_, (holder, _)| *holder != event.process);
        }
        match (event.kind, event.f.as_str()) {
            (EventType::Ok, "acquire") => {
                self.held
                    .insert(key.clone(), (event.process, event.value.clone()));
                self.orphans.remove(key);
            }
            (EventType::Ok, "release") => self.forget(key, &event.value),
            // Somebody else has released it.
            (EventType::Fail, "release") if event.observed.is_some() => self.forget(key, &event.value),
            (EventType::Fail, "acquire") => {
                if let Some(token) = &event.observed
                    && self.held.get(key).is_none_or(|(_, known)| known != token)
                {
                    self.orphans.insert(key.clone(), token.clone());
                }
            }
            _ => {}
        }
    }

    fn forget(&mut self, key: &Value, token: &Value) {
        if self.held.get(key).is_some_and(|(_, known)| known == token) {
            self.held.remove(key);
        }
    }
}

struct Operations {
    keys: Keys,
    holds: Holds,
}

impl Generator for Operations {
    fn next(&mut self, client: Client, rng: &mut Random) -> Option<Op> {
        // Now and then somebody holds a lock for longer, and acquires another meanwhile.
        if rng.random_bool(0.7)
            && let Some(release) = self.holds.release(client.process)
        {
            return Some(release);
        }
        Some(Op::new("acquire", self.keys.pick(rng).name, Value::Null))
    }

    fn update(&mut self, event: &OpEvent) {
        self.holds.update(event);
    }

    fn finally(self: Box<Self>) -> Box<dyn Generator> {
        Box::new(AcquireAll {
            left: self.keys.all().collect(),
            wanted: self.keys.all().collect(),
            holds: self.holds,
        })
    }
}

/// Acquires every lock, which it releases first if it must.
struct AcquireAll {
    left: VecDeque<Value>,
    wanted: BTreeSet<Value>,
    holds: Holds,
}

impl Generator for AcquireAll {
    fn next(&mut self, _client: Client, _rng: &mut Random) -> Option<Op> {
        let key = self.left.pop_front()?;
        let held = self.holds.held.get(&key).map(|(_, token)| token);
        let token = held.or_else(|| self.holds.orphans.get(&key)).cloned();
        Some(match token {
            Some(token) => Op::new("release", key, token),
            None => Op::new("acquire", key, Value::Null),
        })
    }

    fn update(&mut self, event: &OpEvent) {
        self.holds.update(event);
        let Some(key) = event.key.as_ref().filter(|_| event.kind != EventType::Invoke) else {
            return;
        };
        if event.f == "release" {
            self.holds.orphans.remove(key);
            if event.kind == EventType::Ok || event.observed.is_some() {
                self.holds.held.remove(key);
            }
        }
        if (event.f.as_str(), event.kind) == ("acquire", EventType::Ok) {
            self.wanted.remove(key);
        }
        if self.wanted.contains(key) {
            self.left.push_back(key.clone());
        }
    }

    fn finally(self: Box<Self>) -> Box<dyn Generator> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_whose_holder_is_gone_is_released_by_whoever_learns_its_token() {
        let event = |process, kind, f: &str, value: Value, observed| OpEvent {
            index: 0,
            time: 0,
            process,
            kind,
            f: f.into(),
            key: Some("l0".into()),
            value,
            observed,
            node: None,
            error: None,
        };
        let release = |token: i64| Op::new("release", "l0".into(), token.into());
        let mut holds = Holds::default();
        holds.update(&event(1, EventType::Ok, "acquire", 3.into(), None));
        let refused = |token: i64| event(2, EventType::Fail, "acquire", Value::Null, Some(token.into()));
        holds.update(&refused(3));
        assert_eq!(holds.release(2), None, "its holder lives");
        assert_eq!(holds.release(1), Some(release(3)));
        holds.update(&event(1, EventType::Info, "release", 3.into(), None));
        assert_eq!(holds.release(2), None, "perhaps it is free");
        holds.update(&refused(3));
        assert_eq!(holds.release(2), Some(release(3)));
        assert_eq!(holds.release(2), None, "once is enough");
    }
}
