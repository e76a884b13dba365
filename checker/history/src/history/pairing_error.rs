//! Why events could not be paired.

/// Why events could not be paired.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PairingError {
    /// A second invocation while one is open.
    #[error(
        "process {process} invokes `{f}` while its `{open}` is still open (a process does one thing at a time)"
    )]
    StillOpen {
        /// The process.
        process: u64,
        /// The function invoked.
        f: String,
        /// The function still open.
        open: String,
    },
    /// A completion with nothing to complete.
    #[error("process {process} completes `{f}`, which it had not invoked")]
    NotInvoked {
        /// The process.
        process: u64,
        /// The function completed.
        f: String,
    },
    /// A completion of another function than the open one.
    #[error("process {process} completes `{f}`, but the operation it has open is `{open}`")]
    OtherFunction {
        /// The process.
        process: u64,
        /// The function completed.
        f: String,
        /// The function open.
        open: String,
    },
    /// More events, or more different values, than can be numbered.
    #[error("a history holds at most {} events, and as many different values", u32::MAX)]
    TooLong,
    /// More different functions and nodes than can be numbered.
    #[error("a history names at most {} different functions and nodes", u16::MAX - 1)]
    TooManyNames,
}
