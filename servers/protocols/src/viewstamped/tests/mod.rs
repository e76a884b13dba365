//! The core, in small clusters whose disks are instant; and what it writes and says, as bytes.

mod clusters;
mod encoding;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use rand::SeedableRng;

use super::message::Message;
use super::node::Viewstamped;
use crate::Random;
use crate::config::{Config, NodeId};
use crate::protocol::{
    Administration, Command, Effect, Input, OnDisk, Proposal, Protocol, Query, RequestId, Role,
};

const HEARTBEAT_TICKS: u32 = 5;
const ELECTION_TICKS: u32 = 50;

/// The node `n<number>`.
fn n(number: usize) -> NodeId {
    NodeId::new(&format!("n{number}")).expect("a good name")
}

/// A node, its disk, and what it has executed.
struct Node {
    config: Config,
    core: Option<Viewstamped>,
    snapshot: Option<Arc<[u8]>>,
    records: Vec<Vec<u8>>,
    applied: Vec<String>,
}

/// Nodes that hear each other at once, unless they are cut off.
struct Cluster {
    nodes: BTreeMap<NodeId, Node>,
    under_way: VecDeque<(NodeId, NodeId, Message)>,
    cut: BTreeSet<NodeId>,
    lives: u64,
    requests: u64,
    /// How requests ended, in the words of their effects.
    ended: BTreeMap<RequestId, String>,
}

impl Cluster {
    /// Nodes n1 to n`size`, not started.
    fn new(size: usize) -> Cluster {
        let mut cluster = Cluster {
            nodes: BTreeMap::new(),
            under_way: VecDeque::new(),
            cut: BTreeSet::new(),
            lives: 0,
            requests: 0,
            ended: BTreeMap::new(),
        };
        for me in 1..=size {
            let peers = (1..=size).filter(|&peer| peer != me).map(n);
            let mut config = Config::new(n(me), peers, HEARTBEAT_TICKS, ELECTION_TICKS).expect("good");
            config.snapshot_entries = 20;
            cluster.add(config);
        }
        cluster
    }

    /// The same, started, with a primary.
    fn running(size: usize) -> Cluster {
        let mut cluster = Cluster::new(size);
        (1..=size).for_each(|node| cluster.start(node));
        cluster.run(20);
        assert_eq!(cluster.leader(), Some(n(1)), "view 0 is the first member's");
        cluster
    }

    fn add(&mut self, config: Config) {
        let node = Node {
            core: None,
            snapshot: None,
            records: Vec::new(),
            applied: Vec::new(),
            config,
        };
        self.nodes.insert(node.config.me, node);
    }

    fn start(&mut self, number: usize) {
        self.lives += 1;
        let node = self.nodes.get_mut(&n(number)).expect("a node");
        let disk = OnDisk::new(node.snapshot.as_deref(), &node.records);
        node.applied.clear();
        let mut effects = Vec::new();
        let random = Random::seed_from_u64(self.lives);
        let core = Viewstamped::recover(node.config.clone(), disk, random, &mut effects);
        node.core = Some(core.expect("a good disk"));
        self.carry_out(n(number), effects);
        self.deliver();
    }

    fn crash(&mut self, number: usize) {
        self.nodes.get_mut(&n(number)).expect("a node").core = None;
    }

    /// Crashes the node, and its disk is lost.
    fn wipe(&mut self, number: usize) {
        self.crash(number);
        let node = self.nodes.get_mut(&n(number)).expect("a node");
        node.records.clear();
        node.snapshot = None;
    }

    fn core(&self, number: usize) -> &Viewstamped {
        self.nodes[&n(number)].core.as_ref().expect("a node that is up")
    }

    fn applied(&self, number: usize) -> &[String] {
        &self.nodes[&n(number)].applied
    }

    fn leader(&self) -> Option<NodeId> {
        let up = self.nodes.values().filter_map(|node| node.core.as_ref());
        up.filter(|core| core.status().role == Role::Leader)
            .max_by_key(|core| core.status().term)
            .map(|core| core.config.me)
    }

    fn step(&mut self, node: NodeId, input: Input<Message>) {
        let Some(core) = self.nodes.get_mut(&node).and_then(|node| node.core.as_mut()) else {
            return;
        };
        let mut effects = Vec::new();
        core.step(input, &mut effects);
        self.carry_out(node, effects);
    }

    fn carry_out(&mut self, me: NodeId, effects: Vec<Effect<Message>>) {
        let mut written = None;
        let mut asked = None;
        for effect in effects {
            let node = self.nodes.get_mut(&me).expect("a node");
            match effect {
                Effect::Persist { write, record } => {
                    node.records.push(record);
                    written = Some(write);
                }
                Effect::Compact {
                    write,
                    snapshot,
                    records,
                } => {
                    (node.snapshot, node.records) = (Some(snapshot), records);
                    written = Some(write);
                }
                Effect::Send { to, message } => self.under_way.push_back((me, to, message)),
                Effect::Apply { command, request, .. } => {
                    node.applied
                        .extend(command.map(|command| String::from_utf8_lossy(&command).into_owned()));
                    self.end(request, "applied");
                }
                Effect::TakeSnapshot => asked = Some(node.applied.join("\n")),
                Effect::Restore { state, .. } => {
                    let text = String::from_utf8_lossy(&state);
                    node.applied = text.lines().map(str::to_owned).collect();
                }
                Effect::ReadReady(request) => self.end(Some(request), "ready"),
                Effect::Refuse { request, .. } => self.end(Some(request), "refused"),
                Effect::Done(request) => self.end(Some(request), "done"),
                Effect::Reject { request, why } => self.end(Some(request), why),
                Effect::Unknown(request) => self.end(Some(request), "unknown"),
            }
        }
        if let Some(write) = written {
            self.step(me, Input::Persisted(write));
        }
        if let Some(text) = asked {
            let state = text.into_bytes().into();
            let index = self.nodes[&me].core.as_ref().expect("up").status().applied;
            self.step(me, Input::SnapshotTaken { index, state });
        }
    }

    fn end(&mut self, request: Option<RequestId>, how: &str) {
        if let Some(request) = request {
            let before = self.ended.insert(request, how.to_owned());
            assert_eq!(before, None, "{request:?} ends once");
        }
    }

    fn deliver(&mut self) {
        while let Some((from, to, message)) = self.under_way.pop_front() {
            if !self.cut.contains(&from) && !self.cut.contains(&to) {
                self.step(to, Input::Receive { from, message });
            }
        }
    }

    fn run(&mut self, ticks: u32) {
        for _ in 0..ticks {
            for node in self.nodes.keys().copied().collect::<Vec<_>>() {
                self.step(node, Input::Tick);
            }
            self.deliver();
        }
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    fn propose(&mut self, number: usize, text: &str) -> RequestId {
        let request = self.request();
        let command: Command = text.as_bytes().into();
        self.step(n(number), Input::Propose(vec![Proposal { request, command }]));
        self.deliver();
        request
    }

    fn read(&mut self, number: usize) -> RequestId {
        let request = self.request();
        let command: Command = b"read"[..].into();
        self.step(n(number), Input::Read(vec![Query { request, command }]));
        self.deliver();
        request
    }

    fn administer(&mut self, number: usize, what: Administration) -> RequestId {
        let request = self.request();
        self.step(n(number), Input::Administer { request, what });
        self.deliver();
        request
    }

    fn how(&self, request: RequestId) -> Option<&str> {
        self.ended.get(&request).map(String::as_str)
    }
}
