//! Faults of processes and of what they live on, played inside a lab, and looked at with eyes of our own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use partita_generator::faults::{PlannedFault, When};
use partita_history::FaultOutcome;
use partita_nemesis::fault::{self, Injected};
use partita_nemesis::lab::Lab;
use partita_nemesis::schedule::{self, clean_bill};
use partita_nemesis::{CommandSpec, ProcessState};

use crate::scenes::{conductor, planned};
use crate::stage::{NODES, Stage, Talk};

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn play(lab: &Lab, run_dir: &Path) {
    let stage = Stage::set(lab, run_dir).await;
    called_off(&stage).await;
    stops(&stage).await;
    named_and_again(&stage).await;
    each_starts_its_own(&stage).await;
    rolling_restarts(&stage).await;
    restart_storms(&stage).await;
    squeezes(&stage).await;
    descriptors(&stage).await;
    memory(&stage).await;
    upgrades(&stage, run_dir).await;
    freezes(&stage).await;
    without_an_operator(&stage).await;
    excused_by_an_operator(&stage).await;
    assert!(stage.cluster().unexpected_exits().is_empty());
    clean_bill(stage.cluster()).await.unwrap();
    let left = stage.cluster().stop_all(Duration::from_secs(2)).await;
    assert!(left.is_empty(), "{left:?}");
}

fn pids(stage: &Stage) -> Vec<i32> {
    let pid = |node| stage.cluster().status(node).pid().expect("it runs");
    (0..NODES).map(pid).collect()
}

/// The first node that was hit.
fn victim(stage: &Stage, injected: &Injected) -> usize {
    stage.cluster().find(&injected.nodes[0]).unwrap()
}

fn field(pid: i32, file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

async fn took(stage: &Stage, name: &str, shape: &str, id: u64) -> Injected {
    let injected = stage.inject(name, shape, id, id).await;
    assert_eq!(injected.outcome, FaultOutcome::Took, "{name}:{shape}");
    injected
}

/// A fault that is called off while it waits is told with its shape, though nobody was hit.
async fn called_off(stage: &Stage) {
    println!("  a fault that is called off");
    let (conductor, events) = conductor(stage);
    let never = Some(When::Log("this line never comes".into()));
    let schedule = [PlannedFault {
        when: never,
        ..planned(0, 0, 1, "kill", "all")
    }];
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let stopping = async {
        while events.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.send_replace(true);
    };
    let (result, ()) = tokio::join!(schedule::run(&conductor, &schedule, stopped), stopping);
    result.unwrap();
    let (_, value) = events.lock().unwrap().pop().unwrap();
    assert_eq!(
        (value.outcome, value.what.as_str()),
        (Some(FaultOutcome::Skipped), "all")
    );
}

async fn stops(stage: &Stage) {
    println!("  stops");
    let before = pids(stage);
    let injected = took(stage, "stop", "minority", 1).await;
    assert_eq!(injected.nodes.len(), 2);
    for (node, pid) in before.iter().enumerate() {
        let hit = injected.nodes.contains(&stage.cluster().name(node).to_owned());
        assert_eq!(Path::new(&format!("/proc/{pid}")).exists(), !hit);
        if let ProcessState::Killed(exit) = stage.cluster().status(node) {
            assert_eq!(exit.signal(), Some(15), "it was asked, not killed");
        }
    }
    stage.heal(injected).await;
    assert_eq!(pids(stage).iter().filter(|pid| !before.contains(pid)).count(), 2);
    clean_bill(stage.cluster()).await.unwrap();
}

async fn named_and_again(stage: &Stage) {
    println!("  a node that is named, and the same again");
    for (id, shape) in [(10, "n4"), (11, "again"), (12, "followers"), (13, "again")] {
        let before = pids(stage);
        let injected = took(stage, "kill", shape, id).await;
        let expected: &[&str] = if id < 12 {
            &["n4"]
        } else {
            &["n1", "n2", "n4", "n5"]
        };
        assert_eq!(injected.nodes, expected, "{shape}");
        stage.heal(injected).await;
        let changed = before.iter().zip(pids(stage)).filter(|(old, new)| **old != *new);
        assert_eq!(changed.count(), expected.len());
    }
    let cut_off = took(stage, "partition", "n2>n3+n4", 20).await;
    assert_eq!(cut_off.nodes, ["n2"]);
    let killed = took(stage, "kill", "again", 21).await;
    assert_eq!(killed.nodes, ["n2"], "whatever the fault was that hit last");
    stage.heal(killed).await;
    stage.heal(cut_off).await;
    let nobody = stage.inject("kill", "n9", 14, 1).await;
    assert_eq!(nobody.outcome, FaultOutcome::Skipped);
}

async fn each_starts_its_own(stage: &Stage) {
    println!("  each fault starts what it has ended");
    let stop = took(stage, "stop", "n2", 15).await;
    let kill = took(stage, "kill", "all", 16).await;
    assert_eq!(kill.nodes.len(), NODES - 1);
    stage.heal(kill).await;
    for (id, fault) in [(17, "rolling-restart"), (18, "restart-storm"), (19, "kill")] {
        let injected = took(stage, fault, "all", id).await;
        assert!(!injected.nodes.contains(&"n2".to_owned()), "{fault}");
        stage.heal(injected).await;
        assert_eq!(stage.cluster().status(1).pid(), None, "{fault}");
    }
    stage.heal(stop).await;
    clean_bill(stage.cluster()).await.unwrap();
}

async fn rolling_restarts(stage: &Stage) {
    println!("  rolling restarts");
    for (id, shape, restarted) in [(20, "all", NODES), (21, "followers", NODES - 1)] {
        let before = pids(stage);
        let injected = took(stage, "rolling-restart", shape, id).await;
        let changed = before.iter().zip(pids(stage)).filter(|(old, new)| **old != *new);
        assert_eq!(changed.count(), restarted);
        stage.heal(injected).await;
    }
    clean_bill(stage.cluster()).await.unwrap();
}

async fn restart_storms(stage: &Stage) {
    println!("  restart storms");
    let starts = |node| {
        stage
            .cluster()
            .log_tail(node, 10_000)
            .matches("node listens")
            .count()
    };
    let before: Vec<usize> = (0..NODES).map(starts).collect();
    let injected = took(stage, "restart-storm", "leader", 30).await;
    let node = victim(stage, &injected);
    assert_eq!(
        stage.cluster().status(node).pid(),
        None,
        "the last blow leaves it down"
    );
    stage.heal(injected).await;
    // A life may be too short to say anything; the last one is not.
    for (other, before) in before.into_iter().enumerate() {
        assert_eq!(starts(other) > before, other == node);
    }
}

/// The states that a process is seen in, until it was seen standing still and moving, or it took too long.
fn states(pid: i32, both: bool) -> BTreeSet<bool> {
    let mut seen = BTreeSet::new();
    for _ in 0..5_000 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        seen.insert(stat[stat.rfind(')').unwrap()..].starts_with(") T"));
        if both && seen.len() == 2 {
            break;
        }
        std::thread::sleep(Duration::from_micros(500));
        if !both && seen.contains(&true) {
            break;
        }
    }
    seen
}

async fn squeezes(stage: &Stage) {
    println!("  short processors");
    let injected = took(stage, "cpu", "one", 40).await;
    let node = victim(stage, &injected);
    let pid = stage.cluster().status(node).pid().unwrap();
    assert_eq!(states(pid, true).len(), 2, "it stands still and goes on by turns");
    // A pause wins over it, and goes on as long as it likes.
    let name = stage.cluster().name(node).to_owned();
    let pause = took(stage, "pause", &name, 41).await;
    assert_eq!(states(pid, true), BTreeSet::from([true]));
    stage.heal(pause).await;
    // What is started meanwhile is squeezed as well.
    let kill = took(stage, "kill", &name, 42).await;
    stage.heal(kill).await;
    let pid = stage.cluster().status(node).pid().unwrap();
    assert_eq!(states(pid, true).len(), 2);
    stage.heal(injected).await;
    assert_eq!(states(pid, false), BTreeSet::from([false]));
    clean_bill(stage.cluster()).await.unwrap();
}

async fn descriptors(stage: &Stage) {
    println!("  no more descriptors");
    let cluster = stage.cluster();
    let mut talk = Talk::with(cluster.control_address(1), cluster.control_source())
        .await
        .unwrap();
    let open = format!("open {}", cluster.peer_address(0));
    assert!(talk.ask(&open, PATIENCE).await.unwrap().parse::<usize>().is_ok());
    let pid = cluster.status(1).pid().unwrap();
    let before = field(pid, "limits", "Max open files");
    let injected = took(stage, "file-descriptors", "n2", 50).await;
    assert_ne!(field(pid, "limits", "Max open files"), before);
    // A connection that somebody closes meanwhile makes room for one.
    let begun = Instant::now();
    loop {
        let answer = talk.ask(&open, PATIENCE).await.unwrap();
        if answer.contains("Too many open files") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{answer}");
    }
    stage.heal(injected).await;
    assert_eq!(field(pid, "limits", "Max open files"), before);
    assert!(talk.ask(&open, PATIENCE).await.unwrap().parse::<usize>().is_ok());
}

async fn memory(stage: &Stage) {
    println!("  no more memory");
    let cluster = stage.cluster();
    let pid = cluster.status(2).pid().unwrap();
    let before = field(pid, "limits", "Max address space");
    let injected = took(stage, "memory", "n3", 60).await;
    assert_ne!(field(pid, "limits", "Max address space"), before);
    stage.heal(injected).await;
    assert_eq!(field(pid, "limits", "Max address space"), before);

    // One that ends of it has an excuse, and is started again.
    let mut talk = Talk::with(cluster.control_address(2), cluster.control_source())
        .await
        .unwrap();
    assert!(talk.ask("ping", PATIENCE).await.is_some());
    let injected = took(stage, "memory", "n3", 61).await;
    assert_eq!(talk.ask("write f 100000000 x", PATIENCE).await, None);
    assert!(cluster.gone(2, pid, PATIENCE).await.is_some());
    assert!(matches!(cluster.status(2), ProcessState::Exited(_)));
    stage.heal(injected).await;
    let excused = cluster.excused_exits();
    assert!(
        excused.len() == 1 && excused[0].contains("no more memory"),
        "{excused:?}"
    );
    clean_bill(cluster).await.unwrap();
}

async fn upgrades(stage: &Stage, run_dir: &Path) {
    println!("  upgrades");
    let none = stage.inject("upgrade", "all", 70, 1).await;
    assert_eq!(none.outcome, FaultOutcome::Skipped);
    let own = std::env::current_exe().unwrap().canonicalize().unwrap();
    let other = run_dir.canonicalize().unwrap().join("other-release");
    std::fs::copy(&own, &other).unwrap();
    let cluster = stage.cluster();
    for node in 0..NODES {
        let command = Stage::command(cluster, node);
        let other = CommandSpec {
            program: other.clone(),
            ..command.clone()
        };
        let other = Some(Box::new(other));
        cluster.set_command(node, CommandSpec { other, ..command });
    }
    let run = || -> BTreeSet<PathBuf> {
        let executable = |pid: &i32| std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        pids(stage).iter().map(executable).collect()
    };
    let injected = took(stage, "upgrade", "all", 71).await;
    assert_eq!(run(), BTreeSet::from([other.clone()]));
    // Whoever starts it again starts it so.
    let kill = took(stage, "kill", "one", 72).await;
    stage.heal(kill).await;
    assert_eq!(run(), BTreeSet::from([other.clone()]));
    stage.heal(injected).await;
    assert_eq!(run(), BTreeSet::from([own.clone()]));
    let injected = took(stage, "upgrade", "minority", 73).await;
    assert_eq!(run(), BTreeSet::from([own.clone(), other]));
    stage.heal(injected).await;
    // It is undone also where nobody undoes it.
    drop(took(stage, "upgrade", "n1", 74).await);
    let amiss = clean_bill(cluster).await.unwrap_err();
    assert_eq!(amiss, ["n1 is started with its other program"]);
    cluster.final_heal().unwrap();
    stage.wait_until_it_answers(0).await;
    assert_eq!(run(), BTreeSet::from([own]));
    clean_bill(cluster).await.unwrap();
}

/// Freezes alone.
pub(crate) async fn freeze(lab: &Lab, run_dir: &Path) {
    let stage = Stage::set(lab, run_dir).await;
    freezes(&stage).await;
    assert!(stage.cluster().unexpected_exits().is_empty());
}

/// Stays in the middle of a freeze until it is killed.
pub(crate) async fn stay_frozen(lab: &Lab, run_dir: &Path) {
    let stage = Stage::set(lab, run_dir).await;
    let _freeze = took(&stage, "freeze", "minority", 1).await;
    println!("in fault");
    std::future::pending::<()>().await;
}

async fn freezes(stage: &Stage) {
    println!("  freezes");
    if let Some(why) = fault::find("freeze").unwrap().impossible() {
        println!("  no groups: {why}");
        let skipped = stage.inject("freeze", "one", 80, 1).await;
        assert_eq!(skipped.outcome, FaultOutcome::Skipped);
        return;
    }
    let cluster = stage.cluster();
    let group = |pid| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    for (id, shape) in [(81, "one"), (82, "majority")] {
        let before: BTreeSet<String> = pids(stage).into_iter().map(group).collect();
        let injected = took(stage, "freeze", shape, id).await;
        for node in 0..NODES {
            let hit = injected.nodes.contains(&cluster.name(node).to_owned());
            assert_eq!(stage.answers(node).await, !hit);
        }
        assert!(clean_bill(cluster).await.is_err());
        stage.heal(injected).await;
        for node in 0..NODES {
            stage.wait_until_it_answers(node).await;
        }
        assert_eq!(
            pids(stage).into_iter().map(group).collect::<BTreeSet<_>>(),
            before
        );
    }
    let freeze = took(stage, "freeze", "n1", 83).await;
    let kill = took(stage, "kill", "n1", 84).await;
    stage.heal(kill).await;
    assert!(stage.answers(0).await, "what starts anew is not frozen");
    stage.heal(freeze).await;
    assert!(cluster.unexpected_exits().is_empty());
    // It is undone also where nobody undoes it.
    drop(took(stage, "freeze", "n2", 85).await);
    stage.wait_until_it_answers(1).await;
    clean_bill(cluster).await.unwrap();
}

async fn without_an_operator(stage: &Stage) {
    for fault in ["kill-in-snapshot", "lost-disk"] {
        let skipped = stage.inject(fault, "one", 90, 1).await;
        assert_eq!(skipped.outcome, FaultOutcome::Skipped);
    }
}

/// What its operator did to it lets a node end by itself, however often it is started, until that is taken back.
async fn excused_by_an_operator(stage: &Stage) {
    println!("  excused by an operator");
    let cluster = stage.cluster();
    let before = cluster.excused_exits().len();
    cluster.excuse(0, Some("it was dismissed"));
    for _ in 0..2 {
        let pid = cluster.status(0).pid().expect("it runs");
        // Not through the cluster, which would know that it was killed.
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        assert!(matches!(
            cluster.gone(0, pid, PATIENCE).await,
            Some(ProcessState::Exited(_))
        ));
        assert!(cluster.restart(0).unwrap().is_some());
    }
    cluster.excuse(0, None);
    assert!(cluster.unexpected_exits().is_empty());
    let excused = cluster.excused_exits();
    assert_eq!(excused.len(), before + 2, "{excused:?}");
    assert!(
        excused
            .iter()
            .filter(|told| told.contains("it was dismissed"))
            .count()
            == 2
    );
}
