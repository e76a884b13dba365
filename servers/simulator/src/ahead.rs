//! What lies ahead: what nodes lead to is planned here.

use partita_protocols::{NodeId, RequestId};

use crate::clients::Outcome;
use crate::invariants::Simulated;
use crate::node::NodeEvent;
use crate::queue::{Queue, Time};
use crate::simulation::Event;

/// What will happen, and what has ended and is not answered yet.
pub(crate) struct Ahead<P: Simulated> {
    pub(crate) events: Queue<Event<P::Message>>,
    pub(crate) outcomes: Vec<(RequestId, Outcome)>,
}

impl<P: Simulated> Default for Ahead<P> {
    fn default() -> Self {
        Ahead {
            events: Queue::default(),
            outcomes: Vec::new(),
        }
    }
}

impl<P: Simulated> Ahead<P> {
    /// Something happens at a node, after a delay.
    pub(crate) fn at(&mut self, delay: Time, node: NodeId, event: NodeEvent<P::Message>) {
        self.events.after(delay, Event::Node { node, event });
    }
}
