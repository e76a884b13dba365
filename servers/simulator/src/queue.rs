//! Virtual time: what will happen, in order.

use std::collections::BTreeMap;

/// Microseconds since the start.
pub(crate) type Time = u64;

pub(crate) const MILLISECOND: Time = 1_000;

/// Events to come. Those of one time happen in the order in which they were planned.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    now: Time,
    planned: u64,
    events: BTreeMap<(Time, u64), E>,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Queue {
            now: 0,
            planned: 0,
            events: BTreeMap::new(),
        }
    }
}

impl<E> Queue<E> {
    pub(crate) fn now(&self) -> Time {
        self.now
    }

    /// Plans an event, after a delay from now.
    pub(crate) fn after(&mut self, delay: Time, event: E) {
        self.planned += 1;
        self.events.insert((self.now + delay, self.planned), event);
    }

    /// When the next event is.
    pub(crate) fn next_time(&self) -> Option<Time> {
        self.events.first_key_value().map(|(&(time, _), _)| time)
    }

    /// Something that is not an event happens, before the next one.
    pub(crate) fn advance_to(&mut self, time: Time) {
        self.now = self.now.max(time);
    }

    /// The next event; it is then its time.
    pub(crate) fn next(&mut self) -> Option<E> {
        let ((time, _), event) = self.events.pop_first()?;
        self.now = time;
        Some(event)
    }
}
