//! A node's disk where nothing of ours can be mounted: a plain folder, of which we learn when it is to be synced.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;

use super::gate::Gate;
use super::notice::{self, Letterbox, Listener, Question};
use super::trouble::{Call, Troubles};
use crate::lab::hear_of_children;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(super) folder: PathBuf,
    pub(super) answers: Arc<Answers>,
}

/// What decides about an answer.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) gate: Gate,
    pub(super) troubles: Troubles,
}

/// A child that is about to ask.
#[derive(Debug)]
pub(crate) struct Watch {
    folder: PathBuf,
    answers: Arc<Answers>,
    letterbox: Letterbox,
}

impl Answered {
    pub(super) fn new(folder: &Path) -> io::Result<Answered> {
        fs::create_dir_all(folder)?;
        Ok(Answered {
            folder: folder.canonicalize()?,
            answers: Arc::new(Answers {
                gate: Gate::new(),
                troubles: Troubles::default(),
            }),
        })
    }

    /// Has the child ask us before it syncs.
    pub(super) fn watch(&self, command: &mut Command) -> io::Result<Watch> {
        Ok(Watch {
            folder: self.folder.clone(),
            answers: Arc::clone(&self.answers),
            letterbox: notice::ask_first(command)?,
        })
    }
}

impl Watch {
    /// The child has begun its program: answers until it has ended, with all that it begins.
    pub(crate) fn begin(self) -> io::Result<()> {
        let listener = Arc::new(self.letterbox.listener()?);
        let (folder, answers) = (self.folder, self.answers);
        let serve = move || {
            loop {
                match listener.next() {
                    Ok(Some(question)) => answers.decide(&listener, question, &folder),
                    Ok(None) => return,
                    Err(error) => {
                        // Without a listener each sync fails, which the node will say.
                        tracing::error!("syncs are no longer answered: {error}");
                        return;
                    }
                }
            }
        };
        std::thread::Builder::new()
            .name("syncs".into())
            .spawn(serve)
            .map(drop)
    }
}

impl Answers {
    fn decide(self: &Arc<Self>, listener: &Arc<Listener>, question: Question, folder: &Path) {
        // It names what the thread has open. Who has ended since has nothing open, and needs no answer.
        let file = format!("/proc/{}/fd/{}", question.thread, question.descriptor);
        let file = fs::read_link(file).unwrap_or_default();
        let Ok(below) = file.strip_prefix(folder).map(Path::to_owned) else {
            return listener.answer(question, None);
        };
        if let Some(refusal) = self.troubles.refusal(Call::Sync, &|| Some(below.clone())) {
            return listener.answer(question, Some(refusal));
        }
        if !self.troubles.is_slow() {
            return listener.answer(question, None);
        }
        let (answers, theirs) = (Arc::clone(self), Arc::clone(listener));
        let hold = move || {
            answers.troubles.hold_up(&answers.gate, &|| Some(below.clone()));
            theirs.answer(question, None);
        };
        // The others must not wait for this one.
        if let Err(error) = std::thread::Builder::new().name("sync".into()).spawn(hold) {
            tracing::error!("a sync can't be held up: {error}");
            listener.answer(question, None);
        }
    }
}

/// Why syncs can't be answered here; found out once.
pub(super) fn obstacle() -> Option<&'static str> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        hear_of_children();
        let error = notice::trial().err()?;
        Some(match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EBUSY) => "a filter that is already in force asks somebody else".to_owned(),
            _ => format!("no filter of system calls can be installed ({error})"),
        })
    });
    found.as_deref()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Output, Stdio};
    use std::time::Duration;

    use super::super::pattern::Pattern;
    use super::super::trouble::{Calls, Trouble};
    use super::*;

    /// Writes and syncs a file of each folder; says what became of it.
    fn begin(disk: &Answered, folders: &[&Path]) -> Child {
        let mut command = Command::new("sh");
        command
            .args(["-c", "for folder; do dd if=/dev/zero of=$folder/f count=1 conv=fsync 2>/dev/null && echo yes || echo no; done", "sh"])
            .args(folders)
            .stdout(Stdio::piped());
        let watch = disk.watch(&mut command).unwrap();
        let child = command.spawn().unwrap();
        watch.begin().unwrap();
        child
    }

    fn calls_of_sync() -> Calls {
        Calls {
            sync: true,
            ..Calls::default()
        }
    }

    fn said(output: &Output) -> &str {
        std::str::from_utf8(&output.stdout).unwrap()
    }

    fn wait_until(what: impl Fn() -> bool) {
        let begun = std::time::Instant::now();
        while !what() {
            assert!(begun.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[expect(clippy::print_stdout, reason = "what a test skips belongs on its output")]
    #[test]
    fn only_syncs_of_its_own_folder_are_troubled() {
        if let Some(why) = obstacle() {
            println!("*** SKIPPED: {why} ***");
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let [data, other] = ["data", "other"].map(|name| root.path().join(name));
        std::fs::create_dir(&other).unwrap();
        let disk = Answered::new(&data).unwrap();
        let both = [data.as_path(), other.as_path()];
        let run = || begin(&disk, &both).wait_with_output().unwrap();
        assert_eq!(said(&run()), "yes\nyes\n");

        let (gate, troubles) = (&disk.answers.gate, &disk.answers.troubles);
        troubles.begin(1, Trouble::Refuse(calls_of_sync(), Errno::EIO), None);
        assert_eq!(said(&run()), "no\nyes\n");
        assert_eq!(troubles.end(1).unwrap().calls, 1);

        // Of other files only.
        for (pattern, expected, calls) in [("*.wal", "yes\nyes\n", 0), ("?", "no\nyes\n", 1)] {
            let files = Some(Pattern::new(pattern));
            troubles.begin(4, Trouble::Refuse(calls_of_sync(), Errno::EIO), files);
            assert_eq!(said(&run()), expected, "{pattern}");
            assert_eq!(troubles.end(4).unwrap().calls, calls, "{pattern}");
        }

        troubles.begin(2, Trouble::Slow(Some(Duration::from_millis(30))), None);
        assert_eq!(said(&run()), "yes\nyes\n");
        let hits = troubles.end(2).unwrap();
        assert!((hits.calls, hits.over) == (1, 1) && hits.longest >= Duration::from_millis(30));

        troubles.begin(3, Trouble::Slow(None), None);
        let child = begin(&disk, &both);
        wait_until(|| troubles.hits(3).unwrap().calls == 1);
        troubles.end(3);
        gate.tell();
        assert_eq!(said(&child.wait_with_output().unwrap()), "yes\nyes\n");
    }
}
