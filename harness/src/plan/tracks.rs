//! Schedules that somebody has thought out: the tables `[[schedule]]` of a file.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use partita_generator::faults::When;
use partita_generator::tracks::{self, NoTime, Order};
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

use super::nemesis::{Drawn, Ground};
use super::{FAULTS_MAX, Plan};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Length {
    Exactly(u64),
    Between([u64; 2]),
}

/// Written out, so that what is wrong is told.
impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LengthVisitor)
    }
}

struct LengthVisitor;

impl<'de> Visitor<'de> for LengthVisitor {
    type Value = Length;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time in milliseconds, as in 1500, or the least and the most, as in [500, 1500]")
    }

    fn visit_u64<E: Error>(self, time: u64) -> Result<Length, E> {
        Ok(Length::Exactly(time))
    }

    fn visit_i64<E: Error>(self, time: i64) -> Result<Length, E> {
        let length = u64::try_from(time).map(Length::Exactly);
        length.map_err(|_| E::invalid_value(Unexpected::Signed(time), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut times: A) -> Result<Length, A::Error> {
        let mut all = Vec::new();
        while let Some(time) = times.next_element::<u64>()? {
            all.push(time);
        }
        <[u64; 2]>::try_from(all.as_slice())
            .map(Length::Between)
            .map_err(|_| A::Error::invalid_length(all.len(), &self))
    }
}

fn is_default(order: &Turns) -> bool {
    *order == Turns::Mix
}

/// A file with such tables alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    schedule: Vec<Track>,
}

impl Track {
    /// Reads the tables of a file, which may be the plan of a run.
    ///
    /// # Errors
    /// When it can't be read, or has none, or anything that can't be understood (with the line).
    pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Track>> {
        let cannot = || format!("`{}`", path.display());
        let text = std::fs::read_to_string(path).with_context(cannot)?;
        let schedule = Track::parse(&text).with_context(cannot)?;
        if schedule.is_empty() {
            bail!("`{}` has no table [[schedule]]", path.display());
        }
        Ok(schedule)
    }

    fn parse(text: &str) -> anyhow::Result<Vec<Track>> {
        let whole: toml::Table = toml::from_str(text)?;
        if whole.contains_key("format") {
            let plan = Plan::parse(text).context("as it has a `format`, it must be a whole plan.toml")?;
            return Ok(plan.schedule);
        }
        let file: Result<File, _> = toml::from_str(text);
        let schedule = file.map(|file| file.schedule);
        if whole.keys().any(|key| key != "schedule") {
            return schedule
                .context("it may have [[schedule]] tables and nothing else, or be a whole plan.toml");
        }
        Ok(schedule?)
    }
}

/// Draws the faults of the tracks, which were read in a file or are those of a plan.
///
/// # Errors
/// When a track asks for what there is not, or for more time than there is.
pub(super) fn draw(
    seed: u64,
    asked: &[Track],
    file: Option<&Path>,
    ground: &Ground<'_>,
    load_ms: u64,
) -> anyhow::Result<Drawn> {
    let in_table = |number: usize| {
        let file = file.map(|file| format!("`{}`: ", file.display()));
        format!("{}[[schedule]] number {number}", file.unwrap_or_default())
    };
    let mut drawn = Drawn {
        faults: Vec::new(),
        asked: Vec::new(),
        left_out: BTreeMap::new(),
    };
    let mut tracks = Vec::new();
    // What each of a track's faults is called in the file.
    let mut listed = Vec::new();
    for (number, track) in (1..).zip(asked) {
        let resolved = track.resolve(ground, load_ms, &mut drawn.left_out);
        let (resolved, names) = resolved.with_context(|| in_table(number))?;
        drawn.asked.extend(track.faults.iter().cloned());
        tracks.push(resolved);
        listed.push(names);
    }
    drawn.faults = tracks::schedule(seed, &tracks).map_err(|NoTime { track, kind }| {
        let name = kind.and_then(|kind| listed[track].get(kind));
        let (name, until_ms) = (name.map_or("any fault", String::as_str), tracks[track].until_ms);
        anyhow!(
            "{}: there is no time for `{name}`, as the track ends at {until_ms} ms: begin earlier, lower for_ms or every_ms, \
             or leave it out",
            in_table(track + 1)
        )
    })?;
    if drawn.faults.len() > FAULTS_MAX {
        let all = drawn.faults.len();
        bail!("the [[schedule]] tables make {all} faults; a plan may have at most {FAULTS_MAX}");
    }
    Ok(drawn)
}

impl Track {
    /// The track as faults are drawn from it, and what each of its faults is called.
    fn resolve(
        &self,
        ground: &Ground<'_>,
        load_ms: u64,
        left_out: &mut BTreeMap<String, String>,
    ) -> anyhow::Result<(tracks::Track, Vec<String>)> {
        if self.faults.is_empty() {
            bail!("`faults` is empty; name a fault, or leave the table out");
        }
        // As they are listed, and not each once: a sequence may have a fault twice, in two shapes or in one.
        let (each, without) = ground.each(&self.faults)?;
        left_out.extend(without);
        if each.is_empty() {
            bail!(
                "there is no fault in `{}`; leave the table out",
                self.faults.join(",")
            );
        }
        let at_ms = self.at_ms.unwrap_or(FIRST_MS.min(load_ms / 2));
        let until_ms = self.until_ms.unwrap_or(load_ms);
        if until_ms > load_ms || at_ms >= until_ms {
            bail!("from {at_ms} to {until_ms} ms is not within the run, which goes on for {load_ms} ms");
        }
        match self
            .every_ms
            .map(|every_ms| (until_ms - at_ms).checked_div(every_ms))
        {
            Some(None) => bail!("every_ms must be more than 0"),
            // Before they are drawn, which would take the memory.
            Some(Some(times)) if times > FAULTS_MAX as u64 => bail!(
                "every_ms makes {times} faults from {at_ms} to {until_ms} ms; a plan may have at most {FAULTS_MAX}"
            ),
            _ => {}
        }
        let for_ms = self.lengths_ms(at_ms, until_ms)?;
        let spare = each
            .iter()
            .enumerate()
            .filter(|(_, asked)| asked.as_listed.is_none());
        let spare = spare.map(|(kind, _)| kind).collect();
        let (kinds, names) = each
            .into_iter()
            .map(|asked| {
                let name = asked.as_listed.unwrap_or_else(|| asked.kind.name.clone());
                (asked.kind, name)
            })
            .unzip();
        let resolved = tracks::Track {
            kinds,
            spare,
            order: match self.order {
                Turns::Mix => Order::Mix,
                Turns::Sequence => Order::Sequence,
            },
            at_ms,
            every_ms: self.every_ms,
            until_ms,
            for_ms,
            when: self.when.clone(),
        };
        Ok((resolved, names))
    }

    /// How long each is in force, if that is said.
    fn lengths_ms(&self, at_ms: u64, until_ms: u64) -> anyhow::Result<Option<RangeInclusive<u64>>> {
        let (least, most) = match self.for_ms {
            None => return Ok(None),
            Some(Length::Between([least, most])) => (least, most),
            Some(Length::Exactly(time)) => (time, time),
        };
        if least > most {
            bail!("for_ms must be a time, or the least and the most, and {least} is more than {most}");
        }
        if most == 0 {
            bail!("for_ms must be more than 0");
        }
        let left_ms = until_ms - at_ms;
        if most > left_ms {
            bail!("{most} ms from {at_ms} ms on is longer than the {left_ms} ms that are left");
        }
        Ok(Some(least..=most))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::tests::request;
    use crate::plan::{Plan, Request};

    fn plan(text: &str) -> anyhow::Result<Plan> {
        Plan::new(Request {
            schedule: Track::parse(text)?,
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
        assert_eq!(Track::parse(&text).unwrap(), plan.schedule);
    }

    #[test]
    fn what_cannot_be_is_refused_before_anything_starts() {
        for (table, expected) in [
            ("faults = [\"flood\"]", "unknown fault `flood`"),
            (
                "faults = [\"kill:n9\"]",
                "unknown shape of `kill` for 5 nodes `n9`",
            ),
            ("faults = []", "number 1: `faults` is empty; name a fault"),
            ("faults = [\"calm\"]", "there is no fault in `calm`"),
            ("faults = [\"none\"]", "`none` is no fault: leave it out"),
            (
                "faults = [\"kill\"]\nuntil_ms = 40000",
                "which goes on for 30000 ms",
            ),
            ("faults = [\"kill\"]\nat_ms = 30000", "which goes on for 30000 ms"),
            (
                "faults = [\"kill\"]\nat_ms = 29000\nfor_ms = 2000",
                "longer than the 1000 ms",
            ),
            (
                "faults = [\"kill\"]\nfor_ms = [2, 1]",
                "the least and the most, and 2 is more than 1",
            ),
            (
                "faults = [\"kill\"]\nfor_ms = -1",
                "integer `-1`, expected a time in milliseconds, as in 1500, or the least and the most",
            ),
            (
                "faults = [\"kill\"]\nfor_ms = \"long\"",
                "string \"long\", expected a time in milliseconds",
            ),
            (
                "faults = [\"kill\"]\nfor_ms = [1500]",
                "length 1, expected a time in milliseconds",
            ),
            (
                "faults = [\"kill\"]\nfor_ms = [1, 2, 3]",
                "length 3, expected a time in milliseconds",
            ),
            (
                "faults = [\"kill\"]\nevery_ms = 0",
                "every_ms must be more than 0",
            ),
            (
                "faults = [\"kill:leader\", \"pause:n2\"]\norder = \"sequence\"\nfor_ms = 16000",
                "number 1: there is no time for `pause:n2`, as the track ends at 30000 ms",
            ),
            (
                "faults = [\"kill:leader\", \"kill:n2\"]\norder = \"sequence\"\nevery_ms = 40000",
                "there is no time for `kill:n2`, as the track ends at 30000 ms",
            ),
            (
                "faults = [\"kill:leader\", \"standard\", \"pause\"]\norder = \"sequence\"\nfor_ms = 16000",
                "there is no time for `pause`, as",
            ),
            (
                "faults = [\"kill\"]\nuntil_ms = 1501",
                "there is no time for `kill`",
            ),
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

    #[test]
    fn a_sequence_is_what_was_listed_and_a_mix_that_goes_on_need_not_have_all() {
        let shapes = |text: &str| {
            let plan = plan(text).unwrap();
            plan.faults
                .iter()
                .map(|fault| format!("{}:{}", fault.fault, fault.shape))
                .collect::<Vec<_>>()
        };
        let listed = r#"faults = ["kill:n3", "pause:n2", "kill:n1", "kill:n3"]"#;
        let once = ["kill:n3", "pause:n2", "kill:n1", "kill:n3"];
        assert_eq!(
            shapes(&format!("[[schedule]]\n{listed}\norder = \"sequence\"")),
            once
        );
        let mut mixed = shapes(&format!("[[schedule]]\n{listed}"));
        mixed.sort_unstable();
        assert_eq!(mixed, ["kill:n1", "kill:n3", "kill:n3", "pause:n2"]);
        let seldom = shapes(&format!("[[schedule]]\n{listed}\nevery_ms = 20000"));
        assert_eq!(seldom.len(), 2);
        // What is only one of a set may be missing; the run is then told not to have exercised it.
        let some = shapes("[[schedule]]\nfaults = [\"standard\"]\nfor_ms = 12000");
        assert_eq!(some.len(), 2);
        let both = "faults = [\"kill:leader\", \"standard\", \"pause:n2\"]\norder = \"sequence\"";
        let gives_way = shapes(&format!("[[schedule]]\n{both}\nfor_ms = 9000"));
        assert_eq!((gives_way.len(), gives_way[2].as_str()), (3, "pause:n2"));
    }

    #[test]
    fn more_faults_than_can_be_meant_are_refused_before_they_are_drawn() {
        let for_a_day = |every_ms: u64, tables: usize| {
            let table = format!("[[schedule]]\nfaults = [\"kill\"]\nevery_ms = {every_ms}\n");
            Plan::new(Request {
                schedule: Track::parse(&table.repeat(tables)).unwrap(),
                time_limit: Duration::from_secs(24 * 3600),
                ..request()
            })
        };
        let error = format!("{:#}", for_a_day(1, 1).unwrap_err());
        assert!(
            error.contains(
                "every_ms makes 86398500 faults from 1500 to 86400000 ms; a plan may have at most 100000"
            ),
            "{error}"
        );
        let error = for_a_day(1_000, 2).unwrap_err().to_string();
        assert!(
            error.contains("tables make 1727") && error.contains("a plan may have at most 100000"),
            "{error}"
        );
    }

    #[test]
    fn what_is_drawn_for_the_longest_load_is_not_too_much() {
        for fault in ["all", "kill"] {
            let drawn = Plan::new(Request {
                target: "viewstamped".into(),
                binary_b: Some("/tmp/b".into()),
                nemesis: vec![fault.into()],
                time_limit: Duration::from_secs(24 * 3600),
                ..request()
            });
            assert!(drawn.unwrap().faults.len() <= FAULTS_MAX, "{fault}");
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
        assert!(read("").unwrap_err().contains("schedule.toml` has no table"));
        let typo = format!("{GOOD}\n[[schedul]]\nfaults = [\"kill\"]\n");
        let told = read(&typo).unwrap_err();
        assert!(
            told.contains("unknown field `schedul`, expected `schedule`") && told.contains("line 14"),
            "{told}"
        );
        assert!(
            told.contains("[[schedule]] tables and nothing else, or be a whole plan.toml"),
            "{told}"
        );
        let text = toml::to_string(&plan(GOOD).unwrap()).unwrap();
        assert_eq!(read(&text).unwrap().len(), 2);
        let told = read(&text.replacen("rate = ", "rat = 1\nrate = ", 1)).unwrap_err();
        assert!(
            told.contains("a whole plan.toml") && told.contains("unknown field `rat`"),
            "{told}"
        );
        let told = read(&format!("format = 1\n{GOOD}")).unwrap_err();
        assert!(told.contains("missing field"), "{told}");
        let told = read(&text.replacen("format = 1", "format = 9", 1)).unwrap_err();
        assert!(told.contains("is a plan of format 9"), "{told}");
        assert!(
            read("\n[[schedule]]\nfaults = 3\n")
                .unwrap_err()
                .contains("line 3")
        );
        assert!(Track::read(&folder.path().join("none")).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_told_with_the_file_and_the_table() {
        let refused = |more: &str| {
            let plan = Plan::new(Request {
                schedule: Track::parse(&format!("{GOOD}\n[[schedule]]\n{more}")).unwrap(),
                schedule_file: Some("a/stall.toml".into()),
                ..request()
            });
            format!("{:#}", plan.unwrap_err())
        };
        let where_ = "`a/stall.toml`: [[schedule]] number 3: ";
        for (more, what) in [
            ("faults = []", "`faults` is empty"),
            ("faults = [\"flood\"]", "unknown fault `flood`"),
            (
                "faults = [\"kill\"]\nat_ms = 29999",
                "there is no time for `kill`",
            ),
        ] {
            let told = refused(more);
            assert!(told.starts_with(&format!("{where_}{what}")), "{told}");
        }
    }
}
