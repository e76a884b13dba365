//! A fingerprint of all that happened.

use std::fmt::{Debug, Write as _};

/// Takes in everything that happens, in order; two runs that differ anywhere differ in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Trace(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    pub(crate) fn note(&mut self, what: &impl Debug) {
        // Writing to a hash can not fail.
        let _ = write!(self, "{what:?};");
    }

    pub(crate) fn value(self) -> u64 {
        self.0
    }
}

/// FNV-1a over the debug form: it has to tell runs apart, and to be the same on every machine.
impl std::fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        Ok(())
    }
}
