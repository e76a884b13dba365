//! The ends of log files.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// No tail is longer than this, in bytes, however long its lines are.
const LONGEST: u64 = 64 * 1024;

/// The last lines of a file. Bytes that are not UTF-8 are replaced.
pub(super) fn tail(path: &Path, lines: usize) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST)))?;
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_last_lines_and_no_more_than_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.log");
        std::fs::write(&path, "one\ntwo\nthr\u{e9}e\n").unwrap();
        assert_eq!(tail(&path, 2).unwrap(), "two\nthr\u{e9}e");
        assert_eq!(tail(&path, 9).unwrap(), "one\ntwo\nthr\u{e9}e");
        std::fs::write(&path, vec![b'x'; 200_000]).unwrap();
        assert_eq!(tail(&path, 5).unwrap().len() as u64, LONGEST);
    }
}
