//! Virtual time: what will happen, in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Microseconds since the start.
pub(crate) type Time = u64;

pub(crate) const MILLISECOND: Time = 1_000;

/// Events to come. Those of one time happen in the order in which they were planned.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    now: Time,
    planned: u64,
    /// By time and number, where in `events` each is: events are large, and a heap moves what it holds.
    order: BinaryHeap<Reverse<(Time, u64, u32)>>,
    events: Vec<Option<E>>,
    free: Vec<u32>,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Queue {
            now: 0,
            planned: 0,
            order: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
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
        let place = match self.free.pop() {
            Some(place) => {
                self.events[place as usize] = Some(event);
                place
            }
            None => {
                self.events.push(Some(event));
                self.events.len() as u32 - 1
            }
        };
        self.order.push(Reverse((self.now + delay, self.planned, place)));
    }

    /// When the next event is.
    pub(crate) fn next_time(&self) -> Option<Time> {
        self.order.peek().map(|&Reverse((time, ..))| time)
    }

    /// Something that is not an event happens, before the next one.
    pub(crate) fn advance_to(&mut self, time: Time) {
        self.now = self.now.max(time);
    }

    /// The next event; it is then its time.
    pub(crate) fn next(&mut self) -> Option<E> {
        let Reverse((time, _, place)) = self.order.pop()?;
        self.now = time;
        self.free.push(place);
        self.events[place as usize].take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_as_they_were_planned() {
        let mut queue = Queue::default();
        for (delay, event) in [(5, 'd'), (1, 'a'), (5, 'e'), (2, 'b')] {
            queue.after(delay, event);
        }
        assert_eq!(
            (queue.next(), queue.next(), queue.now()),
            (Some('a'), Some('b'), 2)
        );
        queue.after(1, 'c');
        let rest: String = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!((rest.as_str(), queue.now()), ("cde", 5));
    }
}
