//! What a check assumes, and how much it may spend.

use partita_history::Value;

/// What a `fail`ed operation with a precondition, such as a compare-and-set, says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailMeaning {
    /// It did not happen, and nothing else is known (as in Knossos).
    #[default]
    Dropped,
    /// It also proves that the precondition did not hold at some moment while it ran (as in Porcupine's etcd
    /// model).
    Observed,
}

/// What a completed read of null says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NilReads {
    /// The value was null.
    #[default]
    Exact,
    /// Nothing (as in Knossos, where null stands for "not known").
    Any,
}

/// What decides whether there is a linearization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// A monitor where one applies, otherwise the search.
    #[default]
    Auto,
    /// Monitors alone: near-linear, and [`crate::Verdict::Unknown`] where none applies.
    Monitor,
    /// The search alone.
    Search,
}

/// What a check assumes, and how much it may spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The state before the first operation; null stands for the model's own.
    pub initial: Value,
    /// The meaning of `fail`.
    pub fail: FailMeaning,
    /// The meaning of a read of null.
    pub nil_reads: NilReads,
    /// What decides.
    pub engine: Engine,
    /// How many configurations may be visited for one key.
    pub configurations_max: u64,
    /// How much memory, in bytes, all searches that run at a time may fill together, apart from the history itself.
    pub memory_bytes_max: u64,
    /// Whether one violation is enough: as soon as there is one, the keys with fewer operations than its own are
    /// given up, and their verdict is unknown.
    pub first_violation_only: bool,
    /// How many violations are explained in full; further ones are only counted.
    pub explained_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            initial: Value::Null,
            fail: FailMeaning::Dropped,
            nil_reads: NilReads::Exact,
            engine: Engine::Auto,
            configurations_max: u64::MAX,
            memory_bytes_max: 2 << 30,
            first_violation_only: false,
            explained_max: 5,
        }
    }
}

impl Options {
    /// The assumptions in words, for the report.
    pub(crate) fn assumptions(&self) -> Vec<String> {
        let initial = match &self.initial {
            Value::Null => "every object starts in the model's own initial state".to_owned(),
            value => format!("every object starts as {value}"),
        };
        let fail = match self.fail {
            FailMeaning::Dropped => {
                "a failed operation did not happen, and says nothing else unless it recorded what it saw"
            }
            FailMeaning::Observed => {
                "a failed operation did not happen; if it had a precondition (a compare-and-set, an acquisition, a removal), that proves that the precondition did not hold at some moment while it ran"
            }
        };
        let nil = match self.nil_reads {
            NilReads::Exact => "a read of null found null",
            NilReads::Any => "a read of null says nothing",
        };
        vec![
            initial,
            fail.to_owned(),
            nil.to_owned(),
            "an operation of unknown outcome may take effect at any moment after its invocation, or never"
                .to_owned(),
        ]
    }
}
