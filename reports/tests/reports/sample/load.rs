//! Clients at work on registers that do nothing wrong, but for one read when it is asked for.

use std::collections::BTreeMap;

use partita_history::{Event, EventType, FaultOutcome, OpEvent, Value};

use super::cluster::{self, FAULTS};
use super::{Course, MS};

const PROCESSES: u64 = 10;

/// A small generator of numbers (Vigna's splitmix64): the same seed gives the same run on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Mostly short, sometimes long.
    fn latency(&mut self, typical: u64) -> u64 {
        let unit = (self.below(1_000_000) + 1) as f64 / 1e6;
        (typical as f64 * (0.5 - unit.ln() * 0.6)) as u64
    }
}

pub(super) const FRESH: i64 = 900_009;
pub(super) const STALE: i64 = 900_007;

/// Clients that take part in the stale read, and nothing else while it happens.
pub(super) const CAST: [u64; 4] = [101, 103, 105, 108];

/// Clients at work, in order of time.
pub(super) struct Load<'a> {
    dice: Dice,
    course: &'a Course,
    /// Events by time; the number keeps those of the same time in order.
    events: BTreeMap<(u64, u64), Event>,
    store: BTreeMap<Value, i64>,
    /// Free from when, and the name of its current process.
    clients: Vec<(u64, u64)>,
    next_value: i64,
}

struct Act {
    began: u64,
    process: u64,
    f: &'static str,
    key: Value,
    input: Value,
    node: String,
}

impl<'a> Load<'a> {
    pub(super) fn run(course: &'a Course, stale_at: Option<u64>) -> Vec<Event> {
        let clients = (0..PROCESSES).map(|process| (0, process)).collect();
        let mut load = Load {
            dice: Dice(7),
            course,
            events: BTreeMap::new(),
            store: BTreeMap::new(),
            clients,
            next_value: 1,
        };
        if course.faults {
            for (time, fault) in cluster::faults(course.seconds) {
                load.push(time, fault);
            }
        }
        let mut ends: BTreeMap<(u64, u64), (Act, EventType)> = BTreeMap::new();
        let between = 1_000 * MS / course.rate.max(1);
        let mut now = 500 * MS;
        while now < course.seconds * 1_000 * MS {
            while let Some(entry) = ends.first_entry().filter(|entry| entry.key().0 <= now) {
                let ((time, _), (act, kind)) = entry.remove_entry();
                load.end(time, act, kind);
            }
            load.begin(now, stale_at, &mut ends);
            now += between / 2 + load.dice.below(between.max(1));
        }
        for ((time, _), (act, kind)) in ends {
            load.end(time, act, kind);
        }
        if let Some(at) = stale_at {
            load.stale_read(at);
        }
        let mut events: Vec<Event> = load.events.into_values().collect();
        for (number, event) in (0..).zip(&mut events) {
            match event {
                Event::Op(event) => event.index = number,
                Event::Fault(fault) => fault.index = number,
                Event::Other => {}
            }
        }
        events
    }

    fn push(&mut self, time: u64, event: Event) {
        let number = self.events.len() as u64;
        self.events.insert((time, number), event);
    }

    fn begin(&mut self, now: u64, stale_at: Option<u64>, ends: &mut BTreeMap<(u64, u64), (Act, EventType)>) {
        let on_stage = stale_at.is_some_and(|at| (at - 300 * MS..at + 300 * MS).contains(&now));
        let free = |&client: &usize| self.clients[client].0 <= now && !(on_stage && client > 4);
        let Some(client) = (0..self.clients.len()).find(free) else {
            return;
        };
        let hit = self.course.faults
            && FAULTS.iter().any(|fault| {
                (fault.0..fault.0 + 0.9).contains(&(now as f64 / 1e9)) && fault.5 != FaultOutcome::Skipped
            });
        let kind = match self.dice.below(1000) {
            roll if hit && roll < 60 => EventType::Info,
            roll if hit && roll < 110 => EventType::Fail,
            _ => EventType::Ok,
        };
        let took = match kind {
            EventType::Info => 1_000 * MS + self.dice.below(20 * MS),
            _ if hit => self.dice.latency(60 * MS),
            _ => self.dice.latency(2 * MS),
        };
        let key = self.course.keys[self.dice.below(self.course.keys.len() as u64) as usize].clone();
        let (f, input) = self.choose(on_stage && key == self.course.keys[0], &key);
        let node = format!("n{}", self.dice.below(5) + 1);
        let act = Act {
            began: now,
            process: self.clients[client].1,
            f,
            key,
            input,
            node,
        };
        let event = op(now, &act, EventType::Invoke, act.input.clone());
        self.push(now, event);
        self.clients[client].0 = now + took + MS / 10;
        if matches!(kind, EventType::Info) {
            self.clients[client].1 += PROCESSES;
        }
        ends.insert((now + took, self.events.len() as u64), (act, kind));
    }

    fn choose(&mut self, only_read: bool, key: &Value) -> (&'static str, Value) {
        match self.dice.below(10) {
            0..4 if !only_read => {
                self.next_value += 1;
                ("write", self.next_value.into())
            }
            4..6 if !only_read => {
                self.next_value += 1;
                let from = self.store.get(key).copied().unwrap_or(0);
                ("cas", Value::pair(from.into(), self.next_value.into()))
            }
            _ => ("read", Value::Null),
        }
    }

    /// Operations take effect when they end, so their order is a linearization.
    fn end(&mut self, time: u64, act: Act, kind: EventType) {
        assert!(act.began <= time);
        let now = self.store.get(&act.key).copied();
        let seen = now.map_or(Value::Null, Value::Int);
        let mut event = op(time, &act, kind, act.input.clone());
        let Event::Op(details) = &mut event else {
            unreachable!("an operation's event")
        };
        match (kind, act.f) {
            (EventType::Info, _) => {
                details.error = Some("timed out after 1 s".into());
                if let (true, "write", Value::Int(value)) = (self.dice.chance(50), act.f, &act.input) {
                    self.store.insert(act.key, *value);
                }
            }
            (EventType::Fail, _) => details.error = Some("refused: not the leader".into()),
            (_, "write") => {
                if let Value::Int(value) = act.input {
                    self.store.insert(act.key, value);
                }
            }
            (_, "cas") => match act.input.as_pair() {
                Some((from, Value::Int(to))) if *from == seen => {
                    self.store.insert(act.key, *to);
                }
                _ => {
                    details.kind = EventType::Fail;
                    details.observed = Some(seen);
                }
            },
            _ => details.value = seen,
        }
        self.push(time, event);
    }

    /// Writes 7 and 9, reads 9 at the new leader, and then 7 at the old one.
    fn stale_read(&mut self, at: u64) {
        let key = self.course.keys[0].clone();
        // Nobody else has the key on stage, so that these four are the whole story.
        self.events.retain(|&(time, _), event| {
            !matches!(event, Event::Op(event) if event.key.as_ref() == Some(&key)
                && (at - 400 * MS..at + 1_200 * MS).contains(&time))
        });
        drop_halves(&mut self.events);
        let play = [
            (CAST[0], "write", Value::Int(STALE), Value::Int(STALE), "n3", 0, 4),
            (
                CAST[2],
                "write",
                Value::Int(FRESH),
                Value::Int(FRESH),
                "n1",
                31,
                36,
            ),
            (CAST[3], "read", Value::Null, Value::Int(FRESH), "n1", 62, 65),
            (CAST[1], "read", Value::Null, Value::Int(STALE), "n3", 104, 106),
            (107, "write", Value::Int(900_011), Value::Null, "n3", 50, 0),
        ];
        for (process, f, input, output, node, from, to) in play {
            let act = Act {
                began: at + from * MS,
                process,
                f,
                key: key.clone(),
                input,
                node: node.into(),
            };
            self.push(
                act.began,
                op(act.began, &act, EventType::Invoke, act.input.clone()),
            );
            if to > 0 {
                self.push(at + to * MS, op(at + to * MS, &act, EventType::Ok, output));
            }
        }
        for (process, from, to) in [(2, 12, 15), (4, 40, 58), (6, 70, 73), (2, 80, 96), (0, 90, 99)] {
            let value = if to > 36 { FRESH } else { STALE };
            let act = Act {
                began: at + from * MS,
                process: process + 110,
                f: "read",
                key: key.clone(),
                input: Value::Null,
                node: "n2".into(),
            };
            self.push(act.began, op(act.began, &act, EventType::Invoke, Value::Null));
            self.push(at + to * MS, op(at + to * MS, &act, EventType::Ok, value.into()));
        }
    }
}

/// Removes invocations that have lost their completion and the other way round.
fn drop_halves(events: &mut BTreeMap<(u64, u64), Event>) {
    let mut open: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    let mut lost = Vec::new();
    for (&slot, event) in events.iter() {
        let Event::Op(event) = event else { continue };
        if event.kind == EventType::Invoke {
            lost.extend(open.insert(event.process, slot));
        } else if open.remove(&event.process).is_none() {
            lost.push(slot);
        }
    }
    lost.extend(open.into_values());
    for slot in lost {
        events.remove(&slot);
    }
}

fn op(time: u64, act: &Act, kind: EventType, value: Value) -> Event {
    Event::Op(OpEvent {
        index: 0,
        time,
        process: act.process,
        kind,
        f: act.f.to_owned(),
        key: Some(act.key.clone()),
        value,
        observed: None,
        node: Some(act.node.clone()),
        error: None,
    })
}
