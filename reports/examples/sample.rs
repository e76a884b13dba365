//! Writes made-up runs and their reports, to look at: `cargo run -p partita-reports --example sample -- DIR`.
//! If DIR is a run already, its report is written again.

use std::path::PathBuf;

#[path = "../tests/reports/sample/mod.rs"]
mod sample;

fn main() -> Result<(), partita_reports::LoadError> {
    let directory = PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "target/sample-runs".to_owned()),
    );
    if directory.join("plan.toml").exists() {
        return partita_reports::write(&directory).map(|_| ());
    }
    let course = sample::Course::default();
    for (name, run) in [
        ("valid", sample::valid(&course)),
        ("invalid", sample::invalid(&course)),
        ("crowded", sample::crowded(&course)),
        ("untimed", sample::untimed()),
        ("unknown", sample::unknown(&course)),
        ("not-exercised", sample::not_exercised(&course)),
        ("harness-failure", sample::harness_failure()),
        ("hostile", sample::hostile()),
    ] {
        let directory = directory.join(name);
        run.write(&directory);
        partita_reports::write(&directory)?;
    }
    Ok(())
}
