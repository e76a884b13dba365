//! What of old runs and nights is kept.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use partita_checker::Verdict;
use serde::Deserialize;

use super::directory;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
pub(crate) struct Keep {
    /// Keep only so many runs and nights in that directory, the newest, and remove the others
    #[arg(long, value_name = "NUMBER")]
    keep: Option<usize>,
    /// Of the others, keep those that did not pass
    #[arg(long, requires = "keep")]
    keep_failures: bool,
}

/// What was removed.
pub(crate) struct Removed {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// Of a verdict, what is of interest here.
#[derive(Deserialize)]
struct Judged {
    verdict: Verdict,
}

/// What a directory must have in it to be one of ours that is over: what it did, and what came of it.
const OVER: [(&str, &str); 2] = [("plan.toml", "verdict.json"), ("night.json", "result.json")];

impl Keep {
    /// Removes what is too old. Only runs and nights that are over are ever removed, and links never followed. Our own,
    /// if this is the end of one, counts as the newest.
    ///
    /// # Errors
    /// When something can't be removed.
    pub(crate) fn remove_old(&self, directory: &Path, own: Option<&Path>) -> io::Result<Vec<Removed>> {
        let Some(keep) = self.keep else {
            return Ok(Vec::new());
        };
        let keep = keep.saturating_sub(usize::from(own.is_some()));
        let mut over = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && own != Some(entry.path().as_path()) {
                over.extend(ended(&entry.path()).map(|(when, verdict)| (when, entry.path(), verdict)));
            }
        }
        over.sort();
        let old = over.len().saturating_sub(keep);
        let mut removed = Vec::new();
        for (_, path, verdict) in over.into_iter().take(old) {
            if self.keep_failures && verdict != Some(Verdict::Valid) {
                continue;
            }
            match remove(&path) {
                Ok(Some(bytes)) => removed.push(Removed { path, bytes }),
                Ok(None) => {}
                // Somebody else removes what is old, too.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }
}

/// Removes it, unless somebody has taken it up in the meantime. The size it had.
fn remove(path: &Path) -> io::Result<Option<u64>> {
    let Some((plan, result)) = files(path) else {
        return Ok(None);
    };
    // Held until all is gone, so that nobody can take it up.
    let lock = File::open(plan)?;
    if lock.try_lock().is_err() || !result.is_file() {
        return Ok(None);
    }
    let bytes = directory::size(path)?;
    fs::remove_dir_all(path)?;
    Ok(Some(bytes))
}

/// What it did and what came of it, if it is a run or a night that came to something.
fn files(path: &Path) -> Option<(PathBuf, PathBuf)> {
    OVER.iter()
        .map(|(plan, result)| (path.join(plan), path.join(result)))
        .find(|(plan, result)| plan.is_file() && result.is_file())
}

/// When a run or a night was over, and its verdict, if it can be read; nothing of one that goes on, and of what is
/// neither.
fn ended(path: &Path) -> Option<(SystemTime, Option<Verdict>)> {
    let (plan, result) = files(path)?;
    // Whoever is at it holds its lock.
    File::open(plan).ok()?.try_lock_shared().ok()?;
    let when = fs::metadata(&result)
        .and_then(|metadata| metadata.modified())
        .ok()?;
    let text = fs::read_to_string(result).ok()?;
    let judged: Option<Judged> = serde_json::from_str(&text).ok();
    Some((when, judged.map(|judged| judged.verdict)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    fn make(directory: &Path, name: &str, (plan, result): (&str, &str), verdict: &str, age: u64) {
        let run = directory.join(name);
        fs::create_dir(&run).unwrap();
        fs::write(run.join(plan), "").unwrap();
        let result = run.join(result);
        fs::write(&result, format!(r#"{{"verdict":"{verdict}","more":1}}"#)).unwrap();
        let when = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - age);
        File::options()
            .append(true)
            .open(result)
            .unwrap()
            .set_modified(when)
            .unwrap();
    }

    fn names(directory: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn the_newest_and_the_failures_are_kept_and_nothing_else_is_touched() {
        let home = tempfile::tempdir().unwrap();
        let runs = home.path();
        make(runs, "new", OVER[0], "valid", 1);
        make(runs, "newer", OVER[1], "valid", 0);
        make(runs, "old", OVER[0], "valid", 9);
        make(runs, "old-night", OVER[1], "valid", 8);
        make(runs, "old-failure", OVER[0], "invalid", 7);
        fs::create_dir(runs.join("not-ours")).unwrap();
        fs::create_dir(runs.join("going-on")).unwrap();
        fs::write(runs.join("going-on/plan.toml"), "").unwrap();
        std::os::unix::fs::symlink(runs.join("old"), runs.join("latest")).unwrap();
        let keep = |keep, keep_failures| Keep { keep, keep_failures };
        assert!(keep(None, false).remove_old(runs, None).unwrap().is_empty());
        let removed = keep(Some(2), true).remove_old(runs, None).unwrap();
        assert_eq!(removed.len(), 2);
        assert!(removed[0].path.ends_with("old") && removed[0].bytes > 0);
        let left = ["going-on", "latest", "new", "newer", "not-ours", "old-failure"];
        assert_eq!(names(runs), left.map(str::to_owned).into());
        keep(Some(1), false).remove_old(runs, None).unwrap();
        assert!(names(runs).contains("newer") && !names(runs).contains("old-failure"));
    }

    #[test]
    fn the_night_that_ends_is_one_of_those_that_are_kept_and_one_that_goes_on_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let nights = home.path();
        for (name, age) in [("taken-up", 9), ("old", 2), ("older", 3), ("own", 0)] {
            make(nights, name, OVER[1], "valid", age);
        }
        let lock = |name: &str| {
            let file = File::open(nights.join(name).join("night.json")).unwrap();
            file.lock().unwrap();
            file
        };
        let _locks = [lock("own"), lock("taken-up")];
        let keep = Keep {
            keep: Some(2),
            keep_failures: false,
        };
        keep.remove_old(nights, Some(&nights.join("own"))).unwrap();
        assert_eq!(
            names(nights),
            ["old", "own", "taken-up"].map(str::to_owned).into()
        );
        assert_eq!(remove(&nights.join("taken-up")).unwrap(), None);
        assert_eq!(remove(&nights.join("older")).unwrap(), None);
    }
}
