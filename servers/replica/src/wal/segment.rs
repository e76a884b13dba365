//! Segments: how one is made, appended to, and read.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{bail, ensure};

use super::ahead::Ahead;
use super::directory::{self, segment_path, temporary};
use super::frame::{self, FrameBuilder};
use super::scan::Scan;

/// The first bytes of a segment, and the version after them.
const MAGIC: &[u8; 7] = b"PARTLOG";
const VERSION: u8 = 1;
/// Magic, version, number, first sequence number, salt, checksum.
pub(super) const HEADER_BYTES: usize = 36;

/// How many zeros a new segment begins with.
const FIRST_ZEROS: u64 = 1 << 20;
/// How many bytes of the end are written again when a segment is opened: more than any group commit holds,
/// but for those of a burst of the largest commands.
const REWRITTEN_BYTES: u64 = 4 << 20;

#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    number: u64,
    pub(super) first_sequence: u64,
    pub(super) salt: u64,
}

impl Header {
    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..7].copy_from_slice(MAGIC);
        bytes[7] = VERSION;
        bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.salt.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..32]);
        bytes[32..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of the segment of this number, of which `content` is the beginning.
    pub(super) fn read(path: &Path, content: &[u8], number: u64) -> anyhow::Result<Header> {
        let path = path.display();
        let version = content.strip_prefix(MAGIC).and_then(<[u8]>::first);
        let is_other = version.is_some_and(|&version| version != VERSION);
        if content.starts_with(b"PARTITA\x01") || is_other {
            bail!(
                "{path}: the log has another version of the format than {VERSION}, which this program reads: start \
                 the node with the program that wrote it, or replace it by a new member with an empty directory"
            );
        }
        let field = |at: usize| {
            let bytes = content.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u64::from_le_bytes)
        };
        let header = Header {
            number,
            first_sequence: field(16),
            salt: field(24),
        };
        // A fuzzer does not guess a checksum, and is to get beyond it.
        let checked = if cfg!(fuzzing) { 32 } else { HEADER_BYTES };
        ensure!(
            content.len() >= HEADER_BYTES && content.starts_with(&header.to_bytes()[..checked]),
            "{path} is no segment of a log: its first {HEADER_BYTES} bytes are not those of segment {number}. Restore \
             the file, or replace the node by a new member with an empty directory"
        );
        Ok(header)
    }
}

/// The segment that is appended to.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    header: Header,
    /// Where the next frame goes.
    end: u64,
    /// The sequence number that it gets.
    next_sequence: u64,
    ahead: Ahead,
}

impl Segment {
    /// Makes a segment that begins with these records, durably.
    pub(super) fn create(
        directory: &Path,
        number: u64,
        first_sequence: u64,
        reserve: u64,
        records: &[Vec<u8>],
    ) -> io::Result<Segment> {
        let path = segment_path(directory, number);
        let unfinished = temporary(&path);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&unfinished)?;
        let reserved = if reserve_blocks(&file, reserve) {
            reserve
        } else {
            0
        };
        let salt = RandomState::new().hash_one("salt");
        let header = Header {
            number,
            first_sequence,
            salt,
        };
        let mut bytes = header.to_bytes().to_vec();
        let mut next_sequence = first_sequence;
        let mut builder = FrameBuilder::default();
        for record in records {
            check_length(record)?;
            if !builder.fits(record.len()) {
                bytes.extend(builder.finish(salt, next_sequence));
                next_sequence += 1;
            }
            builder.push(record);
        }
        // Even without a record: it shows that the segment is whole.
        bytes.extend(builder.finish(salt, next_sequence));
        next_sequence += 1;
        let end = bytes.len() as u64;
        let zeroed = reserved.min(end + FIRST_ZEROS).max(end);
        bytes.resize(zeroed as usize, 0);
        file.write_all_at(&bytes, 0)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        directory::sync(directory)?;
        Ok(Segment {
            file,
            header,
            end,
            next_sequence,
            ahead: Ahead::new(zeroed, reserved),
        })
    }

    /// Opens a segment that was read, to go on where it ends. What is torn is written over with zeros.
    pub(super) fn open(path: &Path, scan: &Scan) -> io::Result<Segment> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        // Writes the end once more, as it was read. If the fsync of the last life failed, its pages may be marked
        // clean though they never reached the disk; then no later fsync would write them ("Can Applications
        // Recover from fsync Failures?", Rebello et al., 2020).
        let from = scan.good_bytes.saturating_sub(REWRITTEN_BYTES);
        let torn_end = scan.good_bytes + scan.torn_bytes;
        let mut end = vec![0; usize::try_from(torn_end - from).map_err(io::Error::other)?];
        file.read_exact_at(&mut end[..(scan.good_bytes - from) as usize], from)?;
        file.write_all_at(&end, from)?;
        file.sync_all()?;
        Ok(Segment {
            file,
            header: scan.header,
            end: scan.good_bytes,
            next_sequence: scan.next_sequence,
            // How much of the rest is zeros that were written, and how much was never written, is not known.
            ahead: Ahead::new(torn_end, scan.length),
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.header.number
    }

    pub(super) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// How long it is, without what is reserved.
    pub(super) fn bytes(&self) -> u64 {
        self.end
    }

    /// Writes a frame, and makes it durable.
    pub(super) fn append(&mut self, builder: &mut FrameBuilder) -> io::Result<()> {
        let frame = builder.finish(self.header.salt, self.next_sequence);
        let end = self.end + frame.len() as u64;
        self.ahead.make_room(end)?;
        self.file.write_all_at(&frame, self.end)?;
        self.file.sync_data()?;
        self.end = end;
        self.next_sequence += 1;
        self.ahead.go_on(&self.file, end)
    }

    /// Gives back what was reserved and is not needed.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.ahead.make_room(u64::MAX)?;
        self.file.set_len(self.end)?;
        self.file.sync_all()
    }
}

/// A longer one recovery would take for damage.
pub(super) fn check_length(record: &[u8]) -> io::Result<()> {
    if record.len() <= frame::RECORD_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "a record of {} bytes, over the limit of {}",
        record.len(),
        frame::RECORD_BYTES_MAX
    );
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// Gives the file its blocks. False where the file system can not, or the disk is too small: the file then
/// grows with each append.
fn reserve_blocks(file: &File, bytes: u64) -> bool {
    #[cfg(target_os = "linux")]
    {
        let Ok(length) = i64::try_from(bytes) else {
            return false;
        };
        let reserved = nix::fcntl::fallocate(file, nix::fcntl::FallocateFlags::empty(), 0, length).is_ok();
        // Part of it may have been given.
        reserved || file.set_len(0).is_err()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, bytes);
        false
    }
}
