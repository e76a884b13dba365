//! Sweeps for runs: the operations come one by one, by their classes.

use super::sweep::{self, NEVER, Operation, Order, Sweep, Violation};
use super::{Finding, Monitor};
use crate::linearizability::entry::{Classes, Entry};
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
type Translate<S> = Box<dyn FnMut(&Class) -> Result<<S as Sweep>::Step, &'static str> + Send>;

/// A sweep whose steps are found from the classes.
pub(super) struct Translated<S: Sweep> {
    sweep: S,
    translate: Translate<S>,
}

impl<S: Sweep> Translated<S> {
    pub(super) fn new(
        sweep: S,
        translate: impl FnMut(&Class) -> Result<S::Step, &'static str> + Send + 'static,
    ) -> Self {
        Translated {
            sweep,
            translate: Box::new(translate),
        }
    }

    fn step(&mut self, operation: &Operation<&Class>) -> Result<Operation<S::Step>, &'static str> {
        Ok(Operation {
            index: operation.index,
            step: (self.translate)(operation.step)?,
            invoked: operation.invoked,
            deadline: operation.deadline,
        })
    }
}

impl<S> Translated<S>
where
    S: Sweep<Step: Send + Sync> + Clone + Send + Sync + 'static,
{
    /// The monitor that judges recorded histories by this sweep.
    pub(super) fn into_monitor(mut self, classes: &Classes) -> Box<dyn Monitor> {
        Box::new(Sweeping {
            steps: classes.iter().map(|class| (self.translate)(class)).collect(),
            sweep: self.sweep,
        })
    }
}

impl<S: Sweep + Send> Stream for Translated<S> {
    fn begin(&mut self, operation: &Operation<&Class>, order: &mut Order) -> Result<(), &'static str> {
        let operation = self.step(operation)?;
        self.sweep.begin(&operation, order);
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

/// A sweep of recorded histories.
struct Sweeping<S: Sweep> {
    /// Before the first operation.
    sweep: S,
    /// For each class, its step, or why there is none.
    steps: Vec<Result<S::Step, &'static str>>,
}

impl<S> Monitor for Sweeping<S>
where
    S: Sweep<Step: Send + Sync> + Clone + Send + Sync,
{
    fn judge(&self, entries: &[Entry]) -> Finding {
        let step = |entry: &Entry| self.steps[entry.class as usize];
        match operations(entries, step) {
            Ok(operations) => sweep::judge(self.sweep.clone(), &operations),
            Err(why) => Finding::NotApplicable(why),
        }
    }
}

/// The entries as operations with steps, named by their indices.
pub(super) fn operations<T>(
    entries: &[Entry],
    step: impl Fn(&Entry) -> Result<T, &'static str>,
) -> Result<Vec<Operation<T>>, &'static str> {
    debug_assert!(entries.is_sorted_by_key(|entry| entry.invoked));
    let operation = |(index, entry): (u32, &Entry)| {
        Ok(Operation {
            index,
            step: step(entry)?,
            invoked: entry.invoked,
            deadline: entry.deadline.unwrap_or(NEVER),
        })
    };
    (0..).zip(entries).map(operation).collect()
}
