//! By which means this machine lets us bend clocks, found out by doing it to a process that does nothing.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use nix::errno::Errno;

use super::course::Bend;
use super::{ClockError, Epoch, Kind, machine, preload, shows};
use crate::lab::Trouble;

/// How clocks are bent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// In the memory of processes, whatever they are.
    Vdso,
    /// By this library, which programs are begun with.
    Preload(PathBuf),
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Means::Vdso => "code of ours in the vDSO (ptrace)",
            Means::Preload(_) => {
                "libfaketime: the wall clock alone, in steps of 10 ms, of programs that load it (no static ones), read clocks \
                 by it (none in Go) and bear it (Debian's redis-server does not)"
            }
        })
    }
}

/// The better means that there is, or what stands in the way of both. Found out once, on the calling thread.
pub(crate) fn means() -> Result<Means, &'static Trouble> {
    static FOUND: OnceLock<Result<Means, Trouble>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let Some(Trouble { why, remedy }) = obstacle() else {
            return Ok(Means::Vdso);
        };
        let lacks = |lack: String, remedy| Trouble {
            why: format!("{why}, and {lack}"),
            remedy,
        };
        let Some(library) = preload::library() else {
            let remedy = format!("{remedy}; or, for wall clocks only, apt-get install libfaketime");
            return Err(lacks("libfaketime is not installed".into(), remedy));
        };
        match preload::attempt(&library) {
            Ok(()) => Ok(Means::Preload(library)),
            Err(error) => Err(lacks(
                format!("libfaketime does not work ({error})"),
                remedy.clone(),
            )),
        }
    });
    match found {
        Ok(means) => Ok(means.clone()),
        Err(trouble) => Err(trouble),
    }
}

/// What stands in the way of bending them in memory, if anything does.
pub(super) fn obstacle() -> Option<&'static Trouble> {
    static OBSTACLE: OnceLock<Option<Trouble>> = OnceLock::new();
    OBSTACLE.get_or_init(|| attempt().err()).as_ref()
}

fn attempt() -> Result<(), Trouble> {
    let sleeper = Command::new("sleep")
        .arg("60")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut sleeper = sleeper.map_err(|error| Trouble {
        why: format!("no process can be started to try it on (sleep: {error})"),
        remedy: "apt-get install coreutils".into(),
    })?;
    let tried = on(&sleeper);
    // It may have ended meanwhile, which is as well.
    let _ = sleeper.kill();
    let _ = sleeper.wait();
    tried.map_err(|error| explain(&error))
}

/// Puts a clock ahead by a minute, reads it, and puts it back.
fn on(sleeper: &Child) -> Result<(), ClockError> {
    const MINUTE: i64 = 60_000_000_000;
    let pid = sleeper.id().cast_signed();
    let ahead = Bend {
        step: MINUTE,
        ..Bend::NONE
    };
    let reads = |least: i64| -> Result<bool, ClockError> {
        let ahead = machine::read(pid, Kind::Wall.number())? - shows(Kind::Wall.number())?;
        Ok((ahead - least).abs() < MINUTE / 2)
    };
    machine::bend(pid, &Epoch::now().0, Some((ahead, Bend::NONE)))?;
    let bent = reads(MINUTE)?;
    machine::bend(pid, &Epoch::now().0, None)?;
    if bent && reads(0)? && !machine::is_bent(pid)? {
        Ok(())
    } else {
        Err(ClockError::Odd("it had no effect".into()))
    }
}

fn explain(error: &ClockError) -> Trouble {
    let refused = matches!(
        error,
        ClockError::Refused(Errno::EPERM | Errno::EACCES | Errno::ENOSYS)
    ) || matches!(error, ClockError::Memory(_));
    let remedy = if !refused {
        "leave clock faults out"
    } else if scope().is_some_and(|scope| scope >= 2) {
        "sudo sysctl -w kernel.yama.ptrace_scope=1"
    } else {
        "in a container add --cap-add SYS_PTRACE --security-opt seccomp=unconfined; elsewhere run as root (sudo)"
    };
    Trouble {
        why: format!("a process's clock can't be bent ({error})"),
        remedy: remedy.into(),
    }
}

/// How far the kernel restricts tracing, where it does (Documentation/admin-guide/LSM/Yama.rst).
fn scope() -> Option<u32> {
    fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope")
        .ok()?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_explained() {
        let trouble = explain(&ClockError::Refused(Errno::EPERM));
        assert!(
            trouble.why.contains("EPERM") && !trouble.remedy.is_empty(),
            "{trouble:?}"
        );
        assert_eq!(explain(&ClockError::Gone).remedy, "leave clock faults out");
    }
}
