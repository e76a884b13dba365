//! How long a log may become, in entries and in bytes: when it is time for a snapshot, and how much of the log
//! stays behind it.
//!
//! Both limits are needed: of small entries it is their number that costs memory, and of large ones their
//! bytes.

use crate::config::Config;
use crate::durable::Writes;

/// What is kept behind a snapshot, as part of what is between two.
const TAIL_PART: u64 = 4;
/// The most bytes that are kept behind a snapshot, so that they fit into one record of the log.
const TAIL_BYTES_MAX: u64 = 16 << 20;
/// The most bytes of entries in one record of a log that was cut, unless a single one is larger.
pub(crate) const RECORD_BYTES_MAX: usize = 1 << 20;

impl Config {
    /// Is it time for a snapshot, after so many entries were applied since the last?
    pub(crate) fn wants_snapshot<T>(&self, applied: u64, writes: &Writes<T>) -> bool {
        applied >= self.snapshot_entries.max(1) || (applied > 0 && self.is_long(writes))
    }

    /// Is the log long, in bytes, however few its entries are?
    pub(crate) fn is_long<T>(&self, writes: &Writes<T>) -> bool {
        // At least as much log as snapshot, or a large store would be written again and again.
        writes.log_bytes() >= self.snapshot_log_bytes.max(writes.snapshot_bytes())
    }

    /// How many entries stay behind a snapshot, for those who are a little behind, if these are the sizes of
    /// the entries before it, the last first.
    pub(crate) fn tail_entries(&self, sizes: impl Iterator<Item = usize>) -> u64 {
        let entries_max = self.snapshot_entries / TAIL_PART;
        let bytes_max = (self.snapshot_log_bytes / TAIL_PART).min(TAIL_BYTES_MAX);
        let mut bytes = 0_u64;
        let kept = sizes
            .take(usize::try_from(entries_max).unwrap_or(usize::MAX))
            .take_while(|&size| {
                bytes += size as u64;
                bytes <= bytes_max
            });
        kept.count() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::codec::Encode;
    use crate::config::NodeId;
    use crate::protocol::Effect;

    struct Bytes(usize);
    impl Encode for Bytes {
        fn encode(&self, out: &mut Vec<u8>) {
            out.resize(self.0, 7);
        }
    }

    fn config(entries: u64, bytes: u64) -> Config {
        let me = NodeId::new("n1").expect("a good name");
        let mut config = Config::new(me, [], 5, 50).expect("a good configuration");
        (config.snapshot_entries, config.snapshot_log_bytes) = (entries, bytes);
        config
    }

    #[test]
    fn a_log_is_cut_when_it_has_many_entries_or_many_bytes_and_a_large_snapshot_puts_it_off() {
        let config = config(10, 1000);
        let mut writes = Writes::<()>::default();
        let effects: &mut Vec<Effect<()>> = &mut Vec::new();
        let wants = |writes: &Writes<()>| [0, 1, 9, 10].map(|applied| config.wants_snapshot(applied, writes));
        assert_eq!(wants(&writes), [false, false, false, true]);
        writes.persist(&Bytes(999), effects);
        assert_eq!(wants(&writes), [false, false, false, true]);
        writes.persist(&Bytes(1), effects);
        // But not before something was applied: a snapshot without it would cut nothing.
        assert_eq!(wants(&writes), [false, true, true, true]);
        writes.compact(Arc::from([0; 3000]), &[Bytes(5000)], effects);
        assert_eq!(wants(&writes), [false, false, false, true]);
        writes.persist(&Bytes(2999), effects);
        assert_eq!(wants(&writes), [false, false, false, true]);
        writes.persist(&Bytes(1), effects);
        assert_eq!(wants(&writes), [false, true, true, true]);
    }

    #[test]
    fn a_tail_is_bounded_in_entries_and_in_bytes() {
        let tail = |sizes: &[usize]| config(20, 400).tail_entries(sizes.iter().copied());
        assert_eq!(tail(&[]), 0);
        assert_eq!(tail(&[1; 30]), 5);
        assert_eq!(tail(&[40; 30]), 2);
        assert_eq!(tail(&[101, 1, 1]), 0);
    }
}
