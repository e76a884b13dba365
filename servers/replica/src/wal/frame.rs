//! Segments and frames, as bytes.

/// The first eight bytes of a segment: what it is, and its version.
pub(super) const MAGIC: [u8; 8] = *b"PARTITA\x01";
/// Magic and number.
pub(super) const SEGMENT_HEADER_BYTES: usize = 16;
/// Length and checksum.
pub(super) const FRAME_HEADER_BYTES: usize = 8;
/// The longest payload of a frame, in bytes. A longer length is damage.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The longest record, in bytes: one that fits into a frame by itself.
pub(super) const RECORD_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - RECORD_HEADER_BYTES;
/// A record's length.
const RECORD_HEADER_BYTES: usize = 4;

/// The header of a segment.
pub(super) fn segment_header(number: u64) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut header = [0; SEGMENT_HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..].copy_from_slice(&number.to_le_bytes());
    header
}

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
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let mut frame = std::mem::take(&mut self.bytes);
        let length = ((frame.len() - FRAME_HEADER_BYTES) as u32).to_le_bytes();
        let checksum = checksum(length, &frame[FRAME_HEADER_BYTES..]);
        frame[..4].copy_from_slice(&length);
        frame[4..8].copy_from_slice(&checksum.to_le_bytes());
        frame
    }
}

/// The payload of a good frame at the start of `bytes`.
pub(super) fn payload(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (expected, rest) = rest.split_first_chunk::<4>()?;
    let bytes = u32::from_le_bytes(*length) as usize;
    if bytes == 0 || bytes > PAYLOAD_BYTES_MAX {
        return None;
    }
    let payload = rest.get(..bytes)?;
    (checksum(*length, payload) == u32::from_le_bytes(*expected)).then_some(payload)
}

/// The records of a payload; nothing if they do not fill it exactly.
pub(super) fn records(mut payload: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut records = Vec::new();
    while !payload.is_empty() {
        let (length, rest) = payload.split_first_chunk::<4>()?;
        let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        records.push(record.to_vec());
        payload = rest;
    }
    Some(records)
}

/// Covers the length, too: a damaged length must not make other bytes look like the payload.
fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}
