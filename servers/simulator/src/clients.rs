//! Who asks for what, and what they may be answered.
//!
//! Every other client owns a list, to which it alone appends 1, 2, 3 and so on, trying each again until it is
//! acknowledged; all read all lists. (Those that only read matter: a client whose append hangs at a leader
//! that was cut off sees nothing of what that leader serves meanwhile.) So a read must give a list `1..=k`:
//! nothing lost in the middle, nothing twice. And it is linearizable if and only if k is at least what was
//! acknowledged to the owner, or seen by anyone, before the read began, and no more than what the owner had
//! begun by its end. For one writer that is all there is to check.
//!
//! A protocol whose registers are written once can't serve lists: it says so ([`Load`]), and its clients
//! propose and read ([`crate::registers`]).

use partita_protocols::store::{Answer, Command, Operation, SessionSequence, Value};
use partita_protocols::{Administration, Encode, NodeId, Proposal, Query, Random, RequestId};
use rand::RngExt;

use crate::queue::{MILLISECOND, Time};
use crate::registers::{Asked, Registers};

/// How long a client waits before it asks elsewhere.
pub(crate) const CLIENT_PATIENCE: Time = 300 * MILLISECOND;

/// What clients do with a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// They append to lists, each to its own, and read all.
    Lists,
    /// They propose values for registers that are written once, and read them.
    Registers,
}

/// A request on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Append(Proposal),
    Read(Query),
    Administer {
        request: RequestId,
        what: Administration,
    },
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
#[derive(Debug)]
pub(crate) struct Clients {
    random: Random,
    /// Whom they know of.
    pub(crate) nodes: Vec<NodeId>,
    clients: Vec<Client>,
    /// The registers, if that is what the load is about.
    registers: Option<Registers>,
    pub(crate) writes: u64,
    pub(crate) reads: u64,
}

#[derive(Debug)]
struct Client {
    /// Whom it takes for the leader.
    target: NodeId,
    doing: Option<(RequestId, Doing)>,
    /// The last value it has begun to append to its list, and the last that was acknowledged.
    begun: i64,
    acknowledged: i64,
    /// The last value of its list that any read gave.
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
    Register(Asked),
}

impl Clients {
    pub(crate) fn new(random: Random, load: Load, nodes: Vec<NodeId>, count: usize) -> Clients {
        let client = |number: usize| Client {
            target: match load {
                Load::Lists => nodes[0],
                // There may be no leader, and then it is one as good as another.
                Load::Registers => nodes[number % nodes.len()],
            },
            doing: None,
            begun: 0,
            acknowledged: 0,
            seen: 0,
        };
        let clients = (0..count).map(client).collect();
        Clients {
            random,
            clients,
            nodes,
            registers: (load == Load::Registers).then(Registers::default),
            writes: 0,
            reads: 0,
        }
    }

    /// How long a client thinks before its next request, or a request or its answer travels.
    pub(crate) fn delay(&mut self) -> Time {
        self.random.random_range(MILLISECOND / 2..10 * MILLISECOND)
    }

    /// The client's next request, and the node that it goes to.
    pub(crate) fn next(&mut self, client: usize, request: RequestId) -> (NodeId, Request) {
        let (doing, asked) = match &mut self.registers {
            Some(registers) => {
                let (asked, request) = registers.next(&mut self.random, request);
                (Doing::Register(asked), request)
            }
            None => self.next_of_list(client, request),
        };
        self.clients[client].doing = Some((request, doing));
        if self.random.random_bool(0.02) {
            // Now and then somebody asks where nobody else does, as at a leader that has been replaced.
            self.clients[client].target = self.any_node();
        }
        (self.clients[client].target, asked)
    }

    fn next_of_list(&mut self, client: usize, request: RequestId) -> (Doing, Request) {
        let owner = self.random.random_range(0..self.clients.len()) / 2 * 2;
        let unacknowledged = self.clients[client].begun > self.clients[client].acknowledged;
        let appends = client.is_multiple_of(2) && (unacknowledged || self.random.random_bool(0.7));
        if appends {
            let me = &mut self.clients[client];
            me.begun = me.acknowledged + 1;
            let command = Command {
                session: Some(SessionSequence {
                    session: name(client),
                    sequence: me.begun.unsigned_abs(),
                }),
                operation: Operation::Append {
                    key: name(client),
                    value: Value::Int(me.begun),
                },
            };
            let proposal = Proposal {
                request,
                command: command.to_bytes().into(),
            };
            (Doing::Append, Request::Append(proposal))
        } else {
            let at_least = self.clients[owner].acknowledged.max(self.clients[owner].seen);
            (
                Doing::Read { owner, at_least },
                Request::Read(Query {
                    request,
                    command: read(name(owner)),
                }),
            )
        }
    }

    /// Is this the request that the client waits for?
    pub(crate) fn waits_for(&self, client: usize, request: RequestId) -> bool {
        self.clients[client]
            .doing
            .as_ref()
            .is_some_and(|(current, _)| *current == request)
    }

    /// An outcome comes to a client that waits for it, or none within its patience. Gives what is wrong with
    /// it.
    pub(crate) fn settle(&mut self, client: usize, outcome: Outcome) -> Result<(), String> {
        let Some((_, doing)) = self.clients[client].doing.take() else {
            return Ok(());
        };
        match (doing, outcome) {
            (Doing::Append, Outcome::Answer(Answer::Done)) => {
                let me = &mut self.clients[client];
                me.acknowledged = me.begun;
                self.writes += 1;
                Ok(())
            }
            (Doing::Read { owner, at_least }, Outcome::Answer(Answer::Value(value))) => {
                self.reads += 1;
                self.judge(owner, at_least, &value)
            }
            (Doing::Register(asked), Outcome::Answer(Answer::Value(value))) => {
                if matches!(asked, Asked::Propose { .. }) {
                    self.writes += 1;
                } else {
                    self.reads += 1;
                }
                let registers = self.registers.as_mut();
                registers.map_or(Ok(()), |registers| registers.judge(&asked, &value))
            }
            (_, Outcome::Refused(Some(leader))) => {
                self.clients[client].target = leader;
                Ok(())
            }
            (_, Outcome::Refused(None) | Outcome::Unknown) => {
                self.clients[client].target = self.any_node();
                Ok(())
            }
            (doing, outcome) => Err(format!(
                "{} was doing {doing:?} and was answered {outcome:?}",
                name(client)
            )),
        }
    }

    fn any_node(&mut self) -> NodeId {
        self.nodes[self.random.random_range(0..self.nodes.len())]
    }

    fn judge(&mut self, owner: usize, at_least: i64, value: &Value) -> Result<(), String> {
        let items = match value {
            Value::Null => &[][..],
            Value::List(items) => items,
            _ => return Err(format!("the list of {} is {value:?}", name(owner))),
        };
        let list = &mut self.clients[owner];
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

/// The command that reads.
pub(crate) fn read(key: String) -> partita_protocols::Command {
    let command = Command {
        session: None,
        operation: Operation::Read { key },
    };
    command.to_bytes().into()
}

fn name(client: usize) -> String {
    format!("c{client}")
}
