//! The engine against the exhaustive oracle, on random histories and on recorded ones.

mod anomalies;
mod collections;
mod corpora;
mod differential;
mod generate;
mod models;
mod monitored;
mod online;
mod parallel;
mod scale;
mod speech;
mod stories;
mod sweeps;
mod sweeps_long;
mod vocabulary;

/// How many random histories a test judges: `normally`, unless `PARTITA_HISTORIES` asks for another number.
pub(crate) fn histories(normally: u64) -> u64 {
    match std::env::var("PARTITA_HISTORIES") {
        Ok(number) => number.parse().expect("PARTITA_HISTORIES is a number"),
        Err(_) => normally,
    }
}
