//! Clients: whom they ask, and how long they wait.

use partita_protocols::store::{self, Answer};
use partita_protocols::{Administration, Decode, NodeId, Proposal, Query, Random, RequestId};
use rand::{RngExt, SeedableRng};

use crate::load::{Ask, Ended, Load};
use crate::queue::{MILLISECOND, Time};
use crate::trace::text_of;

/// How long a client waits before it asks elsewhere.
const CLIENT_PATIENCE: Time = 300 * MILLISECOND;

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
    /// What it waits for.
    doing: Option<Doing>,
    /// It is planned that it looks whether it has waited for long enough.
    looks: bool,
}

#[derive(Clone, Copy, Debug)]
struct Doing {
    request: RequestId,
    writes: bool,
    /// When its patience is over.
    until: Time,
}

/// What is left of a client's patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Nothing, with this request.
    Over(RequestId),
    /// So long.
    Left(Time),
    /// It waits for nothing.
    NotNeeded,
}

impl Clients {
    pub(crate) fn new(random: Random, nodes: Vec<NodeId>, count: usize, load: Box<dyn Load>) -> Clients {
        let client = |&target: &NodeId| Client {
            target,
            doing: None,
            looks: false,
        };
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
        me.doing = Some(Doing {
            request,
            writes: matches!(asked, Ask::Apply(_)),
            until: now + CLIENT_PATIENCE,
        });
        let asked = match asked {
            Ask::Apply(command) => Request::Apply(Proposal { request, command }),
            Ask::Query(command) => Request::Read(Query { request, command }),
        };
        Some((me.target, asked))
    }

    /// Whatever is drawn from here on is drawn from this seed.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.random = Random::seed_from_u64(seed);
        self.load.reseed(seed);
    }

    /// Does the client wait for something?
    pub(crate) fn is_busy(&self, client: usize) -> bool {
        self.clients[client].doing.is_some()
    }

    /// Is this the request that the client waits for?
    pub(crate) fn waits_for(&self, client: usize, request: RequestId) -> bool {
        self.clients[client]
            .doing
            .is_some_and(|doing| doing.request == request)
    }

    /// A client has begun to wait. After how long it looks whether that was for long enough, unless that is
    /// planned already: one look ahead is enough for all requests that come before it.
    pub(crate) fn begin_to_wait(&mut self, client: usize) -> Option<Time> {
        let looks = std::mem::replace(&mut self.clients[client].looks, true);
        (!looks).then_some(CLIENT_PATIENCE)
    }

    /// What is left of a client's patience when it looks.
    pub(crate) fn patience(&mut self, client: usize, now: Time) -> Patience {
        let me = &mut self.clients[client];
        let patience = match me.doing {
            Some(doing) if doing.until <= now => Patience::Over(doing.request),
            Some(doing) => Patience::Left(doing.until - now),
            None => Patience::NotNeeded,
        };
        me.looks = matches!(patience, Patience::Left(_));
        patience
    }

    /// An outcome comes to a client that waits for it, or none within its patience. Gives what is wrong with
    /// it.
    pub(crate) fn settle(&mut self, client: usize, outcome: Outcome, now: Time) -> Result<(), String> {
        let Some(Doing { writes, .. }) = self.clients[client].doing.take() else {
            return Ok(());
        };
        let ended = match outcome {
            Outcome::Answer(answer) => {
                *(if writes { &mut self.writes } else { &mut self.reads }) += 1;
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
