//! Any bytes, in whatever format they seem to have: a history or a clear error, and never a panic.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| partita_history::fuzzing::read(None, bytes));
