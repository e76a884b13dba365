//! Damage to files while nobody uses them: bits that flip, ends that are cut off, blocks that are gone. It needs no file
//! system of ours.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use partita_generator::{Random, random};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use super::inverse::{pieces, read_up_to};
use super::pattern::Pattern;

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bit flips.
    Flip,
    /// Its end is cut off, with something in it that was written.
    Truncate,
    /// A block with something in it reads as zeros, as one does that a disk has lost. What it held before it held what is
    /// lost nobody knows, so an older state is not put there.
    Zeros,
}

/// What was done to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    kind: Kind,
    /// The file, as seen from the folder of the data.
    pub(crate) file: PathBuf,
    /// Where what is damaged begins.
    offset: u64,
    /// What was there; of an end that was cut off, without the zeros behind it.
    before: Vec<u8>,
    /// What is there instead: as much, or nothing.
    after: Vec<u8>,
    /// How long the file was, in bytes.
    length: u64,
}

/// The unit in which file systems give blocks to files, and disks lose them.
const BLOCK: u64 = 4_096;

/// What servers call the files that matter most: their logs and their snapshots.
const PATTERNS: [&[&str]; 2] = [&["wal", "log", "journal"], &["snap", ".db", "meta"]];

/// Damages one of these files beneath this folder, or, where it is all the same which, a log or a snapshot, as the seed
/// decides, or else whatever file there is. `None` if no such file holds anything.
pub(crate) fn damage(
    folder: &Path,
    kind: Kind,
    meant: Option<&Pattern>,
    seed: u64,
) -> io::Result<Option<Damage>> {
    let mut rng = random(seed, "rot");
    let mut files = Vec::new();
    list(folder, folder, &mut files)?;
    // In an order that does not depend on the directory's.
    files.sort();
    let preferred = PATTERNS[rng.random_range(0..PATTERNS.len())];
    let candidates = if let Some(meant) = meant {
        files.retain(|file| meant.matches(file));
        files
    } else {
        let matching: Vec<PathBuf> = files
            .iter()
            .filter(|file| is_called(file, preferred))
            .cloned()
            .collect();
        if matching.is_empty() { files } else { matching }
    };
    let Some(file) = candidates.choose(&mut rng) else {
        return Ok(None);
    };
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .open(folder.join(file))?;
    let length = open.metadata()?.len();
    // Where nothing was written yet nothing rots that anybody would read.
    let written = pieces(&open, 0, length)?;
    let place = match kind {
        Kind::Flip => bit(&written, &mut rng),
        Kind::Truncate => end(&written, &mut rng),
        Kind::Zeros => block(&written, length, &mut rng),
    };
    let Some((Range { start, end }, flipped)) = place else {
        return Ok(None);
    };
    let mut before = vec![0; (end - start) as usize];
    let read = read_up_to(&open, &mut before, start)?;
    before.truncate(read);
    let after = match kind {
        Kind::Flip => before.iter().map(|byte| byte ^ flipped).collect(),
        Kind::Truncate => Vec::new(),
        Kind::Zeros => vec![0; read],
    };
    if kind == Kind::Truncate {
        open.set_len(start)?;
        open.sync_all()?;
    } else {
        open.write_all_at(&after, start)?;
        open.sync_data()?;
    }
    Ok(Some(Damage {
        kind,
        file: file.clone(),
        offset: start,
        before,
        after,
        length,
    }))
}

/// What is damaged, and the bit of it that flips, if one does.
type Place = (Range<u64>, u8);

/// One bit of what was written.
fn bit(written: &[(u64, Vec<u8>)], rng: &mut Random) -> Option<Place> {
    let (start, bytes) = written.choose(rng)?;
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0);
    let at = start + rng.random_range(0..=used) as u64;
    Some((at..at + 1, 1 << rng.random_range(0..8)))
}

/// The last of what was written, up to a block of it.
fn end(written: &[(u64, Vec<u8>)], rng: &mut Random) -> Option<Place> {
    let (start, bytes) = written.last()?;
    let used = bytes.iter().rposition(|&byte| byte != 0)?;
    let end = start + used as u64 + 1;
    Some((end - rng.random_range(1..=end.min(BLOCK))..end, 0))
}

/// One block of those in which something was written.
fn block(written: &[(u64, Vec<u8>)], length: u64, rng: &mut Random) -> Option<Place> {
    let used = |(start, bytes): &(u64, Vec<u8>)| -> Vec<u64> {
        let places = (*start..).zip(bytes).filter(|(_, byte)| **byte != 0);
        let mut blocks: Vec<u64> = places.map(|(at, _)| at / BLOCK).collect();
        blocks.dedup();
        blocks
    };
    let mut blocks: Vec<u64> = written.iter().flat_map(used).collect();
    blocks.dedup();
    let start = blocks.choose(rng)? * BLOCK;
    Some((start..(start + BLOCK).min(length), 0))
}

impl Damage {
    /// What a server may end itself of, in words.
    pub(crate) fn excuse(&self) -> String {
        let file = self.file.display();
        match self.kind {
            Kind::Flip => format!("a bit of {file} was flipped"),
            Kind::Truncate => format!("the end of {file} was cut off"),
            Kind::Zeros => format!("a block of {file} was lost"),
        }
    }

    /// Whether the file is still as the damage has left it.
    pub(crate) fn is_there(&self, folder: &Path) -> io::Result<bool> {
        let file = File::open(folder.join(&self.file))?;
        if self.kind == Kind::Truncate {
            return Ok(file.metadata()?.len() == self.offset);
        }
        let mut bytes = vec![0; self.after.len()];
        let read = read_up_to(&file, &mut bytes, self.offset)?;
        Ok(read == bytes.len() && bytes == self.after)
    }

    /// Whether nothing is left of the harm once the node has written where it was done: what was cut off or lost is
    /// gone for good, as the node wrote what follows without it.
    pub(crate) fn is_undone_by_writing(&self) -> bool {
        self.kind == Kind::Flip
    }

    /// Undoes it, if the file is still there and that part of it has not been written since; says whether.
    pub(crate) fn restore(&self, folder: &Path) -> io::Result<bool> {
        match self.is_there(folder) {
            Ok(true) => {
                let file = OpenOptions::new().write(true).open(folder.join(&self.file))?;
                file.write_all_at(&self.before, self.offset)?;
                if self.kind == Kind::Truncate {
                    file.set_len(self.length)?;
                }
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, offset, count) = (self.file.display(), self.offset, self.before.len());
        match (self.kind, self.before.as_slice(), self.after.as_slice()) {
            (Kind::Flip, [before], [after]) => {
                write!(f, "byte {offset} of {file} was {before:02x} and is {after:02x}")
            }
            (Kind::Truncate, ..) => write!(
                f,
                "{file} had {} bytes and ends now after {offset}: {count} that were written are cut off",
                self.length
            ),
            _ => write!(f, "{count} bytes of {file} from {offset} on are zeros now"),
        }
    }
}

fn is_called(file: &Path, patterns: &[&str]) -> bool {
    let name = file.to_string_lossy().to_lowercase();
    patterns.iter().any(|pattern| name.contains(pattern))
}

fn list(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let (entry, path) = entry.map(|entry| (entry.file_type(), entry.path()))?;
        let kind = entry?;
        if kind.is_dir() {
            list(root, &path, files)?;
        } else if kind.is_file()
            && path.metadata()?.len() > 0
            && let Ok(name) = path.strip_prefix(root)
        {
            files.push(name.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn two_files() -> (tempfile::TempDir, [PathBuf; 2]) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("wal")).unwrap();
        let files = ["wal/1", "snap"].map(|name| folder.path().join(name));
        (folder, files)
    }

    #[test]
    fn one_bit_flips_and_flips_back() {
        let (folder, files) = two_files();
        let mut seen = BTreeSet::new();
        for seed in 0..20 {
            let content: Vec<u8> = (1..=200).collect();
            files.iter().for_each(|file| fs::write(file, &content).unwrap());
            let flip = damage(folder.path(), Kind::Flip, None, seed)
                .unwrap()
                .expect("there are files");
            let path = folder.path().join(&flip.file);
            let rotten = fs::read(&path).unwrap();
            let differ: Vec<usize> = (0..200).filter(|&at| rotten[at] != content[at]).collect();
            assert_eq!(differ, [flip.offset as usize], "seed {seed}");
            assert_eq!((flip.before[0] ^ flip.after[0]).count_ones(), 1);
            assert!(flip.restore(folder.path()).unwrap());
            assert_eq!(fs::read(&path).unwrap(), content);
            assert!(
                !flip.restore(folder.path()).unwrap(),
                "there is nothing to undo any more"
            );
            seen.insert(flip.file);
        }
        assert_eq!(seen.len(), 2, "logs and snapshots both have their turn");
    }

    #[test]
    fn an_end_is_cut_off_with_something_that_was_written_and_put_back() {
        let (folder, [log, _]) = two_files();
        // As logs are that reserve room: zeros come last.
        let content = [vec![7; 6_000], vec![0; 9_000]].concat();
        for seed in 0..20 {
            fs::write(&log, &content).unwrap();
            let cut = damage(folder.path(), Kind::Truncate, None, seed)
                .unwrap()
                .unwrap();
            let left = fs::read(&log).unwrap();
            assert!(
                (6_000 - BLOCK as usize..6_000).contains(&left.len()),
                "{}",
                left.len()
            );
            assert_eq!(left, content[..left.len()]);
            assert!(cut.is_there(folder.path()).unwrap());
            assert!(cut.restore(folder.path()).unwrap());
            assert_eq!(fs::read(&log).unwrap(), content);
            assert!(!cut.is_there(folder.path()).unwrap());
        }
        let cut = damage(folder.path(), Kind::Truncate, None, 1).unwrap().unwrap();
        let shorter = fs::read(&log).unwrap();
        fs::write(&log, [shorter.as_slice(), b"more"].concat()).unwrap();
        assert!(!cut.restore(folder.path()).unwrap(), "it has been written since");
        assert_eq!(fs::read(&log).unwrap().len(), shorter.len() + 4);
    }

    #[test]
    fn a_block_reads_as_zeros_and_is_put_back() {
        let (folder, [log, _]) = two_files();
        // The first block is empty, and the last is not a whole one.
        let content = [vec![0; 4_096], vec![7; 5_000]].concat();
        let mut seen = BTreeSet::new();
        for seed in 0..20 {
            fs::write(&log, &content).unwrap();
            let lost = damage(folder.path(), Kind::Zeros, None, seed).unwrap().unwrap();
            let left = fs::read(&log).unwrap();
            let range = lost.offset as usize..lost.offset as usize + lost.before.len();
            let mut expected = content.clone();
            expected[range].fill(0);
            assert!(left == expected && left != content, "seed {seed}: {lost}");
            seen.insert(lost.to_string());
            assert!(lost.is_there(folder.path()).unwrap());
            assert!(lost.restore(folder.path()).unwrap());
            assert_eq!(fs::read(&log).unwrap(), content);
        }
        let expected = [
            "4096 bytes of wal/1 from 4096 on are zeros now",
            "904 bytes of wal/1 from 8192 on are zeros now",
        ];
        assert_eq!(seen, expected.map(String::from).into());
    }

    #[test]
    fn only_files_that_are_meant_are_damaged() {
        let (folder, files) = two_files();
        files.iter().for_each(|file| fs::write(file, "content").unwrap());
        for (pattern, expected) in [("sn*", Some("snap")), ("wal/*", Some("wal/1")), ("*.db", None)] {
            for seed in 0..5 {
                let meant = Pattern::new(pattern);
                let damage = damage(folder.path(), Kind::Flip, Some(&meant), seed).unwrap();
                let file = damage.map(|damage| damage.file);
                assert_eq!(file.as_deref(), expected.map(Path::new), "{pattern}");
            }
        }
    }

    #[test]
    fn where_nothing_is_nothing_rots() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("empty"), "").unwrap();
        fs::write(folder.path().join("zeros"), [0; 5_000]).unwrap();
        for kind in [Kind::Flip, Kind::Truncate, Kind::Zeros] {
            assert_eq!(damage(folder.path(), kind, None, 1).unwrap(), None);
        }
    }
}
