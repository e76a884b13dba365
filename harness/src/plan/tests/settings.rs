//! What of a fault is set, in a table of a schedule.

use partita_generator::settings::Settings;

use super::*;
use crate::plan::tracks::Track;

/// The tables of a file with this text.
fn tables(text: &str) -> anyhow::Result<Vec<Track>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("schedule.toml");
    std::fs::write(&path, text)?;
    Track::read(&path)
}

fn plan(text: &str) -> anyhow::Result<Plan> {
    Plan::new(Request {
        schedule: tables(text)?,
        ..request()
    })
}

#[test]
fn settings_go_to_all_faults_of_a_table_and_change_nothing_else_of_the_plan() {
    let of = |table: &str| {
        plan(&format!(
            "[[schedule]]\nfaults = [\"loss\", \"corrupt\"]\n{table}"
        ))
        .unwrap()
    };
    let (plain, set) = (of(""), of("settings = { percent = 20 }"));
    let text = toml::to_string(&set).unwrap();
    assert_eq!(toml::from_str::<Plan>(&text).unwrap(), set, "{text}");
    assert_eq!(tables(&text).unwrap(), set.schedule, "{text}");
    assert!(!toml::to_string(&plain).unwrap().contains("settings"));
    let percents = set.faults.iter().map(|fault| fault.settings.whole("percent"));
    assert_eq!(percents.collect::<Vec<_>>(), vec![Some(20); set.faults.len()]);
    let without: Vec<_> = set
        .faults
        .iter()
        .map(|fault| PlannedFault {
            settings: Settings::default(),
            ..fault.clone()
        })
        .collect();
    assert_eq!(without, plain.faults);
}

#[test]
fn settings_that_cannot_be_are_refused_with_their_table_and_what_there_is() {
    for (faults, settings, expected) in [
        (
            "\"loss\"",
            "percent = 200",
            "[[schedule]] number 2: settings: percent = 200: it must be a whole number between 1 and 100",
        ),
        (
            "\"loss\"",
            "percent = 2.5",
            "percent = 2.5: it must be a whole number",
        ),
        ("\"loss\"", "percent = true", "expected a number or a text"),
        ("\"loss\"", "percent = nan", "NaN is no number to set anything to"),
        (
            "\"loss\"",
            "share = 2",
            "fault `loss` has no setting `share`; it has: percent",
        ),
        (
            "\"loss\", \"kill\"",
            "percent = 20",
            "fault `kill` has no setting `percent`; it has none",
        ),
        (
            "\"disk\"",
            "files = \"*.wal\"",
            "fault `power-cut` has no setting `files`; it has none",
        ),
        (
            "\"io-errors\"",
            "on = \"reads\"",
            "on = \"reads\": it must be one of \"read\", \"write\", \"fsync\", \"all\"",
        ),
        (
            "\"clock-jump\"",
            "by_ms = -5000",
            "by_ms = -5000: the monotonic clock can't go back",
        ),
        (
            "\"clock-jump\"",
            "by_ms = 0, clock = \"wall\"",
            "by_ms = 0: so little can't be told",
        ),
        (
            "\"clock-skew\"",
            "rate = 1",
            "rate = 1: the clock would go as it does",
        ),
        (
            "\"clock-skew\"",
            "rate = 3",
            "rate = 3: it must be a number between 0.2 and 2",
        ),
    ] {
        let error = plan(&format!(
            "[[schedule]]\nfaults = [\"kill\"]\n[[schedule]]\nfaults = [{faults}]\nsettings = {{ {settings} }}"
        ));
        let error = format!("{:#}", error.unwrap_err());
        assert!(error.contains(expected), "{faults} {settings}: {error}");
    }
    assert!(
        plan("[[schedule]]\nfaults = [\"clock-jump\"]\nsettings = { by_ms = -5000, clock = \"wall\" }")
            .is_ok()
    );
}
