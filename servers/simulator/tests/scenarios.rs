//! Runs in which something went wrong once: none of it may come back.
//!
//! Each file is what `partita simulate PROTOCOL --seed N --minimize=FILE` wrote when it did; its name says what it was.

use std::fs;
use std::path::Path;

use partita_simulator::{Scenario, Simulator};

#[test]
fn what_was_mended_stays_so() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).expect("a file");
        let scenario: Scenario = serde_json::from_str(&text).expect("a scenario");
        let simulator = Simulator::by_name(&scenario.protocol).expect("a protocol");
        let recorded = (simulator.simulate_with)(scenario.seed, &scenario.options, scenario.extras());
        assert_eq!(recorded.report.violation, None, "{}", file.display());
        assert!(recorded.report.counts.leaderships > 0, "{}", file.display());
    }
}
