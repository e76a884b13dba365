//! A record as it lies on disk: with its length and a checksum, by which recovery tells one that is whole from one
//! that a crash has cut.

/// A length and a checksum, four bytes each.
const HEADER_BYTES: usize = 8;

/// The record as it is written.
pub(crate) fn frame(record: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + record.len());
    bytes.extend((record.len() as u32).to_le_bytes());
    bytes.extend(checksum(record).to_le_bytes());
    bytes.extend_from_slice(record);
    bytes
}

/// The record in these bytes, if it is whole.
pub(crate) fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (sum, record) = rest.split_first_chunk()?;
    let is_whole =
        record.len() == u32::from_le_bytes(*length) as usize && checksum(record) == u32::from_le_bytes(*sum);
    is_whole.then_some(record)
}

/// FNV-1a: what is cut here is cut by us, and not by an adversary.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, &byte| {
        (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_is_cut_anywhere_is_not_whole() {
        let bytes = frame(b"a record");
        assert_eq!(whole(&bytes), Some(&b"a record"[..]));
        for end in 0..bytes.len() {
            assert_eq!(whole(&bytes[..end]), None, "cut after {end} bytes");
        }
    }
}
