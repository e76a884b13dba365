//! Nights: what is red, what is taken up again, and that runs come again.

use std::path::Path;
use std::process::{Output, Stdio};

use crate::support::{json, one_at_a_time, partita, processes_with, run, told};

/// A matrix of simulated cells, which take seconds, and the canaries that are given.
fn simulations(home: &Path, cells: &str, canaries: &str) -> String {
    let file = home.join("night.toml");
    let text = format!(
        "[[simulations]]\nprotocols = [{cells}]\nseeds = 15\noptions = \"--faulty 2s --calm 2s\"\n\n{canaries}"
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// A bug that virtual time shows at once.
const CAUGHT: &str =
    "[[canaries]]\nprotocol = \"raft\"\ndefects = [\"early-acks\"]\nsimulated = true\ntries = 60\n";
/// One that shows only when members change, in a run without faults.
const PASSES: &str = "[[canaries]]\nprotocol = \"raft\"\ndefects = [\"new-majority-alone\"]\nsimulated = true\ntries = 1\n\
                      options = \"--faulty 1ms\"\n";

fn matrix(arguments: &[&str], directory: &Path) -> Output {
    partita(&["matrix", "--json", "--seed", "7"])
        .args(arguments)
        .arg("--dir")
        .arg(directory)
        .output()
        .unwrap()
}

fn read(directory: &Path, name: &str) -> String {
    std::fs::read_to_string(directory.join(name)).unwrap()
}

#[test]
fn a_green_night_has_its_canary_caught_and_its_pages_written() {
    let home = tempfile::tempdir().unwrap();
    let file = simulations(home.path(), "\"raft\", \"zab\"", CAUGHT);
    let night = home.path().join("night");
    let output = matrix(&[&file], &night);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let told = json(&output);
    assert_eq!(told["verdict"], "valid");
    assert_eq!(told["tally"]["canaries"], serde_json::json!([1, 1]), "{told}");
    assert_eq!(told["tally"]["seeds"], 30, "{told}");
    assert!(read(&night, "index.html").contains("caught at try 1"));
    assert!(read(&night, "junit.xml").contains(r#"tests="4" failures="0" errors="0" skipped="0""#));
    assert!(read(&night, "summary.md").starts_with("## ✅ Partita: valid"));
    let again = matrix(&[&file], &night);
    assert_eq!(again.status.code(), Some(254), "a night is never overwritten");
}

#[test]
fn a_canary_that_passes_makes_the_night_red() {
    let home = tempfile::tempdir().unwrap();
    let file = simulations(home.path(), "\"raft\"", PASSES);
    let night = home.path().join("night");
    let output = matrix(&[&file], &night);
    assert_eq!(output.status.code(), Some(255), "{}", told(&output));
    let reason = json(&output)["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.contains("the harness is blind: new-majority-alone was not found"),
        "{reason}"
    );
    assert!(read(&night, "junit.xml").contains("the harness is blind"));
}

#[test]
fn a_night_without_work_is_red() {
    let home = tempfile::tempdir().unwrap();
    let file = simulations(home.path(), "\"raft\"", CAUGHT);
    let nothing = matrix(&[&file, "--time-budget", "0s"], &home.path().join("a"));
    assert_eq!(nothing.status.code(), Some(3), "{}", told(&nothing));
    let empty = matrix(&[&file, "--shard", "2/2"], &home.path().join("b"));
    assert_eq!(empty.status.code(), Some(3), "{}", told(&empty));
    assert_eq!(json(&empty)["reason"], "nothing was done");
    let listed = partita(&["matrix", &file, "--dry-run"]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("2 cells, of which 1 are canaries"), "{listed}");
}

#[test]
fn the_nightly_that_is_shipped_can_be_read() {
    let file = crate::support::root().join("nightly.toml");
    let listed = partita(&["matrix", "--dry-run"]).arg(file).output().unwrap();
    assert_eq!(listed.status.code(), Some(0), "{}", told(&listed));
}

#[test]
fn a_night_that_was_killed_is_taken_up_and_its_run_ends_with_it() {
    let _turn = one_at_a_time();
    let home = tempfile::tempdir().unwrap();
    let file = simulations(home.path(), "\"raft\"", CAUGHT);
    let runs = "\n[[runs]]\ntargets = [\"raft\"]\nworkloads = [\"register\"]\nfaults = [\"kill:one\"]\nseeds = 2\n\
                options = \"--nodes 3 --time-limit 8s --rate 500 --network proxy\"\n";
    let text = std::fs::read_to_string(&file).unwrap() + runs;
    std::fs::write(&file, text).unwrap();
    let night = home.path().join("night");
    let mut child = partita(&["matrix", &file, "--seed", "7", "--dir"])
        .arg(&night)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A run is under way when its directory has a history.
    let has_history = || {
        let runs = std::fs::read_dir(night.join("runs"))
            .into_iter()
            .flatten()
            .flatten();
        runs.map(|run| run.path().join("history.jsonl"))
            .any(|file| file.exists())
    };
    while !has_history() {
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "the night ended before any run began"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Its controller and nodes are killed with it.
    let name = night.join("runs").display().to_string();
    while !processes_with(&name).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let kept = std::fs::read_dir(night.join("cells")).unwrap().count();
    assert!(kept >= 1, "the canary was done before");

    let output = partita(&["matrix", "--json", "--resume"])
        .arg(&night)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let told = json(&output);
    let names: Vec<_> = told["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| &cell["name"])
        .collect();
    assert_eq!(names.len(), 4, "{told}");
    assert!(
        told["cells"]
            .as_array()
            .unwrap()
            .iter()
            .all(|cell| cell["verdict"] == "valid"),
        "{told}"
    );
    assert_eq!(told["tally"]["left_out"], 0);
    let again = partita(&["matrix", "--json", "--resume"])
        .arg(&night)
        .output()
        .unwrap();
    assert_eq!(
        json(&again)["cells"],
        told["cells"],
        "what is done is not done again"
    );
}

#[test]
fn a_run_comes_again_from_its_plan() {
    let _turn = one_at_a_time();
    let home = tempfile::tempdir().unwrap();
    let asked = [
        "--nodes",
        "3",
        "--time-limit",
        "8s",
        "--rate",
        "500",
        "--nemesis",
        "kill:one",
        "--network",
        "proxy",
        "--seed",
        "3",
    ];
    let first = run(home.path(), &asked);
    assert_eq!(first.status.code(), Some(0), "{}", told(&first));
    let directory = json(&first)["run_dir"].as_str().unwrap().to_owned();
    let replayed = partita(&["replay", &directory, "--json", "--runs-dir"])
        .arg(home.path())
        .output()
        .unwrap();
    assert_eq!(replayed.status.code(), Some(0), "{}", told(&replayed));
    let replayed = json(&replayed);
    assert_eq!(
        (&replayed["verdict_again"], &replayed["original"]["verdict"]),
        (&1.into(), &"valid".into())
    );
    let second = replayed["runs"][0]["run_dir"].as_str().unwrap();
    assert_ne!(second, directory);
    assert_eq!(
        read(Path::new(second), "plan.toml"),
        read(Path::new(&directory), "plan.toml")
    );

    // A plan with other faults than its seed draws says so in its command.
    let plan = read(Path::new(&directory), "plan.toml");
    let fewer = home.path().join("fewer.toml");
    let head = plan.split("[[faults]]").next().unwrap();
    std::fs::write(&fewer, head.replace("\"kill:one\"", "")).unwrap();
    let wrong = partita(&["run", "--nodes", "3", "--plan"])
        .arg(&fewer)
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(254), "{}", told(&wrong));
}
