//! What is played inside a lab.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use partita_generator::faults::PlannedFault;
use partita_history::{FaultOutcome, FaultPhase, FaultValue};
use partita_nemesis::fault::{self, BoxFuture, Observer, Standing};
use partita_nemesis::lab::{Lab, NetworkKind, SearchPath};
use partita_nemesis::schedule::{self, Conductor, clean_bill};
use partita_nemesis::{Interference, Link, ProcessState};

use crate::links;
use crate::stage::{NODES, Stage, Talk};

pub(crate) async fn play(lab: &Lab, run_dir: &Path) {
    let mut stage = Stage::set(lab, run_dir).await;
    partitions(&mut stage).await;
    links::uneasy_cuts(&stage).await;
    links::refusals(&stage).await;
    clients(&stage).await;
    overlapping_cuts(&mut stage).await;
    rules_of_others(&stage).await;
    resets_and_delays(&stage).await;
    kills(&stage).await;
    pauses(&stage).await;
    faults_on_top_of_faults(&stage).await;
    unexpected_exits(&stage).await;
    schedules(&stage).await;
    dropped_schedule(&stage).await;
    panicking_schedule(&stage).await;
    let left = stage.cluster().stop_all(Duration::from_secs(2)).await;
    assert!(left.is_empty(), "{left:?}");
}

/// Stays in the middle of six faults until it is killed.
pub(crate) async fn stay_in_fault(lab: &Lab, run_dir: &Path) {
    let stage = Stage::set(lab, run_dir).await;
    let _partition = stage.inject("partition", "halves", 1, 1).await;
    let _skew = stage.inject("clock-skew", "all", 4, 4).await;
    let _pause = stage.inject("pause", "one", 2, 2).await;
    let _kill = stage.inject("kill", "leader", 3, 3).await;
    let _squeeze = stage.inject("cpu", "majority", 5, 5).await;
    // Where there are no groups to be had it is skipped.
    let _freeze = stage.inject("freeze", "minority", 6, 6).await;
    println!("in fault");
    std::future::pending::<()>().await;
}

pub(crate) fn among_nodes(stage: &Stage) -> BTreeSet<Link> {
    stage.cluster().cut_links()
}

const GRUDGE: &str = "n1>n2+n3;n4<>n5";

pub(crate) async fn partitions(stage: &mut Stage) {
    println!("  partitions");
    let mut connections = stage.open_connections().await;
    let shapes = fault::find("partition").unwrap().shapes();
    let apart = ["clients", "flapping", "until-snapshot"];
    let steady = shapes
        .iter()
        .map(|shape| shape.name)
        .filter(|name| !apart.contains(name));
    for (id, shape) in steady.chain([GRUDGE]).enumerate() {
        let injected = stage.inject("partition", shape, id as u64, 7 + id as u64).await;
        assert_eq!(injected.outcome, FaultOutcome::Took, "{shape}");
        let cut = among_nodes(stage);
        let names: Vec<String> = cut.iter().map(|link| stage.cluster().link_name(*link)).collect();
        assert_eq!(names, injected.links);
        if shape == GRUDGE {
            assert_eq!(names, ["n1>n2", "n1>n3", "n4>n5", "n5>n4"]);
        }
        if shape == "isolate-leader" {
            assert_eq!(
                injected.roles,
                BTreeMap::from([("n3".to_owned(), "leader".to_owned())])
            );
        }
        let said = stage.say_everywhere(&mut connections).await;
        stage.expect_heard(&mut connections, &said, &cut).await;
        stage.heal(injected).await;
        let begun = Instant::now();
        // What was held back arrives after all, and soon: the connections are the same.
        stage
            .expect_heard(&mut connections, &said, &BTreeSet::new())
            .await;
        println!(
            "      all that was held is heard {} ms after",
            begun.elapsed().as_millis()
        );
    }
    let skipped = {
        *stage.eyes.leader.lock().unwrap() = None;
        let skipped = stage.inject("partition", "isolate-leader", 90, 1).await;
        *stage.eyes.leader.lock().unwrap() = Some("n3".into());
        skipped
    };
    assert_eq!((skipped.outcome, skipped.links.len()), (FaultOutcome::Skipped, 0));
    assert!(skipped.heal(&stage.context).await.is_none());
}

pub(crate) async fn clients(stage: &Stage) {
    println!("  clients");
    let cluster = stage.cluster();
    let mut talks = Vec::new();
    for node in 0..NODES {
        talks.push(
            Talk::with(cluster.client_address(node), None)
                .await
                .expect("a client"),
        );
    }
    // Clients talk all the time, as a load does, or a forwarder sees nothing to hold.
    let patience = Duration::from_millis(300);
    let mut injecting = std::pin::pin!(stage.inject("partition", "clients", 91, 2));
    let injected = loop {
        tokio::select! {
            injected = &mut injecting => break injected,
            () = async {
                for talk in &mut talks {
                    talk.ask("ping", patience).await;
                }
            } => {}
        }
    };
    // Answers that were under way when the cut came must not count: new connections, asked after it.
    let mut answered = BTreeSet::new();
    for node in 0..NODES {
        let asked = tokio::time::timeout(Duration::from_secs(2), async {
            let mut talk = Talk::with(cluster.client_address(node), None).await.ok()?;
            talk.ask("ping", Duration::from_secs(2)).await
        });
        if asked.await.is_ok_and(|answer| answer.is_some()) {
            answered.insert(cluster.name(node).to_owned());
        }
    }
    let hit: BTreeSet<String> = injected.nodes.iter().cloned().collect();
    let expected: BTreeSet<String> = (0..NODES)
        .map(|node| cluster.name(node).to_owned())
        .filter(|name| !hit.contains(name))
        .collect();
    assert_eq!(answered, expected);
    for node in 0..NODES {
        assert!(stage.answers(node).await, "the controller itself is not cut off");
    }
    assert_eq!(injected.outcome, FaultOutcome::Took);
    stage.heal(injected).await;
}

pub(crate) async fn overlapping_cuts(stage: &mut Stage) {
    println!("  overlapping cuts");
    let mut connections = stage.open_connections().await;
    let cluster = Arc::clone(stage.cluster());
    let links = |pairs: &[(usize, usize)]| -> BTreeSet<Link> {
        pairs.iter().map(|&(from, to)| Link::between(from, to)).collect()
    };
    let (first, second) = (links(&[(0, 1), (1, 0), (2, 3)]), links(&[(2, 3), (3, 4)]));
    cluster
        .impose(1, Interference::Stall, first.clone())
        .await
        .unwrap();
    cluster
        .impose(2, Interference::Stall, second.clone())
        .await
        .unwrap();
    let said = stage.say_everywhere(&mut connections).await;
    stage
        .expect_heard(&mut connections, &said, &first.union(&second).copied().collect())
        .await;
    assert_eq!(cluster.lift(1).await.unwrap(), first);
    stage.expect_heard(&mut connections, &said, &second).await;
    assert!(clean_bill(&cluster).await.unwrap_err()[0].contains("n3>n4"));
    assert_eq!(cluster.final_heal().unwrap(), ["opened 2 links"]);
    stage
        .expect_heard(&mut connections, &said, &BTreeSet::new())
        .await;
    clean_bill(&cluster).await.unwrap();
}

/// Connections that break, and delays, which only a forwarder can make.
pub(crate) async fn resets_and_delays(stage: &Stage) {
    println!("  resets and delays");
    let cluster = stage.cluster();
    let to_clients = |node| {
        use partita_nemesis::Endpoint::{Clients, Node};
        BTreeSet::from([Link::new(Node(node), Clients), Link::new(Clients, Node(node))])
    };
    let mut talk = Talk::with(cluster.client_address(0), None).await.unwrap();
    assert!(talk.ask("ping", Duration::from_secs(1)).await.is_some());
    cluster
        .impose(1, Interference::Reset, to_clients(0))
        .await
        .unwrap();
    let begun = Instant::now();
    assert_eq!(talk.ask("ping", Duration::from_secs(5)).await, None);
    if let Ok(mut refused) = Talk::with(cluster.client_address(0), None).await {
        assert_eq!(refused.ask("ping", Duration::from_secs(5)).await, None);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "broken, not silent: {:?}",
        begun.elapsed()
    );
    cluster.lift(1).await.unwrap();
    let delay = Interference::delay(Duration::from_millis(60));
    let delayed = cluster.impose(2, delay, to_clients(1)).await;
    if cluster.kind() == NetworkKind::Netns {
        assert!(
            delayed
                .unwrap_err()
                .to_string()
                .contains("the network switch can")
        );
    } else {
        let mut talk = Talk::with(cluster.client_address(1), None).await.unwrap();
        let begun = Instant::now();
        talk.ask("ping", Duration::from_secs(5)).await.unwrap();
        let elapsed = begun.elapsed();
        assert!(
            (120..600).contains(&elapsed.as_millis()),
            "60 ms each way: {elapsed:?}"
        );
    }
    cluster.lift(2).await.unwrap();
}

async fn kills(stage: &Stage) {
    println!("  kills");
    let cluster = stage.cluster();
    for shape in fault::find("kill").unwrap().shapes() {
        let before: Vec<_> = (0..NODES)
            .map(|node| cluster.status(node).pid().unwrap())
            .collect();
        let injected = stage.inject("kill", shape.name, 100, 5).await;
        assert_eq!(injected.outcome, FaultOutcome::Took);
        for (node, pid) in before.iter().enumerate() {
            let hit = injected.nodes.contains(&cluster.name(node).to_owned());
            assert_eq!(Path::new(&format!("/proc/{pid}")).exists(), !hit);
            assert_eq!(stage.answers(node).await, !hit);
            assert_eq!(matches!(cluster.status(node), ProcessState::Killed(_)), hit);
        }
        let (count, hit) = (injected.nodes.len(), injected.nodes.clone());
        assert_eq!(
            count,
            match shape.name {
                "one" | "leader" => 1,
                "minority" => 2,
                "majority" => 3,
                // The last but one hit the followers.
                "followers" | "again" => 4,
                _ => 5,
            }
        );
        stage.heal(injected).await;
        for (node, pid) in before.iter().enumerate() {
            assert_eq!(
                cluster.status(node).pid() != Some(*pid),
                hit.contains(&cluster.name(node).to_owned())
            );
            assert!(stage.answers(node).await);
        }
    }
    assert!(cluster.unexpected_exits().is_empty());
    clean_bill(cluster).await.unwrap();
}

async fn pauses(stage: &Stage) {
    println!("  pauses");
    let cluster = stage.cluster();
    for shape in fault::find("pause").unwrap().shapes() {
        let injected = stage.inject("pause", shape.name, 200, 6).await;
        assert_eq!(injected.outcome, FaultOutcome::Took);
        for node in 0..NODES {
            let hit = injected.nodes.contains(&cluster.name(node).to_owned());
            assert_eq!(stage.answers(node).await, !hit);
            assert_eq!(matches!(cluster.status(node), ProcessState::Paused { .. }), hit);
        }
        assert!(clean_bill(cluster).await.is_err());
        stage.heal(injected).await;
        for node in 0..NODES {
            assert!(stage.answers(node).await);
        }
    }
    clean_bill(cluster).await.unwrap();
}

async fn faults_on_top_of_faults(stage: &Stage) {
    println!("  faults on top of faults");
    let cluster = stage.cluster();
    let pause = stage.inject("pause", "all", 301, 1).await;
    let kill = stage.inject("kill", "leader", 302, 1).await;
    assert_eq!(
        (pause.outcome, kill.outcome),
        (FaultOutcome::Took, FaultOutcome::Took)
    );
    stage.heal(pause).await;
    assert_eq!(cluster.status(2).pid(), None, "a pause does not heal a kill");
    stage.heal(kill).await;

    let kill = stage.inject("kill", "all", 303, 1).await;
    let nothing = stage.inject("pause", "one", 304, 1).await;
    assert_eq!(nothing.outcome, FaultOutcome::Skipped);
    let nothing = stage.inject("kill", "one", 305, 1).await;
    assert_eq!(nothing.outcome, FaultOutcome::Skipped);
    assert!(cluster.restart(0).unwrap().is_some());
    stage.heal(kill).await;
    clean_bill(cluster).await.unwrap();
}

async fn unexpected_exits(stage: &Stage) {
    println!("  unexpected exits");
    let cluster = stage.cluster();
    let pid = cluster.status(1).pid().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(cluster.gone(1, pid, Duration::from_secs(2)).await.is_some());
    let exits = cluster.unexpected_exits();
    assert_eq!(
        (exits.len(), exits[0].node.as_str(), exits[0].exit.signal()),
        (1, "n2", Some(15))
    );
    assert!(clean_bill(cluster).await.unwrap_err()[0].contains("n2 does not run"));
    let healed = cluster.final_heal().unwrap();
    assert!(
        healed.len() == 1 && healed[0].starts_with("restarted n2"),
        "{healed:?}"
    );
    stage.wait_until_it_answers(1).await;
    // It was appended to at each start.
    assert!(
        cluster.log_tail(1, 100).lines().count() > 1,
        "{}",
        cluster.log_tail(1, 100)
    );
    clean_bill(cluster).await.unwrap();
}

pub(crate) fn planned(id: u64, at_ms: u64, for_ms: u64, fault: &str, shape: &str) -> PlannedFault {
    PlannedFault {
        id,
        at_ms,
        for_ms,
        fault: fault.into(),
        shape: shape.into(),
        when: None,
        seed: id + 40,
    }
}

pub(crate) type Events = Arc<Mutex<Vec<(String, FaultValue)>>>;

pub(crate) fn conductor(stage: &Stage) -> (Conductor, Events) {
    let events = Events::default();
    let told = Arc::clone(&events);
    let begun = Instant::now();
    let conductor = Conductor {
        context: stage.context.clone(),
        sink: Arc::new(move |name, value| told.lock().unwrap().push((name.to_owned(), value))),
        clock: Arc::new(move || u64::try_from(begun.elapsed().as_nanos()).unwrap()),
    };
    (conductor, events)
}

async fn schedules(stage: &Stage) {
    println!("  schedules");
    let (conductor, events) = conductor(stage);
    let schedule = [
        planned(0, 0, 800, "partition", "halves"),
        planned(1, 200, 700, "pause", "one"),
        planned(2, 400, 600, "kill", "minority"),
        planned(3, 600, 300, "partition", "one-way-in"),
        planned(4, 700, 200, "kill", "one"),
        planned(5, 60_000, 300, "kill", "all"),
    ];
    let (stop, stopped) = tokio::sync::watch::channel(false);
    // The last fault is called off when all others are over.
    let stopping = async {
        let over = || {
            let events = events.lock().unwrap();
            events
                .iter()
                .filter(|(_, value)| value.phase == FaultPhase::Healed)
                .count()
                == 5
        };
        while !over() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop.send_replace(true);
    };
    let (result, ()) = tokio::join!(schedule::run(&conductor, &schedule, stopped), stopping);
    result.unwrap();
    clean_bill(stage.cluster()).await.unwrap();
    let events = std::mem::take(&mut *events.lock().unwrap());
    for (name, value) in events.iter() {
        println!(
            "    {name} {} {:?} {:?}: {}: {}",
            value.id, value.phase, value.outcome, value.what, value.evidence
        );
    }
    for id in 0..5 {
        let phases: Vec<FaultPhase> = events
            .iter()
            .filter(|(_, value)| value.id == id)
            .map(|(_, value)| value.phase)
            .collect();
        assert_eq!(
            phases,
            [FaultPhase::Planned, FaultPhase::Injected, FaultPhase::Healed],
            "fault {id}"
        );
    }
    assert!(
        events
            .iter()
            .all(|(_, value)| value.id != 5 && value.outcome != Some(FaultOutcome::Skipped))
    );
    // The second partition did not wait until the first was healed; the second kill did.
    let position = |id, phase| {
        events
            .iter()
            .position(|(_, value)| value.id == id && value.phase == phase)
            .unwrap()
    };
    assert!(position(3, FaultPhase::Injected) < position(0, FaultPhase::Healed));
    assert!(position(2, FaultPhase::Healed) < position(4, FaultPhase::Injected));
    let unknown = [planned(0, 0, 1, "flood", "all")];
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    assert!(
        schedule::run(&conductor, &unknown, stopped)
            .await
            .unwrap_err()
            .to_string()
            .contains("flood")
    );
}

async fn dropped_schedule(stage: &Stage) {
    println!("  a schedule that is dropped");
    let (conductor, events) = conductor(stage);
    let schedule = [
        planned(0, 0, 60_000, "partition", "halves"),
        planned(1, 0, 60_000, "pause", "one"),
        planned(2, 0, 60_000, "kill", "leader"),
    ];
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let all_injected = async {
        let injected = || {
            let events = events.lock().unwrap();
            events
                .iter()
                .filter(|(_, value)| value.phase == FaultPhase::Injected)
                .count()
        };
        while injected() < schedule.len() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        ended = schedule::run(&conductor, &schedule, stopped) => panic!("it ended by itself: {ended:?}"),
        () = all_injected => {}
    }
    let begun = Instant::now();
    while let Err(amiss) = clean_bill(stage.cluster()).await {
        assert!(begun.elapsed() < Duration::from_secs(5), "{amiss:?}");
    }
    for node in 0..NODES {
        stage.wait_until_it_answers(node).await;
    }
}

/// Knows nothing and panics when asked for the second time.
struct Trap(AtomicBool);

impl Observer for Trap {
    fn roles(&self) -> BoxFuture<'_, BTreeMap<String, String>> {
        assert!(!self.0.swap(true, Relaxed), "this panic is part of the test");
        Box::pin(async { BTreeMap::new() })
    }

    fn answers<'a>(&'a self, _: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async { true })
    }

    fn look(&self) -> BoxFuture<'_, Vec<Option<Standing>>> {
        Box::pin(async { Vec::new() })
    }
}

async fn panicking_schedule(stage: &Stage) {
    println!("  a schedule with a fault that panics");
    let (mut conductor, _) = conductor(stage);
    conductor.context.observer = Arc::new(Trap(AtomicBool::new(false)));
    let schedule = [
        planned(0, 0, 60_000, "pause", "all"),
        planned(1, 300, 60_000, "kill", "one"),
    ];
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let error = schedule::run(&conductor, &schedule, stopped).await.unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    clean_bill(stage.cluster()).await.unwrap();
}

/// A rule that is not ours is found by the probe, and gone with the next healing if it is in our chain.
async fn rules_of_others(stage: &Stage) {
    let cluster = stage.cluster();
    let search = SearchPath::from_environment();
    if cluster.kind() != NetworkKind::Netns {
        return;
    }
    println!("  rules of others");
    let iptables = search
        .find("iptables-legacy")
        .or_else(|| search.find("iptables"))
        .unwrap();
    let namespace = format!("--net=/proc/{}/ns/net", cluster.status(0).pid().unwrap());
    let done = std::process::Command::new("nsenter")
        .args([
            &namespace,
            iptables.to_str().unwrap(),
            "-A",
            "PARTITA",
            "-s",
            "10.77.0.2",
            "-j",
            "DROP",
        ])
        .env("XTABLES_LOCKFILE", "/dev/null")
        .status();
    assert!(done.unwrap().success());
    assert_eq!(
        clean_bill(cluster).await.unwrap_err(),
        ["29 of 30 links carried probe datagrams"]
    );
    assert!(cluster.final_heal().unwrap().is_empty());
    clean_bill(cluster).await.unwrap();
}

/// As on a kernel before 6.15: without a bound on TCP's back-off, connections are reset when a link is healed.
pub(crate) async fn old_kernel(lab: &Lab, run_dir: &Path) {
    use nix::mount::{MsFlags, mount};
    let none = None::<&str>;
    // Only this lab sees that.
    mount(
        Some("none"),
        "/proc/sys/net/ipv4",
        Some("tmpfs"),
        MsFlags::empty(),
        none,
    )
    .unwrap();
    let stage = Stage::set(lab, run_dir).await;
    let cluster = stage.cluster();
    assert!(cluster.facts()["recovery of tcp"].contains("reset"));
    let mut talk = Talk::with(cluster.control_address(0), cluster.control_source())
        .await
        .unwrap();
    let patience = Duration::from_secs(1);
    let number = talk
        .ask(&format!("open {}", cluster.peer_address(1)), patience)
        .await
        .unwrap();
    let other = talk
        .ask(&format!("open {}", cluster.peer_address(2)), patience)
        .await
        .unwrap();
    let cut = BTreeSet::from([Link::between(0, 1), Link::between(1, 0)]);
    cluster.impose(1, Interference::Stall, cut).await.unwrap();
    assert_eq!(
        talk.ask(&format!("say {number} lost"), patience).await.unwrap(),
        "said"
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.lift(1).await.unwrap();
    let answer = talk.ask(&format!("say {number} again"), patience).await.unwrap();
    println!("    over the healed link: {answer}");
    assert!(answer.starts_with("error"));
    assert_eq!(
        talk.ask(&format!("say {other} on"), patience).await.unwrap(),
        "said"
    );
    let reopened = talk
        .ask(&format!("open {}", cluster.peer_address(1)), patience)
        .await
        .unwrap();
    assert!(reopened.parse::<usize>().is_ok(), "{reopened}");
}
