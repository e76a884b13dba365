//! What a sweep can judge, fed by a lagging stream; where it turns out that it can't, breadth first from the
//! beginning.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lag::{Begin, Ready};
use super::levels::Levels;
use super::{Follow, Halt, NEVER, Thrift, Time};
use crate::model::{Class, Specification};
use crate::monitor::stream::Stream;
use crate::monitor::sweep::{Operation, Order};

/// So many events since the beginning are kept, to begin again by other means.
const REPLAY_MAX: usize = 4096;

/// A sweep, and what it takes to do without it.
pub(super) struct Swept {
    specification: Arc<dyn Specification>,
    thrift: Thrift,
    by: By,
}

enum By {
    Sweep {
        stream: Box<dyn Stream>,
        /// What took effect with the latest event; nobody asks.
        order: Order,
        /// By when they end.
        open: BTreeMap<Time, Begin>,
        /// All events; none once they are too many.
        replay: Option<Vec<Ready>>,
    },
    Levels(Box<Levels>),
}

impl Swept {
    pub(super) fn new(
        stream: Box<dyn Stream>,
        specification: &Arc<dyn Specification>,
        thrift: Thrift,
    ) -> Swept {
        Swept {
            specification: Arc::clone(specification),
            thrift,
            by: By::Sweep {
                stream,
                order: Order::default(),
                open: BTreeMap::new(),
                replay: Some(Vec::new()),
            },
        }
    }

    /// Breadth first, from the beginning.
    fn begin_again(&mut self, events: Vec<Ready>) -> Result<(), Halt> {
        let initial = vec![self.specification.initial()];
        let specification = Arc::clone(&self.specification);
        let mut levels = Levels::new(specification, initial, Vec::new(), self.thrift);
        for event in events {
            levels.follow(event)?;
        }
        self.by = By::Levels(Box::new(levels));
        Ok(())
    }
}

fn operation(begin: &Begin) -> Operation<&Class> {
    Operation {
        index: begin.operation,
        step: &begin.class,
        invoked: begin.began,
        deadline: begin.deadline.unwrap_or(NEVER),
    }
}

impl Follow for Swept {
    fn follow(&mut self, event: Ready) -> Result<(), Halt> {
        let (stream, order, open, replay) = match &mut self.by {
            By::Levels(levels) => return levels.follow(event),
            By::Sweep {
                stream,
                order,
                open,
                replay,
            } => (stream, order, open, replay),
        };
        drop(order.drain());
        if let Some(events) = replay {
            events.push(event.clone());
            if events.len() > REPLAY_MAX {
                *replay = None;
            }
        }
        let applies = match event {
            // Observers that are pending are not shown.
            Ready::Begin(begin)
                if begin.deadline.is_none() && self.specification.is_observer(&begin.class) =>
            {
                Ok(())
            }
            Ready::Begin(begin) => {
                let applies = stream.begin(&operation(&begin), order);
                if let Some(deadline) = begin.deadline {
                    open.insert(deadline, begin);
                }
                applies
            }
            Ready::End(end) => {
                if let Some(begin) = open.remove(&end.time) {
                    let ended = stream.end(&operation(&begin), order);
                    ended.map_err(|_| Halt::Violation(end))?;
                }
                Ok(())
            }
        };
        match applies.err().or(stream.doubt()) {
            None => Ok(()),
            Some(why) => {
                let replay = replay.take().ok_or(Halt::NotApplicable(why))?;
                self.begin_again(replay)
            }
        }
    }

    fn size(&self) -> usize {
        match &self.by {
            By::Sweep { open, replay, .. } => open.len() + replay.as_ref().map_or(0, Vec::len),
            By::Levels(levels) => levels.size(),
        }
    }
}
