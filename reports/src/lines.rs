//! The line files of a run. While it goes on they are plain lines, so that a run that is killed loses no more than its
//! last line; when it is over they are packed with gzip, which everybody has the tools for (`zcat`, `zgrep`). That there
//! are two forms is known here alone.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use partita_history::format::decompressed;

/// The files that are packed: of the others, none grows as fast.
const PACKED: [&str; 2] = ["history.jsonl", "metrics.jsonl"];
/// Measured on histories of ours: 12.5 % of the size, at 17 MB a second. The next levels take more than twice as long
/// for hardly less, and zstd at its own default is larger.
const LEVEL: u32 = 6;
/// How much is read at once, in bytes.
const BUFFER_BYTES: usize = 1 << 20;

/// The file of this path or its packed form, whichever is there; the plain one if both are.
pub fn find(path: &Path) -> Option<PathBuf> {
    [path.to_owned(), with(path, ".gz")]
        .into_iter()
        .find(|path| path.is_file())
}

/// Packs the line files of a run that is over.
///
/// # Errors
/// When one can't be read, or its packed form not be written. It then stays as it was.
pub fn pack(directory: &Path) -> io::Result<()> {
    for name in PACKED {
        match pack_file(&directory.join(name)) {
            // A run that broke early has none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            packed => packed?,
        }
    }
    Ok(())
}

/// Whoever reads meanwhile finds one form or the other, and whole.
fn pack_file(path: &Path) -> io::Result<()> {
    let mut plain = File::open(path)?;
    let unfinished = with(path, ".gz.tmp");
    let written = write_packed(&mut plain, &unfinished)
        .and_then(|()| fs::rename(&unfinished, with(path, ".gz")))
        .and_then(|()| fs::remove_file(path));
    if written.is_err() {
        // What went wrong first is what to tell.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn write_packed(plain: &mut File, path: &Path) -> io::Result<()> {
    let mut encoder = GzEncoder::new(File::create(path)?, Compression::new(LEVEL));
    io::copy(&mut BufReader::with_capacity(BUFFER_BYTES, plain), &mut encoder)?;
    // The plain form is removed next.
    encoder.finish()?.sync_all()
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The lines of a file in either form, and whether they end as lines do.
pub(crate) struct Lines {
    input: Box<dyn BufRead>,
    last: u8,
}

impl Lines {
    pub(crate) fn of(file: File) -> io::Result<Lines> {
        Ok(Lines {
            input: decompressed(BufReader::with_capacity(BUFFER_BYTES, file))?,
            last: b'\n',
        })
    }

    /// Once all is read: was there nothing after the last end of a line?
    pub(crate) fn ended_whole(&self) -> bool {
        self.last == b'\n'
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        if let Some(&last) = buffer[..read].last() {
            self.last = last;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_reads_as_before() {
        let home = tempfile::tempdir().unwrap();
        let history = home.path().join("history.jsonl");
        assert_eq!(find(&history), None);
        pack(home.path()).unwrap();
        let text: String = (0..100_000).map(|number| format!("{number}\n")).collect();
        fs::write(&history, &text).unwrap();
        fs::write(home.path().join("metrics.jsonl"), "cut sho").unwrap();
        fs::write(home.path().join("faults.jsonl"), "few\n").unwrap();
        assert_eq!(find(&history).as_ref(), Some(&history));
        pack(home.path()).unwrap();
        let mut names: Vec<_> = fs::read_dir(home.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["faults.jsonl", "history.jsonl.gz", "metrics.jsonl.gz"]);
        for (name, expected, whole) in [
            ("history.jsonl", text.as_str(), true),
            ("metrics.jsonl", "cut sho", false),
            ("faults.jsonl", "few\n", true),
        ] {
            let file = find(&home.path().join(name)).unwrap();
            let mut lines = Lines::of(File::open(file).unwrap()).unwrap();
            let mut read = String::new();
            lines.read_to_string(&mut read).unwrap();
            assert_eq!((read.as_str(), lines.ended_whole()), (expected, whole));
        }
    }
}
