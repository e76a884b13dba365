//! Faults as strong as they are asked for, as the nodes themselves see it.

use std::path::Path;
use std::time::{Duration, Instant};

use partita_generator::settings::Value;
use partita_history::FaultOutcome;
use partita_nemesis::disk;
use partita_nemesis::fault::{self, Injected};
use partita_nemesis::lab::Lab;

use crate::clocks::Watch;
use crate::disks::{ask, beneath, under_load};
use crate::links::{echo, end};
use crate::stage::{NODES, Stage};

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// Injects, and insists that it took and says what was asked for.
async fn inject(
    stage: &Stage,
    name: &str,
    shape: &str,
    id: u64,
    settings: &[(&str, Value)],
    what: &str,
) -> Injected {
    let injected = stage.inject_with(name, shape, id, id, settings).await;
    assert_eq!(injected.outcome, FaultOutcome::Took, "{name}");
    assert!(injected.what.contains(what), "{}", injected.what);
    injected
}

pub(crate) async fn links(lab: &Lab, run_dir: &Path) {
    let stage = &Stage::set(lab, run_dir).await;
    let percent = |percent| [("percent", Value::Whole(percent))];
    // Whatever the seed would draw.
    for id in 1..4 {
        let loss = inject(stage, "loss", "n1>n2", id, &percent(50), "50 % lost").await;
        let (mut sent, mut back) = (0, 0);
        for _ in 0..8 {
            let echo = echo(stage, 0, 1, 64).await;
            (sent, back) = (sent + echo.sent, back + echo.back);
        }
        println!("      {back} of {sent} came back");
        // Six standard deviations of a fair coin, thrown as often.
        let off = (back * 2).abs_diff(sent) as f64;
        assert!(off <= 6.0 * (sent as f64).sqrt(), "{back} of {sent}");
        stage.heal(loss).await;
    }
    let loss = inject(stage, "loss", "n1>n2", 4, &percent(100), "100 % lost").await;
    assert_eq!(echo(stage, 0, 1, 64).await.back, 0);
    stage.heal(loss).await;
    let twice = inject(stage, "duplicate", "n1>n2", 5, &percent(100), "100 % twice").await;
    let seen = echo(stage, 0, 1, 64).await;
    assert!(seen.back > 0 && seen.twice == seen.back, "{seen:?}");
    stage.heal(twice).await;
    let spoilt = inject(stage, "corrupt", "n1>n2", 6, &percent(100), "100 % corrupted").await;
    assert_eq!(echo(stage, 0, 1, 64).await.back, 0);
    stage.heal(spoilt).await;
    let held = inject(stage, "reorder", "n1>n2", 7, &percent(33), "33 % overtaken").await;
    stage.heal(held).await;

    let settings = [("delay_ms", Value::Whole(170)), ("jitter_ms", Value::Whole(0))];
    let delay = inject(stage, "delay", "n1>n2", 8, &settings, "170 ms later, on").await;
    let seen = echo(stage, 0, 1, 64).await;
    assert!(seen.back > 0 && seen.least_us >= 170_000, "{seen:?}");
    stage.heal(delay).await;
    let settings = [("delay_ms", Value::Whole(1)), ("jitter_ms", Value::Whole(300))];
    let delay = inject(
        stage,
        "delay",
        "n1>n2",
        9,
        &settings,
        "1 ms later, and evenly up to 300 ms more",
    )
    .await;
    let seen = echo(stage, 0, 1, 64).await;
    assert!(seen.least_us >= 1_000 && seen.most_us >= 100_000, "{seen:?}");
    stage.heal(delay).await;

    // Of 60 datagrams of more than 1400 bytes in 180 ms, and what waits 0.3 s, no more than these can pass.
    let narrow = [("bytes_per_second", Value::Whole(20_000))];
    let rate = inject(stage, "rate", "n1>n2", 10, &narrow, "20 kB a second").await;
    let seen = echo(stage, 0, 1, 1_400).await;
    assert!(seen.back < 15, "{seen:?}");
    stage.heal(rate).await;
    end(stage).await;
}

/// How often a node is seen to stand still is for the fault's own probe to count.
pub(crate) async fn processes(lab: &Lab, run_dir: &Path) {
    let stage = &Stage::set(lab, run_dir).await;
    for (id, percent) in [(1, 5), (2, 60)] {
        let settings = [("percent", Value::Whole(percent))];
        let what = format!("n1: {percent} % of the time left");
        let cpu = inject(stage, "cpu", "n1", id, &settings, &what).await;
        stage.heal(cpu).await;
    }
    end(stage).await;
}

pub(crate) async fn clocks(lab: &Lab, run_dir: &Path) {
    let stage = &Stage::set_with_clocks(lab, run_dir).await;
    if let Some(why) = fault::find("clock-jump").unwrap().impossible() {
        println!("not here: {why}");
        return;
    }
    const SECOND: i128 = 1_000_000_000;
    let clock = |name: &str| ("clock", text(name));
    // Whatever the seed would draw.
    for id in 1..4 {
        let settings = [("by_ms", Value::Whole(-90_000)), clock("wall")];
        let what = "n1: wall clock 90.000 s behind";
        let jump = inject(stage, "clock-jump", "n1", id, &settings, what).await;
        assert_eq!(jump.what, what, "the other clock is left alone");
        let seen = Watch::look(stage, 0).await;
        assert!(
            *seen.wall.start() <= -90 * SECOND && *seen.wall.end() >= -90 * SECOND,
            "{:?}",
            seen.wall
        );
        stage.heal(jump).await;
    }
    for (id, both) in [(10, "monotonic"), (11, "both")] {
        let settings = [("by_ms", Value::Whole(1_500)), clock(both)];
        let jump = inject(
            stage,
            "clock-jump",
            "n1",
            id,
            &settings,
            "monotonic clock 1.500 s ahead",
        )
        .await;
        assert_eq!(
            jump.what.contains("wall clock 1.500 s ahead"),
            both == "both",
            "{}",
            jump.what
        );
        stage.heal(jump).await;
    }
    let settings = [("rate", Value::Fraction(0.25)), clock("both")];
    let skew = inject(
        stage,
        "clock-skew",
        "n1",
        20,
        &settings,
        "wall clock 0.250 times as fast",
    )
    .await;
    let before = Watch::look(stage, 0).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let after = Watch::look(stage, 0).await;
    let lost = before.monotonic.end() - after.monotonic.start();
    assert!(lost >= 300 * 1_000_000, "{lost} ns lost in 400 ms or more");
    stage.heal(skew).await;
    let strobe = inject(stage, "clock-strobe", "n1", 21, &[clock("wall")], "wall clock").await;
    assert!(!strobe.what.contains("monotonic"), "{}", strobe.what);
    stage.heal(strobe).await;
    end(stage).await;
}

/// What every node does meanwhile: with a file that is meant, and with one that is not.
const LOAD: [&str; 5] = [
    "write a.wal 10 q",
    "sync a.wal",
    "read a.wal",
    "write b.snap 10 q",
    "sync b.snap",
];

async fn inject_under_load(
    stage: &Stage,
    name: &str,
    id: u64,
    settings: &[(&str, Value)],
    what: &str,
) -> Injected {
    let injecting = inject(stage, name, "n1", id, settings, what);
    under_load(stage, injecting, &LOAD).await
}

pub(crate) async fn disks(lab: &Lab, run_dir: &Path) {
    if let Some(obstacle) = disk::obstacle(lab) {
        println!("not here: {obstacle}");
        return;
    }
    let stage = &Stage::set_on_disks(lab, run_dir).await;
    let has_mounts = std::fs::read_to_string("/proc/self/mounts")
        .unwrap()
        .contains("partita ");
    for question in LOAD {
        assert!(!ask(stage, 0, question).await.contains("error"));
    }
    syncs_of_some_files(stage).await;
    let io_errors = fault::find("io-errors").unwrap();
    for (on, needs_mounts) in [("read", true), ("write", true), ("all", true), ("fsync", false)] {
        let settings = [("on", text(on))].into_iter().collect();
        let why = io_errors.impossible_with(&settings);
        assert_eq!(why.is_some(), needs_mounts && !has_mounts, "{on}: {why:?}");
    }
    if has_mounts {
        refusals_of_some_calls(stage).await;
        refusals_of_some_files(stage).await;
    } else {
        for on in ["read", "write", "all"] {
            let skipped = stage
                .inject_with("io-errors", "n1", 30, 30, &[("on", text(on))])
                .await;
            assert_eq!(skipped.outcome, FaultOutcome::Skipped);
            assert!(skipped.evidence.contains("fsyncs only"), "{}", skipped.evidence);
        }
    }
    damage(stage).await;
    end(stage).await;
}

async fn syncs_of_some_files(stage: &Stage) {
    let files = || ("files", text("*.wal"));
    let settings = [("ms", Value::Whole(1_300)), files()];
    let what = "n1: each fsync takes 1300 ms longer (of `*.wal`)";
    let slow = inject_under_load(stage, "slow-fsync", 1, &settings, what).await;
    let begun = Instant::now();
    assert_eq!(ask(stage, 0, "sync a.wal").await, "done");
    assert!(
        begun.elapsed() >= Duration::from_millis(1_300),
        "{:?}",
        begun.elapsed()
    );
    stage.heal(slow).await;

    let what = "n1: no fsync comes back (of `*.wal`)";
    let stuck = inject_under_load(stage, "stuck-fsync", 2, &[files()], what).await;
    assert_eq!(ask(stage, 0, "sync b.snap").await, "done");
    let mut syncing = std::pin::pin!(ask(stage, 0, "sync a.wal"));
    let waited = tokio::time::timeout(Duration::from_millis(300), &mut syncing).await;
    assert!(waited.is_err(), "{waited:?}");
    stage.heal(stuck).await;
    assert_eq!(syncing.await, "done");

    let settings = [("on", text("fsync")), files()];
    let errors = inject_under_load(
        stage,
        "io-errors",
        3,
        &settings,
        "n1: EIO for each fsync (of `*.wal`)",
    )
    .await;
    assert!(ask(stage, 0, "sync a.wal").await.contains("os error 5"));
    assert_eq!(ask(stage, 0, "sync b.snap").await, "done");
    assert_eq!(ask(stage, 0, "write a.wal 10 q").await, "done");
    stage.heal(errors).await;

    // Nobody meets what is of no file.
    let nothing = [("ms", Value::Whole(20)), ("files", text("*.none"))];
    let injecting = stage.inject_with("slow-fsync", "n1", 4, 4, &nothing);
    let unmet = under_load(stage, injecting, &LOAD).await;
    assert_eq!(unmet.outcome, FaultOutcome::Uncertain);
    assert!(unmet.evidence.contains("n1: 0 fsyncs"), "{}", unmet.evidence);
    stage.heal(unmet).await;
}

/// Each for itself: what is read, written and synced.
async fn refusals_of_some_calls(stage: &Stage) {
    for (id, on) in (10..).zip(["read", "write", "fsync", "all"]) {
        // Read before, so that the kernel would have it at hand.
        let cluster = stage.cluster();
        let mut talk = crate::stage::Talk::with(cluster.control_address(0), cluster.control_source())
            .await
            .unwrap();
        let patience = Duration::from_secs(10);
        let kept = talk.ask("keep b.snap", patience).await.unwrap();
        assert!(kept.contains('q'), "{kept}");
        assert_eq!(talk.ask("again", patience).await.as_ref(), Some(&kept));
        let what = match on {
            "all" => "EIO for everything".to_owned(),
            on => format!("EIO for each {on}"),
        };
        let errors = inject_under_load(stage, "io-errors", id, &[("on", text(on))], &what).await;
        for (call, question) in [
            ("read", "read b.snap"),
            ("write", "write b.snap 1 q"),
            ("fsync", "sync b.snap"),
        ] {
            let answer = ask(stage, 0, question).await;
            assert_eq!(
                answer.contains("os error 5"),
                on == call || on == "all",
                "{on}: {question}: {answer}"
            );
        }
        if on == "read" {
            // It is told while others go on.
            let begun = Instant::now();
            while !talk.ask("again", patience).await.unwrap().contains("os error 5") {
                assert!(begun.elapsed() < patience, "what was read before is still read");
            }
        }
        stage.heal(errors).await;
        assert!(talk.ask("again", patience).await.unwrap().contains('q'));
    }
}

async fn refusals_of_some_files(stage: &Stage) {
    let files = || ("files", text("*.wal"));
    let settings = [("on", text("read")), files()];
    let errors = inject_under_load(
        stage,
        "io-errors",
        20,
        &settings,
        "EIO for each read (of `*.wal`)",
    )
    .await;
    assert!(ask(stage, 0, "read a.wal").await.contains("os error 5"));
    assert!(ask(stage, 0, "read b.snap").await.contains('q'));
    stage.heal(errors).await;

    let full = inject_under_load(stage, "disk-full", 21, &[files()], "(of `*.wal`)").await;
    for (question, is_refused) in [
        ("write a.wal 1 q", true),
        ("write new.wal 1 q", true),
        ("write b.snap 1 q", false),
        ("write new.snap 1 q", false),
    ] {
        let answer = ask(stage, 0, question).await;
        assert_eq!(answer.contains("os error 28"), is_refused, "{question}: {answer}");
    }
    stage.heal(full).await;
    assert_eq!(ask(stage, 0, "write new.wal 1 q").await, "done");
}

/// Bit by bit, or by more; of the files and the nodes that are asked for.
async fn damage(stage: &Stage) {
    for node in 0..NODES {
        for question in [
            "write a.wal 9000 q",
            "sync a.wal",
            "write b.snap 9000 q",
            "sync b.snap",
        ] {
            assert_eq!(ask(stage, node, question).await, "done");
        }
    }
    let settings = |damage| [("damage", text(damage)), ("files", text("*.wal"))];
    let cases = [
        (40, "flip", "n2: a bit flipped (of `*.wal`)"),
        (41, "truncate", "n2: an end cut off (of `*.wal`)"),
        (42, "zeros", "n2: a block lost (of `*.wal`)"),
    ];
    for (id, damage, what) in cases {
        let before = beneath(stage, 1);
        let rot = inject(stage, "bit-rot", "n2", id, &settings(damage), what).await;
        assert!(!rot.evidence.contains("no quorum"), "{}", rot.evidence);
        let is_promise_lost = rot.evidence.contains("had been promised");
        assert_eq!(is_promise_lost, damage != "flip", "{}", rot.evidence);
        let mut after = beneath(stage, 1);
        let (was, is) = (
            &before["a.wal"],
            after.insert("a.wal".into(), before["a.wal"].clone()).unwrap(),
        );
        assert_eq!(after, before, "no other file is hit");
        let changed = was.iter().zip(&is).filter(|(was, is)| was != is).count();
        match damage {
            "flip" => assert_eq!((changed, is.len()), (1, was.len())),
            "truncate" => assert!(changed == 0 && (was.len() - 4_096..was.len()).contains(&is.len())),
            _ => assert!((1..=4_096).contains(&changed) && is.contains(&0) && is.len() == was.len()),
        }
        stage.heal(rot).await;
        assert_eq!(beneath(stage, 1), before);
    }
    // Without being asked for, most nodes keep good copies; if asked for, they do not, and that is said.
    let drawn = inject(stage, "bit-rot", "minority", 43, &[], "a bit flipped").await;
    assert!((1..=2).contains(&drawn.nodes.len()) && !drawn.evidence.contains("no quorum"));
    stage.heal(drawn).await;
    for (id, shape, hit) in [(44, "majority", 3), (45, "all", NODES)] {
        let before: Vec<_> = (0..NODES).map(|node| beneath(stage, node)).collect();
        let asked_for = inject(
            stage,
            "bit-rot",
            shape,
            id,
            &settings("truncate"),
            "an end cut off",
        )
        .await;
        let changed = (0..NODES).filter(|&node| beneath(stage, node) != before[node]);
        assert_eq!((changed.count(), asked_for.nodes.len()), (hit, hit), "{shape}");
        assert!(
            asked_for.evidence.contains("no quorum need have good copies"),
            "{}",
            asked_for.evidence
        );
        stage.heal(asked_for).await;
    }
    // Where no such file is, nothing is done.
    let none = [("damage", text("zeros")), ("files", text("*.none"))];
    let nothing = stage.inject_with("bit-rot", "n2", 46, 46, &none).await;
    assert_eq!(nothing.outcome, FaultOutcome::Uncertain);
    assert!(
        nothing
            .evidence
            .contains("no file with anything in it (of `*.none`)"),
        "{}",
        nothing.evidence
    );
    assert!(
        !nothing.evidence.contains("had been promised"),
        "{}",
        nothing.evidence
    );
    stage.heal(nothing).await;
}
