//! Snapshots, as files.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

/// The first bytes of a snapshot, and the version after them.
const MAGIC: &[u8; 7] = b"PARTSNP";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 28;

/// Writes the snapshot, durably, under a name that is not yet its own.
pub(super) fn write(temporary: &Path, number: u64, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(temporary)?;
    file.write_all(&header(number, content))?;
    file.write_all(content)?;
    file.sync_all()
}

/// Reads the snapshot back.
pub(super) fn read(path: &Path, number: u64) -> anyhow::Result<Vec<u8>> {
    let (found, content) = read_parts(path).with_context(|| format!("failed to read {}", path.display()))?;
    if let Some((magic, &[version, ..])) = found.split_first_chunk::<7>()
        && magic == MAGIC
        && version != VERSION
    {
        bail!(
            "{}: the snapshot has version {version} of the format, and this program reads version {VERSION}",
            path.display()
        );
    }
    ensure!(
        found == header(number, &content),
        "{}: the snapshot is damaged: its {} bytes do not have the checksum in its first {HEADER_BYTES}. What it \
         took the place of is gone, so the node can not start from anything else; restore the file, or remove the \
         node from the cluster and add it again with an empty directory",
        path.display(),
        found.len() + content.len()
    );
    Ok(content)
}

/// The header, as far as there is one, and what follows it: apart, so that the content is not copied again.
fn read_parts(path: &Path) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut file = File::open(path)?;
    let mut header = Vec::new();
    (&file).take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok((header, content))
}

fn header(number: u64, content: &[u8]) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..7].copy_from_slice(MAGIC);
    header[7] = VERSION;
    header[8..16].copy_from_slice(&number.to_le_bytes());
    header[16..24].copy_from_slice(&(content.len() as u64).to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..24]);
    hasher.update(content);
    header[24..].copy_from_slice(&hasher.finalize().to_le_bytes());
    header
}
