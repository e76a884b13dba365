//! Any bytes, as the body of a client's request.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| partita_replica::fuzzing::request(bytes));
