//! The core, one step at a time.
