//! The place that a run happens in: a process tree and, if the machine allows, a network of its own.
//!
//! [`enter`] is the first thing that `main` does, before any thread or runtime exists. Where namespaces can be
//! had, the process forks: the child goes on as the controller, first process of a new PID namespace, alone in
//! a network namespace without a name; the parent only waits, passes signals on and ends as the child ends.
//! Nothing is visible in, or changed on, the host, and whichever of the two is killed, everything ends.

mod doctor;
mod namespace;
mod tools;
mod trial;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

pub(crate) use doctor::BACK_OFF;
pub use doctor::{Finding, probe};
use namespace::{Isolation, Refused, Side};
pub use tools::SearchPath;
pub(crate) use tools::{Tools, Trouble};

use crate::clean;
use crate::mark::Mark;

/// What to use as the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkChoice {
    /// The best that works.
    #[default]
    Auto,
    /// A network namespace for each node; an error if they can't be had.
    Netns,
    /// Plain processes on loopback, with a forwarder in between.
    Proxy,
}

impl FromStr for NetworkChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(NetworkChoice::Auto),
            "netns" => Ok(NetworkChoice::Netns),
            "proxy" => Ok(NetworkChoice::Proxy),
            _ => Err(format!("unknown network `{text}`: auto, netns or proxy")),
        }
    }
}

/// What is used as the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkKind {
    /// A network namespace for each node, cut by packet filters.
    Netns,
    /// Plain processes on loopback, with a forwarder in between.
    Proxy,
}

impl fmt::Display for NetworkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NetworkKind::Netns => "netns",
            NetworkKind::Proxy => "proxy",
        })
    }
}

/// Why a lab can't be entered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnterError {
    /// What was asked for by name can't be had on this machine: a usage error.
    #[error("network netns is not possible here: {why}; {remedy}; or use --network proxy")]
    Impossible {
        /// What is missing or forbidden.
        why: String,
        /// What to do about it.
        remedy: String,
    },
    /// A mistake of the caller's: the process already has several threads.
    #[error("enter the lab before starting threads")]
    Threads,
    /// What had worked in a trial a moment ago was refused.
    #[error("enter the lab: {step}: {error}")]
    Refused {
        /// What was being done.
        step: String,
        /// What the system said.
        error: String,
    },
}

impl From<Refused> for EnterError {
    fn from(refused: Refused) -> Self {
        EnterError::Refused {
            step: refused.step.into(),
            error: refused.error.desc().into(),
        }
    }
}

/// The place that a run happens in. It lasts as long as the process.
#[derive(Clone, Debug)]
pub struct Lab {
    kind: NetworkKind,
    why: String,
    mark: Mark,
    tools: Option<Tools>,
    isolation: Option<Isolation>,
}

impl Lab {
    /// What the network is made of.
    pub fn kind(&self) -> NetworkKind {
        self.kind
    }

    /// One sentence: why this kind of network.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The mark that every process started in this lab carries.
    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Settings of the lab that a report should name.
    pub fn facts(&self) -> BTreeMap<String, String> {
        let privilege = match self.isolation {
            Some(Isolation { user: false, .. }) => "namespaces made as root",
            Some(Isolation { user: true, .. }) => "namespaces made in a user namespace",
            None => "no namespaces: processes are tied to the controller one by one",
        };
        BTreeMap::from([
            ("network".into(), format!("{}: {}", self.kind, self.why)),
            ("isolation".into(), privilege.into()),
        ])
    }

    /// Whether what is mounted here is seen by nobody else.
    pub(crate) fn has_own_mounts(&self) -> bool {
        self.isolation.is_some()
    }

    /// The tools of a network of namespaces; `None` for a proxy.
    pub(crate) fn tools(&self) -> Option<&Tools> {
        self.tools.as_ref()
    }
}

/// Whether namespaces of our own can be had, found out once. Where they can't be tried any more, as threads run,
/// they are taken to be there.
pub(crate) fn has_namespaces() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| !trial::is_possible() || trial::isolation(false).is_ok())
}

/// What [`enter`] is going to do.
struct Decision {
    kind: NetworkKind,
    why: String,
    tools: Option<Tools>,
    isolation: Option<Isolation>,
}

/// Enters a lab, looking for tools where the environment says. See [`enter_with`].
pub fn enter(choice: NetworkChoice) -> Result<Lab, EnterError> {
    enter_with(choice, &SearchPath::from_environment())
}

/// Enters a lab: from here on this process is the controller, in namespaces of its own if they can be had.
///
/// First removes what dead runs left. If it forks it returns in the child; the parent never returns. The child
/// is the first process of its PID namespace: signals that it has no handler for do nothing to it, but the
/// parent sees to it that an interrupt ends it until it has one.
pub fn enter_with(choice: NetworkChoice, search: &SearchPath) -> Result<Lab, EnterError> {
    if !trial::is_possible() {
        return Err(EnterError::Threads);
    }
    namespace::hear_of_children();
    clean::clean();
    clean::clean_groups();
    let no_proc = || EnterError::Refused {
        step: "read /proc/self".into(),
        error: "not there".into(),
    };
    let mark = Mark::of_this_process().ok_or_else(no_proc)?;
    let Decision {
        kind,
        why,
        tools,
        isolation,
    } = decide(choice, search)?;
    if let Some(isolation) = isolation {
        move_into(isolation)?;
    }
    if let Some(tools) = &tools {
        let refused = |error| EnterError::Refused {
            step: "set up loopback".into(),
            error,
        };
        tools.ip("link set lo up\n").map_err(refused)?;
    }
    Ok(Lab {
        kind,
        why,
        mark,
        tools,
        isolation,
    })
}

fn move_into(isolation: Isolation) -> Result<(), EnterError> {
    let mask = namespace::hold_signals()?;
    let side = namespace::split(isolation);
    match side {
        Ok(Side::Outer { child, life_line }) => namespace::stand_by(child, life_line),
        Ok(Side::Inner) => {
            namespace::release_signals(&mask)?;
            Ok(namespace::settle_in(isolation)?)
        }
        Err(refused) => {
            namespace::release_signals(&mask)?;
            Err(refused.into())
        }
    }
}

fn decide(choice: NetworkChoice, search: &SearchPath) -> Result<Decision, EnterError> {
    let why = match choice {
        NetworkChoice::Proxy => "asked for by name".to_owned(),
        NetworkChoice::Auto | NetworkChoice::Netns => {
            let attempt = trial::isolation(true)
                .and_then(|isolation| Ok((isolation, trial::network(isolation, search)?)));
            match attempt {
                Ok((isolation, tools)) => return Ok(with_namespaces(isolation, tools)),
                Err(trouble) if choice == NetworkChoice::Netns => {
                    return Err(EnterError::Impossible {
                        why: trouble.why,
                        remedy: trouble.remedy,
                    });
                }
                Err(trouble) => format!("{} ({})", trouble.why, trouble.remedy),
            }
        }
    };
    let isolation = trial::isolation(false).ok();
    Ok(Decision {
        kind: NetworkKind::Proxy,
        why,
        tools: None,
        isolation,
    })
}

fn with_namespaces(isolation: Isolation, tools: Tools) -> Decision {
    let privilege = if isolation.user {
        "without root, in a user namespace"
    } else {
        "as root"
    };
    Decision {
        kind: NetworkKind::Netns,
        why: format!(
            "a namespace for each node works here, {privilege}, cut by {}",
            tools.restore_name()
        ),
        tools: Some(tools),
        isolation: Some(isolation),
    }
}
