//! Any bytes, as a message of each protocol.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| partita_replica::fuzzing::message(bytes));
