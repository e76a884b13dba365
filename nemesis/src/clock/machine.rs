//! Bending and reading the clocks of one process (x86-64).

use std::ops::Range;
use std::time::Duration;

use super::course::Bend;
use super::tracee::Held;
use super::vdso::{Image, State};
use super::{CLOCKS, ClockError, reading};
use crate::procfs;

/// Bends the clocks of a process, or gives it back its own if there is nothing to bend. Returns for how long it
/// stood still; `None` if there was nothing to do: it is as it should be, or has no vDSO.
pub(super) fn bend(
    pid: i32,
    epoch: &[i64; CLOCKS],
    bends: Option<(Bend, Bend)>,
) -> Result<Option<Duration>, ClockError> {
    let image = image()?;
    if bends.is_none() {
        match mapped(pid)? {
            // Between two looks it may have ended, or begun a program; then it is looked at again once it is held.
            Some(mapped) if !matches!(image.state(pid, &mapped), Ok(State::Pristine)) => {}
            _ => return Ok(None),
        }
    }
    // Written while it is held: some kernels let nobody but a tracer write there (PROC_MEM_FORCE_PTRACE).
    let held = Held::all(pid)?;
    let Some(mapped) = mapped(pid)? else {
        return Ok(None);
    };
    if image.state(pid, &mapped)? == State::Foreign {
        return Err(ClockError::Odd("its vDSO is not the one that we know".into()));
    }
    match bends {
        Some(bends) => image.put(pid, &mapped, epoch, bends)?,
        None => image.restore(pid, &mapped)?,
    }
    Ok(Some(held.elapsed()))
}

/// Whether a process has other code than the kernel gave it for reading the clock.
pub(super) fn is_bent(pid: i32) -> Result<bool, ClockError> {
    match mapped(pid)? {
        Some(mapped) => Ok(image()?.state(pid, &mapped)? == State::Bent),
        None => Ok(false),
    }
}

/// What a process's clock of this number shows, in nanoseconds.
pub(super) fn read(pid: i32, clock: usize) -> Result<i64, ClockError> {
    let (mut held, thread) = Held::one(pid)?;
    // Looked up now that it is held: a process that only just started has none yet.
    let mapped = mapped(pid)?.ok_or_else(|| ClockError::Odd("it has no vDSO".into()))?;
    reading::read(pid, &mut held, thread, &mapped, image()?, clock)
}

fn image() -> Result<&'static Image, ClockError> {
    Image::own().map_err(|why| ClockError::Odd(why.into()))
}

/// Where a process has its vDSO, if it has one.
fn mapped(pid: i32) -> Result<Option<Range<u64>>, ClockError> {
    match procfs::vdso(pid) {
        Ok(mapped) => Ok(mapped),
        Err(_) if procfs::stat(pid).is_none_or(procfs::Stat::has_ended) => Err(ClockError::Gone),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::super::course::UNIT;
    use super::super::trial::obstacle;
    use super::super::{CLOCKS, Epoch, Kind, shows};
    use super::*;

    struct Sleeper(Child);

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// The machine code against what it is to reckon, in a process that bears both.
    #[expect(clippy::print_stdout, reason = "what a test skips belongs on its output")]
    #[test]
    fn the_code_in_the_process_reckons_as_we_do() {
        if let Some(trouble) = obstacle() {
            println!("*** SKIPPED: {}: {} ***", trouble.why, trouble.remedy);
            return;
        }
        let mut sleeper = Sleeper(Command::new("sleep").arg("1000").spawn().unwrap());
        let pid = sleeper.0.id().cast_signed();
        let epoch = Epoch::now();
        let jump = Bend {
            step: -5_000_000_000,
            ..Bend::NONE
        };
        let skew = Bend {
            step: 7,
            rate: -UNIT * 4 / 5,
            ..Bend::NONE
        };
        let strobe = Bend {
            amplitude: 3_600_000_000_000,
            half: 1 << 14,
            ..Bend::NONE
        };
        let stutter = Bend {
            rate: UNIT / 2,
            slope: UNIT,
            half: 1 << 26,
            ..Bend::NONE
        };
        let creep = Bend {
            floor: 40_000_000_000,
            ..Bend::NONE
        };
        for bends in [(jump, skew), (strobe, stutter), (skew, creep), (creep, jump)] {
            bend(pid, &epoch.0, Some(bends)).unwrap().expect("it has a vDSO");
            assert!(is_bent(pid).unwrap());
            for clock in 0..CLOCKS {
                let bend = match Kind::of(clock) {
                    Some(Kind::Wall) => bends.0,
                    Some(Kind::Monotonic) => bends.1,
                    None => continue,
                };
                for _ in 0..20 {
                    let before = shows(clock).unwrap();
                    let theirs = read(pid, clock).unwrap();
                    let after = shows(clock).unwrap();
                    let (least, most) = bend.range(before - epoch.0[clock], after - epoch.0[clock]);
                    assert!(
                        theirs >= before + least && theirs <= after + most,
                        "clock {clock}, {bend:?}: {theirs} from {before} to {after}"
                    );
                }
            }
        }
        bend(pid, &epoch.0, None)
            .unwrap()
            .expect("there was something to undo");
        assert!(!is_bent(pid).unwrap());
        assert_eq!(bend(pid, &epoch.0, None).unwrap(), None, "all is as it should be");
        for clock in [0, 1] {
            let (before, theirs, after) = (shows(clock), read(pid, clock), shows(clock));
            assert!((before.unwrap()..=after.unwrap()).contains(&theirs.unwrap()));
        }
        assert_eq!(sleeper.0.try_wait().unwrap(), None, "it sleeps on");
        drop(sleeper);
        assert!(matches!(read(pid, 0), Err(ClockError::Gone)));
    }
}
