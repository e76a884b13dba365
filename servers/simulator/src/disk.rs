//! A node's disk: what is synced survives a crash, and of the rest some prefix may.
//!
//! A crash may tear the write that reached the disk last: its first bytes are there, and recovery, which finds no
//! whole record there, cuts them off. To a core that is the same as if the write had been lost. A bit that rots is found by a checksum, and then the node does not start: nobody
//! can say what it has promised.

use std::sync::Arc;

use partita_protocols::{OnDisk, Random, WriteId};
use rand::RngExt;

use crate::frame::{frame, whole};
use crate::queue::{MILLISECOND, Time};

/// What a node has on disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    snapshot: Option<Arc<[u8]>>,
    /// The records that are synced.
    records: Vec<Vec<u8>>,
    /// The first bytes of the record after them, if a crash has torn it.
    torn: Vec<u8>,
    /// What was written and is not synced, in order.
    unsynced: Vec<(WriteId, Write)>,
    syncing: bool,
    /// Says that writes are durable before they are (the defect `unsynced-acks`). What it says so of is in
    /// the memory of the process, and gone with it.
    lies: bool,
    /// A bit has rotted.
    pub(crate) rotten: bool,
    /// Syncs take long.
    pub(crate) slow: bool,
}

/// A write, on its way to the disk.
#[derive(Debug)]
enum Write {
    Record(Vec<u8>),
    Compact {
        snapshot: Arc<[u8]>,
        records: Vec<Vec<u8>>,
    },
}

impl Disk {
    pub(crate) fn new(lies: bool) -> Disk {
        Disk {
            lies,
            ..Disk::default()
        }
    }

    pub(crate) fn lies(&self) -> bool {
        self.lies
    }

    /// Cuts off what a crash has torn, as recovery does before anything else. Was there anything?
    pub(crate) fn repair(&mut self) -> bool {
        let torn = std::mem::take(&mut self.torn);
        if let Some(record) = whole(&torn) {
            self.records.push(record.to_vec());
            return false;
        }
        !torn.is_empty()
    }

    /// What recovery reads.
    pub(crate) fn contents(&self) -> OnDisk<'_> {
        OnDisk::new(self.snapshot.as_deref(), &self.records)
    }

    pub(crate) fn append(&mut self, write: WriteId, record: Vec<u8>) {
        self.unsynced.push((write, Write::Record(record)));
    }

    pub(crate) fn compact(&mut self, write: WriteId, snapshot: Arc<[u8]>, records: Vec<Vec<u8>>) {
        self.unsynced.push((write, Write::Compact { snapshot, records }));
    }

    fn carry_out(&mut self, write: Write) {
        match write {
            Write::Record(record) => self.records.push(record),
            Write::Compact { snapshot, records } => {
                self.snapshot = Some(snapshot);
                self.records = records;
            }
        }
    }

    /// Begins to sync all that is written and not synced, unless a sync is under way or there is nothing to
    /// do. Gives the last write that it covers, and how long it takes.
    pub(crate) fn begin_sync(&mut self, random: &mut Random) -> Option<(WriteId, Time)> {
        if self.syncing {
            return None;
        }
        let last = self.unsynced.last()?.0;
        self.syncing = true;
        let duration = if self.lies {
            1_500 * MILLISECOND
        } else if self.slow {
            random.random_range(50 * MILLISECOND..400 * MILLISECOND)
        } else if random.random_bool(0.01) {
            random.random_range(20 * MILLISECOND..150 * MILLISECOND)
        } else {
            random.random_range(MILLISECOND / 2..5 * MILLISECOND)
        };
        Some((last, duration))
    }

    /// A sync is done: all up to this write survive from here on.
    pub(crate) fn end_sync(&mut self, last: WriteId) {
        let covered = self.unsynced.partition_point(|(write, _)| *write <= last);
        let covered: Vec<_> = self.unsynced.drain(..covered).collect();
        covered.into_iter().for_each(|(_, write)| self.carry_out(write));
        self.syncing = false;
    }

    /// Of what is not synced some prefix reaches the disk, the last write of it only in part; or nothing, if nothing
    /// was to be written. Gives the number of writes lost.
    pub(crate) fn tear(&mut self, random: &mut Random) -> usize {
        if self.lies || self.unsynced.is_empty() {
            return self.crash(random);
        }
        let whole_ones = random.random_range(0..self.unsynced.len());
        let mut rest = self.unsynced.split_off(whole_ones);
        let lost = rest.len();
        for (_, write) in std::mem::take(&mut self.unsynced) {
            self.carry_out(write);
        }
        // A snapshot that was torn never got its name: what it was to replace is still there.
        if let (_, Write::Record(record)) = rest.swap_remove(0) {
            self.torn = frame(&record);
            let end = random.random_range(1..self.torn.len());
            self.torn.truncate(end);
        }
        self.syncing = false;
        lost
    }

    /// What is not synced is lost, but for some prefix of it, which may have reached the disk. Of a snapshot
    /// that was lost, the records that come with it may have. Gives the number of writes lost.
    pub(crate) fn crash(&mut self, random: &mut Random) -> usize {
        let lucky = if self.lies {
            0
        } else {
            random.random_range(0..=self.unsynced.len())
        };
        let mut writes = std::mem::take(&mut self.unsynced)
            .into_iter()
            .map(|(_, write)| write);
        writes
            .by_ref()
            .take(lucky)
            .for_each(|write| self.carry_out(write));
        let lost = writes.len();
        if let Some(Write::Compact { records, .. }) = writes.next()
            && !self.lies
            && random.random_bool(0.5)
        {
            self.records.extend(records);
        }
        self.syncing = false;
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_crash_keeps_what_was_synced_and_a_prefix_of_the_rest() {
        let mut lost_some = [false; 4];
        for seed in 0..100 {
            let mut random = Random::seed_from_u64(seed);
            let mut disk = Disk::default();
            disk.append(WriteId(1), vec![1]);
            let (last, _) = disk.begin_sync(&mut random).expect("something to sync");
            disk.append(WriteId(2), vec![2]);
            assert_eq!(disk.begin_sync(&mut random), None, "one at a time");
            disk.append(WriteId(3), vec![3]);
            disk.append(WriteId(4), vec![4]);
            disk.end_sync(last);
            let lost = disk.crash(&mut random);
            assert_eq!(disk.records, &[[1], [2], [3], [4]][..4 - lost]);
            lost_some[lost] = true;
        }
        assert_eq!(lost_some, [true; 4], "every prefix may survive");
    }

    #[test]
    fn a_snapshot_takes_the_place_of_the_log_whole_or_not_at_all() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let mut random = Random::seed_from_u64(seed);
            let mut disk = Disk::default();
            disk.append(WriteId(1), vec![1]);
            disk.end_sync(WriteId(1));
            disk.compact(WriteId(2), [9].into(), vec![vec![2]]);
            disk.append(WriteId(3), vec![3]);
            disk.crash(&mut random);
            seen.insert((
                disk.snapshot.as_deref().map(<[u8]>::to_vec),
                disk.records.concat(),
            ));
        }
        let expected = [
            (None, vec![1]),
            (None, vec![1, 2]),
            (Some(vec![9]), vec![2]),
            (Some(vec![9]), vec![2, 3]),
        ];
        assert_eq!(seen, expected.into());
    }

    #[test]
    fn a_write_that_is_torn_is_cut_off_with_all_behind_it() {
        let mut left = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let mut random = Random::seed_from_u64(seed);
            let mut disk = Disk::default();
            disk.append(WriteId(1), vec![1]);
            disk.end_sync(WriteId(1));
            disk.append(WriteId(2), vec![2]);
            disk.append(WriteId(3), vec![3]);
            let lost = disk.tear(&mut random);
            assert!(!disk.torn.is_empty(), "seed {seed}");
            assert!(disk.repair(), "seed {seed}");
            assert!(!disk.repair(), "seed {seed}: it is cut off once");
            left.insert((lost, disk.records.concat()));
        }
        assert_eq!(left, [(2, vec![1]), (1, vec![1, 2])].into());
        let mut idle = Disk::default();
        assert_eq!(idle.tear(&mut Random::seed_from_u64(1)), 0);
        assert!(!idle.repair(), "there was nothing to tear");
    }

    #[test]
    fn a_disk_that_lies_loses_all_that_it_lied_about() {
        let mut random = Random::seed_from_u64(1);
        let mut disk = Disk::new(true);
        disk.append(WriteId(1), vec![1]);
        assert_eq!(disk.crash(&mut random), 1);
        assert!(disk.records.is_empty());
    }
}
