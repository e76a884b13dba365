//! Any bytes, as what comes at the port for peers: frames.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| partita_replica::fuzzing::peer(bytes));
