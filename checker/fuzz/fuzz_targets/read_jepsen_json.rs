//! Any bytes, as a history in the format `jepsen-json`: a history or a clear error, and never a panic.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| partita_history::fuzzing::read(Some("jepsen-json"), bytes));
