//! Any bytes, as the snapshot and the records that a protocol recovers from.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| partita_replica::fuzzing::disk(bytes));
