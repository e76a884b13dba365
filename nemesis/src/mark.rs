//! The mark that every process of a run carries, so that what a dead run left can be told from everything
//! else on the machine.

use std::fmt;
use std::str::FromStr;

use crate::procfs;

/// The environment variable that holds the mark.
pub const VARIABLE: &str = "PARTITA_RUN";

/// Who started a process: `<run>:<controller's pid>:<its start, in ticks>:<its PID namespace>`.
///
/// The pid is the outermost controller's, as the host sees it. The start tells it from a later process with
/// the same pid. The namespace tells whose pid it is: a lab inside another lab, or inside a container, numbers
/// its processes anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    run: String,
    controller: i32,
    started: u64,
    pid_namespace: u64,
}

impl Mark {
    /// The mark of what this process is going to start. `None` without a usable `/proc`.
    pub(crate) fn of_this_process() -> Option<Mark> {
        let controller = std::process::id().cast_signed();
        let started = procfs::stat(controller)?.started;
        Some(Mark {
            run: format!("{controller:x}-{started:x}"),
            controller,
            started,
            pid_namespace: procfs::pid_namespace(controller)?,
        })
    }

    /// The run's name, unique on this machine since it was booted.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Whether the pid in the mark means anything to processes in this PID namespace.
    pub(crate) fn is_from(&self, pid_namespace: u64) -> bool {
        self.pid_namespace == pid_namespace
    }

    /// Whether the controller still runs. Ask only if the mark [is from](Mark::is_from) this PID namespace.
    pub(crate) fn controller_is_alive(&self) -> bool {
        match procfs::stat(self.controller) {
            Some(stat) => stat.started == self.started && !stat.has_ended(),
            // That it can't be read is not to say that it is not there.
            None => procfs::exists(self.controller),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark {
            run,
            controller,
            started,
            pid_namespace,
        } = self;
        write!(f, "{run}:{controller}:{started}:{pid_namespace}")
    }
}

impl FromStr for Mark {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut fields = text.split(':');
        let mut field = || fields.next().ok_or(());
        let mark = Mark {
            run: field()?.to_owned(),
            controller: field()?.parse().map_err(drop)?,
            started: field()?.parse().map_err(drop)?,
            pid_namespace: field()?.parse().map_err(drop)?,
        };
        if mark.run.is_empty() || mark.controller <= 0 || fields.next().is_some() {
            return Err(());
        }
        Ok(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_the_environment() {
        let mark = Mark::of_this_process().unwrap();
        assert_eq!(mark.to_string().parse(), Ok(mark.clone()));
        assert!(mark.controller_is_alive());
        assert!(mark.is_from(mark.pid_namespace) && !mark.is_from(mark.pid_namespace + 1));
    }

    #[test]
    fn a_reused_pid_is_not_the_controller() {
        let mut mark = Mark::of_this_process().unwrap();
        mark.started += 1;
        assert!(!mark.controller_is_alive());
    }

    #[test]
    fn what_is_not_a_mark_is_refused() {
        for text in [
            "",
            "1",
            "x:1:2",
            "x:0:2:3",
            "x:-1:2:3",
            "x:1:2:3:4",
            ":1:2:3",
            "x:1:y:3",
        ] {
            assert_eq!(text.parse::<Mark>(), Err(()), "{text}");
        }
    }
}
