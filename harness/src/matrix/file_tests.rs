//! Tests of matrices.

use super::*;

const GOOD: &str = r#"
time-budget = "10m"
retries = 1

[[runs]]
targets = ["raft", "zab"]
workloads = ["register", "set"]
faults = ["partition,kill", "pause:one"]
seeds = 2
options = "--nodes 3 --time-limit 12s"

[[simulations]]
protocols = ["raft"]
seeds = 500

[[canaries]]
protocol = "raft"
defects = ["stale-reads", "early-acks"]
draw = 1
"#;

fn cells(text: &str, seed: u64, shard: Option<Shard>) -> anyhow::Result<Matrix> {
    parse(Path::new("nightly.toml"), text, seed, shard)
}

fn refused(text: &str) -> String {
    format!("{:#}", cells(text, 7, None).unwrap_err())
}

#[test]
fn every_combination_is_a_cell_and_rounds_come_one_after_another() {
    let matrix = cells(GOOD, 7, None).unwrap();
    assert_eq!(
        (matrix.time_budget, matrix.retries),
        (Some(Duration::from_secs(600)), 1)
    );
    let names: Vec<_> = matrix.cells.iter().map(|cell| cell.name.as_str()).collect();
    assert_eq!(names.len(), 1 + 2 * 2 * 2 * 2 + 1);
    assert!(names[0].starts_with("canary raft "), "{names:?}");
    assert_eq!(
        names[1],
        "raft register partition,kill --nodes 3 --time-limit 12s seed 14"
    );
    assert!(names[10].ends_with("seed 15"), "{names:?}");
    assert_eq!(matrix.cells[1].load_ms, 12_000);
    assert_eq!(
        cells(GOOD, 7, None).unwrap().cells,
        matrix.cells,
        "the seed decides all"
    );
}

#[test]
fn shards_are_a_partition_and_each_has_its_canary() {
    let whole: Vec<_> = cells(GOOD, 7, None).unwrap().cells.into_iter().skip(1).collect();
    let mut joined = Vec::new();
    for number in 1..=3 {
        let part = cells(GOOD, 7, Some(Shard { number, of: 3 })).unwrap().cells;
        assert!(part[0].canary.is_some());
        joined.extend(part.into_iter().skip(1));
    }
    let sorted = |mut cells: Vec<Cell>| {
        cells.sort_by(|a, b| a.name.cmp(&b.name));
        cells
    };
    assert_eq!(sorted(joined), sorted(whole));
    assert_eq!("3/8".parse(), Ok(Shard { number: 3, of: 8 }));
    for bad in ["0/8", "9/8", "3", "a/b"] {
        assert!(bad.parse::<Shard>().is_err(), "{bad}");
    }
}

#[test]
fn a_matrix_without_canaries_gets_some() {
    let runs = "[[runs]]\ntargets = [\"raft\"]\nworkloads = [\"register\"]\nfaults = [\"kill\"]\n";
    let canaries = |text: &str| -> Vec<Kind> {
        let matrix = cells(text, 3, None).unwrap();
        let canaries = matrix.cells.iter().filter(|cell| cell.canary.is_some());
        canaries.map(|cell| cell.kind).collect()
    };
    assert_eq!(canaries(runs), [Kind::Simulation, Kind::Run]);
    let simulations = "[[simulations]]\nprotocols = [\"raft\"]\nseeds = 5\n";
    assert_eq!(canaries(simulations), [Kind::Simulation]);
}

#[test]
fn tables_of_canaries_may_overlap_on_every_seed() {
    let table = "[[canaries]]\nprotocol = \"raft\"\ndefects = [\"stale-reads\", \"early-acks\"]\n";
    let other = format!("{table}options = \"--nodes 3\"\n");
    for seed in 0..10 {
        let matrix = cells(&format!("{GOOD}{table}{other}"), seed, None).unwrap();
        let canaries = matrix.cells.iter().filter(|cell| cell.canary.is_some());
        let names: Vec<_> = canaries.map(|cell| cell.name.as_str()).collect();
        assert_eq!(names.len(), 3, "seed {seed}: {names:?}");
        assert!(names[2].ends_with(" --nodes 3"), "seed {seed}: {names:?}");
    }
}

#[test]
fn all_workloads_are_those_that_fit() {
    let text = "[[runs]]\ntargets = [\"etcd\"]\nworkloads = [\"all\"]\nfaults = [\"none\"]\n";
    let matrix = cells(text, 3, None).unwrap();
    assert!(
        matrix
            .cells
            .iter()
            .any(|cell| cell.name.starts_with("etcd register "))
    );
    assert!(
        !matrix
            .cells
            .iter()
            .any(|cell| cell.name.starts_with("etcd queue "))
    );
}

#[test]
fn mistakes_are_told_with_their_line() {
    for (wrong, told) in [
        (
            GOOD.replace("\"zab\"", "\"zaab\""),
            "nightly.toml:6: unknown target `zaab`; there are: raft",
        ),
        (
            GOOD.replace("\"set\"]", "\"sat\"]"),
            "nightly.toml:7: unknown workload `sat`; there are: register",
        ),
        (
            GOOD.replace("pause:one", "flood"),
            "nightly.toml:8: unknown fault `flood`; there are: ",
        ),
        (
            GOOD.replace("--nodes 3", "--nodes 33"),
            "--nodes 33 is out of range",
        ),
        (
            GOOD.replace("--nodes 3", "--knots 3"),
            "unexpected argument '--knots'",
        ),
        (
            GOOD.replace("--nodes 3", "--seed 3"),
            "cannot be used multiple times",
        ),
        (
            GOOD.replace("protocols = [\"raft\"]", "protocols = [\"graft\"]"),
            "nightly.toml:13: \"graft\" is no protocol",
        ),
        (
            GOOD.replace("\"early-acks\"", "\"late-acks\""),
            "nightly.toml:18: unknown defect of raft `late-acks`",
        ),
        (
            GOOD.replace("draw = 1", "draw = 0"),
            "nightly.toml:16: with `draw` or `tries` 0",
        ),
        (
            GOOD.replace("draw = 1", "tries = 1001"),
            "nightly.toml:16: `tries` in processes must be 1 to 1000",
        ),
        (
            GOOD.replace("10m", "10 minutes"),
            "nightly.toml:2: expected a number and a unit",
        ),
        (GOOD.replace("retries = 1", "retry = 1"), "line 3"),
        (
            GOOD.replace("seeds = 2", "seeds = 0"),
            "nightly.toml:5: seeds must be 1",
        ),
        (
            GOOD.replace("[\"raft\", \"zab\"]", "[]"),
            "nightly.toml:5: `targets` is empty",
        ),
        (GOOD.replace("\"zab\"", "\"raft\""), "is asked for twice"),
        ("retries = 1".to_owned(), "the matrix is empty"),
    ] {
        let error = refused(&wrong);
        assert!(error.contains(told), "{told:?} is not in {error:?}");
    }
}
