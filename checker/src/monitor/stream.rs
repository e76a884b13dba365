//! Sweeps for runs: the operations come one by one, by their classes.

use super::sweep::{NEVER, Operation, Order, Sweep, Violation};
use crate::model::Class;

/// A sweep of one object. Operations come in the order that [`Sweep`] demands; one that completed is shown twice, as
/// it begins and as it ends, with the same index, class and positions.
pub(crate) trait Stream: Send {
    /// The operation begins. What takes effect is added to the order.
    ///
    /// # Errors
    /// If there is no sweep for such operations: why, as the end of a sentence that begins with "because". The
    /// stream is then over.
    fn begin(&mut self, operation: &Operation<&Class>, order: &mut Order) -> Result<(), &'static str>;

    /// The completed operation ends.
    ///
    /// # Errors
    /// If what has ended until now has no linearization. The stream is then over.
    fn end(&mut self, operation: &Operation<&Class>, order: &mut Order) -> Result<(), Violation>;

    /// As [`Sweep::doubt`].
    fn doubt(&self) -> Option<&'static str>;
}

/// What a class is to a sweep, or why it is nothing.
pub(super) type Translate<S> = Box<dyn FnMut(&Class) -> Result<<S as Sweep>::Step, &'static str> + Send>;

/// A sweep whose steps are found from the classes.
pub(super) struct Translated<S: Sweep> {
    pub(super) sweep: S,
    pub(super) translate: Translate<S>,
}

impl<S: Sweep> Translated<S> {
    fn step(&mut self, operation: &Operation<&Class>) -> Result<Operation<S::Step>, &'static str> {
        Ok(Operation {
            index: operation.index,
            step: (self.translate)(operation.step)?,
            invoked: operation.invoked,
            deadline: operation.deadline,
        })
    }
}

impl<S: Sweep + Send> Stream for Translated<S> {
    fn begin(&mut self, operation: &Operation<&Class>, order: &mut Order) -> Result<(), &'static str> {
        let operation = self.step(operation)?;
        if operation.deadline != NEVER || !S::is_observer(operation.step) {
            self.sweep.begin(&operation, order);
        }
        Ok(())
    }

    fn end(&mut self, operation: &Operation<&Class>, order: &mut Order) -> Result<(), Violation> {
        match self.step(operation) {
            Ok(operation) => self.sweep.end(&operation, order),
            // It was told so when it began.
            Err(_) => Ok(()),
        }
    }

    fn doubt(&self) -> Option<&'static str> {
        self.sweep.doubt()
    }
}
