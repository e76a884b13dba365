//! The run directory: `runs/<time>-<target>-<workload>-<seed>/`, with `runs/latest` pointing to the newest.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Timestamp;

use crate::plan::Plan;

/// Makes a new run directory with its plan in it.
///
/// # Errors
/// When it can't be written.
///
/// The plan stays locked while the controller lives: that is how `clean` tells a run that goes on from one that
/// was killed.
pub(crate) fn create(runs: &Path, plan: &Plan, started: Timestamp) -> anyhow::Result<(PathBuf, File)> {
    let time = started.strftime("%Y%m%dT%H%M%SZ");
    let name = format!("{time}-{}-{}-{}", plan.target, plan.workload, plan.seed);
    let cannot = || format!("a run directory can't be made in `{}`", runs.display());
    fs::create_dir_all(runs).with_context(cannot)?;
    let runs = runs.canonicalize().with_context(cannot)?;
    // Two runs may begin in the same second.
    let directory = (1..)
        .map(|copy| {
            if copy == 1 {
                runs.join(&name)
            } else {
                runs.join(format!("{name}-{copy}"))
            }
        })
        .find_map(|directory| match fs::create_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
            made => Some(made.map(|()| directory)),
        })
        .expect("the names never end")
        .with_context(cannot)?;
    for node in &plan.nodes {
        fs::create_dir_all(node_directory(&directory, node).join("data")).with_context(cannot)?;
    }
    let text = toml::to_string(plan).context("the plan can't be put in words")?;
    let mut file = File::create_new(directory.join("plan.toml")).with_context(cannot)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.lock())
        .with_context(cannot)?;
    point_latest(&runs, &directory)
        .with_context(|| format!("`{}` can't be made", runs.join("latest").display()))?;
    Ok((directory, file))
}

/// A node's own directory.
pub(crate) fn node_directory(run: &Path, node: &str) -> PathBuf {
    run.join("nodes").join(node)
}

/// Puts the link in place at once, so that `latest` is there at every moment.
fn point_latest(runs: &Path, directory: &Path) -> io::Result<()> {
    let name = directory.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    // Several runs may do this at once, each in a PID namespace of its own, where all have the same pid.
    let new = runs.join(format!(".latest-{}", name.to_string_lossy()));
    let _ = fs::remove_file(&new);
    std::os::unix::fs::symlink(name, &new)?;
    fs::rename(&new, runs.join("latest"))
}

/// Removes what the nodes stored, but not their logs: it is of use only to find out why a run went wrong.
pub(crate) fn remove_data(run: &Path) -> io::Result<()> {
    for node in fs::read_dir(run.join("nodes"))? {
        let data = node?.path().join("data");
        let deadline = Instant::now() + DYING;
        loop {
            match fs::remove_dir_all(&data) {
                // A node that is just being killed may still make a file.
                Err(error)
                    if error.kind() == io::ErrorKind::DirectoryNotEmpty && Instant::now() < deadline => {}
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => break,
            }
        }
    }
    Ok(())
}

/// What all files in a directory take, in bytes, but for their holes. Links are not followed.
pub(crate) fn size(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            size(&entry.path())?
        } else {
            let file = entry.metadata()?;
            file.len().min(file.blocks() * BLOCK_BYTES)
        };
    }
    Ok(bytes)
}

/// What `stat` counts in, whatever the file system (stat(2)).
const BLOCK_BYTES: u64 = 512;

/// How long a controller that was killed may take to be gone: the kernel lets go of its lock only then.
const DYING: Duration = Duration::from_secs(2);

/// The runs that began and were killed before they had a verdict. A plan alone is no run.
pub(crate) fn killed(runs: &Path) -> Vec<PathBuf> {
    let deadline = Instant::now() + DYING;
    let dead = |run: &PathBuf| {
        if run.join("verdict.json").exists() || !run.join("nodes").is_dir() {
            return false;
        }
        let Ok(plan) = File::open(run.join("plan.toml")) else {
            return false;
        };
        loop {
            match plan.try_lock_shared() {
                Ok(()) => return true,
                Err(_) if Instant::now() >= deadline => return false,
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    };
    let entries = fs::read_dir(runs).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut killed: Vec<_> = directories.map(|entry| entry.path()).filter(dead).collect();
    killed.sort();
    killed
}

/// Writes a file so that it is never seen half written.
pub(crate) fn write(run: &Path, name: &str, contents: &str) -> anyhow::Result<()> {
    let new = run.join(format!(".{name}"));
    fs::write(&new, contents)
        .and_then(|()| fs::rename(&new, run.join(name)))
        .with_context(|| format!("`{}` can't be written", run.join(name).display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_beside_runs_is_no_run_that_was_killed() {
        let home = tempfile::tempdir().unwrap();
        for name in ["shrinking", "run"] {
            fs::create_dir(home.path().join(name)).unwrap();
            fs::write(home.path().join(name).join("plan.toml"), "").unwrap();
        }
        let data = home.path().join("run/nodes/n1/data");
        fs::create_dir_all(&data).unwrap();
        assert_eq!(killed(home.path()), [home.path().join("run")]);
        remove_data(&home.path().join("run")).unwrap();
        assert!(!data.exists());
    }
}
