//! Files without the room that their zeros take. Logs are made large before they are written (64 MiB a segment, by our
//! own servers and by etcd), so most of what a node leaves behind is zeros.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

/// What is looked at, and given back, at a time, in bytes: a multiple of the blocks of all usual file systems.
const PIECE: usize = 64 << 10;

/// Gives back the room of all zeros in the files of a directory. What can be read of them stays as it is.
///
/// # Errors
/// When something can't be read or written. A file system that can't do it is none.
pub(crate) fn dig(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            dig(&entry.path())?;
        } else if kind.is_file() && entry.metadata()?.len() > PIECE as u64 {
            let file = OpenOptions::new().read(true).write(true).open(entry.path())?;
            match dig_file(&file) {
                Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => return Ok(()),
                dug => dug?,
            }
        }
    }
    Ok(())
}

fn dig_file(mut file: &File) -> Result<(), Errno> {
    let wrong = |error: io::Error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        let length = read_full(&mut file, &mut piece).map_err(wrong)?;
        if length > 0 && piece[..length].iter().all(|&byte| byte == 0) {
            fallocate(file, flags, at, length as i64)?;
        }
        if length < PIECE {
            return Ok(());
        }
        at += PIECE as i64;
    }
}

/// Reads until the piece is full, or the file over.
fn read_full(file: &mut impl Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < piece.len() {
        match file.read(&mut piece[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn zeros_take_no_room_and_nothing_else_changes() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("n1/data");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("segment");
        let mut bytes = vec![0_u8; 8 << 20];
        // Within a piece, across two, and where the file ends.
        for at in [0, 70_000, 5 * PIECE - 1, 5 * PIECE, bytes.len() - 1] {
            bytes[at] = 7;
        }
        bytes.extend([0; 1_000]);
        fs::write(&path, &bytes).unwrap();
        dig(home.path()).unwrap();
        assert!(fs::read(&path).unwrap() == bytes, "its bytes are another's");
        let taken = fs::metadata(&path).unwrap().blocks() * 512;
        assert!(taken < 1 << 20, "{taken} bytes are still taken");
    }
}
