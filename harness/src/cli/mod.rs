//! The command line: one verb a file.

mod calibrate;
mod check;
mod clean;
mod compare;
mod doctor;
mod join_etcd;
mod list;
mod matrix;
mod node;
mod reading;
mod replay;
mod report;
pub(crate) mod run;
mod serve;
mod shrink;
pub(crate) mod simulate;
pub(crate) mod terminal;
pub(crate) mod units;
mod verify;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use partita_checker::Verdict;

use crate::child;

/// We broke, or the target would not start.
pub(crate) const OWN_FAILURE: u8 = 255;
/// Arguments that can't be used, or input that can't be read.
const EXIT_USAGE: u8 = 254;

#[derive(Parser)]
#[command(
    name = "partita",
    version,
    about = "Is a replicated system linearizable under faults? If not, why; if so, how hard was it tried?",
    after_help = "Exit codes: 0 valid, 1 invalid, 2 unknown, 3 not exercised, 254 usage, 255 harness failure."
)]
struct Arguments {
    /// (internal) End when this process does, which is our parent
    #[arg(long, global = true, hide = true, value_name = "PID")]
    with_parent: Option<i32>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run one test: a cluster under faults, a verdict, a report
    Run(run::Arguments),
    /// Check recorded histories
    Check(check::Arguments),
    /// Check a linearization that `check --witness` wrote
    Verify(verify::Arguments),
    /// Run a protocol of ours, its clients and faults in virtual time, from a seed
    Simulate(simulate::Arguments),
    /// Repeat a run: the same plan, the same seed
    Replay(replay::Arguments),
    /// Find out what of a failure is really needed to see it: faults, nodes, clients, operations
    Shrink(shrink::Arguments),
    /// Build the report of a run again
    Report(report::Arguments),
    /// Run a whole night: many runs, of which some must fail, and one verdict
    Matrix(matrix::Arguments),
    /// Compare runs, nights, targets or builds: verdicts, throughput, latency, with intervals
    Compare(compare::Arguments),
    /// Browse runs and nights, on this machine alone
    Serve(serve::Arguments),
    /// Measure how well planted bugs are found, and that nothing is found without them
    Calibrate(calibrate::Arguments),
    /// List targets, workloads, faults, sets of them, models, formats and defects
    List(list::Arguments),
    /// Show what this machine allows, and how to get more
    Doctor(doctor::Arguments),
    /// Remove whatever a dead run left behind
    Clean(clean::Arguments),
    /// (internal) One of our own servers, as a process
    #[command(hide = true)]
    Node(node::Arguments),
    /// (internal) Wait until a node of etcd was added to its cluster, and run etcd
    #[command(hide = true)]
    JoinEtcd(join_etcd::Arguments),
}

/// Why a command ended without a verdict.
pub(crate) enum Failure {
    /// The user has to change something: exit code 254.
    Usage(anyhow::Error),
    /// We broke, or the target would not start: exit code 255.
    Harness(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Harness(error)
    }
}

impl Failure {
    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Failure::Usage(error.into())
    }
}

/// Parses the arguments and does what they say.
pub(crate) fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come as errors too; nothing can be done if they can't be printed.
            let _ = error.print();
            return if error.use_stderr() {
                EXIT_USAGE.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    if let Some(parent) = arguments.with_parent {
        child::end_with(parent);
    }
    let done = match arguments.verb {
        Verb::Run(arguments) => run::main(arguments),
        Verb::Check(arguments) => check::main(arguments),
        Verb::Verify(arguments) => verify::main(&arguments),
        Verb::Simulate(arguments) => simulate::main(&arguments),
        Verb::Replay(arguments) => replay::main(&arguments),
        Verb::Shrink(arguments) => shrink::main(&arguments),
        Verb::Report(arguments) => report::main(&arguments),
        Verb::Matrix(arguments) => matrix::main(&arguments),
        Verb::Serve(arguments) => serve::main(&arguments),
        Verb::Compare(arguments) => compare::main(&arguments),
        Verb::Calibrate(arguments) => calibrate::main(&arguments),
        Verb::List(arguments) => list::main(&arguments),
        Verb::Doctor(arguments) => doctor::main(&arguments),
        Verb::Clean(arguments) => clean::main(&arguments),
        Verb::Node(arguments) => node::main(arguments),
        Verb::JoinEtcd(arguments) => join_etcd::main(arguments),
    };
    let (code, error) = match done {
        Ok(verdict) => return verdict.exit_code().into(),
        Err(Failure::Usage(error)) => (EXIT_USAGE, error),
        Err(Failure::Harness(error)) => (Verdict::HarnessFailure.exit_code(), error),
    };
    say(&format!("error: {error:#}"));
    code.into()
}

/// Prints a result. That the reader went away is not our failure.
fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Tells the user something on the side.
fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
pub(crate) mod tests {
    /// JSON, a member a line, so that a change shows where it is.
    pub(crate) fn pretty(value: &serde_json::Value) -> String {
        format!("{value:#}")
    }

    #[test]
    fn help_names_every_verb() {
        let help = <super::Arguments as clap::CommandFactory>::command().render_help();
        insta::assert_snapshot!("help", help);
    }
}
