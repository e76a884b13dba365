//! Any bytes at whatever takes bytes from outside: the two ports and the disk. An error is a good answer; a
//! panic is not.
//!
//! `servers/fuzz` lets a fuzzer choose the bytes; a test here replays random ones, and those that once did
//! harm.

use std::fs;
use std::path::{Path, PathBuf};

use partita_protocols::codec::Reader;
use partita_protocols::store::Store;
use partita_protocols::{
    Config, Decode as _, Effect, Encode as _, NodeId, OnDisk, Protocol, ProtocolKind, ProtocolVisitor, Random,
};
use rand::SeedableRng as _;

use crate::api;
use crate::recovery::recover;
use crate::transport;

/// A body that a client posts, for an operation or for an operator. What is understood must be something that
/// the store can decode: else one request would stop every node.
pub fn request(body: &[u8]) {
    if let Some(command) = api::parse(body) {
        let mut store = Store::default();
        // It may be a query, which is not applied; and either may be refused by what the store holds.
        let _ = store
            .query_bytes(&command)
            .or_else(|_| store.apply_bytes(&command));
    }
}

/// What comes at the port for peers: frames, of which the first is a greeting.
pub fn peer(bytes: &[u8]) {
    transport::read_frames(bytes, |content| {
        for kind in ProtocolKind::ALL {
            kind.visit(Message(content));
        }
    });
}

/// One message of each protocol: what is understood is written as it was read.
pub fn message(bytes: &[u8]) {
    for kind in ProtocolKind::ALL {
        kind.visit(Message(bytes));
    }
}

struct Message<'a>(&'a [u8]);

impl ProtocolVisitor for Message<'_> {
    type Output = ();

    fn visit<P>(self)
    where
        P: Protocol<Message: Send> + Send + 'static,
    {
        if let Ok(message) = P::Message::from_bytes(self.0) {
            let again = P::Message::from_bytes(&message.to_bytes());
            assert_eq!(again.as_ref(), Ok(&message), "{}", P::NAME);
        }
    }
}

/// The first byte says which protocol; the rest is the first segment of its log, in a directory under `at`.
pub fn log(at: &Path, bytes: &[u8]) {
    let Some((kind, content)) = choose(bytes) else {
        return;
    };
    let directory = at.join(kind.name());
    // Whatever the last left there.
    let _ = fs::remove_dir_all(&directory);
    let written = fs::create_dir_all(&directory)
        .and_then(|()| fs::write(directory.join("0000000000000001.wal"), content));
    if written.is_ok() {
        kind.visit(Log(directory));
    }
}

struct Log(PathBuf);

impl ProtocolVisitor for Log {
    type Output = ();

    fn visit<P>(self)
    where
        P: Protocol<Message: Send> + Send + 'static,
    {
        if let (Some(config), random) = (config(), Random::seed_from_u64(1)) {
            // Damage is refused with a message.
            let _ = recover::<P>(&self.0, config, random);
        }
    }
}

/// The first byte says which protocol; the rest is a list of byte strings: a snapshot, and the records after
/// it, as if their checksums had been good.
pub fn disk(bytes: &[u8]) {
    let Some((kind, content)) = choose(bytes) else {
        return;
    };
    if let Ok(parts) = Parts::from_bytes(content) {
        kind.visit(parts);
    }
}

fn choose(bytes: &[u8]) -> Option<(ProtocolKind, &[u8])> {
    let (&first, content) = bytes.split_first()?;
    let kind = ProtocolKind::ALL[usize::from(first) % ProtocolKind::ALL.len()];
    Some((kind, content))
}

fn config() -> Option<Config> {
    let node = |name| NodeId::new(name).ok();
    Config::new(node("n1")?, [node("n2")?, node("n3")?], 5, 50).ok()
}

struct Parts(Vec<Vec<u8>>);

impl partita_protocols::Decode for Parts {
    fn decode(input: &mut Reader<'_>) -> Result<Self, partita_protocols::DecodeError> {
        let part = |input: &mut Reader<'_>| input.bytes("a part", usize::MAX).map(<[u8]>::to_vec);
        input.list("parts", usize::MAX, part).map(Parts)
    }
}

impl ProtocolVisitor for Parts {
    type Output = ();

    fn visit<P>(self)
    where
        P: Protocol<Message: Send> + Send + 'static,
    {
        let Some(config) = config() else { return };
        let (snapshot, records) = match self.0.split_first() {
            Some((snapshot, records)) => (Some(&snapshot[..]).filter(|its| !its.is_empty()), records),
            None => (None, &[][..]),
        };
        let mut effects = Vec::new();
        let disk = OnDisk::new(snapshot, records);
        if P::recover(config, disk, Random::seed_from_u64(1), &mut effects).is_ok() {
            let mut store = Store::default();
            for effect in effects {
                // What the store does not understand stops the node, with a message.
                let _ = match effect {
                    Effect::Restore { state, .. } => store.restore(&state),
                    Effect::Apply {
                        command: Some(command),
                        ..
                    } => store.apply_bytes(&command).map(|_| ()),
                    _ => Ok(()),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng as _, RngExt as _};

    use super::*;

    /// What fuzzing once found.
    const HARMFUL: &[&[u8]] = &[];

    fn throw(at: &Path, bytes: &[u8]) {
        request(bytes);
        peer(bytes);
        message(bytes);
        log(at, bytes);
        disk(bytes);
    }

    #[test]
    fn random_bytes_do_no_harm() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut random = Random::seed_from_u64(1);
        for _ in 0..200 {
            let mut bytes = vec![0; random.random_range(0..200)];
            random.fill_bytes(&mut bytes);
            throw(directory.path(), &bytes);
        }
    }

    #[test]
    fn what_once_did_harm_does_none() {
        let directory = tempfile::tempdir().expect("a directory");
        for bytes in HARMFUL {
            throw(directory.path(), bytes);
        }
    }
}
