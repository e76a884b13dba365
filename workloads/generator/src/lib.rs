//! Pure, seeded sources of operations and of faults.
//!
//! - [`operations`]: what clients do next.
//! - [`pace`]: when they do it.
//! - [`faults`]: the schedule of faults, drawn from the seed before the run begins, so that it can be
//!   recorded, replayed and shrunk.
//! - [`tracks`]: schedules that somebody has thought out.

pub mod faults;
pub mod operations;
pub mod pace;
pub mod settings;
pub mod tracks;

use rand::SeedableRng;
/// The one source of randomness. Named, because its stream must not change between versions.
pub use rand_chacha::ChaCha12Rng as Random;

pub use operations::{Client, Generator, Op, UntilOk};

/// Randomness for one purpose from a run's one seed, so that drawing more for one purpose does not disturb
/// another.
pub fn random(seed: u64, purpose: &str) -> Random {
    // FNV-1a: all that is asked of it is to tell the few purposes apart.
    let purpose = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&purpose.to_le_bytes());
    Random::from_seed(bytes)
}
