//! The write-ahead log.
//!
//! A directory of segments, each a header and then *frames*; a frame is a length, a checksum, and records:
//!
//! ```text
//! segment  "PARTITA" version(1 byte)  number(u64)  frame*
//! frame    length(u32)  crc32 of length and payload(u32)  payload
//! payload  ( length(u32)  record )*                                   all little-endian
//! ```
//!
//! A frame is what one group commit wrote before one fsync, and the next is written only after it. So a crash
//! can damage the last frame alone, in whatever order its blocks reached the disk, and nothing in it was
//! promised to anybody: recovery cuts it off. A damaged frame that is *followed by a good one* was once
//! durable: cutting there would silently forget promises, so the node refuses to start, and says where.
//! (Damage to the last frame long after it was written can not be told from a torn write. It is the one case
//! in which a promise can be forgotten; telling the two apart needs a second place on the disk: Alagappan et
//! al., *Protocol-Aware Recovery*, FAST 2018.)
//!
//! There is one segment so far. Recovery reads any number in order; rotation is to begin another in the
//! writer.

mod frame;
mod recovery;
mod writer;

pub(crate) use recovery::open;
pub(crate) use writer::{Wal, WalEvent, Write};
