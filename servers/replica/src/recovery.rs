//! From what the disk holds to a core that goes on.

use std::path::Path;

use partita_protocols::{Config, Effect, OnDisk, Protocol, Random, Records};

use crate::wal;

/// A core, and the log that it goes on with.
pub(crate) struct Recovered<P: Protocol> {
    pub(crate) core: P,
    /// What is to be done first.
    pub(crate) effects: Vec<Effect<P::Message>>,
    pub(crate) log: wal::Opened,
}

/// Recovers from the log in this directory, and makes it if there is none.
pub(crate) fn recover<P: Protocol>(
    directory: &Path,
    config: Config,
    random: Random,
) -> anyhow::Result<Recovered<P>> {
    let mut opening = wal::open(directory, wal::SEGMENT_BYTES)?;
    let mut effects = Vec::new();
    let disk = OnDisk {
        snapshot: opening.snapshot.as_deref(),
        records: Records::new(&mut opening.records),
    };
    let core = P::recover(config, disk, random, &mut effects);
    // If the log is damaged, that is why the core was not given all of it.
    let log = opening.finish()?;
    Ok(Recovered {
        core: core?,
        effects,
        log,
    })
}
