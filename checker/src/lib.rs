//! Histories in, verdicts out: linearizability and friends, without I/O.
//!
//! A [`History`](partita_history::History) records what clients did to a system and what they saw. A [`Model`]
//! says what one object would do that does one thing at a time. [`check`] tells whether the system behaved as if
//! it were such an object; if not, the [`Anomaly`] names the violation, shows a minimal set of operations that
//! has no linearization, and tells it in words.
//!
//! ```
//! use partita_checker::{Model, Options, Verdict, check, check_with_witness, verify};
//! use partita_history::jsonl;
//!
//! // C1: |--- write 100 ---|
//! // C2:          |--- read: 100 ---|
//! // C3:             |- read: 0 -|
//! let history = jsonl::read(
//!     br#"{"process":1,"type":"invoke","f":"write","value":100}
//! {"process":2,"type":"invoke","f":"read"}
//! {"process":3,"type":"invoke","f":"read"}
//! {"process":3,"type":"ok","f":"read","value":0}
//! {"process":2,"type":"ok","f":"read","value":100}
//! {"process":1,"type":"ok","f":"write","value":100}
//! "#.as_slice(),
//!     false,
//! )?;
//! let register = Model::by_name("register").expect("it is in the registry");
//! let options = Options { initial: 0.into(), ..Options::default() };
//!
//! let (analysis, witnesses) = check_with_witness(&history, register, &options, &|| false)?;
//! assert_eq!(analysis.verdict, Verdict::Valid);
//! assert_eq!(witnesses[0].order, [2, 0, 1]); // read 0, write 100, read 100
//! verify(&history, register, &options, &witnesses)?;
//!
//! // Now C3 reads 0 after C2 has seen 100.
//! let history = jsonl::read(
//!     br#"{"process":1,"type":"invoke","f":"write","value":100}
//! {"process":2,"type":"invoke","f":"read"}
//! {"process":2,"type":"ok","f":"read","value":100}
//! {"process":3,"type":"invoke","f":"read"}
//! {"process":3,"type":"ok","f":"read","value":0}
//! {"process":1,"type":"ok","f":"write","value":100}
//! "#.as_slice(),
//!     false,
//! )?;
//! let analysis = check(&history, register, &options, &|| false)?;
//! assert_eq!(analysis.verdict, Verdict::Invalid);
//! assert_eq!(analysis.anomalies[0].name, "new/old inversion");
//! assert_eq!(analysis.anomalies[0].operations, [0, 1, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`model`]: sequential specifications, one file each, and the registry [`model::ALL`]; for a model of one's own,
//!   see [`model::Specification`] and `examples/own_model.rs`;
//! - [`linearizability`]: the search, the counterexample, the story;
//! - [`lint()`]: what is wrong or weak about the test, apart from any verdict;
//! - [`severity`]: how wrong a history is that is not linearizable, and which weaker guarantees it still keeps;
//! - [`online`]: the same question, asked while the history happens;
//! - [`verify`]: re-checks the proof of a pass, sharing no code with the search;
//! - [`verdict`]: the one result type that all checkers give.
//!
//! Nothing here reads a clock or starts a thread of its own: whoever calls decides when to give up, and how many threads
//! keys are judged in (those of the `rayon` pool that the call is made in).

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod input_error;
pub mod linearizability;
pub mod linter;
pub mod model;
mod monitor;
pub mod online;
mod oracle;
pub mod severity;
pub mod verdict;
mod witness;

/// What a history is: all that is needed to make one.
pub use partita_history as history;

pub use input_error::InputError;
pub use linearizability::{check, check_with_witness};
pub use linter::{Finding, FindingKind, lint};
pub use model::{Engine, FailMeaning, Model, NilReads, Options};
pub use severity::{Consistency, Extent, Holds, Level, Severity, StaleReads};
pub use verdict::{Analysis, Anomaly, Edge, EdgeKind, KeyResult, Partial, Step, Stuck, Verdict};
pub use witness::{Witness, WitnessError, verify};
