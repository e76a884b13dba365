//! Which versions there were, and what each was made from (ALGORITHMS.md 3.3, steps 1 to 3).

use super::{DAWN, Failure, INITIAL, NEVER, NONE, Operation, Step, Time};

/// A value that was written, read, or swapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version {
    /// The operation that wrote it; none for the initial value and for values that nothing writes.
    pub(crate) writer: u32,
    /// The value that its writer found, if that is a compare-and-set.
    pub(crate) predecessor: u32,
    /// The value that was swapped in for it.
    pub(crate) successor: u32,
    /// An operation that shows that it was written; none if nothing does.
    pub(crate) reason: u32,
    /// How many completed operations read it.
    pub(crate) reads: u32,
    /// When the last read of it began.
    pub(crate) read_began: Time,
    /// When the first read of it ended.
    pub(crate) read_ended: Time,
}

const UNKNOWN: Version = Version {
    writer: NONE,
    predecessor: NONE,
    successor: NONE,
    reason: NONE,
    reads: 0,
    read_began: DAWN,
    read_ended: NEVER,
};

/// All versions, by value.
pub(crate) struct Versions {
    all: Vec<Version>,
}

impl Versions {
    /// With a failure, what was found out until then.
    pub(crate) fn new(operations: &[Operation], values: u32) -> Result<Versions, (Versions, Failure)> {
        let mut this = Versions {
            all: vec![UNKNOWN; values as usize],
        };
        let found = this
            .read_operations(operations)
            .and_then(|()| this.close())
            .and_then(|()| this.link());
        match found {
            Ok(()) => Ok(this),
            Err(failure) => Err((this, failure)),
        }
    }

    pub(crate) fn get(&self, value: u32) -> &Version {
        &self.all[value as usize]
    }

    /// How many values there are, those that never were included.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether the value was certainly there at some time.
    pub(crate) fn happened(&self, value: u32) -> bool {
        value == INITIAL || self.get(value).reason != NONE
    }

    /// The values that were there.
    pub(crate) fn values(&self) -> impl Iterator<Item = u32> {
        (0..self.all.len() as u32).filter(|&value| self.happened(value))
    }

    fn read_operations(&mut self, operations: &[Operation]) -> Result<(), Failure> {
        for (i, operation) in (0..).zip(operations) {
            match operation.step {
                Step::Write(value) => self.write(value, i, NONE)?,
                Step::Swap { from, to } => self.write(to, i, from)?,
                Step::Never if !operation.is_pending() => return Err(Failure::Violation(vec![i])),
                Step::Read(_) | Step::Differs(_) | Step::Never => {}
            }
            if operation.is_pending() {
                continue;
            }
            for value in [operation.step.requires(), operation.step.produces()]
                .into_iter()
                .flatten()
            {
                let version = &mut self.all[value as usize];
                if version.reason == NONE {
                    version.reason = i;
                }
            }
            if let Step::Read(value) = operation.step {
                let version = &mut self.all[value as usize];
                version.reads += 1;
                version.read_began = version.read_began.max(operation.began);
                version.read_ended = version.read_ended.min(operation.ended);
            }
        }
        Ok(())
    }

    fn write(&mut self, value: u32, writer: u32, predecessor: u32) -> Result<(), Failure> {
        if value == INITIAL {
            return Err(Failure::NotApplicable("the initial value is written again"));
        }
        let version = &mut self.all[value as usize];
        if version.writer != NONE {
            return Err(Failure::NotApplicable("a value is written more than once"));
        }
        version.writer = writer;
        version.predecessor = predecessor;
        Ok(())
    }

    /// What was swapped for another value was there before it.
    fn close(&mut self) -> Result<(), Failure> {
        for value in 0..self.all.len() as u32 {
            let mut value = value;
            while value != INITIAL && self.happened(value) {
                let Version {
                    writer, predecessor, ..
                } = *self.get(value);
                if writer == NONE {
                    return Err(Failure::Violation(vec![self.get(value).reason]));
                }
                if predecessor == NONE || self.happened(predecessor) {
                    break;
                }
                self.all[predecessor as usize].reason = writer;
                value = predecessor;
            }
        }
        Ok(())
    }

    fn link(&mut self) -> Result<(), Failure> {
        for value in 0..self.all.len() as u32 {
            let Version {
                writer, predecessor, ..
            } = *self.get(value);
            if predecessor == NONE || !self.happened(value) {
                continue;
            }
            let before = &mut self.all[predecessor as usize];
            if before.successor != NONE {
                let other = before.successor;
                return Err(Failure::Violation(vec![writer, self.get(other).writer]));
            }
            before.successor = value;
        }
        Ok(())
    }
}
