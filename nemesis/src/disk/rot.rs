//! Bits that flip in files while nobody uses them. It needs no file system of ours.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use partita_generator::random;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use super::inverse::{pieces, read_up_to};

/// A byte of which a bit was flipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flip {
    /// The file, as seen from the folder of the data.
    pub(crate) file: PathBuf,
    pub(crate) offset: u64,
    pub(crate) before: u8,
    pub(crate) after: u8,
}

/// What servers call the files that matter most: their logs and their snapshots.
const PATTERNS: [&[&str]; 2] = [&["wal", "log", "journal"], &["snap", ".db", "meta"]];

/// Flips one bit in one file beneath this folder: of a log or of a snapshot, as the seed decides, or of whatever
/// file there is. `None` if no file holds anything.
pub(crate) fn flip(folder: &Path, seed: u64) -> io::Result<Option<Flip>> {
    let mut rng = random(seed, "rot");
    let mut files = Vec::new();
    list(folder, folder, &mut files)?;
    // In an order that does not depend on the directory's.
    files.sort();
    let preferred = PATTERNS[rng.random_range(0..PATTERNS.len())];
    let matching: Vec<PathBuf> = files
        .iter()
        .filter(|file| is_called(file, preferred))
        .cloned()
        .collect();
    let candidates = if matching.is_empty() { files } else { matching };
    let Some(file) = candidates.choose(&mut rng) else {
        return Ok(None);
    };
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .open(folder.join(file))?;
    // Where nothing was written yet nothing rots that anybody would read.
    let written = pieces(&open, 0, open.metadata()?.len())?;
    let Some((start, bytes)) = written.choose(&mut rng) else {
        return Ok(None);
    };
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0);
    let at = rng.random_range(0..=used);
    let flip = Flip {
        file: file.clone(),
        offset: start + at as u64,
        before: bytes[at],
        after: bytes[at] ^ (1 << rng.random_range(0..8)),
    };
    open.write_all_at(&[flip.after], flip.offset)?;
    open.sync_data()?;
    Ok(Some(flip))
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

/// Whether the file still reads as the flip has left it.
pub(crate) fn is_there(folder: &Path, flip: &Flip) -> io::Result<bool> {
    let mut byte = [0];
    let read = read_up_to(&File::open(folder.join(&flip.file))?, &mut byte, flip.offset)?;
    Ok(read == 1 && byte[0] == flip.after)
}

/// Flips the bit back, if the file is still there and has not been written over since; says whether.
pub(crate) fn restore(folder: &Path, flip: &Flip) -> io::Result<bool> {
    match is_there(folder, flip) {
        Ok(true) => {
            let file = OpenOptions::new().write(true).open(folder.join(&flip.file))?;
            file.write_all_at(&[flip.before], flip.offset)?;
            Ok(true)
        }
        Ok(false) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_flips_and_flips_back() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("wal")).unwrap();
        let (log, other) = (folder.path().join("wal/1"), folder.path().join("snap"));
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let content: Vec<u8> = (1..=200).collect();
            fs::write(&log, &content).unwrap();
            fs::write(&other, &content).unwrap();
            let flip = flip(folder.path(), seed).unwrap().expect("there are files");
            let path = folder.path().join(&flip.file);
            let rotten = fs::read(&path).unwrap();
            let differ: Vec<usize> = (0..200).filter(|&at| rotten[at] != content[at]).collect();
            assert_eq!(differ, [flip.offset as usize], "seed {seed}");
            assert_eq!((flip.before ^ flip.after).count_ones(), 1);
            assert!(restore(folder.path(), &flip).unwrap());
            assert_eq!(fs::read(&path).unwrap(), content);
            assert!(
                !restore(folder.path(), &flip).unwrap(),
                "there is nothing to undo any more"
            );
            seen.insert(flip.file);
        }
        assert_eq!(seen.len(), 2, "logs and snapshots both have their turn");
    }

    #[test]
    fn where_nothing_is_nothing_rots() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("empty"), "").unwrap();
        assert_eq!(flip(folder.path(), 1).unwrap(), None);
    }
}
