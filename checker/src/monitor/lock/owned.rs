//! A lock that only its holder can release.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::monitor::sweep::{NEVER, Operation, Order, Sweep, Violation};

/// What an operation does; owners are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::monitor) enum Step {
    Acquire(u32),
    Release(u32),
    SawHeld,
    SawNotHeldBy(u32),
}

impl Step {
    fn is_true(self, holder: Option<u32>) -> bool {
        match self {
            Step::SawHeld => holder.is_some(),
            Step::SawNotHeldBy(owner) => holder != Some(owner),
            Step::Acquire(_) | Step::Release(_) => false,
        }
    }
}

/// What an owner has begun and what has not taken effect, by deadline.
#[derive(Clone, Debug, Default)]
struct Owner {
    acquire: BinaryHeap<Reverse<(u32, u32)>>,
    release: BinaryHeap<Reverse<(u32, u32)>>,
    /// When its last completed operation ends.
    busy_until: Option<u32>,
    /// It has begun to release, and that is pending.
    may_have_released: bool,
}

impl Owner {
    /// Whether the operation begins after all others of the owner have ended. A pending acquisition need not: its
    /// point can still be anywhere.
    fn is_next(&mut self, operation: &Operation<Step>) -> bool {
        if operation.is_pending() && matches!(operation.step, Step::Acquire(_)) {
            return true;
        }
        let is_next =
            !self.may_have_released && self.busy_until.is_none_or(|until| until < operation.invoked);
        match operation.is_pending() {
            true => self.may_have_released = true,
            false => self.busy_until = Some(operation.deadline),
        }
        is_next
    }

    /// A completed release, and the acquisition, which must be a pending one, that belongs to it.
    fn pair(&mut self) -> Option<(u32, u32)> {
        let &Reverse((deadline, release)) = self.release.peek()?;
        if deadline == NEVER {
            return None;
        }
        let Reverse((_, acquire)) = self.acquire.pop()?;
        self.release.pop();
        Some((acquire, release))
    }
}

/// Acquires only for whom an operation that ends demands it, and releases only then; but a release that belongs to a
/// pending acquisition takes effect with it as soon as the lock is free.
///
/// An owner must do one thing at a time. If it does not, the sweep tells nothing any more.
#[derive(Clone, Debug)]
pub(in crate::monitor) struct Owned {
    holder: Option<u32>,
    initial: Option<u32>,
    owners: Vec<Owner>,
    /// Observers that have not been right.
    observers: Vec<(u32, Step)>,
    /// Owners that may be a pair.
    pairs: Vec<u32>,
    doubt: Option<&'static str>,
    /// Some owner did two things at once.
    is_over: bool,
}

impl Owned {
    pub(super) fn new(initial: Option<u32>) -> Owned {
        Owned {
            holder: initial,
            initial,
            owners: Vec::new(),
            observers: Vec::new(),
            pairs: Vec::new(),
            doubt: None,
            is_over: false,
        }
    }

    fn owner(&mut self, owner: u32) -> &mut Owner {
        let at = owner as usize;
        if self.owners.len() <= at {
            self.owners.resize_with(at + 1, Owner::default);
        }
        &mut self.owners[at]
    }

    fn acquire(&mut self, owner: u32, order: &mut Order) -> Result<(), Violation> {
        let Reverse((_, index)) = self.owner(owner).acquire.pop().ok_or(Violation)?;
        self.set(Some(owner), index, order);
        Ok(())
    }

    /// Whoever holds it releases it, if anybody does.
    fn release(&mut self, order: &mut Order) -> Result<(), Violation> {
        if let Some(holder) = self.holder {
            let Reverse((_, index)) = self.owner(holder).release.pop().ok_or(Violation)?;
            self.set(None, index, order);
        }
        self.pair(order);
        Ok(())
    }

    /// While it is free, pairs take effect.
    fn pair(&mut self, order: &mut Order) {
        if self.holder.is_some() {
            return;
        }
        for owner in std::mem::take(&mut self.pairs) {
            while let Some((acquire, release)) = self.owner(owner).pair() {
                self.set(Some(owner), acquire, order);
                self.set(None, release, order);
            }
            if !self.owner(owner).release.is_empty() {
                self.pairs.push(owner);
            }
        }
    }

    fn end_all(&mut self, operation: &Operation<Step>, order: &mut Order) -> Result<(), Violation> {
        let ends = Some(&Reverse((operation.deadline, operation.index)));
        match operation.step {
            Step::Acquire(owner) if self.owner(owner).acquire.peek() == ends => {
                self.release(order)?;
                self.acquire(owner, order)
            }
            Step::Release(owner) if self.owner(owner).release.peek() == ends => {
                if self.holder != Some(owner) {
                    self.release(order)?;
                }
                // That may have been all.
                if self.owner(owner).release.peek() == ends {
                    if self.holder != Some(owner) {
                        self.acquire(owner, order)?;
                    }
                    self.release(order)?;
                }
                Ok(())
            }
            Step::Acquire(_) | Step::Release(_) => Ok(()),
            Step::SawHeld | Step::SawNotHeldBy(_) => {
                let waits = |&(index, _): &(u32, Step)| index == operation.index;
                let Some(at) = self.observers.iter().position(waits) else {
                    return Ok(());
                };
                if let Step::SawNotHeldBy(_) = operation.step {
                    // Only its holder can make that true.
                    return self.release(order);
                }
                self.observers.swap_remove(at);
                self.doubt = Some("a refused acquisition depends on when others held the lock");
                Ok(())
            }
        }
    }

    fn set(&mut self, holder: Option<u32>, index: u32, order: &mut Order) {
        self.holder = holder;
        order.push(index);
        self.observers.retain(|&(index, step)| {
            let waits = !step.is_true(holder);
            if !waits {
                order.push(index);
            }
            waits
        });
        if holder == self.initial {
            order.settle();
        }
    }
}

impl Sweep for Owned {
    type Step = Step;

    fn is_observer(step: Step) -> bool {
        matches!(step, Step::SawHeld | Step::SawNotHeldBy(_))
    }

    fn begin(&mut self, operation: &Operation<Step>, order: &mut Order) {
        let waits = Reverse((operation.deadline, operation.index));
        if let Step::Acquire(owner) | Step::Release(owner) = operation.step
            && !self.owner(owner).is_next(operation)
        {
            self.is_over = true;
            self.doubt = Some("an owner acquires or releases while it is still at something else");
        }
        match operation.step {
            Step::Acquire(owner) => self.owner(owner).acquire.push(waits),
            Step::Release(owner) => {
                self.owner(owner).release.push(waits);
                self.pairs.push(owner);
            }
            step if step.is_true(self.holder) => order.push(operation.index),
            step => self.observers.push((operation.index, step)),
        }
        self.pair(order);
    }

    fn end(&mut self, operation: &Operation<Step>, order: &mut Order) -> Result<(), Violation> {
        match self.is_over {
            true => Ok(()),
            false => self.end_all(operation, order),
        }
    }

    fn doubt(&self) -> Option<&'static str> {
        self.doubt
    }
}
