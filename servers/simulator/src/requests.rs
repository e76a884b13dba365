//! Requests on their way: those of clients, and those of the operator.

use partita_protocols::{Administration, NodeId, RequestId};

use crate::clients::{Outcome, Patience, Request};
use crate::invariants::Simulated;
use crate::node::NodeEvent;
use crate::queue::{MILLISECOND, Time};
use crate::report::Violation;
use crate::schedule::Turn;
use crate::simulation::{Event, Simulation};
use crate::trace::{Happened, text_of};

/// How long a client waits that has nothing to do.
const IDLE: Time = 5 * MILLISECOND;

/// An odd number with many digits: it makes different moments different seeds.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Who asked for something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Requester {
    Client(usize),
    Operator,
}

impl<P: Simulated> Simulation<P> {
    fn new_request(&mut self, requester: Requester) -> RequestId {
        self.requesters.push(requester);
        RequestId(self.requesters.len() as u64)
    }

    pub(crate) fn ask(&mut self, client: usize) {
        if self.clients.is_busy(client) {
            // Its turn comes when it is free.
            self.ahead.events.after(IDLE, Event::ClientNext(client));
            return;
        }
        if self.independent_turns {
            let (now, client) = (self.ahead.events.now(), client as u64 + 1);
            self.clients
                .reseed(self.seed ^ now.wrapping_mul(SPREAD).wrapping_mul(client));
        }
        let request = self.new_request(Requester::Client(client));
        let Some((node, asked)) = self.clients.next(client, request, self.ahead.events.now()) else {
            self.ahead.events.after(IDLE, Event::ClientNext(client));
            return;
        };
        self.turns.push(Turn {
            at_us: self.ahead.events.now(),
            client,
        });
        self.note(Some(node), || Happened::Asked {
            request: request.0,
            by: format!("c{client}"),
            text: asked.text(),
        });
        let delay = self.clients.delay();
        self.ahead.events.after(
            delay,
            Event::Node {
                node,
                event: NodeEvent::Request(asked),
            },
        );
        if let Some(patience) = self.clients.begin_to_wait(client) {
            self.ahead.events.after(patience, Event::Impatience(client));
        }
    }

    /// A client has waited: for long enough, or it looks again when that will be.
    pub(crate) fn lose_patience(&mut self, client: usize) -> Result<(), Violation> {
        match self.clients.patience(client, self.ahead.events.now()) {
            Patience::Over(request) => self.settle(client, request, Outcome::Unknown),
            Patience::Left(patience) => {
                self.ahead.events.after(patience, Event::Impatience(client));
                Ok(())
            }
            Patience::NotNeeded => Ok(()),
        }
    }

    pub(crate) fn settle(
        &mut self,
        client: usize,
        request: RequestId,
        outcome: Outcome,
    ) -> Result<(), Violation> {
        if !self.clients.waits_for(client, request) {
            return Ok(());
        }
        let now = self.ahead.events.now();
        self.clients
            .settle(client, outcome, now)
            .map_err(|what| Violation {
                time_us: 0,
                property: "linearizability",
                node: None,
                what,
            })?;
        let delay = self.clients.delay();
        if self.script.is_none() {
            self.ahead.events.after(delay, Event::ClientNext(client));
        }
        Ok(())
    }

    pub(crate) fn ask_leader(&mut self, what: Administration) {
        if let Some(leader) = self.world.leader() {
            self.administer(leader, what);
        }
    }

    pub(crate) fn administer(&mut self, node: NodeId, what: Administration) {
        let request = self.new_request(Requester::Operator);
        self.operator.ask(request, what, &mut self.world.counts);
        let asked = Request::Administer { request, what };
        self.note(Some(node), || Happened::Asked {
            request: request.0,
            by: "operator".to_owned(),
            text: asked.text(),
        });
        let event = NodeEvent::Request(asked);
        self.ahead
            .events
            .after(self.operator.delay(), Event::Node { node, event });
    }

    /// Plans the answers to what the last event has ended.
    pub(crate) fn answer_all(&mut self) {
        let mut outcomes = std::mem::take(&mut self.ahead.outcomes);
        for (request, outcome) in outcomes.drain(..) {
            self.answer(request, outcome);
        }
        // Its memory is kept.
        self.ahead.outcomes = outcomes;
    }

    /// A request has ended, as far as its node knows: the answer travels.
    fn answer(&mut self, request: RequestId, outcome: Outcome) {
        self.note(None, || Happened::Ended {
            request: request.0,
            text: text_of(&outcome),
        });
        match self.requesters.get(request.0 as usize - 1) {
            Some(&Requester::Client(client)) => {
                let delay = self.clients.delay();
                self.ahead.events.after(
                    delay,
                    Event::Answer {
                        client,
                        request,
                        outcome,
                    },
                );
            }
            Some(Requester::Operator) => {
                let counts = &mut self.world.counts;
                if let Some((delay, node)) = self.operator.settle(request, &outcome, counts) {
                    self.ahead.events.after(delay, Event::Retire(node));
                }
            }
            None => {}
        }
    }
}
