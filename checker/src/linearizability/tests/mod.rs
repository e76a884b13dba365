//! The engine against the exhaustive oracle, on random histories and on recorded ones.

mod anomalies;
mod corpora;
mod differential;
mod generate;
mod models;
mod monitored;
mod scale;
mod vocabulary;
