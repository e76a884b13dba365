//! Nodes with their disks, and the messages between them, moved by hand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::sync::Arc;

use partita_protocols::store::{self, Operation, Store, Value};
use partita_protocols::{
    Administration, Command, Config, Decode, Effect, Encode, Input, NodeId, OnDisk, Proposal, Protocol,
    Query, Random, RequestId, Status, WriteId,
};
use rand::SeedableRng;

/// After so many rounds a cluster should have come to rest.
const ROUNDS_MAX: u32 = 1_000;

/// What a node writes.
enum Write {
    Record(Vec<u8>),
    Compact(Arc<[u8]>, Vec<Vec<u8>>),
}

struct Node<P> {
    config: Config,
    core: Option<P>,
    snapshot: Option<Arc<[u8]>>,
    records: Vec<Vec<u8>>,
    unsynced: Vec<(WriteId, Write)>,
    store: Store,
    applied: u64,
    /// The store as it was when the core asked for a copy, if it did.
    copy: Option<(u64, Arc<[u8]>)>,
    queries: BTreeMap<RequestId, Command>,
    shown: Option<Status>,
    starts: u64,
}

struct Sent<M> {
    from: NodeId,
    to: NodeId,
    message: M,
}

pub(crate) struct Cluster<P: Protocol> {
    nodes: BTreeMap<NodeId, Node<P>>,
    sent: VecDeque<Sent<P::Message>>,
    last: BTreeMap<(NodeId, NodeId), P::Message>,
    /// These and the others do not hear each other.
    cut: BTreeSet<NodeId>,
    requests: u64,
    output: Vec<String>,
}

impl<P: Protocol> Default for Cluster<P> {
    fn default() -> Self {
        Cluster {
            nodes: BTreeMap::new(),
            sent: VecDeque::new(),
            last: BTreeMap::new(),
            cut: BTreeSet::new(),
            requests: 0,
            output: Vec::new(),
        }
    }
}

impl<P: Protocol> Cluster<P> {
    pub(crate) fn take_output(&mut self) -> Vec<String> {
        std::mem::take(&mut self.output)
    }

    pub(crate) fn make(
        &mut self,
        members: &[NodeId],
        joining: &[NodeId],
        set: impl Fn(&mut Config),
    ) -> Result<(), String> {
        *self = Cluster::default();
        for &me in members.iter().chain(joining) {
            let peers = members.iter().copied().filter(|&member| member != me);
            let mut config = Config::new(me, peers, 5, 50).map_err(|error| error.to_string())?;
            if joining.contains(&me) {
                config = config.joining();
            }
            set(&mut config);
            let node = Node {
                config,
                core: None,
                snapshot: None,
                records: Vec::new(),
                unsynced: Vec::new(),
                store: Store::default(),
                applied: 0,
                copy: None,
                queries: BTreeMap::new(),
                shown: None,
                starts: 0,
            };
            self.nodes.insert(me, node);
            self.restart(me)?;
        }
        Ok(())
    }

    fn node(&mut self, id: NodeId) -> Result<&mut Node<P>, String> {
        self.nodes.get_mut(&id).ok_or_else(|| format!("there is no {id}"))
    }

    fn step(&mut self, id: NodeId, input: Input<P::Message>) -> Result<(), String> {
        let mut effects = Vec::new();
        let core = self.node(id)?.core.as_mut();
        core.ok_or_else(|| format!("{id} is down"))?
            .step(input, &mut effects);
        self.carry_out(id, effects)
    }

    fn say(&mut self, id: NodeId, what: impl std::fmt::Display) {
        self.output.push(format!("{id} {what}"));
    }

    fn carry_out(&mut self, id: NodeId, effects: Vec<Effect<P::Message>>) -> Result<(), String> {
        for effect in effects {
            match effect {
                Effect::Persist { write, record } => {
                    self.say(id, format!("writes {}, {} bytes", write.0, record.len()));
                    self.node(id)?.unsynced.push((write, Write::Record(record)));
                }
                Effect::Compact {
                    write,
                    snapshot,
                    records,
                } => {
                    let count = records.len();
                    self.say(id, format!("writes {}, a snapshot and {count} records", write.0));
                    self.node(id)?
                        .unsynced
                        .push((write, Write::Compact(snapshot, records)));
                }
                Effect::Send { to, message } => {
                    let lost = self.cut.contains(&id) != self.cut.contains(&to);
                    let mark = if lost { " (lost)" } else { "" };
                    self.output
                        .push(format!("{id} -> {to} {}{mark}", shown(&message)));
                    if !lost {
                        self.sent.push_back(Sent {
                            from: id,
                            to,
                            message,
                        });
                    }
                }
                Effect::Apply {
                    index,
                    command,
                    request,
                } => self.apply(id, index, command, request)?,
                Effect::TakeSnapshot => {
                    let node = self.node(id)?;
                    node.copy = Some((node.applied, node.store.to_bytes().into()));
                    self.say(id, "copies its store");
                }
                Effect::Restore { index, state } => {
                    let store = Store::from_bytes(&state).map_err(|error| error.to_string())?;
                    let node = self.node(id)?;
                    (node.store, node.applied) = (store, index);
                    self.say(id, format!("restores the store as it was at {index}"));
                }
                Effect::ReadReady(request) => {
                    let node = self.node(id)?;
                    let query = node
                        .queries
                        .remove(&request)
                        .ok_or("a read that nobody asked for")?;
                    let answer = node
                        .store
                        .query_bytes(&query)
                        .map_err(|error| error.to_string())?;
                    self.say(id, format!("answers {}: {answer:?}", request.0));
                }
                Effect::Done(request) => self.say(id, format!("has done {}", request.0)),
                Effect::Refuse { request, leader } => {
                    let leader =
                        leader.map_or("nobody knows who leads".into(), |leader| format!("ask {leader}"));
                    self.say(id, format!("refuses {}: {leader}", request.0));
                }
                Effect::Reject { request, why } => self.say(id, format!("rejects {}: {why}", request.0)),
                Effect::Unknown(request) => {
                    self.say(id, format!("does not know what becomes of {}", request.0))
                }
            }
        }
        let node = self.node(id)?;
        let now = node.core.as_ref().map(Protocol::status);
        let before = std::mem::replace(&mut node.shown, now);
        let place = |status: Status| (status.role, status.term);
        if let Some(now) = now
            && before.map(place) != Some(place(now))
        {
            self.say(id, format!("is {} in {}", now.role.name(), now.term));
        }
        Ok(())
    }

    fn apply(
        &mut self,
        id: NodeId,
        index: u64,
        command: Option<Command>,
        request: Option<RequestId>,
    ) -> Result<(), String> {
        let node = self.node(id)?;
        if index != node.applied + 1 {
            return Err(format!("{id} applies {index} after {}", node.applied));
        }
        node.applied = index;
        let what = match command {
            Some(command) => {
                let answer = node
                    .store
                    .apply_bytes(&command)
                    .map_err(|error| error.to_string())?;
                let to = request.map_or(String::new(), |request| {
                    format!(", and answers {}: {answer:?}", request.0)
                });
                format!("{}{to}", text(&command))
            }
            None => "nothing".into(),
        };
        self.say(id, format!("applies {index}: {what}"));
        Ok(())
    }

    pub(crate) fn tick(&mut self, id: NodeId, count: u64) -> Result<(), String> {
        (0..count).try_for_each(|_| self.step(id, Input::Tick))
    }

    pub(crate) fn campaign(&mut self, id: NodeId) -> Result<(), String> {
        let before = self.output.len();
        for _ in 0..10_000 {
            self.step(id, Input::Tick)?;
            if self.output.len() > before {
                return Ok(());
            }
        }
        Err(format!("{id} has endless patience"))
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    pub(crate) fn propose(&mut self, id: NodeId, words: &[&str]) -> Result<(), String> {
        let proposals = words
            .iter()
            .map(|word| Proposal {
                request: self.request(),
                command: write(word, P::NAME),
            })
            .collect();
        self.step(id, Input::Propose(proposals))
    }

    pub(crate) fn read(&mut self, id: NodeId, key: &str) -> Result<(), String> {
        let request = self.request();
        let command = command(Operation::Read { key: key.into() });
        self.node(id)?.queries.insert(request, Arc::clone(&command));
        self.step(id, Input::Read(vec![Query { request, command }]))
    }

    pub(crate) fn administer(&mut self, id: NodeId, what: Administration) -> Result<(), String> {
        let request = self.request();
        self.step(id, Input::Administer { request, what })
    }

    pub(crate) fn sync(&mut self, id: NodeId) -> Result<(), String> {
        let node = self.node(id)?;
        let Some(&(last, _)) = node.unsynced.last() else {
            return Ok(());
        };
        for (_, write) in std::mem::take(&mut node.unsynced) {
            match write {
                Write::Record(record) => node.records.push(record),
                Write::Compact(snapshot, records) => {
                    (node.snapshot, node.records) = (Some(snapshot), records)
                }
            }
        }
        self.step(id, Input::Persisted(last))
    }

    fn take_sent(&mut self, from: Option<NodeId>, to: Option<NodeId>) -> Vec<Sent<P::Message>> {
        let is_between = |sent: &Sent<P::Message>| {
            from.is_none_or(|from| sent.from == from) && to.is_none_or(|to| sent.to == to)
        };
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.sent).into_iter().partition(is_between);
        self.sent = left;
        taken.into()
    }

    pub(crate) fn deliver(&mut self, from: Option<NodeId>, to: Option<NodeId>) -> Result<(), String> {
        for Sent { from, to, message } in self.take_sent(from, to) {
            self.last.insert((from, to), message.clone());
            if self.node(to)?.core.is_some() {
                self.step(to, Input::Receive { from, message })?;
            }
        }
        Ok(())
    }

    pub(crate) fn lose(&mut self, from: Option<NodeId>, to: Option<NodeId>) -> Result<(), String> {
        let lost = self.take_sent(from, to).len();
        self.output.push(format!("{lost} messages are lost"));
        Ok(())
    }

    pub(crate) fn again(&mut self, from: NodeId, to: NodeId) -> Result<(), String> {
        let message = self.last.get(&(from, to)).cloned();
        let message = message.ok_or_else(|| format!("{from} has sent {to} nothing that arrived"))?;
        self.step(to, Input::Receive { from, message })
    }

    pub(crate) fn crash(&mut self, id: NodeId) -> Result<(), String> {
        let node = self.node(id)?;
        let lost = node.unsynced.len();
        node.unsynced.clear();
        node.queries.clear();
        node.copy = None;
        (node.core, node.shown) = (None, None);
        self.say(id, format!("crashes, and loses {lost} writes"));
        Ok(())
    }

    pub(crate) fn restart(&mut self, id: NodeId) -> Result<(), String> {
        let node = self.node(id)?;
        if node.core.is_some() {
            return Err(format!("{id} is up"));
        }
        node.starts += 1;
        (node.store, node.applied) = (Store::default(), 0);
        let seed = node.starts * 1_000 + id.as_str().bytes().map(u64::from).sum::<u64>();
        let disk = OnDisk::new(node.snapshot.as_deref(), &node.records);
        let mut effects = Vec::new();
        let random = Random::seed_from_u64(seed);
        let core = P::recover(node.config.clone(), disk, random, &mut effects);
        node.core = Some(core.map_err(|error| error.to_string())?);
        self.carry_out(id, effects)
    }

    pub(crate) fn cut(&mut self, group: &[NodeId]) {
        self.cut = group.iter().copied().collect();
    }

    pub(crate) fn stabilize(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS_MAX {
            let ids: Vec<_> = self.nodes.keys().copied().collect();
            let mut quiet = self.sent.is_empty();
            for id in ids {
                let node = self.node(id)?;
                if node.core.is_none() {
                    continue;
                }
                quiet &= node.unsynced.is_empty() && node.copy.is_none();
                if let Some((index, state)) = node.copy.take() {
                    self.step(id, Input::SnapshotTaken { index, state })?;
                }
                self.sync(id)?;
            }
            if quiet {
                return Ok(());
            }
            self.deliver(None, None)?;
        }
        Err("it does not come to rest".into())
    }

    pub(crate) fn status(&mut self, ids: &[NodeId]) -> Result<(), String> {
        let ids = match ids {
            [] => self.nodes.keys().copied().collect(),
            some => some.to_vec(),
        };
        for id in ids {
            let node = self.node(id)?;
            let line = match &node.core {
                None => "is down".to_owned(),
                Some(core) => {
                    let Status {
                        role,
                        term,
                        leader,
                        commit,
                        applied,
                        last_index,
                        snapshot_index,
                    } = core.status();
                    let leader = leader.map_or("nobody".into(), |leader| leader.to_string());
                    let members: Vec<_> = core.members().iter().map(ToString::to_string).collect();
                    format!(
                        "is {} in {term}, leader {leader}, commit {commit}, applied {applied}, last {last_index}, \
                         snapshot {snapshot_index}, members {}",
                        role.name(),
                        members.join(" ")
                    )
                }
            };
            self.say(id, line);
        }
        Ok(())
    }

    pub(crate) fn under_way(&mut self) {
        let lines = self
            .sent
            .iter()
            .map(|sent| format!("{} -> {} {}", sent.from, sent.to, shown(&sent.message)));
        self.output.extend(lines);
    }
}

fn command(operation: Operation) -> Command {
    let command = store::Command {
        session: None,
        operation,
    };
    command.to_bytes().into()
}

/// `x` writes x to the register x, `x=1` writes 1 there. Single-decree Paxos has registers that are written once.
fn write(word: &str, protocol: &str) -> Command {
    let (key, value) = word.split_once('=').unwrap_or((word, word));
    let key = key.to_owned();
    let value = Value::Str(value.to_owned());
    command(match protocol {
        "paxos" => Operation::Propose { key, value },
        _ => Operation::Write { key, value },
    })
}

/// A command as `x=1`, as it was proposed.
fn text(bytes: &[u8]) -> String {
    match store::Command::from_bytes(bytes).map(|command| command.operation) {
        Ok(
            Operation::Write {
                key,
                value: Value::Str(value),
            }
            | Operation::Propose {
                key,
                value: Value::Str(value),
            },
        ) => format!("{key}={value}"),
        Ok(operation) => format!("{operation:?}"),
        Err(_) => format!("{bytes:?}"),
    }
}

/// A message on one line, in which commands read as they were proposed.
fn shown(message: &impl Debug) -> String {
    let debug = format!("{message:?}");
    let mut out = String::new();
    let mut rest = debug.as_str();
    while let Some(start) = rest.find('[') {
        let end = rest[start..].find(']').map_or(rest.len(), |end| start + end + 1);
        let inside = rest[start..end].trim_matches(['[', ']']);
        let bytes: Result<Vec<u8>, _> = inside.split(", ").map(str::parse).collect();
        out.push_str(&rest[..start]);
        match bytes {
            Ok(bytes) if store::Command::from_bytes(&bytes).is_ok() => {
                out.push_str(&text(&bytes));
                rest = &rest[end..];
            }
            Ok(bytes) if bytes.len() > 8 => {
                out.push_str(&format!("[{} bytes]", bytes.len()));
                rest = &rest[end..];
            }
            _ => {
                out.push('[');
                rest = &rest[start + 1..];
            }
        }
    }
    out + rest
}
