//! `partita clean`: removes whatever a dead run left behind. Of this, every `run` ends the processes when it starts.

use std::path::{Path, PathBuf};

use anyhow::Context;
use partita_checker::Verdict;
use partita_nemesis::clean::Removed;

use super::{Failure, print, say, units};
use crate::run::directory;
use crate::run::keep::Keep;

/// Arguments of `clean`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Where run directories are
    #[arg(long, default_value = "runs")]
    runs_dir: PathBuf,
    #[command(flatten)]
    keep: Keep,
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    let removed = partita_nemesis::clean::clean();
    let groups = partita_nemesis::clean::clean_groups();
    print(&told(&removed, &groups));
    for run in directory::killed(&arguments.runs_dir) {
        directory::remove_data(&run).with_context(|| format!("`{}` can't be cleaned", run.display()))?;
        print(&format!(
            "{} was killed before it had a verdict; its nodes' data is removed; `partita check {}` judges what it \
             recorded\n",
            run.display(),
            run.join("history.jsonl").display()
        ));
    }
    if arguments.runs_dir.is_dir() {
        remove_old(&arguments.keep, &arguments.runs_dir, None)?;
    }
    Ok(Verdict::Valid)
}

/// What was removed.
fn told(processes: &[Removed], groups: &[PathBuf]) -> String {
    if processes.is_empty() && groups.is_empty() {
        return "nothing of a dead run was left (namespaces, rules and links end with their processes)\n"
            .into();
    }
    let processes = processes.iter().map(|process| {
        format!(
            "killed process {} of run {}: {}\n",
            process.pid, process.run, process.command
        )
    });
    let groups = groups
        .iter()
        .map(|group| format!("removed control group {}\n", group.display()));
    processes.chain(groups).collect()
}

/// Removes what is too old, and tells of it.
pub(super) fn remove_old(keep: &Keep, directory: &Path, own: Option<&Path>) -> anyhow::Result<()> {
    let removed = keep
        .remove_old(directory, own)
        .with_context(|| format!("`{}` can't be cleaned", directory.display()))?;
    for it in &removed {
        say(&format!(
            "removed {} ({})",
            it.path.display(),
            units::size(it.bytes)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_removed_as_text() {
        let process = Removed {
            pid: 4711,
            command: "partita node raft --id n1".into(),
            run: "20261121T020000Z-raft-7".into(),
        };
        let group = PathBuf::from("/sys/fs/cgroup/partita-7");
        insta::assert_snapshot!(told(&[], &[]) + &told(&[process], &[group]));
    }
}
