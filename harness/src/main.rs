//! The `partita` command: see the README.

mod calibrate;
mod child;
mod cli;
mod compare;
#[cfg(test)]
mod formats;
mod markup;
mod matrix;
mod plan;
mod progress;
mod run;
mod serve;
mod shrink;

fn main() -> std::process::ExitCode {
    // A panic is our own failure, and has told of itself.
    std::panic::catch_unwind(|| cli::main(std::env::args_os())).unwrap_or_else(|_| cli::OWN_FAILURE.into())
}
