//! Jute, ZooKeeper's encoding: numbers big-endian, bytes behind their length.

/// Writes a record.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn int(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn long(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn flag(mut self, value: bool) -> Self {
        self.0.push(u8::from(value));
        self
    }

    /// A buffer, or a string.
    pub(super) fn bytes(self, value: &[u8]) -> Self {
        // Nothing that we write is near the limit, which servers hold at 1 MiB.
        let mut with_length = self.int(i32::try_from(value.len()).unwrap_or(i32::MAX));
        with_length.0.extend(value);
        with_length
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a record; none where it ends too soon.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn int(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn long(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    /// A buffer; one that is null is empty.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        match self.int()? {
            -1 => Some(&[]),
            length => self.take(usize::try_from(length).ok()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let record = Writer::default().int(-2).long(1 << 40).bytes(b"/x").flag(true);
        let bytes = record.finish();
        let mut reader = Reader(&bytes);
        assert_eq!(
            (reader.int(), reader.long(), reader.bytes()),
            (Some(-2), Some(1 << 40), Some(&b"/x"[..]))
        );
        assert_eq!(reader.0, [1]);
    }

    #[test]
    fn what_ends_too_soon_or_lies_about_its_length_is_none() {
        assert_eq!(Reader(&[0, 0, 0]).int(), None);
        assert_eq!(Reader(&[0, 0, 0, 9, 1]).bytes(), None);
        assert_eq!(Reader(&[255, 255, 255, 0]).bytes(), None);
        assert_eq!(Reader(&[255, 255, 255, 255]).bytes(), Some(&[][..]));
    }
}
