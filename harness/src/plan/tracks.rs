//! Schedules that somebody has thought out: the tables `[[schedule]]` of a file.

use std::path::Path;

use anyhow::{Context, bail};
use partita_generator::faults::When;
use partita_generator::settings::Settings;
use partita_generator::tracks::{self, Order};
use partita_nemesis::fault;
use serde::{Deserialize, Serialize};

use super::nemesis::{Drawn, Ground};

/// When the first fault of a track comes, unless it says so: it must hit a cluster that works.
const FIRST_MS: u64 = 1_500;

/// One table: faults that follow one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Track {
    /// The faults: `kill`, `kill:leader`, or a set.
    faults: Vec<String>,
    /// In turn, or by lot.
    #[serde(default, skip_serializing_if = "is_default")]
    order: Turns,
    /// When the first comes, in milliseconds since the load began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_ms: Option<u64>,
    /// How long after the beginning of one the next begins; each comes once without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every_ms: Option<u64>,
    /// When all is over; the end of the load without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<u64>,
    /// How long each is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    for_ms: Option<Length>,
    /// What each waits for when its time has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<When>,
    /// What of each is not left to its seed. Every fault of the track must have all of it.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    settings: Settings,
}

/// The order of a track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Turns {
    #[default]
    Mix,
    Sequence,
}

/// A time, or the least and the most that is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Length {
    Exactly(u64),
    Between([u64; 2]),
}

fn is_default(order: &Turns) -> bool {
    *order == Turns::Mix
}

/// A file with such tables; what else is in it does not matter, so that it may be the plan of a run.
#[derive(Deserialize)]
struct File {
    schedule: Vec<Track>,
}

impl Track {
    /// Reads the tables of a file.
    ///
    /// # Errors
    /// When it can't be read, or has none, or one that can't be understood (with the line).
    pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Track>> {
        let cannot = || format!("`{}`", path.display());
        let text = std::fs::read_to_string(path).with_context(cannot)?;
        let file: File = toml::from_str(&text).with_context(cannot)?;
        if file.schedule.is_empty() {
            bail!("`{}` has no table [[schedule]]", path.display());
        }
        Ok(file.schedule)
    }
}

/// Draws the faults of the tracks.
///
/// # Errors
/// When a track asks for what there is not, or for more time than there is.
pub(super) fn draw(seed: u64, asked: &[Track], ground: &Ground<'_>, load_ms: u64) -> anyhow::Result<Drawn> {
    let mut drawn = Drawn {
        faults: Vec::new(),
        asked: Vec::new(),
        left_out: std::collections::BTreeMap::new(),
    };
    let mut tracks = Vec::new();
    for (number, track) in (1..).zip(asked) {
        let in_table = || format!("[[schedule]] number {number}");
        let (kinds, left_out) = ground.kinds(&track.faults).with_context(in_table)?;
        let at_ms = track.at_ms.unwrap_or(FIRST_MS.min(load_ms / 2));
        let until_ms = track.until_ms.unwrap_or(load_ms);
        if kinds.is_empty() {
            bail!("{}: it has no fault that can be had here", in_table());
        }
        if until_ms > load_ms || at_ms >= until_ms {
            bail!(
                "{}: from {at_ms} to {until_ms} ms is not within the run, which goes on for {load_ms} ms",
                in_table()
            );
        }
        if track.every_ms == Some(0) {
            bail!("{}: every_ms must be more than 0", in_table());
        }
        let for_ms = match track.for_ms {
            Some(Length::Between([least, most])) if least > most => {
                bail!("{}: for_ms must be a time, or the least and the most", in_table())
            }
            Some(Length::Between([least, most])) => Some(least..=most),
            Some(Length::Exactly(time)) => Some(time..=time),
            None => None,
        };
        if for_ms.as_ref().is_some_and(|range| *range.end() == 0) {
            bail!("{}: for_ms must be more than 0", in_table());
        }
        if let Some(most) = for_ms.as_ref().map(|range| *range.end())
            && most > until_ms - at_ms
        {
            bail!(
                "{}: {most} ms from {at_ms} ms on is longer than the {} ms that are left",
                in_table(),
                until_ms - at_ms
            );
        }
        for fault in kinds.iter().filter_map(|kind| fault::find(&kind.name)) {
            fault::check(fault, &track.settings)
                .map_err(|wrong| anyhow::anyhow!("{}: settings: {wrong}", in_table()))?;
        }
        drawn.asked.extend(track.faults.iter().cloned());
        drawn.left_out.extend(left_out);
        tracks.push(tracks::Track {
            kinds,
            order: match track.order {
                Turns::Mix => Order::Mix,
                Turns::Sequence => Order::Sequence,
            },
            at_ms,
            every_ms: track.every_ms,
            until_ms,
            for_ms,
            when: track.when.clone(),
            settings: track.settings.clone(),
        });
    }
    drawn.faults = tracks::schedule(seed, &tracks).map_err(|number| {
        anyhow::anyhow!(
            "[[schedule]] number {}: there is no time for its first fault",
            number + 1
        )
    })?;
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use partita_generator::faults::PlannedFault;

    use super::*;
    use crate::plan::tests::request;
    use crate::plan::{Plan, Request};

    fn plan(text: &str) -> anyhow::Result<Plan> {
        let file: File = toml::from_str(text)?;
        Plan::new(Request {
            schedule: file.schedule,
            ..request()
        })
    }

    const GOOD: &str = r#"
        [[schedule]]
        faults = ["partition:halves"]
        at_ms = 2000
        for_ms = 20000

        [[schedule]]
        faults = ["kill:leader", "pause:n2"]
        order = "sequence"
        every_ms = 4000
        for_ms = [500, 1500]
        when = "leader"
    "#;

    #[test]
    fn tables_become_a_schedule_that_the_plan_keeps() {
        let plan = plan(GOOD).unwrap();
        let short: Vec<_> = plan
            .faults
            .iter()
            .filter(|fault| fault.fault != "partition")
            .collect();
        assert!(short.len() > 5);
        for (fault, name) in short.iter().zip(["kill", "pause"].iter().cycle()) {
            assert_eq!(fault.fault, *name);
            assert!((500..=1500).contains(&fault.for_ms) && fault.when == Some(When::Leader));
        }
        assert_eq!(plan.nemesis, ["partition:halves", "kill:leader", "pause:n2"]);
        assert_eq!(plan.asked().len(), 3);
        let text = toml::to_string(&plan).unwrap();
        assert_eq!(toml::from_str::<Plan>(&text).unwrap(), plan);
        // A plan is a file with tables, too.
        let again: File = toml::from_str(&text).unwrap();
        assert_eq!(again.schedule, plan.schedule);
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
        let again: File = toml::from_str(&text).unwrap();
        assert_eq!(again.schedule, set.schedule, "{text}");
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
                "by_ms = 0: the clock would be as it was",
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

    #[test]
    fn what_cannot_be_is_refused_before_anything_starts() {
        for (table, expected) in [
            ("faults = [\"flood\"]", "unknown fault `flood`"),
            (
                "faults = [\"kill:n9\"]",
                "unknown shape of `kill` for 5 nodes `n9`",
            ),
            ("faults = []", "no fault that can be had"),
            (
                "faults = [\"kill\"]\nuntil_ms = 40000",
                "which goes on for 30000 ms",
            ),
            ("faults = [\"kill\"]\nat_ms = 30000", "which goes on for 30000 ms"),
            (
                "faults = [\"kill\"]\nat_ms = 29000\nfor_ms = 2000",
                "longer than the 1000 ms",
            ),
            ("faults = [\"kill\"]\nfor_ms = [2, 1]", "the least and the most"),
            ("faults = [\"kill\"]\nevery_ms = 0", "more than 0"),
            ("faults = [\"kill\"]\nfor_ms = 0", "for_ms must be more than 0"),
            (
                "faults = [\"kill\"]\nfor_ms = [0, 0]",
                "for_ms must be more than 0",
            ),
            ("faults = [\"kill\"]\nwhen = \"rain\"", "unknown condition `rain`"),
            (
                "faults = [\"kill\"]\nprobability = 2",
                "unknown field `probability`",
            ),
            ("faults = [\"kill\"]\nat_ms = -1", "invalid value"),
        ] {
            let error = plan(&format!("[[schedule]]\n{table}")).unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{table}: {error:#}");
        }
    }

    /// `schedules/PROTOCOL/DEFECT.toml`: each must say how it is run, and fit into that run.
    #[test]
    fn the_schedules_that_come_with_us_are_of_defects_and_can_be_carried_out() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
        let mut files = 0;
        for protocol in std::fs::read_dir(folder).unwrap() {
            for file in std::fs::read_dir(protocol.unwrap().path()).unwrap() {
                let file = file.unwrap().path();
                let text = std::fs::read_to_string(&file).unwrap();
                let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
                let (protocol, defect) = (name(file.parent().unwrap()), name(&file));
                let said = format!("# partita run {protocol} --defect {defect} ");
                let command = text.lines().find_map(|line| line.strip_prefix(&said));
                let words: Vec<_> = command.expect(&said).split_whitespace().collect();
                let option = |name: &str| {
                    let at = words.iter().position(|word| *word == name);
                    at.map(|at| words[at + 1].to_owned())
                };
                let seconds = option("--time-limit").map(|text| text.trim_end_matches('s').parse());
                let plan = Plan::new(Request {
                    target: protocol,
                    defect: Some(defect),
                    nodes: option("--nodes").map_or(5, |text| text.parse().unwrap()),
                    workload: option("--workload"),
                    network: "switch".into(),
                    time_limit: Duration::from_secs(seconds.map_or(30, Result::unwrap)),
                    schedule: Track::read(&file).unwrap(),
                    ..request()
                });
                assert!(!plan.unwrap().faults.is_empty(), "{}", file.display());
                files += 1;
            }
        }
        assert!(files > 0);
    }

    #[test]
    fn a_file_without_tables_is_told_so_and_a_bad_one_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("schedule.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Track::read(&path).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(read(GOOD).unwrap().len(), 2);
        assert!(read("schedule = []").unwrap_err().contains("has no table"));
        assert!(read("x = 1").unwrap_err().contains("missing field `schedule`"));
        assert!(
            read("\n[[schedule]]\nfaults = 3\n")
                .unwrap_err()
                .contains("line 3")
        );
        assert!(Track::read(&folder.path().join("none")).is_err());
    }
}
