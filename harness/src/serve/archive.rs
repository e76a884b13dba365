//! A directory as a tar file (POSIX.1-2001, pax), written as it is read.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};

use super::paths::{Found, entries, open_in};

/// Tar files are made of these.
const BLOCK: usize = 512;
/// Longer names, and larger files, need a header of their own.
const NAME_MAX: usize = 100;
const SIZE_MAX: u64 = 0o77_777_777_777;

/// Writes all files of a directory, which is called `name` in the archive. Links are left out, and what goes away in the
/// meantime, as in a run that goes on.
///
/// # Errors
/// When something can't be read, or not be written.
pub(super) fn write(directory: &File, name: &str, out: &mut impl Write) -> io::Result<()> {
    add(directory, name, out)?;
    out.write_all(&[0; 2 * BLOCK])
}

fn add(directory: &File, name: &str, out: &mut impl Write) -> io::Result<()> {
    let entries = match entries(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        read => read?,
    };
    for (entry, kind) in entries {
        if !kind.is_dir() && !kind.is_file() {
            continue;
        }
        let name = format!("{name}/{}", entry.to_string_lossy());
        match open_in(directory, &entry) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(Found::Directory(directory)) => add(&directory, &name, out)?,
            Ok(Found::File(file)) => add_file(&file, &name, out)?,
        }
    }
    Ok(())
}

fn add_file(file: &File, name: &str, out: &mut impl Write) -> io::Result<()> {
    let metadata = file.metadata()?;
    let size = metadata.len();
    let modified = metadata.modified().ok();
    let modified = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = modified.map_or(0, |time| time.as_secs());
    let mut records = String::new();
    if name.len() > NAME_MAX {
        records += &record("path", name);
    }
    if size > SIZE_MAX {
        records += &record("size", &size.to_string());
    }
    if !records.is_empty() {
        out.write_all(&header("pax", b'x', records.len() as u64, modified))?;
        out.write_all(records.as_bytes())?;
        pad(records.len() as u64, out)?;
    }
    out.write_all(&header(name, b'0', size, modified))?;
    // It may grow while it is read, or shrink: the header has said how long it is.
    let copied = io::copy(&mut file.take(size), out)?;
    io::copy(&mut io::repeat(0).take(size - copied), out)?;
    pad(size, out)
}

/// A record of a pax header begins with its own length, which counts itself.
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

fn pad(size: u64, out: &mut impl Write) -> io::Result<()> {
    let over = (size % BLOCK as u64) as usize;
    out.write_all(&[0; BLOCK][..(BLOCK - over) % BLOCK])
}

fn header(name: &str, kind: u8, size: u64, modified: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    let cut = &name.as_bytes()[..name.len().min(NAME_MAX)];
    put(0, cut);
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", size.min(SIZE_MAX)).as_bytes());
    put(136, format!("{:011o}\0", modified.min(SIZE_MAX)).as_bytes());
    // The checksum is made with spaces in its own place.
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn tar_unpacks_what_was_packed() {
        let home = tempfile::tempdir().unwrap();
        let run = home.path().join("run");
        let long = "x".repeat(120);
        fs::create_dir_all(run.join("nodes").join(&long)).unwrap();
        fs::write(run.join("plan.toml"), "seed = 7\n").unwrap();
        fs::write(
            run.join("nodes").join(&long).join("node.log"),
            vec![b'y'; 3 * BLOCK],
        )
        .unwrap();
        fs::write(run.join("empty"), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", run.join("link")).unwrap();
        let mut tar = Vec::new();
        write(&File::open(&run).unwrap(), "run", &mut tar).unwrap();
        assert_eq!(tar.len() % BLOCK, 0);
        let into = home.path().join("unpacked");
        fs::create_dir(&into).unwrap();
        let mut child = Command::new("tar")
            .args(["-x", "-C"])
            .arg(&into)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&tar).unwrap();
        assert!(child.wait().unwrap().success());
        let read = |name: &str| fs::read(into.join("run").join(name)).unwrap();
        assert_eq!(read("plan.toml"), b"seed = 7\n");
        assert_eq!(read(&format!("nodes/{long}/node.log")), vec![b'y'; 3 * BLOCK]);
        assert!(read("empty").is_empty() && !into.join("run/link").exists());
    }
}
