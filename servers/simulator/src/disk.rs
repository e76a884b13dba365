//! A node's disk: what is synced survives a crash, and of the rest some prefix may.

use partita_protocols::{Random, WriteId};
use rand::RngExt;

use crate::queue::{MILLISECOND, Time};

/// A node's log on disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    records: Vec<Vec<u8>>,
    /// How many of the records are synced.
    synced: usize,
    /// The records that are not, by the write that made each.
    unsynced: Vec<WriteId>,
    syncing: bool,
    /// Says that writes are durable before they are (the defect `unsynced-acks`). What it says so of is in
    /// the memory of the process, and gone with it.
    lies: bool,
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

    /// What recovery reads.
    pub(crate) fn records(&self) -> &[Vec<u8>] {
        &self.records
    }

    pub(crate) fn write(&mut self, write: WriteId, record: Vec<u8>) {
        self.records.push(record);
        self.unsynced.push(write);
    }

    /// Begins to sync all that is written and not synced, unless a sync is under way or there is nothing to
    /// do. Gives the last write that it covers, and how long it takes.
    pub(crate) fn begin_sync(&mut self, random: &mut Random) -> Option<(WriteId, Time)> {
        if self.syncing {
            return None;
        }
        let last = *self.unsynced.last()?;
        self.syncing = true;
        let duration = if self.lies {
            1_500 * MILLISECOND
        } else if random.random_bool(0.01) {
            random.random_range(20 * MILLISECOND..150 * MILLISECOND)
        } else {
            random.random_range(MILLISECOND / 2..5 * MILLISECOND)
        };
        Some((last, duration))
    }

    /// A sync is done: all up to this write survive from here on.
    pub(crate) fn end_sync(&mut self, last: WriteId) {
        let covered = self.unsynced.partition_point(|write| *write <= last);
        self.unsynced.drain(..covered);
        self.synced += covered;
        self.syncing = false;
    }

    /// What is not synced is lost, but for some prefix of it, which may have reached the disk. Gives the
    /// number of records lost.
    pub(crate) fn crash(&mut self, random: &mut Random) -> usize {
        let lucky = if self.lies {
            0
        } else {
            random.random_range(0..=self.unsynced.len())
        };
        let lost = self.unsynced.len() - lucky;
        self.records.truncate(self.synced + lucky);
        self.synced = self.records.len();
        self.unsynced.clear();
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
            disk.write(WriteId(1), vec![1]);
            let (last, _) = disk.begin_sync(&mut random).expect("something to sync");
            disk.write(WriteId(2), vec![2]);
            assert_eq!(disk.begin_sync(&mut random), None, "one at a time");
            disk.write(WriteId(3), vec![3]);
            disk.write(WriteId(4), vec![4]);
            disk.end_sync(last);
            let lost = disk.crash(&mut random);
            assert_eq!(disk.records(), &[[1], [2], [3], [4]][..4 - lost]);
            lost_some[lost] = true;
        }
        assert_eq!(lost_some, [true; 4], "every prefix may survive");
    }

    #[test]
    fn a_disk_that_lies_loses_all_that_it_lied_about() {
        let mut random = Random::seed_from_u64(1);
        let mut disk = Disk::new(true);
        disk.write(WriteId(1), vec![1]);
        assert_eq!(disk.crash(&mut random), 1);
        assert!(disk.records().is_empty());
    }
}
