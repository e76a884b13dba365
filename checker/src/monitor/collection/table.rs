//! What happened to each item, and when.

use super::{Conflict, NONE, Operation, Step};

/// A moment: the number of an event, among all events of the history. What was there from the beginning was put in
/// one after another before the first of them. A *gap* comes after the event of the same number: operations take
/// effect in gaps.
pub(super) type Moment = u32;

/// An operation, in effect in one of the gaps from `began` on and before `ended`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Its index; [`NONE`] if nothing was recorded of it.
    pub(super) operation: u32,
    pub(super) began: Moment,
    pub(super) ended: Moment,
}

/// An event, and the operation it belongs to.
pub(super) type Bound = (Moment, u32);

/// An item that was put in, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) put: Span,
    /// If nothing took it, it is taken after the end.
    pub(super) take: Span,
    /// Which of all peeks saw it.
    peeks: (u32, u32),
    /// The first peek or take that ended.
    pub(super) first_seen: Bound,
    /// The last peek or take that began.
    pub(super) last_seen: Bound,
}

impl Item {
    /// When the first of its operations ended.
    pub(super) fn first_end(&self) -> Moment {
        self.put.ended.min(self.first_seen.0)
    }

    /// When the last of its operations began.
    pub(super) fn last_begin(&self) -> Moment {
        self.put.began.max(self.last_seen.0)
    }

    /// The gaps, from the first and before the second, in which it certainly was there.
    pub(super) fn presence(&self) -> Option<(Moment, Moment)> {
        let (from, until) = (self.first_end(), self.last_begin());
        (from < until).then_some((from, until))
    }

    /// Whether a peek saw it.
    pub(super) fn is_peeked(&self) -> bool {
        self.peeks.0 < self.peeks.1
    }

    /// Gaps in which it may have been put in, such that all that saw it can come after that.
    pub(super) fn putting(&self) -> (Moment, Moment) {
        (self.put.began, self.first_end())
    }

    /// Gaps in which it may have been taken, such that all that saw it can come before that.
    pub(super) fn taking(&self) -> (Moment, Moment) {
        (self.last_begin(), self.take.ended)
    }

    /// Gaps in which a peek may have seen it.
    pub(super) fn peeking(&self, peek: &Span) -> (Moment, Moment) {
        (peek.began.max(self.put.began), peek.ended.min(self.take.ended))
    }

    /// It is taken by an operation that may have happened after `began`, or never.
    pub(super) fn take_by(&mut self, operation: u32, began: Moment, peeks: &[Span]) {
        self.take.operation = operation;
        self.take.began = began;
        let last = |last: Bound, peek: &Span| last.max((peek.began, peek.operation));
        self.last_seen = peeks.iter().fold((began, operation), last);
    }
}

/// All items that were certainly there, in the order of their numbers; and what else was done.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) items: Vec<Item>,
    /// By item, and in the order of invocations.
    peeks: Vec<Span>,
    /// What found nothing there, in the order of invocations.
    pub(super) empties: Vec<Span>,
    /// What may have taken something, in the order of invocations.
    pub(super) removals: Vec<Span>,
    /// After all events: when everything is taken that is left.
    pub(super) end: Moment,
}

/// Why there is no table.
pub(super) enum Failure {
    /// What is said of some item contradicts itself.
    Conflict(Conflict),
    NotApplicable(&'static str),
}

/// An item as long as little is known of it.
#[derive(Clone, Copy)]
struct Draft {
    put: Span,
    take: Span,
    first_seen: Bound,
    last_peek: Bound,
    peeks: u32,
}

const UNKNOWN: Draft = Draft {
    put: NOTHING,
    take: NOTHING,
    first_seen: (NEVER, NONE),
    last_peek: (0, NONE),
    peeks: 0,
};
const NOTHING: Span = Span {
    operation: NONE,
    began: NEVER,
    ended: NEVER,
};
const NEVER: Moment = Moment::MAX;

impl Draft {
    fn is_put(&self) -> bool {
        self.put.began != NEVER
    }

    /// Whether it was certainly there.
    fn is_certain(&self) -> bool {
        self.put.ended != NEVER || self.first_seen.1 != NONE
    }

    /// Operations that contradict each other.
    fn contradiction(&self) -> Option<Vec<u32>> {
        if self.first_seen.1 != NONE && !self.is_put() {
            return Some(vec![self.first_seen.1]);
        }
        if self.is_put() && self.first_seen.0 < self.put.began {
            return Some(vec![self.put.operation, self.first_seen.1]);
        }
        let seen_after = self.take.ended < self.last_peek.0;
        seen_after.then(|| vec![self.put.operation, self.take.operation, self.last_peek.1])
    }
}

impl Table {
    /// Of operations in the order of their invocations, with items below `items`; `initial` were there from the
    /// beginning, in this order.
    pub(super) fn new(operations: &[Operation], items: usize, initial: &[u32]) -> Result<Table, Failure> {
        let (spans, events) = number_events(operations, 2 * initial.len() as Moment);
        let mut drafts = vec![UNKNOWN; items];
        for (i, &item) in (0..).zip(initial) {
            let put = Span {
                operation: NONE,
                began: 2 * i + 1,
                ended: 2 * i + 2,
            };
            put_in(&mut drafts, item, put)?;
        }
        for (operation, &span) in operations.iter().zip(&spans) {
            if let Step::Put(item) = operation.step {
                put_in(&mut drafts, item, span)?;
            }
        }
        let mut table = Table {
            items: Vec::new(),
            peeks: Vec::new(),
            empties: Vec::new(),
            removals: Vec::new(),
            end: events + 1,
        };
        table.read(operations, &spans, &mut drafts)?;
        let places = table.settle(&drafts)?;
        table.place_peeks(operations, &spans, &places);
        Ok(table)
    }

    /// When operations that may never take effect end.
    pub(super) fn never(&self) -> Moment {
        self.end + 1
    }

    /// The peeks that saw an item, in the order of invocations.
    pub(super) fn peeks(&self, item: &Item) -> &[Span] {
        &self.peeks[item.peeks.0 as usize..item.peeks.1 as usize]
    }

    /// Whether it may be there at the end.
    pub(super) fn is_left(&self, item: &Item) -> bool {
        item.take.ended == self.never()
    }

    /// All gaps in which each item certainly was there.
    pub(super) fn presences(&self) -> impl Iterator<Item = (Moment, Moment, u32)> {
        let presence = |(i, item): (u32, &Item)| item.presence().map(|(from, until)| (from, until, i));
        (0..).zip(&self.items).filter_map(presence)
    }

    fn read(
        &mut self,
        operations: &[Operation],
        spans: &[Span],
        drafts: &mut [Draft],
    ) -> Result<(), Failure> {
        for (operation, &span) in operations.iter().zip(spans) {
            let is_pending = span.ended == NEVER;
            match operation.step {
                Step::Take(item) => {
                    let draft = &mut drafts[item as usize];
                    if is_pending {
                        // Of several, the first has the most freedom.
                        if draft.take.began == NEVER {
                            draft.take = span;
                        }
                        continue;
                    }
                    if draft.take.ended != NEVER {
                        let found = vec![draft.put.operation, draft.take.operation, span.operation];
                        return Err(Failure::Conflict(Conflict::among(found)));
                    }
                    draft.take = span;
                    draft.first_seen = draft.first_seen.min((span.ended, span.operation));
                }
                Step::Peek(item) if !is_pending => {
                    let draft = &mut drafts[item as usize];
                    draft.peeks += 1;
                    draft.first_seen = draft.first_seen.min((span.ended, span.operation));
                    draft.last_peek = draft.last_peek.max((span.began, span.operation));
                }
                Step::Empty if !is_pending => self.empties.push(span),
                Step::Remove => self.removals.push(Span {
                    ended: self.never(),
                    ..span
                }),
                Step::Put(_) | Step::Peek(_) | Step::Empty => {}
            }
        }
        Ok(())
    }

    /// Makes items of drafts; gives for each draft its place among the items.
    fn settle(&mut self, drafts: &[Draft]) -> Result<Vec<u32>, Failure> {
        let mut places = vec![NONE; drafts.len()];
        let mut first_peek = 0;
        for (draft, place) in drafts.iter().zip(&mut places) {
            if let Some(found) = draft.contradiction() {
                return Err(Failure::Conflict(Conflict::among(found)));
            }
            if !draft.is_put() || !draft.is_certain() {
                continue;
            }
            let mut take = draft.take;
            take.began = take.began.min(self.end);
            take.ended = take.ended.min(self.never());
            *place = self.items.len() as u32;
            self.items.push(Item {
                put: draft.put,
                take,
                peeks: (first_peek, first_peek + draft.peeks),
                first_seen: draft.first_seen.min((self.never(), NONE)),
                last_seen: draft.last_peek.max((take.began, take.operation)),
            });
            first_peek += draft.peeks;
        }
        self.peeks = vec![NOTHING; first_peek as usize];
        Ok(places)
    }

    fn place_peeks(&mut self, operations: &[Operation], spans: &[Span], places: &[u32]) {
        let mut next: Vec<u32> = self.items.iter().map(|item| item.peeks.0).collect();
        for (operation, &span) in operations.iter().zip(spans) {
            if let Step::Peek(item) = operation.step
                && span.ended != NEVER
            {
                let next = &mut next[places[item as usize] as usize];
                self.peeks[*next as usize] = span;
                *next += 1;
            }
        }
    }
}

fn put_in(drafts: &mut [Draft], item: u32, put: Span) -> Result<(), Failure> {
    let draft = &mut drafts[item as usize];
    if draft.is_put() {
        return Err(Failure::NotApplicable("an item is put in more than once"));
    }
    draft.put = put;
    Ok(())
}

/// Numbers all events from `before` + 1, invocations before returns at equal positions; gives the number of the last
/// one as well.
fn number_events(operations: &[Operation], before: Moment) -> (Vec<Span>, Moment) {
    let completed = operations.iter().zip(0..);
    let mut returns: Vec<(u32, u32)> = completed
        .filter_map(|(operation, i)| Some((operation.returned?, i)))
        .collect();
    returns.sort_unstable();
    let mut spans: Vec<Span> = Vec::with_capacity(operations.len());
    let (mut returns, mut last) = (returns.into_iter().peekable(), before);
    for (i, operation) in (0..).zip(operations) {
        while let Some((_, returned)) = returns.next_if(|&(position, _)| position < operation.invoked) {
            last += 1;
            spans[returned as usize].ended = last;
        }
        last += 1;
        spans.push(Span {
            operation: i,
            began: last,
            ended: NEVER,
        });
    }
    for (_, returned) in returns {
        last += 1;
        spans[returned as usize].ended = last;
    }
    (spans, last)
}
