//! What is done to traffic over links, as the nodes themselves see it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use partita_history::FaultOutcome;
use partita_nemesis::fault::{self, Injected, Standing};
use partita_nemesis::lab::{Lab, NetworkKind};
use partita_nemesis::schedule::clean_bill;
use partita_nemesis::{Interference, Link};

use crate::scenes;
use crate::stage::{NODES, Stage, Talk};

const PATIENCE: Duration = Duration::from_secs(10);
const TRAFFIC: [&str; 7] = ["delay", "loss", "duplicate", "reorder", "corrupt", "rate", "hold"];

/// All that can be done to what crosses links.
pub(crate) async fn spoil(lab: &Lab, run_dir: &Path) {
    let mut stage = Stage::set(lab, run_dir).await;
    for (id, name) in (1_000..).step_by(10).zip(TRAFFIC) {
        let fault = fault::find(name).unwrap();
        if !fault.networks().contains(&stage.cluster().kind()) {
            let refused = stage.inject(name, "one", id, id).await;
            assert_eq!(refused.outcome, FaultOutcome::Skipped);
            assert!(
                refused.evidence.contains("it needs the network switch"),
                "{}",
                refused.evidence
            );
            continue;
        }
        for (id, shape) in (id..).zip(fault.shapes()) {
            if stage.cluster().kind() == NetworkKind::Proxy {
                spoil_streams(&mut stage, name, shape.name, id).await;
            } else {
                spoil_packets(&mut stage, name, shape.name, id).await;
            }
        }
    }
    if stage.cluster().kind() == NetworkKind::Switch {
        all_at_once(&stage).await;
        left_to_the_kernel(&stage).await;
    }
    end(&stage).await;
}

/// All that can cut links.
pub(crate) async fn cut(lab: &Lab, run_dir: &Path) {
    let mut stage = Stage::set(lab, run_dir).await;
    scenes::partitions(&mut stage).await;
    uneasy_cuts(&stage).await;
    refusals(&stage).await;
    scenes::clients(&stage).await;
    scenes::overlapping_cuts(&mut stage).await;
    scenes::resets_and_delays(&stage).await;
    end(&stage).await;
}

async fn end(stage: &Stage) {
    clean_bill(stage.cluster()).await.unwrap();
    let left = stage.cluster().stop_all(Duration::from_secs(2)).await;
    assert!(left.is_empty(), "{left:?}");
    assert!(stage.cluster().unexpected_exits().is_empty());
}

/// With `--tcp default` nothing is set.
pub(crate) async fn tcp_default(lab: &Lab, run_dir: &Path) {
    let stage = Stage::set(lab, run_dir).await;
    let cluster = stage.cluster();
    assert!(cluster.facts()["recovery of tcp"].contains("by default"));
    let namespace = format!("--net=/proc/{}/ns/net", cluster.status(0).pid().unwrap());
    let retries = std::process::Command::new("nsenter")
        .args([&namespace, "cat", "/proc/sys/net/ipv4/tcp_retries2"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&retries.stdout).trim(), "15");
}

/// What came back of the datagrams that one node sent to another and back.
#[derive(Clone, Copy, Debug)]
struct Echo {
    sent: u64,
    back: u64,
    twice: u64,
    overtaken: u64,
    least_us: u64,
    most_us: u64,
}

async fn control(stage: &Stage, node: usize) -> Talk {
    let cluster = stage.cluster();
    let address = cluster.control_address(node);
    Talk::with(address, cluster.control_source())
        .await
        .expect("the controller's own way is never cut")
}

async fn echo(stage: &Stage, from: usize, to: usize, length: usize) -> Echo {
    const COUNT: u64 = 60;
    let question = format!("echo {} {COUNT} {length}", stage.cluster().peer_address(to));
    let answer = control(stage, from).await.ask(&question, PATIENCE).await;
    let answer = answer.expect("an answer");
    let numbers: Vec<u64> = answer
        .split(' ')
        .map(|number| number.parse().expect(&answer))
        .collect();
    let [back, twice, overtaken, least_us, most_us] = numbers[..] else {
        panic!("{answer}")
    };
    Echo {
        sent: COUNT,
        back,
        twice,
        overtaken,
        least_us,
        most_us,
    }
}

impl Echo {
    /// Whether it shows what the fault does. Delays of links begin at 5 ms.
    fn shows(self, fault: &str) -> bool {
        match fault {
            "delay" => self.back > 0 && self.least_us >= 5_000,
            "loss" | "corrupt" => self.back < self.sent,
            "duplicate" => self.twice > 0,
            "reorder" => self.overtaken > 0,
            "rate" => self.back < self.sent || self.most_us > 10_000,
            _ => self.back == 0,
        }
    }

    fn is_clear(self) -> bool {
        (self.back, self.twice, self.overtaken) == (self.sent, 0, 0)
    }
}

/// Whether a link shows it is for the nodes to say. Chance decides which packets are hit: it may take a few.
async fn eventually_seen(stage: &Stage, from: usize, to: usize, length: usize, seen: impl Fn(Echo) -> bool) {
    let begun = Instant::now();
    loop {
        let echo = echo(stage, from, to, length).await;
        if seen(echo) {
            return println!("      as the nodes see it: {echo:?}");
        }
        assert!(begun.elapsed() < PATIENCE, "{echo:?}");
    }
}

/// The first link among nodes that was hit.
fn first_link(stage: &Stage, injected: &Injected) -> Option<(usize, usize)> {
    injected.links.iter().find_map(|link| {
        let (from, to) = link.split_once('>')?;
        Some((stage.cluster().find(from)?, stage.cluster().find(to)?))
    })
}

/// Packets with a wrong IP header that a node's kernel has dropped.
fn wrong_checksums(stage: &Stage, node: usize) -> u64 {
    let pid = stage.cluster().status(node).pid().unwrap();
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/netstat")).expect("counters");
    let mut rows = table.lines().filter_map(|line| line.strip_prefix("IpExt: "));
    let (names, counts) = (rows.next().unwrap(), rows.next().unwrap());
    let of_checksums = names
        .split(' ')
        .zip(counts.split(' '))
        .find(|(name, _)| *name == "InCsumErrors");
    of_checksums.unwrap().1.parse().unwrap()
}

async fn spoil_packets(stage: &mut Stage, name: &str, shape: &str, id: u64) {
    let mut connections = stage.open_connections().await;
    let length = if name == "rate" { 1_400 } else { 64 };
    let checksums: Vec<u64> = (0..NODES).map(|node| wrong_checksums(stage, node)).collect();
    let injected = stage.inject(name, shape, id, id).await;
    assert_eq!(injected.outcome, FaultOutcome::Took, "{name} {shape}");
    let link = first_link(stage, &injected);
    let said = stage.say_everywhere(&mut connections).await;
    if let Some((from, to)) = link {
        eventually_seen(stage, from, to, length, |echo| echo.shows(name)).await;
        if name == "corrupt" {
            assert!(
                wrong_checksums(stage, to) > checksums[to],
                "the kernel of {to} has found nothing wrong"
            );
        }
    }
    if name == "hold" {
        let held = scenes::among_nodes(stage);
        stage.expect_heard(&mut connections, &said, &held).await;
    }
    stage.heal(injected).await;
    // Nothing that TCP carries is lost for good, whatever was done to packets.
    stage
        .expect_heard(&mut connections, &said, &BTreeSet::new())
        .await;
    if let Some((from, to)) = link {
        eventually_seen(stage, from, to, length, Echo::is_clear).await;
    }
}

/// The forwarder's links carry streams only: clients see how long answers take, or that they don't come.
async fn spoil_streams(stage: &mut Stage, name: &str, shape: &str, id: u64) {
    let mut connections = stage.open_connections().await;
    let cluster = stage.cluster().clone();
    let mut talks = Vec::new();
    for node in 0..NODES {
        talks.push(
            Talk::with(cluster.client_address(node), None)
                .await
                .expect("a client"),
        );
    }
    let injected = {
        let mut injecting = std::pin::pin!(stage.inject(name, shape, id, id));
        loop {
            tokio::select! {
                injected = &mut injecting => break injected,
                () = async {
                    for talk in &mut talks {
                        talk.ask(&"ping".repeat(200), Duration::from_millis(300)).await;
                    }
                } => {}
            }
        }
    };
    assert_eq!(injected.outcome, FaultOutcome::Took, "{name} {shape}");
    if shape == "all-clients" {
        let begun = Instant::now();
        let answer = async {
            let mut talk = Talk::with(cluster.client_address(0), None).await.ok()?;
            talk.ask("ping", Duration::from_secs(2)).await
        };
        let answer = tokio::time::timeout(Duration::from_secs(2), answer).await;
        let took = begun.elapsed();
        match name {
            "hold" => assert!(!answer.is_ok_and(|answer| answer.is_some())),
            "delay" => assert!(
                took >= Duration::from_millis(10),
                "5 ms there, 5 ms back: {took:?}"
            ),
            _ => assert!(answer.unwrap().is_some()),
        }
    }
    let said = stage.say_everywhere(&mut connections).await;
    if name == "hold" {
        let held = scenes::among_nodes(stage);
        stage.expect_heard(&mut connections, &said, &held).await;
    }
    stage.heal(injected).await;
    stage
        .expect_heard(&mut connections, &said, &BTreeSet::new())
        .await;
}

/// What several faults do to a link is done together, and each is healed by itself.
async fn all_at_once(stage: &Stage) {
    println!("  all at once");
    let mut injected = Vec::new();
    for (id, name) in (2_000..).zip(TRAFFIC.into_iter().filter(|name| *name != "hold")) {
        injected.push((name, stage.inject(name, "n1<>n2", id, id).await));
    }
    for (name, injected) in &injected {
        assert_eq!(injected.outcome, FaultOutcome::Took, "{name}");
    }
    eventually_seen(stage, 0, 1, 64, |echo| {
        ["delay", "loss", "duplicate"].iter().all(|name| echo.shows(name))
    })
    .await;
    eventually_seen(stage, 0, 2, 64, Echo::is_clear).await;
    while let Some((name, last)) = injected.pop() {
        stage.heal(last).await;
        if name == "loss" {
            eventually_seen(stage, 0, 1, 64, |echo| {
                echo.shows("delay") && echo.back == echo.sent
            })
            .await;
        }
    }
    eventually_seen(stage, 0, 1, 64, Echo::is_clear).await;
}

/// How often the switch's thread has waited for something.
fn waits_of_the_switch() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|task| task.unwrap().path());
    let read = |task: &Path, what: &str| std::fs::read_to_string(task.join(what)).unwrap_or_default();
    let threads: Vec<String> = tasks
        .filter(|task| read(task, "comm").trim() == "switch")
        .map(|task| read(&task, "status"))
        .collect();
    let [status] = &threads[..] else {
        panic!("one switch: {threads:?}")
    };
    let waits = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
        .unwrap();
    waits.trim().parse().unwrap()
}

/// The switch sleeps while links have no fault, is awake for those that have one, and sleeps again. Of what crosses a
/// link while it changes hands nothing is lost, and nothing arrives twice.
async fn left_to_the_kernel(stage: &Stage) {
    println!("  left to the kernel");
    assert!(stage.cluster().facts()["switch"].contains("links without a fault are left to the kernel"));
    let waits = async || {
        let before = waits_of_the_switch();
        let echo = echo(stage, 0, 1, 64).await;
        let waits = waits_of_the_switch() - before;
        println!(
            "      {waits} waits for {} datagrams, {} came back",
            echo.sent, echo.back
        );
        (waits, echo.sent + echo.back)
    };
    let (idle, datagrams) = waits().await;
    // Questions after hardware addresses still come to it.
    assert!(idle < datagrams / 4, "{idle} waits");
    let delay = stage.inject("delay", "n1>n2", 2_100, 1).await;
    let (at_work, datagrams) = waits().await;
    // It has what goes there, and again when it is due, and not what comes back.
    assert!(at_work > datagrams / 2, "{at_work} waits");
    let healed = delay.heal(&stage.context).await.expect("something to heal");
    assert!(
        healed.evidence.ends_with("the kernel serves them again"),
        "{}",
        healed.evidence
    );
    let (idle, datagrams) = waits().await;
    assert!(idle < datagrams / 4, "{idle} waits");

    let link = BTreeSet::from([Link::between(0, 1)]);
    let cluster = stage.cluster();
    let mut crossing = std::pin::pin!(echo(stage, 0, 1, 64));
    let mut changes = 0;
    let echo = loop {
        let change = async {
            cluster
                .impose(2_200, Interference::Hold, link.clone())
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(8)).await;
            cluster.lift(2_200).await.unwrap();
            tokio::time::sleep(Duration::from_millis(8)).await;
        };
        tokio::select! {
            echo = &mut crossing => break echo,
            () = change => changes += 1,
        }
    };
    cluster.lift(2_200).await.unwrap();
    println!("      across {changes} changes of hands: {echo:?}");
    assert!(
        changes > 1 && (echo.back, echo.twice) == (echo.sent, 0),
        "{echo:?}"
    );
}

/// Cuts that do not stay as they are.
pub(crate) async fn uneasy_cuts(stage: &Stage) {
    println!("  cuts that come and go, or stay for a reason");
    let flapping = stage.inject("partition", "flapping", 3_000, 1).await;
    assert_eq!(flapping.outcome, FaultOutcome::Took);
    let begun = Instant::now();
    let mut changes = 0;
    let mut was_cut = true;
    while changes < 4 {
        let is_cut = !stage.cluster().cut_links().is_empty();
        changes += u32::from(is_cut != was_cut);
        was_cut = is_cut;
        assert!(begun.elapsed() < PATIENCE, "{changes} changes");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    stage.heal(flapping).await;
    assert!(stage.cluster().cut_links().is_empty());

    let standing = |applied, snapshot| {
        Some(Standing {
            leader: Some("n3".into()),
            term: 1,
            applied,
            snapshot_index: Some(snapshot),
            members: None,
        })
    };
    *stage.eyes.standings.lock().unwrap() = vec![standing(10, 5); NODES];
    let lagging = stage.inject("partition", "until-snapshot", 3_001, 1).await;
    assert_eq!(lagging.outcome, FaultOutcome::Took);
    let behind = stage.cluster().find(&lagging.nodes[0]).unwrap();
    let mut healing = std::pin::pin!(lagging.heal(&stage.context));
    // Its log is enough while the leader has taken no snapshot since, or only one.
    for snapshot in [5, 90] {
        let early = tokio::time::timeout(Duration::from_millis(300), &mut healing).await;
        assert!(early.is_err(), "after {snapshot}");
        let mut standings = stage.eyes.standings.lock().unwrap();
        *standings = vec![standing(snapshot + 100, snapshot + 85); NODES];
        standings[behind] = standing(10, 5);
    }
    let healed = healing.await.unwrap();
    println!("      healed: {}", healed.evidence);
    assert_eq!(healed.outcome, FaultOutcome::Took);
    assert!(
        healed
            .evidence
            .contains("has applied 10, and the leader's second snapshot since holds 175")
    );
    *stage.eyes.standings.lock().unwrap() = vec![None; NODES];
}

/// Refusals are heard at once, unlike cuts.
pub(crate) async fn refusals(stage: &Stage) {
    println!("  refusals");
    let shapes = ["isolate-leader", "halves", "one-way-out", "n1>n2+n3"];
    for (id, shape) in (3_100..).zip(shapes) {
        let injected = stage.inject("reject", shape, id, id).await;
        assert_eq!(injected.outcome, FaultOutcome::Took, "{shape}");
        let (from, to) = first_link(stage, &injected).unwrap();
        let question = format!("open {}", stage.cluster().peer_address(to));
        let mut talk = control(stage, from).await;
        // A forwarder takes a connection up before it breaks it.
        if stage.cluster().kind() != NetworkKind::Proxy {
            let answer = talk.ask(&question, PATIENCE).await.unwrap();
            assert!(answer.contains("refused"), "{shape}: {answer}");
        }
        stage.heal(injected).await;
        let answer = talk.ask(&question, PATIENCE).await.unwrap();
        assert!(answer.parse::<usize>().is_ok(), "{shape}: {answer}");
    }
}
