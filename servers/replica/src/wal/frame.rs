//! Frames, as bytes.

use std::ops::Range;

/// Length, checksum and sequence number.
pub(super) const FRAME_HEADER_BYTES: usize = 16;
/// The longest payload of a frame, in bytes. A longer length is damage.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The longest record, in bytes: one that fits into a frame by itself.
pub(super) const RECORD_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - RECORD_HEADER_BYTES;
/// A record's length.
const RECORD_HEADER_BYTES: usize = 4;

/// A frame under construction.
#[derive(Debug, Default)]
pub(super) struct FrameBuilder {
    bytes: Vec<u8>,
}

impl FrameBuilder {
    /// Does one more record of this length fit?
    pub(super) fn fits(&self, record_bytes: usize) -> bool {
        self.bytes.len() + RECORD_HEADER_BYTES + record_bytes <= FRAME_HEADER_BYTES + PAYLOAD_BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn push(&mut self, record: &[u8]) {
        if self.bytes.is_empty() {
            self.bytes.resize(FRAME_HEADER_BYTES, 0);
        }
        self.bytes.extend_from_slice(&(record.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(record);
    }

    /// The whole frame; the builder is empty again.
    pub(super) fn finish(&mut self, salt: u64, sequence: u64) -> Vec<u8> {
        let mut frame = std::mem::take(&mut self.bytes);
        if frame.is_empty() {
            frame.resize(FRAME_HEADER_BYTES, 0);
        }
        let length = ((frame.len() - FRAME_HEADER_BYTES) as u32).to_le_bytes();
        let sequence = sequence.to_le_bytes();
        let checksum = checksum(salt, length, sequence, &frame[FRAME_HEADER_BYTES..]);
        frame[..4].copy_from_slice(&length);
        frame[4..8].copy_from_slice(&checksum.to_le_bytes());
        frame[8..16].copy_from_slice(&sequence);
        frame
    }
}

/// The payload of the good frame at the start of `bytes`, if it has a sequence number that it may have.
pub(super) fn read(bytes: &[u8], salt: u64, may_have: impl Fn(u64) -> bool) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (expected, rest) = rest.split_first_chunk::<4>()?;
    let (sequence_bytes, rest) = rest.split_first_chunk::<8>()?;
    let sequence = u64::from_le_bytes(*sequence_bytes);
    let bytes = u32::from_le_bytes(*length) as usize;
    // Before the checksum: to look for a frame in a long stretch of garbage would else take a long time.
    if bytes > PAYLOAD_BYTES_MAX || !may_have(sequence) {
        return None;
    }
    let payload = rest.get(..bytes)?;
    let good = checksum(salt, *length, *sequence_bytes, payload) == u32::from_le_bytes(*expected)
        // A fuzzer does not guess a checksum, and is to get beyond it.
        || cfg!(fuzzing);
    good.then_some(payload)
}

/// How long the frame at the start of `bytes` says that it is, as far as that is here; 0 if it can not be.
pub(super) fn said_bytes(bytes: &[u8]) -> usize {
    let Some(length) = bytes.first_chunk::<4>() else {
        return FRAME_HEADER_BYTES;
    };
    let payload = u32::from_le_bytes(*length) as usize;
    if payload <= PAYLOAD_BYTES_MAX {
        FRAME_HEADER_BYTES + payload
    } else {
        0
    }
}

/// Adds where the records of a payload are, if that begins at `at`. False if they do not fill it exactly.
pub(super) fn find_records(mut payload: &[u8], mut at: usize, records: &mut Vec<Range<usize>>) -> bool {
    while !payload.is_empty() {
        let Some((length, rest)) = payload.split_first_chunk::<4>() else {
            return false;
        };
        let length = u32::from_le_bytes(*length) as usize;
        let Some(rest) = rest.get(length..) else {
            return false;
        };
        let start = at + RECORD_HEADER_BYTES;
        records.push(start..start + length);
        at = start + length;
        payload = rest;
    }
    true
}

/// Covers the length, too: a damaged length must not make other bytes look like the payload. And the salt of
/// the segment: a record that a client made to look like a frame must not be taken for one.
fn checksum(salt: u64, length: [u8; 4], sequence: [u8; 8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(&length);
    hasher.update(&sequence);
    hasher.update(payload);
    hasher.finalize()
}
