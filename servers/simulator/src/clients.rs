//! Clients: whom they ask, and how long they wait.

use partita_protocols::store::{self, Answer};
use partita_protocols::{Administration, Decode, NodeId, Proposal, Query, Random, RequestId};
use rand::RngExt;

use crate::load::{Ask, Ended, Load};
use crate::queue::{MILLISECOND, Time};
use crate::trace::text_of;

/// How long a client waits before it asks elsewhere.
pub(crate) const CLIENT_PATIENCE: Time = 300 * MILLISECOND;

/// A request on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Apply(Proposal),
    Read(Query),
    Administer {
        request: RequestId,
        what: Administration,
    },
}

impl Request {
    /// What is wanted, for a reader.
    pub(crate) fn text(&self) -> String {
        match self {
            Request::Apply(Proposal { command, .. }) | Request::Read(Query { command, .. }) => {
                match store::Command::from_bytes(command) {
                    Ok(command) => text_of(&command.operation),
                    Err(_) => format!("{} bytes", command.len()),
                }
            }
            Request::Administer { what, .. } => text_of(what),
        }
    }
}

/// How a request ended, as far as its node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answer(Answer),
    Refused(Option<NodeId>),
    Unknown,
    /// What an operator wanted is done, or can not be.
    Done,
    Rejected,
}

/// All clients.
pub(crate) struct Clients {
    random: Random,
    /// Whom they know of.
    pub(crate) nodes: Vec<NodeId>,
    clients: Vec<Client>,
    load: Box<dyn Load>,
    pub(crate) writes: u64,
    pub(crate) reads: u64,
}

#[derive(Clone, Debug)]
struct Client {
    /// Whom it takes for the leader.
    target: NodeId,
    /// What it waits for, and whether that is a write.
    doing: Option<(RequestId, bool)>,
}

impl Clients {
    pub(crate) fn new(random: Random, nodes: Vec<NodeId>, count: usize, load: Box<dyn Load>) -> Clients {
        let client = |&target: &NodeId| Client { target, doing: None };
        Clients {
            random,
            // Each begins where it likes: where there is a leader it is soon told of it.
            clients: nodes.iter().map(client).cycle().take(count).collect(),
            nodes,
            load,
            writes: 0,
            reads: 0,
        }
    }

    /// How long a client thinks before its next request, or a request or its answer travels.
    pub(crate) fn delay(&mut self) -> Time {
        self.random.random_range(MILLISECOND / 2..10 * MILLISECOND)
    }

    /// The client's next request, and the node that it goes to.
    pub(crate) fn next(&mut self, client: usize, request: RequestId, now: Time) -> Option<(NodeId, Request)> {
        let asked = self.load.ask(client, now)?;
        if self.random.random_bool(0.02) {
            // Now and then somebody asks where nobody else does, as at a leader that has been replaced.
            self.clients[client].target = self.any_node();
        }
        let me = &mut self.clients[client];
        me.doing = Some((request, matches!(asked, Ask::Apply(_))));
        let asked = match asked {
            Ask::Apply(command) => Request::Apply(Proposal { request, command }),
            Ask::Query(command) => Request::Read(Query { request, command }),
        };
        Some((me.target, asked))
    }

    /// Is this the request that the client waits for?
    pub(crate) fn waits_for(&self, client: usize, request: RequestId) -> bool {
        self.clients[client]
            .doing
            .is_some_and(|(current, _)| current == request)
    }

    /// An outcome comes to a client that waits for it, or none within its patience. Gives what is wrong with
    /// it.
    pub(crate) fn settle(&mut self, client: usize, outcome: Outcome, now: Time) -> Result<(), String> {
        let Some((_, write)) = self.clients[client].doing.take() else {
            return Ok(());
        };
        let ended = match outcome {
            Outcome::Answer(answer) => {
                *(if write { &mut self.writes } else { &mut self.reads }) += 1;
                Ended::Answer(answer)
            }
            Outcome::Refused(leader) => {
                self.clients[client].target = leader.unwrap_or_else(|| self.any_node());
                Ended::Refused
            }
            Outcome::Unknown => {
                self.clients[client].target = self.any_node();
                Ended::Unknown
            }
            Outcome::Done | Outcome::Rejected => return Err("was answered like an operator".to_owned()),
        };
        self.load.settle(client, ended, now)
    }

    fn any_node(&mut self) -> NodeId {
        self.nodes[self.random.random_range(0..self.nodes.len())]
    }
}
