//! Clocks that are bent, as the nodes themselves tell the time.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use partita_history::FaultOutcome;
use partita_nemesis::CommandSpec;
use partita_nemesis::fault;
use partita_nemesis::lab::Lab;
use partita_nemesis::schedule::clean_bill;

use crate::stage::{NODES, Stage, Talk};

const PATIENCE: Duration = Duration::from_secs(10);
const LOOKS: usize = 10;
const SECOND: i128 = 1_000_000_000;

pub(crate) async fn play(lab: &Lab, run_dir: &Path) {
    let stage = &Stage::set_with_clocks(lab, run_dir).await;
    if let Some(why) = fault::find("clock-jump").unwrap().impossible() {
        println!("clocks can't be bent: {why}");
        return;
    }
    let host = own_code();
    each_shape(stage).await;
    on_top_of_one_another(stage).await;
    across_a_restart(stage).await;
    while_paused(stage).await;
    healed_in_haste(stage).await;
    other_boots(stage).await;
    out_of_reach(stage).await;
    assert!(
        own_code() == host,
        "the controller's own code for reading the clock has changed"
    );
    clean_bill(stage.cluster()).await.unwrap();
    let left = stage.cluster().stop_all(Duration::from_secs(2)).await;
    assert!(left.is_empty(), "{left:?}");
    assert!(stage.cluster().unexpected_exits().is_empty());
}

/// A node's clocks against ours, both in nanoseconds: somewhere in these spans they are ahead.
pub(crate) struct Watch {
    pub(crate) wall: RangeInclusive<i128>,
    pub(crate) monotonic: RangeInclusive<i128>,
}

impl Watch {
    pub(crate) async fn look(stage: &Stage, node: usize) -> Watch {
        let cluster = stage.cluster();
        let begun = Instant::now();
        let mut talk = loop {
            match Talk::with(cluster.control_address(node), cluster.control_source()).await {
                Ok(talk) => break talk,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "node {node}: {error}"),
            }
        };
        let before = ours();
        let answer = talk.ask("time", PATIENCE).await.expect("an answer");
        let after = ours();
        let (wall, monotonic) = answer.split_once(' ').expect("two times");
        let span = |theirs: &str, before: i128, after: i128| {
            let theirs: i128 = theirs.parse().expect("a number");
            theirs - after..=theirs - before
        };
        Watch {
            wall: span(wall, before.0, after.0),
            monotonic: span(monotonic, before.1, after.1),
        }
    }

    fn width(&self) -> i128 {
        self.monotonic.end() - self.monotonic.start()
    }

    /// Has any of the node's clocks moved against ours since?
    fn has_moved(&self, since: &Watch) -> bool {
        let apart =
            |a: &RangeInclusive<i128>, b: &RangeInclusive<i128>| a.start() > b.end() || b.start() > a.end();
        apart(&self.wall, &since.wall) || apart(&self.monotonic, &since.monotonic)
    }
}

fn ours() -> (i128, i128) {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let monotonic = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    let monotonic = i128::from(monotonic.tv_sec()) * 1_000_000_000 + i128::from(monotonic.tv_nsec());
    (i128::try_from(wall).unwrap(), monotonic)
}

/// The narrowest of several looks at each: on a busy machine an answer may take long.
async fn look_at_all(stage: &Stage) -> Vec<Watch> {
    let mut watches = Vec::new();
    for node in 0..NODES {
        let mut best = Watch::look(stage, node).await;
        for _ in 0..LOOKS {
            let next = Watch::look(stage, node).await;
            if next.width() < best.width() {
                best = next;
            }
        }
        watches.push(best);
    }
    watches
}

/// Waits until a node's clocks differ from what they were.
async fn wait_until_moved(stage: &Stage, node: usize, since: &Watch) {
    let begun = Instant::now();
    while !Watch::look(stage, node).await.has_moved(since) {
        assert!(
            begun.elapsed() < PATIENCE,
            "the clocks of node {node} do not move"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// By how many seconds a node's time since boot is ahead of ours.
async fn boot_ahead(stage: &Stage, node: usize) -> i128 {
    let watch = Watch::look(stage, node).await;
    // The wall clock stays.
    assert!(*watch.wall.start() < 10 * SECOND && *watch.wall.end() > -10 * SECOND);
    (watch.monotonic.start() + watch.monotonic.end()) / 2 / SECOND
}

async fn other_boots(stage: &Stage) {
    println!("  other boots");
    if let Some(why) = fault::find("other-boot").unwrap().impossible() {
        println!("  no time namespaces: {why}");
        return;
    }
    let cluster = stage.cluster();
    for id in [200, 201] {
        let injected = stage.inject("other-boot", "n2", id, id).await;
        assert_eq!(injected.outcome, FaultOutcome::Took);
        assert!(boot_ahead(stage, 1).await.abs() >= 50, "{}", injected.evidence);
        assert!(boot_ahead(stage, 0).await.abs() < 10);
        assert!(clean_bill(cluster).await.is_err());
        // Whoever starts it again starts it so.
        let kill = stage.inject("kill", "n2", id + 10, 1).await;
        stage.heal(kill).await;
        assert!(boot_ahead(stage, 1).await.abs() >= 50);
        // Its clocks go wrong, and right again, from where they are.
        let jump = stage.inject("clock-skew", "n2", id + 20, id).await;
        assert_eq!(jump.outcome, FaultOutcome::Took);
        stage.heal(jump).await;
        stage.heal(injected).await;
        assert!(boot_ahead(stage, 1).await.abs() < 10);
    }
    // It is undone also where nobody undoes it.
    drop(stage.inject("other-boot", "one", 230, 3).await);
    cluster.final_heal().unwrap();
    for node in 0..NODES {
        stage.wait_until_it_answers(node).await;
    }
    clean_bill(cluster).await.unwrap();
}

/// The code by which this very process reads the clock.
fn own_code() -> Vec<u8> {
    use std::os::unix::fs::FileExt as _;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps
        .lines()
        .find(|line| line.ends_with("[vdso]"))
        .expect("a vDSO");
    let (begin, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
    let address = |text| u64::from_str_radix(text, 16).unwrap();
    let mut code = vec![0; usize::try_from(address(end) - address(begin)).unwrap()];
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    memory.read_exact_at(&mut code, address(begin)).unwrap();
    code
}

async fn each_shape(stage: &Stage) {
    for (number, name) in ["clock-jump", "clock-skew", "clock-strobe"]
        .into_iter()
        .enumerate()
    {
        for (id, shape) in fault::find(name).unwrap().shapes().iter().enumerate() {
            let id = (number * 100 + id) as u64;
            let before = look_at_all(stage).await;
            let injected = stage.inject(name, shape.name, id, id + 3).await;
            assert_eq!(injected.outcome, FaultOutcome::Took);
            for (node, before) in before.iter().enumerate() {
                if injected.nodes.contains(&stage.cluster().name(node).to_owned()) {
                    wait_until_moved(stage, node, before).await;
                } else {
                    assert!(
                        !Watch::look(stage, node).await.has_moved(before),
                        "node {node} is not hit"
                    );
                }
            }
            assert!(clean_bill(stage.cluster()).await.unwrap_err()[0].contains("clocks"));
            stage.heal(injected).await;
            for (node, before) in before.iter().enumerate() {
                assert!(
                    !Watch::look(stage, node).await.has_moved(before),
                    "node {node} is healed"
                );
            }
            clean_bill(stage.cluster()).await.unwrap();
        }
    }
}

async fn on_top_of_one_another(stage: &Stage) {
    println!("    on top of one another");
    let before = look_at_all(stage).await;
    let jump = stage.inject("clock-jump", "all", 1, 1).await;
    let skew = stage.inject("clock-skew", "all", 2, 2).await;
    let strobe = stage.inject("clock-strobe", "majority", 3, 3).await;
    for injected in [&jump, &skew, &strobe] {
        assert_eq!(injected.outcome, FaultOutcome::Took);
    }
    stage.heal(skew).await;
    stage.heal(jump).await;
    assert!(clean_bill(stage.cluster()).await.is_err(), "some are left");
    stage.heal(strobe).await;
    clean_bill(stage.cluster()).await.unwrap();
    for (node, before) in before.iter().enumerate() {
        assert!(!Watch::look(stage, node).await.has_moved(before));
    }
}

async fn across_a_restart(stage: &Stage) {
    println!("    across a restart");
    let before = look_at_all(stage).await;
    let jump = stage.inject("clock-jump", "all", 1, 4).await;
    let kill = stage.inject("kill", "all", 2, 4).await;
    stage.heal(kill).await;
    for (node, before) in before.iter().enumerate() {
        wait_until_moved(stage, node, before).await;
    }
    stage.heal(jump).await;
    clean_bill(stage.cluster()).await.unwrap();
    // Who is down when its fault is healed has nothing of it when it starts.
    let jump = stage.inject("clock-jump", "all", 3, 5).await;
    let kill = stage.inject("kill", "one", 4, 5).await;
    stage.heal(jump).await;
    stage.heal(kill).await;
    clean_bill(stage.cluster()).await.unwrap();
    for (node, before) in before.iter().enumerate() {
        assert!(!Watch::look(stage, node).await.has_moved(before));
    }
    let kill = stage.inject("kill", "all", 5, 6).await;
    assert_eq!(
        stage.inject("clock-skew", "one", 6, 6).await.outcome,
        FaultOutcome::Skipped
    );
    stage.heal(kill).await;
}

async fn while_paused(stage: &Stage) {
    println!("    while paused");
    let before = look_at_all(stage).await;
    let pause = stage.inject("pause", "all", 1, 7).await;
    let jump = stage.inject("clock-jump", "all", 2, 7).await;
    assert_eq!(jump.outcome, FaultOutcome::Took);
    for node in 0..NODES {
        assert!(!stage.answers(node).await, "it stays paused");
    }
    stage.heal(pause).await;
    for (node, before) in before.iter().enumerate() {
        wait_until_moved(stage, node, before).await;
    }
    let pause = stage.inject("pause", "all", 3, 8).await;
    stage.heal(jump).await;
    stage.heal(pause).await;
    for (node, before) in before.iter().enumerate() {
        assert!(!Watch::look(stage, node).await.has_moved(before));
    }
    clean_bill(stage.cluster()).await.unwrap();
}

/// A library reaches only programs that let it in, and what it can't reach is not said to be hit.
async fn out_of_reach(stage: &Stage) {
    let means = fault::find("clock-jump").unwrap().means().unwrap();
    if !means.contains("libfaketime") {
        return;
    }
    println!("    out of reach");
    let (cluster, node) = (stage.cluster(), 0);
    let command = Stage::command(cluster, node);
    let mut args: Vec<String> = ["-c", "unset LD_PRELOAD; exec \"$0\" \"$@\""]
        .map(str::to_owned)
        .into();
    args.push(command.program.display().to_string());
    args.extend(command.args.clone());
    let without = CommandSpec {
        program: "/bin/sh".into(),
        args,
        ..CommandSpec::default()
    };
    // What tells Go's programs, where the kernel does not look.
    let mut content = std::fs::read(&command.program).unwrap();
    content[8..16].copy_from_slice(b"\x04\0\0\0Go\0\0");
    let of_go = CommandSpec {
        program: cluster.folder(node).join("of-go"),
        ..command.clone()
    };
    std::fs::copy(&command.program, &of_go.program).unwrap();
    std::fs::write(&of_go.program, content).unwrap();
    for (spec, outcome, why) in [
        (without, FaultOutcome::Skipped, "has not loaded libfaketime"),
        (of_go, FaultOutcome::Skipped, "is written in Go"),
        (command, FaultOutcome::Took, ""),
    ] {
        cluster.set_command(node, spec);
        let kill = stage.inject("kill", "n1", 300, 1).await;
        stage.heal(kill).await;
        stage.wait_until_it_answers(node).await;
        let jump = stage.inject("clock-jump", "n1", 301, 1).await;
        assert_eq!(jump.outcome, outcome);
        assert!(jump.evidence.contains(why), "{}", jump.evidence);
        if outcome == FaultOutcome::Took {
            stage.heal(jump).await;
        }
    }
}

/// As when a schedule is dropped: what was injected is never healed by itself.
async fn healed_in_haste(stage: &Stage) {
    let before = look_at_all(stage).await;
    drop(stage.inject("clock-jump", "all", 1, 9).await);
    let done = stage.cluster().final_heal().unwrap();
    assert_eq!(done.len(), NODES, "{done:?}");
    assert!(done[0] == "put the clocks of n1 right", "{done:?}");
    assert!(stage.cluster().final_heal().unwrap().is_empty());
    clean_bill(stage.cluster()).await.unwrap();
    for (node, before) in before.iter().enumerate() {
        assert!(!Watch::look(stage, node).await.has_moved(before));
    }
}
