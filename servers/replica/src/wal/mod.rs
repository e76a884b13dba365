//! What survives a crash: the write-ahead log, and the snapshot that it goes on from.
//!
//! A directory of *segments* and at most one snapshot that counts. A segment is a header and then *frames*; a
//! frame is a length, a checksum, a sequence number, and records:
//!
//! ```text
//! 0000000000000007.wal        header frame* zero*
//! header   "PARTLOG" version(1 byte)  number(u64)  first sequence(u64)  salt(u64)  crc32 of these(u32)
//! frame    length(u32)  crc32 of salt, length, sequence and payload(u32)  sequence(u64)  payload
//! payload  ( length(u32)  record )*
//!
//! 0000000000000007.snapshot   takes the place of all segments before number 7
//!          "PARTSNP" version(1 byte)  number(u64)  length(u64)  crc32 of all but this(u32)  content
//!                                                                           all little-endian
//! ```
//!
//! **Frames.** A frame is what one group commit wrote before one fsync, and the next is written only after
//! it. So a crash can damage the last frame alone, in whatever order its blocks reached the disk, and nothing
//! in it was promised to anybody: recovery cuts it off. This is why the checksum is that of a commit and not
//! of each record: a good record after a bad one would be found in a commit that was merely torn. A damaged
//! frame that is *followed by a good one*, or that is in an earlier segment, was once durable: cutting there
//! would silently forget promises, so the node refuses to start, and says where. (Damage to the last frame
//! long after it was written can not be told from a torn write. It is the one case in which a promise can be
//! forgotten; telling the two apart needs a second place on the disk: Alagappan et al., *Protocol-Aware
//! Recovery*, FAST 2018.)
//!
//! **Space.** A segment gets its blocks when it is made, and a stretch of zeros is written ahead of the end,
//! beside the appends. Blocks alone are not enough: the first write to one that was never written is a change
//! of the file's metadata, for which fsync waits as it would for a file that grows. On ext4 an append to
//! zeros took about half the time at the median, and a tenth at the 99th percentile.
//!
//! **Names.** Every file is made whole under another name and then renamed, so that what has a name is whole.
//! A snapshot is put in place in this order: the snapshot is durable under its temporary name; the segment
//! with its number, which begins with the records that go with it, gets its name; then the snapshot gets its
//! own, from which moment all older files mean nothing; then these are removed. A crash leaves what was there
//! before with the records appended, or the snapshot with the records.

mod ahead;
mod directory;
mod frame;
mod recovery;
mod scan;
mod segment;
mod snapshot;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use recovery::{Opened, open};
pub(crate) use writer::{Counters, Wal, WalEvent, Write};

/// How long a segment becomes before the next is begun, in bytes.
pub(crate) const SEGMENT_BYTES: u64 = 64 << 20;
