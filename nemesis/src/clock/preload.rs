//! Bending the wall clock of programs that are begun with libfaketime, where their vDSO can't be had.
//!
//! The library stands between a program and the C library's functions for reading the clock (LD_PRELOAD), and looks
//! into a file each time for how far the clock is to be off. It is told offsets only: what it knows of rates counts
//! from the start of each process, so a clock that is to run faster or slower goes in small steps of ours instead.
//!
//! What it does not reach: the monotonic clock (the library would take it back, too), programs without the C library
//! or linked with it statically, those in Go, which read clocks past it, and those that can't bear the library at all.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};

use super::course::Bend;
use super::{ClockError, Epoch, Kind, shows};
use crate::procfs;

const LIBRARY: &str = "libfaketimeMT.so.1";
/// Below these, or below a folder in them that is called after the machine, systems keep it.
const FOLDERS: [&str; 3] = ["/usr/lib", "/usr/lib64", "/usr/local/lib"];

/// A clock that goes at another pace is set this often.
const STEP: Duration = Duration::from_millis(10);
/// One that was not set for longer than this, in nanoseconds, is not as it ought to be.
const STEP_MAX: i64 = 1_000_000_000;

/// How long a process that has only just begun may be without the library.
const LINKING: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Where the library shares with what a process begins. One that is killed leaves two files there.
const SHARED: &str = "/dev/shm";

/// Gives all that we begin from now on a folder for shared memory that ends with our mount namespace, for the library's
/// names in it are told apart by pids, which are others' too. Not if it would hide one of these paths.
pub(crate) fn own_shared_memory(paths: &[&Path]) -> io::Result<()> {
    if paths.iter().any(|path| path.starts_with(SHARED)) {
        return Ok(());
    }
    let (kind, flags) = (Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV);
    Ok(mount(kind, SHARED, kind, flags, Some("mode=1777"))?)
}

/// The note in which Go's linker names the build (`.note.go.buildid`), from its type on. It lies in the first page.
const GO: &[u8] = b"\x04\0\0\0Go\0\0";
const PAGE: u64 = 4_096;

/// How a node's programs are begun with the library, and how far it has them be off.
#[derive(Debug)]
pub(super) struct Preload {
    library: PathBuf,
    file: Arc<File>,
    /// The first processes of the node.
    leaders: Vec<i32>,
    /// What is known of programs: whether they are written in Go.
    programs: BTreeMap<PathBuf, bool>,
}

/// The file in which the library looks how far a clock is to be off.
#[derive(Debug)]
struct File {
    path: PathBuf,
    epoch: Epoch,
    said: Mutex<Said>,
    changed: Condvar,
}

#[derive(Debug)]
struct Said {
    bend: Bend,
    /// When it was said last, since the epoch.
    at: i64,
    /// Nobody is to say anything any more.
    over: bool,
}

/// The library, if it is installed.
pub(super) fn library() -> Option<PathBuf> {
    let below = |folder: &Path| folder.join("faketime").join(LIBRARY);
    FOLDERS.iter().map(Path::new).find_map(|folder| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths = std::iter::once(below(folder)).chain(entries.map(|entry| below(&entry.path())));
        // As the kernel names it in the maps of processes.
        paths.find_map(|path| path.canonicalize().ok())
    })
}

/// Does the library do what it is to do? Tried on a program that reads the clock.
pub(super) fn attempt(library: &Path) -> Result<(), ClockError> {
    const MINUTE: i64 = 60_000_000_000;
    let mut reader = reader();
    begin_with(&mut reader, library);
    let ahead = read(reader.env("FAKETIME", "+60"))? - shows(Kind::Wall.number())?;
    if (ahead - MINUTE).abs() < MINUTE / 2 {
        Ok(())
    } else {
        Err(ClockError::Odd("it had no effect".into()))
    }
}

/// A program that prints the wall clock, in nanoseconds.
fn reader() -> Command {
    let mut command = Command::new("date");
    command.arg("+%s%N").stdin(Stdio::null()).stderr(Stdio::null());
    command
}

fn read(reader: &mut Command) -> Result<i64, ClockError> {
    let told = reader.output()?.stdout;
    let told = String::from_utf8_lossy(&told);
    let odd = |_| ClockError::Odd(format!("date +%s%N tells no time: `{}`", told.trim()));
    told.trim().parse().map_err(odd)
}

/// Has a program use the library for its wall clock and nothing else, besides what is preloaded anyway.
fn begin_with(command: &mut Command, library: &Path) {
    const PRELOAD: &str = "LD_PRELOAD";
    let given = command.get_envs().find(|(name, _)| *name == OsStr::new(PRELOAD));
    let given = given.map_or_else(
        || std::env::var_os(PRELOAD),
        |(_, value)| value.map(OsStr::to_owned),
    );
    let mut all = OsString::from(library);
    if let Some(given) = given {
        all.push(":");
        all.push(given);
    }
    command
        .env(PRELOAD, all)
        .env_remove("FAKETIME")
        .env_remove("FAKETIME_SHARED")
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1")
        // Who waits by the monotonic clock is not to be given the other one, or waits for ever, as Java does.
        .env("FAKETIME_FORCE_MONOTONIC_FIX", "0");
}

impl Preload {
    /// With this file of ours, which as yet says that the clock is right.
    pub(super) fn new(library: &Path, path: &Path, epoch: Epoch) -> io::Result<Preload> {
        let file = Arc::new(File {
            path: path.to_owned(),
            epoch,
            said: Mutex::new(Said {
                bend: Bend::NONE,
                at: 0,
                over: false,
            }),
            changed: Condvar::new(),
        });
        file.say(&mut file.lock())?;
        let theirs = Arc::clone(&file);
        std::thread::Builder::new()
            .name("faketime".into())
            .spawn(move || theirs.keep_saying())?;
        Ok(Preload {
            library: library.to_owned(),
            file,
            leaders: Vec::new(),
            programs: BTreeMap::new(),
        })
    }

    /// Has a program that is about to be begun look into the file.
    pub(super) fn put_into(&self, command: &mut Command) {
        begin_with(command, &self.library);
        command.env("FAKETIME_TIMESTAMP_FILE", &self.file.path);
    }

    /// From now on the clock is off by this much.
    pub(super) fn follow(&mut self, leader: Option<i32>, bend: Bend) -> Result<(), ClockError> {
        self.leaders
            .extend(leader.filter(|pid| !self.leaders.contains(pid)));
        let mut said = self.file.lock();
        said.bend = bend;
        self.file.say(&mut said)?;
        self.file.changed.notify_all();
        Ok(())
    }

    /// Does the file say that the clock is right?
    pub(super) fn is_right(&self) -> bool {
        let said = self.file.lock();
        said.bend == Bend::NONE && fs::read_to_string(&self.file.path).is_ok_and(|text| text == offset(0))
    }

    /// What a program shows that is begun as the node's are, and since when the file has said so.
    pub(super) fn read(&self) -> Result<(i64, i64), ClockError> {
        let since = self.file.lock().at.max(self.file.epoch.elapsed() - STEP_MAX);
        let mut reader = reader();
        self.put_into(&mut reader);
        Ok((read(&mut reader)?, since))
    }

    /// Why a node's clock is none of the library's; `None` if every process of the node has it, and none goes past it.
    pub(super) fn lacking(&mut self, leader: i32) -> Option<String> {
        let begun = Instant::now();
        loop {
            let lives = |pid: &i32| procfs::stat(*pid).is_some_and(|stat| !stat.has_ended());
            let lacks = |pid: &i32| !procfs::has_mapped(*pid, &self.library).unwrap_or(false);
            let family = procfs::family(leader);
            let Some(&lacking) = family.iter().find(|&pid| lacks(pid) && lives(pid)) else {
                let pid = family.into_iter().find(|&pid| self.is_of_go(pid))?;
                let command = program(pid);
                return Some(format!(
                    "pid {pid} ({command}) is written in Go, which reads clocks by itself"
                ));
            };
            if begun.elapsed() > LINKING {
                let command = program(lacking);
                return Some(format!(
                    "pid {lacking} ({command}) has not loaded libfaketime: it is linked statically, or begun without it"
                ));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Preload {
    /// Does a process read clocks past the C library, though it may have loaded it?
    fn is_of_go(&mut self, pid: i32) -> bool {
        let Ok(program) = fs::read_link(format!("/proc/{pid}/exe")) else {
            return false;
        };
        let look = || {
            let mut head = Vec::new();
            let program = fs::File::open(format!("/proc/{pid}/exe"));
            let read = program.and_then(|program| program.take(PAGE).read_to_end(&mut head));
            read.is_ok() && head.windows(GO.len()).any(|part| part == GO)
        };
        *self.programs.entry(program).or_insert_with(look)
    }
}

impl Drop for Preload {
    fn drop(&mut self) {
        self.file.lock().over = true;
        self.file.changed.notify_all();
        for pid in &self.leaders {
            for name in ["sem.faketime_sem_", "faketime_shm_"] {
                let _ = fs::remove_file(format!("{SHARED}/{name}{pid}"));
            }
        }
    }
}

impl File {
    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody ever sees half of what is said.
    fn say(&self, said: &mut Said) -> io::Result<()> {
        let now = self.epoch.elapsed();
        let next = self.path.with_extension("next");
        fs::write(&next, offset(said.bend.offset(now)))?;
        fs::rename(&next, &self.path)?;
        said.at = now;
        Ok(())
    }

    /// Says it again and again, as long as it changes by itself.
    fn keep_saying(&self) {
        let mut said = self.lock();
        while !said.over {
            if said.bend.rate == 0 && said.bend.half == 0 {
                said = self.changed.wait(said).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            if let Err(error) = self.say(&mut said) {
                // Whoever compares clocks will see that it stays where it is.
                tracing::error!("{}: {error}", self.path.display());
            }
            let waited = self.changed.wait_timeout(said, STEP);
            said = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The program that a process was begun with.
fn program(pid: i32) -> String {
    let command = procfs::command(pid);
    command.split(' ').next().unwrap_or_default().to_owned()
}

/// As the library reads it, from nanoseconds.
fn offset(by: i64) -> String {
    let sign = if by < 0 { '-' } else { '+' };
    let by = by.unsigned_abs();
    format!("{sign}{}.{:09}\n", by / 1_000_000_000, by % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_written_with_all_their_digits() {
        assert_eq!(offset(0), "+0.000000000\n");
        assert_eq!(offset(-1_000_000), "-0.001000000\n");
        assert_eq!(offset(3_600_500_000_000), "+3600.500000000\n");
    }
}
