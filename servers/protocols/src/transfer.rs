//! A snapshot on its way to a peer, in chunks: it may be larger than a message, and the cluster goes on
//! meanwhile.
//!
//! The receiver asks for the bytes from an offset on, and the sender answers each such request by one chunk;
//! so a lost, doubled or reordered message costs a repetition, and neither side is ever ahead of the other.

use std::sync::Arc;

/// The most bytes in one chunk.
pub const CHUNK_BYTES_MAX: usize = 256 * 1024;

/// Part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Names the snapshot, among all that the sender may be sending: its last index.
    pub index: u64,
    /// Where in it the bytes belong.
    pub offset: u64,
    /// How long the whole is, in bytes.
    pub total: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The chunk at an offset, with no bytes if there are none.
pub fn chunk(snapshot: &[u8], index: u64, offset: u64) -> Chunk {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(snapshot.len());
    let end = snapshot.len().min(start + CHUNK_BYTES_MAX);
    Chunk {
        index,
        offset: start as u64,
        total: snapshot.len() as u64,
        bytes: snapshot[start..end].to_vec(),
    }
}

/// A snapshot that is being received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arriving {
    index: u64,
    total: u64,
    bytes: Vec<u8>,
}

/// What a chunk led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// More is wanted: ask for the snapshot with this last index, from this offset on.
    Wanted {
        /// The last index of the snapshot.
        index: u64,
        /// The first byte that is missing.
        offset: u64,
    },
    /// The snapshot is whole.
    Whole(Arc<[u8]>),
}

impl Arriving {
    /// Takes a chunk in. One of a newer snapshot begins anew; one of an older is ignored, as is one that does
    /// not go on where the last ended.
    pub fn take(&mut self, chunk: Chunk) -> Arrived {
        let newer = chunk.index > self.index;
        let another = chunk.index == self.index && chunk.total != self.total;
        if newer || another {
            *self = Arriving {
                index: chunk.index,
                total: chunk.total,
                bytes: Vec::new(),
            };
        }
        if chunk.index == self.index
            && chunk.offset == self.bytes.len() as u64
            && self.bytes.len() as u64 + chunk.bytes.len() as u64 <= self.total
        {
            self.bytes.extend_from_slice(&chunk.bytes);
        }
        if self.bytes.len() as u64 == self.total && chunk.index == self.index {
            return Arrived::Whole(std::mem::take(self).bytes.into());
        }
        Arrived::Wanted {
            index: self.index,
            offset: self.bytes.len() as u64,
        }
    }
}

mod encoding {
    use super::Chunk;
    use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_unsigned};

    impl Encode for Chunk {
        fn encode(&self, out: &mut Vec<u8>) {
            put_unsigned(out, self.index);
            put_unsigned(out, self.offset);
            put_unsigned(out, self.total);
            put_bytes(out, &self.bytes);
        }
    }

    impl Decode for Chunk {
        fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
            Ok(Chunk {
                index: input.unsigned("an index")?,
                offset: input.unsigned("an offset")?,
                total: input.unsigned("a length")?,
                bytes: input.bytes("a chunk", super::CHUNK_BYTES_MAX)?.to_vec(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_arrives_whole_whatever_is_lost_doubled_or_reordered() {
        let snapshot: Vec<u8> = (0..CHUNK_BYTES_MAX * 2 + 7).map(|byte| byte as u8).collect();
        let mut arriving = Arriving::default();
        let mut offset = 0;
        let mut rounds = 0;
        loop {
            rounds += 1;
            let next = chunk(&snapshot, 9, offset);
            // One that is ahead is not taken; one that came before changes nothing.
            let ahead = chunk(&snapshot, 9, offset + CHUNK_BYTES_MAX as u64);
            if offset > 0 {
                assert_eq!(arriving.take(ahead), Arrived::Wanted { index: 9, offset });
                assert_eq!(
                    arriving.take(chunk(&snapshot, 9, 0)),
                    Arrived::Wanted { index: 9, offset }
                );
            }
            match arriving.take(next) {
                Arrived::Wanted {
                    index,
                    offset: wanted,
                } => {
                    assert_eq!(index, 9);
                    offset = wanted;
                }
                Arrived::Whole(bytes) => {
                    assert_eq!((&bytes[..], rounds), (&snapshot[..], 3));
                    break;
                }
            }
        }
    }

    #[test]
    fn a_newer_snapshot_begins_anew() {
        let mut arriving = Arriving::default();
        let large = vec![1; CHUNK_BYTES_MAX + 1];
        assert_eq!(
            arriving.take(chunk(&large, 5, 0)),
            Arrived::Wanted {
                index: 5,
                offset: CHUNK_BYTES_MAX as u64
            }
        );
        let newer = arriving.take(chunk(&[7, 8], 6, 0));
        assert_eq!(newer, Arrived::Whole([7, 8].into()));
    }
}
