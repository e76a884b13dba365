//! Every event of a run, written to the history in the order in which it happened.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use partita_generator::pace::Pace;
use partita_generator::{Client, Generator, Op, Random, UntilOk};
use partita_history::{
    Event, EventType, FaultEvent, FaultOutcome, FaultPhase, FaultValue, OpEvent, Outcome, jsonl,
};
use partita_targets::Completion;

use super::online::Tap;

/// Gives out operations and records what becomes of them.
///
/// One lock covers the clock, the generator and the file: so the order of lines is the order of events, times
/// never run backwards, and an event is with the operating system before anything can follow from it. Nothing
/// is kept in memory, and a killed controller leaves every event but, at worst, part of the last line.
pub(crate) struct Recorder {
    start: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    history: File,
    faults: File,
    line: Vec<u8>,
    index: u64,
    generator: Box<dyn Generator>,
    pace: Pace,
    rng: Random,
    counts: Counts,
    tap: Option<Tap>,
    broken: Option<String>,
}

/// How much was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) invoked: u64,
    pub(crate) ok: u64,
    pub(crate) fail: u64,
    pub(crate) info: u64,
    pub(crate) faults_took: u64,
}

impl Recorder {
    /// Records into `directory`, which must be there, and tells `tap` of what it recorded. The clock starts now.
    pub(crate) fn new(
        directory: &Path,
        generator: Box<dyn Generator>,
        pace: Pace,
        rng: Random,
        tap: Tap,
    ) -> io::Result<Self> {
        let inner = Inner {
            history: File::create_new(directory.join("history.jsonl"))?,
            faults: File::create_new(directory.join("faults.jsonl"))?,
            line: Vec::new(),
            index: 0,
            generator,
            pace,
            rng,
            counts: Counts::default(),
            tap: Some(tap),
            broken: None,
        };
        Ok(Recorder {
            start: Instant::now(),
            inner: Mutex::new(inner),
        })
    }

    /// Nanoseconds since the start of the run.
    pub(crate) fn now(&self) -> u64 {
        nanoseconds(self.start)
    }

    /// The moment `time` nanoseconds after the start of the run.
    pub(crate) fn moment(&self, time: u64) -> Instant {
        self.start + std::time::Duration::from_nanos(time)
    }

    /// When the next operation is to begin.
    pub(crate) fn next_begin(&self) -> u64 {
        let now = self.now();
        self.lock().pace.next(now)
    }

    /// Draws an operation for `client` and records that it begins now; none when there are no more.
    pub(crate) fn invoke(&self, client: Client, node: &str) -> io::Result<Option<Op>> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let Some(op) = inner.generator.next(client, &mut inner.rng) else {
            return Ok(None);
        };
        inner.record(OpEvent {
            index: inner.index,
            time: nanoseconds(self.start),
            process: client.process,
            kind: EventType::Invoke,
            f: op.f.to_owned(),
            key: op.key.clone(),
            value: op.value.clone(),
            observed: None,
            node: Some(node.to_owned()),
            error: None,
        })?;
        inner.counts.invoked += 1;
        Ok(Some(op))
    }

    /// Records that the operation of `process` ended now.
    pub(crate) fn complete(
        &self,
        process: u64,
        op: Op,
        node: &str,
        completion: Completion,
    ) -> io::Result<()> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let (kind, count) = match completion.outcome {
            Outcome::Ok => (EventType::Ok, &mut inner.counts.ok),
            Outcome::Fail => (EventType::Fail, &mut inner.counts.fail),
            Outcome::Info => (EventType::Info, &mut inner.counts.info),
        };
        *count += 1;
        inner.record(OpEvent {
            index: inner.index,
            time: nanoseconds(self.start),
            process,
            kind,
            f: op.f.to_owned(),
            key: op.key,
            value: completion.value,
            observed: completion.observed,
            node: Some(completion.node.unwrap_or_else(|| node.to_owned())),
            error: completion.error,
        })
    }

    /// Records a phase of a fault. The nemesis must go on to heal even if this can't be done, so the error is
    /// kept for [`Recorder::broken`].
    pub(crate) fn fault(&self, f: &str, value: FaultValue) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        if value.phase == FaultPhase::Injected && value.outcome == Some(FaultOutcome::Took) {
            inner.counts.faults_took += 1;
        }
        let event = FaultEvent {
            index: inner.index,
            time: nanoseconds(self.start),
            f: f.to_owned(),
            value,
        };
        let written = inner
            .write(&Event::Fault(event))
            .and_then(|()| inner.faults.write_all(&inner.line));
        if let Err(error) = written {
            inner.broken.get_or_insert(error.to_string());
        }
    }

    /// Why an event could not be recorded; none if all were.
    pub(crate) fn broken(&self) -> Option<String> {
        self.lock().broken.clone()
    }

    /// From now on, gives out what the generator wants done in the end, at the pace given.
    pub(crate) fn finally(&self, pace: Pace) {
        let mut inner = self.lock();
        let generator = std::mem::replace(&mut inner.generator, Box::new(UntilOk::new([], 0)));
        inner.generator = generator.finally();
        inner.pace = pace;
    }

    /// Nothing more is told; gives back the tap.
    pub(crate) fn untap(&self) -> Option<Tap> {
        self.lock().tap.take()
    }

    /// How much was done so far.
    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere must not cost us the rest of the history.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn record(&mut self, event: OpEvent) -> io::Result<()> {
        self.generator.update(&event);
        let position = self.index;
        let event = Event::Op(event);
        self.write(&event)?;
        if let (Some(tap), Event::Op(event)) = (&mut self.tap, event) {
            tap.tell(position, event);
        }
        Ok(())
    }

    /// After a line that could not be written whole, no other may follow.
    fn write(&mut self, event: &Event) -> io::Result<()> {
        if let Some(broken) = &self.broken {
            return Err(io::Error::other(broken.clone()));
        }
        self.line.clear();
        jsonl::write(&mut self.line, event)?;
        self.index += 1;
        self.history
            .write_all(&self.line)
            .inspect_err(|error| self.broken = Some(error.to_string()))
    }
}

fn nanoseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
