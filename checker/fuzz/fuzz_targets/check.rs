//! Any bytes, as a small history of any model: no panic, no hang, and no answer that another engine contradicts.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| partita_checker::fuzzing::check(bytes));
