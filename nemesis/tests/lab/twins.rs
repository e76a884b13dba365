//! Two folders to which the same is done, and which must then be the same.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::fcntl::{FallocateFlags, OFlag, fallocate};
use partita_generator::{Random, random};
use rand::RngExt as _;

/// Random operations in both.
pub(crate) fn play(one: &Path, other: &Path, seed: u64) {
    let mut rng = random(seed, "twins");
    for number in 0..250 {
        let mut same = rng.clone();
        let did = step(one, &mut rng);
        let did_too = step(other, &mut same);
        assert_eq!(did, did_too, "seed {seed}, step {number}");
        if number % 10 == 0 {
            assert_eq!(tree(one), tree(other), "seed {seed}, after step {number}: {did}");
        }
    }
}

fn path(folder: &Path, rng: &mut Random) -> PathBuf {
    let name = format!("f{}", rng.random_range(0..6));
    match rng.random_range(0..4) {
        0 => folder.join(format!("d{}", rng.random_range(0..2))).join(name),
        _ => folder.join(name),
    }
}

/// What was done, and what came of it.
fn step(folder: &Path, rng: &mut Random) -> String {
    let kind = |result: io::Result<String>| match result {
        Ok(told) => told,
        Err(error) => format!("{:?}", error.raw_os_error()),
    };
    let file = path(folder, rng);
    let writable = |append: bool| {
        OpenOptions::new()
            .write(!append)
            .append(append)
            .create(true)
            .open(&file)
    };
    let (what, came) = match rng.random_range(0..16) {
        0 => (
            "write",
            fs::write(&file, vec![7; rng.random_range(0..300_000)]).map(|()| String::new()),
        ),
        1 | 2 => {
            let bytes = vec![rng.random_range(0..9); rng.random_range(1..9_000)];
            let written = writable(true).and_then(|mut file| file.write_all(&bytes).map(|()| String::new()));
            ("append", written)
        }
        3 | 4 => {
            let (at, bytes) = (rng.random_range(0..20_000), vec![3; rng.random_range(1..9_000)]);
            let written =
                writable(false).and_then(|file| file.write_all_at(&bytes, at).map(|()| String::new()));
            ("write at", written)
        }
        5 => {
            let length = rng.random_range(0..40_000);
            (
                "truncate",
                writable(false).and_then(|file| file.set_len(length).map(|()| String::new())),
            )
        }
        6 => {
            let length = rng.random_range(1..100_000);
            let reserved = writable(false).and_then(|file| {
                fallocate(&file, FallocateFlags::empty(), 0, length)?;
                Ok(String::new())
            });
            ("reserve", reserved)
        }
        7 => (
            "rename",
            fs::rename(&file, path(folder, rng)).map(|()| String::new()),
        ),
        8 => ("unlink", fs::remove_file(&file).map(|()| String::new())),
        9 => {
            let directory = folder.join(format!("d{}", rng.random_range(0..2)));
            ("mkdir", fs::create_dir(directory).map(|()| String::new()))
        }
        10 => {
            let directory = folder.join(format!("d{}", rng.random_range(0..2)));
            ("rmdir", fs::remove_dir(directory).map(|()| String::new()))
        }
        11 => (
            "link",
            fs::hard_link(&file, path(folder, rng)).map(|()| String::new()),
        ),
        12 => (
            "symlink",
            symlink("f0", folder.join("link")).map(|()| String::new()),
        ),
        13 => (
            "sync",
            File::open(&file).and_then(|file| file.sync_all().map(|()| String::new())),
        ),
        14 => {
            // Open files outlive their names.
            let held = File::open(&file).and_then(|mut held| {
                fs::remove_file(&file)?;
                let mut content = Vec::new();
                held.read_to_end(&mut content)?;
                Ok(format!("{}", content.len()))
            });
            ("read unlinked", held)
        }
        _ => (
            "read",
            fs::read(&file).map(|content| format!("{}", content.len())),
        ),
    };
    let name = file.strip_prefix(folder).unwrap_or(&file).display();
    format!("{what} {name}: {}", kind(came))
}

/// Everything that is in a folder, in order: name, kind, length, content.
fn tree(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let what = if metadata.is_dir() {
                folders.push(path.clone());
                "folder".to_owned()
            } else if metadata.is_symlink() {
                format!("link to {}", fs::read_link(&path).unwrap().display())
            } else {
                let content = fs::read(&path).unwrap();
                assert_eq!(content.len() as u64, metadata.len());
                let sum: u64 = (1..).zip(&content).map(|(at, &byte)| at * u64::from(byte)).sum();
                format!(
                    "file of {} bytes, {sum}, mode {:o}",
                    metadata.len(),
                    metadata.mode()
                )
            };
            found.push((path.strip_prefix(folder).unwrap().to_owned(), what));
        }
    }
    found.sort();
    found
}

/// What databases do besides.
pub(crate) fn locks_and_flags(folder: &Path) {
    let path = folder.join("lock");
    let first = File::create(&path).unwrap();
    first.try_lock().unwrap();
    assert!(
        File::open(&path).unwrap().try_lock().is_err(),
        "one lock excludes the other"
    );
    drop(first);
    File::open(&path).unwrap().try_lock().unwrap();

    let old = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "new").unwrap();
    assert!(fs::metadata(&path).unwrap().modified().unwrap() >= old);
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), long_ago);

    for flag in [OFlag::O_DIRECT, OFlag::O_DSYNC, OFlag::O_SYNC] {
        let options = OpenOptions::new()
            .write(true)
            .read(true)
            .custom_flags(flag.bits())
            .open(&path);
        options.unwrap_or_else(|error| panic!("{flag:?}: {error}"));
    }
    let disk = nix::sys::statvfs::statvfs(folder).unwrap();
    assert!(disk.blocks() > 0 && disk.blocks_available() > 0);
}
