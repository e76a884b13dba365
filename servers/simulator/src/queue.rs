//! Virtual time: what will happen, in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Microseconds since the start.
pub(crate) type Time = u64;

pub(crate) const MILLISECOND: Time = 1_000;

/// A time, the number of an event and its place in one number, which is compared at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u128);

/// For how many places, and numbers, a key has bits.
const PLACE_BITS: u32 = 24;
const NUMBER_BITS: u32 = 40;

impl Key {
    fn new(time: Time, number: u64, place: usize) -> Key {
        debug_assert!(number >> NUMBER_BITS == 0 && place >> PLACE_BITS == 0);
        Key(u128::from(time) << (NUMBER_BITS + PLACE_BITS) | u128::from(number) << PLACE_BITS | place as u128)
    }

    fn time(self) -> Time {
        (self.0 >> (NUMBER_BITS + PLACE_BITS)) as Time
    }

    fn place(self) -> usize {
        (self.0 & ((1 << PLACE_BITS) - 1)) as usize
    }
}

/// Events to come. Those of one time happen in the order in which they were planned.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    now: Time,
    planned: u64,
    /// By time and number, where in `events` each is: events are large, and a heap moves what it holds.
    order: BinaryHeap<Reverse<Key>>,
    events: Vec<Option<E>>,
    free: Vec<usize>,
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
                self.events[place] = Some(event);
                place
            }
            None => {
                self.events.push(Some(event));
                self.events.len() - 1
            }
        };
        let key = Key::new(self.now + delay, self.planned, place);
        self.order.push(Reverse(key));
    }

    /// When the next event is.
    pub(crate) fn next_time(&self) -> Option<Time> {
        self.order.peek().map(|&Reverse(key)| key.time())
    }

    /// Something that is not an event happens, before the next one.
    pub(crate) fn advance_to(&mut self, time: Time) {
        self.now = self.now.max(time);
    }

    /// The next event; it is then its time.
    pub(crate) fn next(&mut self) -> Option<E> {
        let Reverse(key) = self.order.pop()?;
        self.now = key.time();
        self.free.push(key.place());
        self.events[key.place()].take()
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
