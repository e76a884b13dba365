//! Whether this machine lets us bend clocks, found out by doing it to a process that does nothing.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use nix::errno::Errno;

use super::course::Bend;
use super::{ClockError, Epoch, Kind, machine, shows};
use crate::lab::Trouble;

/// What stands in the way, if anything does. Found out once, on the calling thread.
pub(crate) fn obstacle() -> Option<&'static Trouble> {
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
