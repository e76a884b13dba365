//! Any bytes, as the first segment of a log that a node recovers from. In memory, so that fsync costs nothing.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let at = std::path::Path::new("/dev/shm").join(format!("partita-fuzz-{}", std::process::id()));
    partita_replica::fuzzing::log(&at, bytes);
});
