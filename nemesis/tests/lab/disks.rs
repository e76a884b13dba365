//! Faults of disks, played inside a lab: nodes that write files, and what becomes of these.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use partita_history::FaultOutcome;
use partita_nemesis::disk;
use partita_nemesis::fault::Injected;
use partita_nemesis::lab::Lab;
use partita_nemesis::schedule::clean_bill;

use crate::stage::{NODES, Stage, Talk};
use crate::twins;

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn play(lab: &Lab, run_dir: &Path) {
    if let Some(obstacle) = disk::obstacle(lab) {
        println!("  no disks: {obstacle}");
        return;
    }
    let stage = Stage::set_on_disks(lab, run_dir).await;
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let mounted = mounts.lines().filter(|line| line.starts_with("partita ")).count();
    if mounted == 0 {
        syncs_only(&stage).await;
    } else {
        assert_eq!(mounted, NODES);
        power_cuts(&stage).await;
        torn_writes(&stage).await;
        only_what_runs_loses_power(&stage).await;
        faults_that_are_broken_off(&stage).await;
        slow_fsyncs(&stage).await;
        refusals(&stage).await;
        a_kill_loses_nothing(&stage).await;
        bit_rot(&stage).await;
        same_as_a_plain_folder(&stage, run_dir).await;
    }
    clean_bill(stage.cluster()).await.unwrap();
    let left = stage.cluster().stop_all(Duration::from_secs(2)).await;
    assert!(left.is_empty(), "{left:?}");
    drop(stage);
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains("partita "), "{mounts}");
}

/// Stays in the middle of faults of disks until it is killed.
pub(crate) async fn stay_in_fault(lab: &Lab, run_dir: &Path) {
    let stage = Stage::set_on_disks(lab, run_dir).await;
    for node in 0..NODES {
        ask(&stage, node, "write log 100000 x").await;
    }
    let _stuck = inject_under_load(&stage, "stuck-fsync", "all", 1).await;
    let _cut = stage.inject("power-cut", "minority", 2, 2).await;
    println!("in fault");
    std::future::pending::<()>().await;
}

/// Asks a node to do something with its files. One that was just killed keeps silent.
pub(crate) async fn ask(stage: &Stage, node: usize, question: &str) -> String {
    let cluster = stage.cluster();
    let talk = Talk::with(cluster.control_address(node), cluster.control_source()).await;
    let answer = match talk {
        Ok(mut talk) => talk.ask(question, PATIENCE).await,
        Err(_) => None,
    };
    answer.unwrap_or_else(|| "silence".into())
}

/// What lies on a node's disk, read from beneath the mount: what is really there.
pub(crate) fn beneath(stage: &Stage, node: usize) -> BTreeMap<String, Vec<u8>> {
    let folder = std::fs::read_dir(stage.cluster().data(node)).unwrap();
    let files = folder.map(|entry| entry.unwrap());
    files
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                std::fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

async fn power_cuts(stage: &Stage) {
    println!("  power cuts");
    for node in 0..NODES {
        assert_eq!(ask(stage, node, "write kept 600 a").await, "done");
        assert_eq!(ask(stage, node, "sync kept").await, "done");
        assert_eq!(ask(stage, node, "write kept 50 b").await, "done");
        assert_eq!(ask(stage, node, "write lost 10 c").await, "done");
        assert_eq!(beneath(stage, node).len(), 2);
    }
    let injected = stage.inject("power-cut", "all", 1, 1).await;
    assert_eq!(
        (injected.outcome, injected.nodes.len()),
        (FaultOutcome::Took, NODES)
    );
    assert!(
        injected
            .evidence
            .contains("2 changes of data (60 bytes) and 1 of names"),
        "{}",
        injected.evidence
    );
    for node in 0..NODES {
        assert_eq!(
            beneath(stage, node),
            BTreeMap::from([("kept".to_owned(), vec![b'a'; 600])])
        );
    }
    stage.heal(injected).await;
    for node in 0..NODES {
        assert_eq!(ask(stage, node, "read kept").await, "a".repeat(600));
        assert_eq!(ask(stage, node, "read lost").await, "error entity not found");
    }
}

async fn torn_writes(stage: &Stage) {
    println!("  torn writes");
    let mut injecting = std::pin::pin!(stage.inject("torn-writes", "leader", 2, 2));
    let writer = async {
        // It is cut off in one of these.
        loop {
            ask(stage, 2, "write kept 700 z").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let injected = tokio::select! {
        injected = &mut injecting => injected,
        () = writer => unreachable!(),
    };
    assert_eq!(
        (injected.outcome, injected.nodes[0].as_str()),
        (FaultOutcome::Took, "n3")
    );
    let content = beneath(stage, 2).remove("kept").unwrap();
    assert_eq!(content.len() % 512, 0, "{}: {}", content.len(), injected.evidence);
    stage.heal(injected).await;
}

async fn only_what_runs_loses_power(stage: &Stage) {
    println!("  only what runs loses power");
    let kill = stage.inject("kill", "n2", 3, 1).await;
    for (id, fault) in [(4, "power-cut"), (5, "torn-writes")] {
        let skipped = stage.inject(fault, "n2", id, 1).await;
        assert_eq!(skipped.outcome, FaultOutcome::Skipped, "{fault}");
    }
    let cut = stage.inject("power-cut", "all", 6, 1).await;
    assert_eq!(cut.nodes.len(), NODES - 1);
    stage.heal(cut).await;
    assert_eq!(
        stage.cluster().status(1).pid(),
        None,
        "another fault keeps it down"
    );
    stage.heal(kill).await;
    clean_bill(stage.cluster()).await.unwrap();
}

/// Nobody heals them but the last healing: neither a disk that is about to lose its power, nor one that has lost it.
async fn faults_that_are_broken_off(stage: &Stage) {
    println!("  faults that are broken off");
    let cluster = stage.cluster();
    for (id, is_met) in [(7, false), (8, true)] {
        tokio::select! {
            biased;
            _ = stage.inject("torn-writes", "n3", id, id) => panic!("it waits for a write"),
            () = tokio::task::yield_now() => {}
        }
        let amiss = clean_bill(cluster).await.unwrap_err();
        assert!(
            amiss.len() == 1 && amiss[0].contains("n3 has no power"),
            "{amiss:?}"
        );
        if is_met {
            let before = beneath(stage, 2).remove("kept").map_or(0, |kept| kept.len());
            let heal = async {
                while beneath(stage, 2).remove("kept").map_or(0, |kept| kept.len()) == before {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                // The power goes a moment later.
                loop {
                    cluster.final_heal().unwrap();
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::select! {
                answer = ask(stage, 2, "write kept 700 y") => assert_eq!(answer, "silence"),
                () = heal => unreachable!(),
            }
        }
        cluster.final_heal().unwrap();
        stage.wait_until_it_answers(2).await;
        clean_bill(cluster).await.unwrap();
        assert_eq!(ask(stage, 2, "write kept 700 y").await, "done");
        assert_eq!(ask(stage, 2, "sync kept").await, "done");
    }
}

/// Injects while every node writes and syncs, as a trouble that nobody meets leaves no evidence.
async fn inject_under_load(stage: &Stage, fault: &str, shape: &str, id: u64) -> Injected {
    let load = ["write log 10 q", "sync log"];
    under_load(stage, stage.inject(fault, shape, id, id), &load).await
}

/// The same, while every node does this again and again.
pub(crate) async fn under_load(
    stage: &Stage,
    injecting: impl Future<Output = Injected>,
    load: &[&str],
) -> Injected {
    // Each by itself: a slow one must not keep the others from meeting it.
    let load = |node| async move {
        loop {
            for question in load {
                let asked = ask(stage, node, question);
                let _ = tokio::time::timeout(Duration::from_millis(200), asked).await;
            }
        }
    };
    let loads = futures_util::future::join_all((0..NODES).map(load));
    tokio::select! {
        injected = injecting => injected,
        _ = loads => unreachable!(),
    }
}

fn hit(stage: &Stage, injected: &Injected) -> usize {
    stage.cluster().find(&injected.nodes[0]).unwrap()
}

async fn slow_fsyncs(stage: &Stage) {
    println!("  slow fsyncs");
    for shape in ["one", "all"] {
        let injected = inject_under_load(stage, "slow-fsync", shape, 10).await;
        assert_eq!(injected.outcome, FaultOutcome::Took);
        let begun = Instant::now();
        assert_eq!(ask(stage, hit(stage, &injected), "sync log").await, "done");
        assert!(
            begun.elapsed() >= Duration::from_millis(20),
            "{:?}",
            begun.elapsed()
        );
        stage.heal(injected).await;
    }
    let injected = inject_under_load(stage, "stuck-fsync", "one", 11).await;
    assert_eq!(injected.outcome, FaultOutcome::Took);
    let node = hit(stage, &injected);
    assert_eq!(
        ask(stage, node, "write other 10 q").await,
        "done",
        "all but fsync goes on"
    );
    let mut syncing = std::pin::pin!(ask(stage, node, "sync log"));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), &mut syncing)
            .await
            .is_err()
    );
    assert!(clean_bill(stage.cluster()).await.unwrap_err()[0].contains("troubled"));
    stage.heal(injected).await;
    assert_eq!(syncing.await, "done");

    // A process that hangs in an fsync can be killed all the same.
    let stuck = inject_under_load(stage, "stuck-fsync", "all", 12).await;
    let kill = stage.inject("kill", "all", 13, 1).await;
    assert_eq!(
        (stuck.outcome, kill.outcome),
        (FaultOutcome::Took, FaultOutcome::Took)
    );
    stage.heal(kill).await;
    stage.heal(stuck).await;
}

/// What there is where no file system of ours can be mounted.
async fn syncs_only(stage: &Stage) {
    println!("  syncs only");
    for fault in ["power-cut", "torn-writes", "disk-full"] {
        let skipped = stage.inject(fault, "one", 60, 60).await;
        assert_eq!(skipped.outcome, FaultOutcome::Skipped);
    }
    for node in 0..NODES {
        assert_eq!(ask(stage, node, "write log 10 q").await, "done");
    }
    slow_fsyncs(stage).await;
    for id in 61..64 {
        let errors = inject_under_load(stage, "io-errors", "one", id).await;
        assert_eq!(errors.outcome, FaultOutcome::Took);
        let node = hit(stage, &errors);
        assert_eq!(ask(stage, node, "write log 10 q").await, "done");
        assert!(ask(stage, node, "sync log").await.contains("os error 5"));
        if id == 61 {
            an_end_is_excused(stage, node).await;
        }
        stage.heal(errors).await;
        assert_eq!(ask(stage, node, "sync log").await, "done");
    }
    a_kill_loses_nothing(stage).await;
    bit_rot(stage).await;
}

/// A node whose disk refuses has a reason to end, and is started again when that is healed.
async fn an_end_is_excused(stage: &Stage, node: usize) {
    let pid = stage.cluster().status(node).pid().unwrap();
    ask(stage, node, "exit").await;
    assert!(stage.cluster().gone(node, pid, PATIENCE).await.is_some());
    assert!(stage.cluster().unexpected_exits().is_empty());
    assert_eq!(stage.cluster().excused_exits().len(), 1);
}

async fn refusals(stage: &Stage) {
    println!("  refusals");
    let full = inject_under_load(stage, "disk-full", "one", 20).await;
    assert_eq!(full.outcome, FaultOutcome::Took);
    let node = hit(stage, &full);
    assert!(ask(stage, node, "write log 10 q").await.contains("os error 28"));
    assert!(ask(stage, node, "write new 10 q").await.contains("os error 28"));
    assert!(ask(stage, node, "read log").await.contains('q'));
    stage.heal(full).await;
    assert_eq!(ask(stage, node, "write log 10 q").await, "done");

    let mut seen = BTreeSet::new();
    for id in 30..40 {
        let errors = inject_under_load(stage, "io-errors", "one", id).await;
        assert_eq!(errors.outcome, FaultOutcome::Took);
        let node = hit(stage, &errors);
        let written = ask(stage, node, "write log 10 q").await;
        let synced = ask(stage, node, "sync log").await;
        let refused = [written, synced].map(|answer| answer.contains("os error 5"));
        assert!(refused.contains(&true), "{}", errors.evidence);
        seen.insert(refused);
        if id == 30 {
            an_end_is_excused(stage, node).await;
        }
        stage.heal(errors).await;
        assert_eq!(ask(stage, node, "sync log").await, "done");
    }
    assert!(seen.len() > 1, "writes and fsyncs each have their turn: {seen:?}");
}

async fn a_kill_loses_nothing(stage: &Stage) {
    println!("  a kill loses nothing");
    for node in 0..NODES {
        assert_eq!(ask(stage, node, "write unsynced 10 u").await, "done");
    }
    let kill = stage.inject("kill", "all", 40, 1).await;
    stage.heal(kill).await;
    for node in 0..NODES {
        assert_eq!(ask(stage, node, "read unsynced").await, "u".repeat(10));
    }
}

async fn bit_rot(stage: &Stage) {
    println!("  bit rot");
    let mut ever = BTreeSet::new();
    for id in 50..56 {
        let before: Vec<_> = (0..NODES).map(|node| beneath(stage, node)).collect();
        let injected = stage.inject("bit-rot", "one", id, id).await;
        assert_eq!(injected.outcome, FaultOutcome::Took);
        let rotten = hit(stage, &injected);
        for (node, before) in before.iter().enumerate() {
            assert_eq!(*before != beneath(stage, node), node == rotten);
        }
        stage.heal(injected).await;
        assert_eq!(before[rotten], beneath(stage, rotten));
        ever.insert(rotten);
    }
    assert!(
        (1..=2).contains(&ever.len()),
        "a majority keeps good copies: {ever:?}"
    );
}

/// Does the same at random through a mount and in a plain folder, and compares.
async fn same_as_a_plain_folder(stage: &Stage, run_dir: &Path) {
    println!("  the same as a plain folder");
    let mounted = stage.cluster().folder(0).join("data/both");
    let plain = run_dir.join("plain");
    // Not on a thread of the runtime: the mount may take its time.
    tokio::task::spawn_blocking(move || {
        for folder in [&mounted, &plain] {
            std::fs::create_dir(folder).unwrap();
        }
        for seed in 0..4 {
            twins::play(&mounted, &plain, seed);
        }
        twins::locks_and_flags(&mounted);
        std::fs::remove_dir_all(&mounted).unwrap();
    })
    .await
    .unwrap();
}
