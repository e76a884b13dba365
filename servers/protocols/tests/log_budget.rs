//! Whatever the protocol, its log is bounded in bytes, however few entries they are.

use std::sync::Arc;

use partita_protocols::store::{self, Operation, Value};
use partita_protocols::{
    Config, Effect, Encode as _, Input, NodeId, OnDisk, Proposal, Protocol, ProtocolKind, ProtocolVisitor,
    Random, RequestId,
};
use rand::SeedableRng as _;

/// How much may be logged between two snapshots.
const BUDGET: u64 = 64 << 10;
const COMMAND_BYTES: usize = 4 << 10;
const COMMANDS: u64 = 400;

fn config() -> Config {
    let me = NodeId::new("n1").expect("a good name");
    let mut config = Config::new(me, [], 2, 5).expect("a good configuration");
    (config.snapshot_entries, config.snapshot_log_bytes) = (1_000_000, BUDGET);
    config
}

/// What a node alone has on its disk, all of it durable at once.
#[derive(Default)]
struct Disk {
    snapshot: Option<Arc<[u8]>>,
    records: Vec<Vec<u8>>,
    snapshots: u64,
    longest: usize,
    longest_record: usize,
    /// Are copies of the store kept back? Then the index of the one that was asked for.
    keeps_back: bool,
    kept_back: Option<u64>,
}

impl Disk {
    fn bytes(&self) -> usize {
        self.records.iter().map(Vec::len).sum()
    }

    /// Carries out all effects, and those that follow from them.
    fn carry_out<P: Protocol>(&mut self, core: &mut P, effects: &mut Vec<Effect<P::Message>>) -> u64 {
        let mut applied = 0;
        while !effects.is_empty() {
            let index = core.status().applied;
            for effect in std::mem::take(effects) {
                match effect {
                    Effect::Persist { write, record } => {
                        self.records.push(record);
                        core.step(Input::Persisted(write), effects);
                    }
                    Effect::Compact {
                        write,
                        snapshot,
                        records,
                    } => {
                        let longest = records.iter().map(Vec::len).max().unwrap_or(0);
                        self.longest_record = self.longest_record.max(longest);
                        (self.snapshot, self.records) = (Some(snapshot), records);
                        self.snapshots += 1;
                        core.step(Input::Persisted(write), effects);
                    }
                    Effect::TakeSnapshot if self.keeps_back => self.kept_back = Some(index),
                    Effect::TakeSnapshot => {
                        let state = Arc::from([7]);
                        core.step(Input::SnapshotTaken { index, state }, effects);
                    }
                    Effect::Apply { .. } => applied += 1,
                    _ => {}
                }
            }
            self.longest = self.longest.max(self.bytes());
        }
        applied
    }
}

/// Writes until so many commands are applied, and gives back what is kept back then.
fn fill<P: Protocol>(keeps_back: bool) -> Disk {
    let mut effects = Vec::new();
    let random = || Random::seed_from_u64(1);
    let mut core = P::recover(config(), OnDisk::default(), random(), &mut effects).expect("an empty disk");
    let mut disk = Disk {
        keeps_back,
        ..Disk::default()
    };
    let (mut applied, mut proposed) = (0, 0);
    while applied < COMMANDS {
        assert!(proposed < 10 * COMMANDS, "{}: {applied} of {proposed}", P::NAME);
        proposed += 1;
        // Every protocol serves this one.
        let operation = Operation::Propose {
            key: format!("key{proposed}"),
            value: Value::Str("v".repeat(COMMAND_BYTES)),
        };
        let command = store::Command {
            session: None,
            operation,
        };
        let proposal = Proposal {
            request: RequestId(proposed),
            command: command.to_bytes().into(),
        };
        core.step(Input::Tick, &mut effects);
        core.step(Input::Propose(vec![proposal]), &mut effects);
        applied += disk.carry_out(&mut core, &mut effects);
    }
    if let Some(index) = disk.kept_back {
        let state = Arc::from([7]);
        core.step(Input::SnapshotTaken { index, state }, &mut effects);
        disk.carry_out(&mut core, &mut effects);
    }
    let on_disk = OnDisk::new(disk.snapshot.as_deref(), &disk.records);
    let again = P::recover(config(), on_disk, random(), &mut effects).expect("a good disk");
    assert_eq!(again.status().last_index, core.status().last_index, "{}", P::NAME);
    disk
}

struct Bounded;

impl ProtocolVisitor for Bounded {
    type Output = ();

    fn visit<P>(self)
    where
        P: Protocol<Message: Send> + Send + 'static,
    {
        let disk = fill::<P>(false);
        // A snapshot that is larger than the budget puts the next off.
        let snapshot_bytes = disk.snapshot.as_ref().map_or(0, |snapshot| snapshot.len());
        let bound = snapshot_bytes.max(BUDGET as usize) + BUDGET as usize / 4 + 3 * COMMAND_BYTES;
        assert!(
            disk.longest <= bound,
            "{}: {} bytes, over {bound}",
            P::NAME,
            disk.longest
        );
        assert!(disk.snapshots >= 4, "{}: {} snapshots", P::NAME, disk.snapshots);
    }
}

struct CutLate;

impl ProtocolVisitor for CutLate {
    type Output = ();

    fn visit<P>(self)
    where
        P: Protocol<Message: Send> + Send + 'static,
    {
        let disk = fill::<P>(true);
        let longest = disk.longest_record;
        assert!(longest <= (1 << 20) + 2 * COMMAND_BYTES, "{}: {longest}", P::NAME);
    }
}

#[test]
fn a_log_is_bounded_in_bytes() {
    for kind in ProtocolKind::ALL {
        kind.visit(Bounded);
    }
}

/// A driver refuses a record that is too long for the log on disk, and stops.
#[test]
fn what_a_late_snapshot_leaves_of_the_log_is_cut_into_records_that_fit() {
    for kind in ProtocolKind::ALL {
        kind.visit(CutLate);
    }
}
