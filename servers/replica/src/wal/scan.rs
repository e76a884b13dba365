//! Reading a segment, piece by piece: a piece is small enough to stay in the processor's cache from the read
//! over the checksum to whoever decodes its records.

use std::fs::File;
use std::io::{self, Read as _};
#[cfg(target_os = "linux")]
use std::io::{Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use super::frame::{self, FRAME_HEADER_BYTES};
use super::segment::{HEADER_BYTES, Header};

/// How much is read at once. A frame that is longer is a piece by itself.
const PIECE_BYTES: usize = 2 << 20;

/// Bytes of the log, and where in them its records are.
#[derive(Debug, Default)]
pub(super) struct Piece {
    bytes: Vec<u8>,
    records: Vec<Range<usize>>,
}

impl Piece {
    /// The record of this number, from 0.
    pub(super) fn record(&self, number: usize) -> Option<&[u8]> {
        self.bytes.get(self.records.get(number)?.clone())
    }

    /// Begins anew with these bytes, in the memory that it has.
    fn begin(&mut self, bytes: &[u8]) {
        self.records.clear();
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
    }

    /// Reads on, up to this length in all. False at the end of the file.
    fn fill(&mut self, file: &File, bytes: usize) -> io::Result<bool> {
        let wanted = bytes.saturating_sub(self.bytes.len());
        self.bytes.reserve(wanted);
        Ok(file.take(wanted as u64).read_to_end(&mut self.bytes)? == wanted)
    }
}

/// Who takes the pieces.
pub(super) trait Sink {
    /// A piece whose memory can be used again, or a new one.
    fn spare(&mut self) -> Piece;

    /// Takes a piece.
    fn take(&mut self, piece: Piece) -> anyhow::Result<()>;
}

/// What a segment holds, beside its records.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) header: Header,
    /// Up to where it is good.
    pub(super) good_bytes: u64,
    /// How many bytes after that are not zeros to the end.
    pub(super) torn_bytes: u64,
    pub(super) next_sequence: u64,
    /// How long the file is, with what was reserved and never written.
    pub(super) length: u64,
}

/// Reads a segment up to its end, which in the last may be torn; other damage is an error.
pub(super) fn scan(path: &Path, number: u64, last: bool, sink: &mut impl Sink) -> anyhow::Result<Scan> {
    let failed = || format!("failed to read {}", path.display());
    let file = File::open(path).with_context(failed)?;
    let length = file.metadata().with_context(failed)?.len();
    let mut piece = sink.spare();
    piece.begin(&[]);
    let mut more = piece.fill(&file, PIECE_BYTES).with_context(failed)?;
    let header = Header::read(path, &piece.bytes, number)?;
    let mut next_sequence = header.first_sequence;
    // Where the piece begins in the file, and up to where in the piece the frames are good.
    let (mut start, mut good) = (0_u64, HEADER_BYTES);
    loop {
        let frame = |at: usize, sequence| frame::read(&piece.bytes[at..], header.salt, |its| its == sequence);
        while let Some(payload) = frame(good, next_sequence) {
            let end = good + FRAME_HEADER_BYTES + payload.len();
            let found = frame::find_records(payload, good + FRAME_HEADER_BYTES, &mut piece.records);
            ensure!(
                found,
                "{}: the frame at offset {} is malformed",
                path.display(),
                start + good as u64
            );
            good = end;
            next_sequence += 1;
        }
        let rest = &piece.bytes[good..];
        let wanted = frame::said_bytes(rest);
        // One that is here in full and is not good is the end, or damage.
        if !more || rest.len() >= wanted {
            break;
        }
        let mut following = sink.spare();
        following.begin(rest);
        more = following
            .fill(&file, wanted.max(PIECE_BYTES))
            .with_context(failed)?;
        sink.take(std::mem::replace(&mut piece, following))?;
        start += good as u64;
        good = 0;
    }
    ensure!(
        next_sequence > header.first_sequence,
        "{}: {}",
        path.display(),
        damaged(HEADER_BYTES as u64, "though it was whole when it got its name")
    );
    read_rest(&file, start, &mut piece.bytes).with_context(failed)?;
    let good_bytes = start + good as u64;
    let rest = &piece.bytes[good..];
    let torn_bytes = without_zeros(rest);
    if torn_bytes > 0 {
        ensure!(
            last,
            "{}: {}",
            path.display(),
            damaged(good_bytes, "and later segments exist")
        );
        // The damaged frame's own length can not be trusted: look for a good one at every place after it.
        // It is later, but by no more than there is room for: garbage has such a number only by great chance, and
        // need not be summed up at each place.
        let room = torn_bytes.div_ceil(FRAME_HEADER_BYTES) as u64;
        let later = |sequence: u64| (1..=room).contains(&sequence.wrapping_sub(next_sequence));
        let is_good = |at: &usize| frame::read(&rest[*at..], header.salt, later).is_some();
        if let Some(distance) = (1..torn_bytes).find(is_good) {
            let again = format!("and good again at offset {}", good_bytes + distance as u64);
            bail!("{}: {}", path.display(), damaged(good_bytes, &again));
        }
    }
    sink.take(piece)?;
    Ok(Scan {
        header,
        good_bytes,
        torn_bytes: torn_bytes as u64,
        next_sequence,
        length,
    })
}

/// Reads what was ever written of a file, of which `bytes` holds a part that begins at `start`. Most of a
/// segment may be blocks that were reserved and never written, which need not be read to know that they are
/// zeros.
fn read_rest(mut file: &File, start: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use nix::errno::Errno;
        use nix::unistd::{Whence, lseek};
        let mut end = (start + bytes.len() as u64).cast_signed();
        loop {
            let data = match lseek(file, end, Whence::SeekData) {
                Err(Errno::ENXIO) => return Ok(()),
                data => data?,
            };
            end = lseek(file, data, Whence::SeekHole)?;
            let hole_end = data.cast_unsigned() - start;
            bytes.resize(usize::try_from(hole_end).map_err(io::Error::other)?, 0);
            file.seek(SeekFrom::Start(data.cast_unsigned()))?;
            let length = (end - data).cast_unsigned();
            if file.take(length).read_to_end(bytes)? as u64 != length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    file.read_to_end(bytes).map(|_| ())
}

/// How long it is without the zeros at its end. By the page, since most of a segment may be zeros.
fn without_zeros(bytes: &[u8]) -> usize {
    const PAGE: [u8; 4096] = [0; 4096];
    let last = bytes
        .chunks(PAGE.len())
        .rposition(|page| page != &PAGE[..page.len()]);
    last.map_or(0, |page| {
        let end = bytes.len().min((page + 1) * PAGE.len());
        let nonzero = bytes[..end].iter().rposition(|&byte| byte != 0);
        nonzero.map_or(0, |at| at + 1)
    })
}

/// What to say of damage to what was durable, and what to do about it.
fn damaged(offset: u64, how: &str) -> String {
    format!(
        "the log is damaged at offset {offset}, {how}: what it held was durable, and the node will not start as one \
         that has forgotten it; restore the file, or remove the node from the cluster and add it again with an empty \
         directory"
    )
}
