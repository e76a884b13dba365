//! Whether there is power: without it nothing is answered.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whether the disk works, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    /// It works.
    On,
    /// It was cut: whoever asks waits.
    Cut,
    /// It was cut, and who asks is being killed: it gets an error, which it does not live to see. The kernel does
    /// not end a process before its question is answered.
    Released,
}

#[derive(Debug)]
struct State {
    power: Power,
    /// Whoever uses the disk is being killed: it must not be held up.
    is_dying: bool,
}

/// Where questions wait.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    pub(super) fn new() -> Gate {
        Gate {
            state: Mutex::new(State {
                power: Power::On,
                is_dying: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn power(&self) -> Power {
        self.lock().power
    }

    /// Cuts the power, if it is on.
    pub(super) fn cut(&self) {
        let mut state = self.lock();
        if state.power == Power::On {
            state.power = Power::Cut;
        }
        self.changed.notify_all();
    }

    /// Whoever uses the disk is being killed.
    pub(super) fn release(&self) {
        let mut state = self.lock();
        state.is_dying = true;
        if state.power == Power::Cut {
            state.power = Power::Released;
        }
        self.changed.notify_all();
    }

    pub(super) fn power_on(&self) {
        *self.lock() = State {
            power: Power::On,
            is_dying: false,
        };
        self.changed.notify_all();
    }

    /// Something changed that one who waits in [`hold`](Gate::hold) asks for.
    pub(super) fn tell(&self) {
        // With the lock, or it would be missed by one who has just looked and not yet begun to wait.
        let _state = self.lock();
        self.changed.notify_all();
    }

    /// Waits while the power is cut; says whether it is on.
    pub(super) fn pass(&self) -> bool {
        let state = self.lock();
        let state = self.changed.wait_while(state, |state| state.power == Power::Cut);
        state.unwrap_or_else(PoisonError::into_inner).power == Power::On
    }

    /// Waits for the end of the delay, if there is one, or until it is over for another reason: the power is cut,
    /// who asked is being killed, or `waived` says so.
    pub(super) fn hold(&self, delay: Option<Duration>, waived: impl Fn() -> bool) {
        let deadline = delay.map(|delay| Instant::now() + delay);
        let mut state = self.lock();
        while state.power == Power::On && !state.is_dying && !waived() {
            let Some(deadline) = deadline else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
