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
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

pub(crate) use doctor::BACK_OFF;
pub use doctor::{Finding, probe};
pub(crate) use namespace::hear_of_children;
use namespace::{Isolation, Refused, Side};
pub use tools::SearchPath;
pub(crate) use tools::{Tools, Trouble};

use crate::clean;
use crate::mark::Mark;
use crate::network::netlink;

/// What to use as the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkChoice {
    /// The best that works.
    #[default]
    Auto,
    /// A network namespace for each node; an error if they can't be had.
    Netns,
    /// A network namespace for each node, joined by our own switch; an error if they can't be had.
    Switch,
    /// Plain processes on loopback, with a forwarder in between.
    Proxy,
}

impl FromStr for NetworkChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(NetworkChoice::Auto),
            "netns" => Ok(NetworkChoice::Netns),
            "switch" => Ok(NetworkChoice::Switch),
            "proxy" => Ok(NetworkChoice::Proxy),
            _ => Err(format!("unknown network `{text}`: auto, netns, switch or proxy")),
        }
    }
}

/// How TCP is to behave after a cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TcpChoice {
    /// Connections are to go on within a second, by whatever way the kernel has.
    #[default]
    Prompt,
    /// As the kernel does by default.
    Default,
}

impl FromStr for TcpChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "prompt" => Ok(TcpChoice::Prompt),
            "default" => Ok(TcpChoice::Default),
            _ => Err(format!("unknown behaviour of TCP `{text}`: prompt or default")),
        }
    }
}

/// What is asked of a lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// What to use as the network.
    pub network: NetworkChoice,
    /// Whether, if that is left open, the switch is better than packet filters: a fault acts upon single packets.
    pub prefer_switch: bool,
    /// How TCP is to behave after a cut.
    pub tcp: TcpChoice,
}

impl From<NetworkChoice> for Wishes {
    fn from(network: NetworkChoice) -> Wishes {
        Wishes {
            network,
            ..Wishes::default()
        }
    }
}

/// What is used as the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkKind {
    /// A network namespace for each node, cut by packet filters.
    Netns,
    /// A network namespace for each node, joined by our own switch.
    Switch,
    /// Plain processes on loopback, with a forwarder in between.
    Proxy,
}

impl NetworkKind {
    /// Every one.
    pub const ALL: &[NetworkKind] = &[NetworkKind::Netns, NetworkKind::Switch, NetworkKind::Proxy];
}

impl fmt::Display for NetworkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NetworkKind::Netns => "netns",
            NetworkKind::Switch => "switch",
            NetworkKind::Proxy => "proxy",
        })
    }
}

/// Why a lab can't be entered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnterError {
    /// What was asked for by name can't be had on this machine: a usage error.
    #[error("network {network} is not possible here: {why}; {remedy}; or use --network proxy")]
    Impossible {
        /// What was asked for.
        network: NetworkKind,
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
    why: String,
    mark: Mark,
    cutter: Option<Cutter>,
    ss: Option<PathBuf>,
    tcp: TcpChoice,
    isolation: Option<Isolation>,
}

/// What cuts the links of a network of namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cutter {
    Filters(Tools),
    Switch,
}

impl Lab {
    /// What the network is made of.
    pub fn kind(&self) -> NetworkKind {
        kind(self.cutter.as_ref())
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
            ("network".into(), format!("{}: {}", self.kind(), self.why)),
            ("isolation".into(), privilege.into()),
        ])
    }

    /// Whether what is mounted here is seen by nobody else.
    pub(crate) fn has_own_mounts(&self) -> bool {
        self.isolation.is_some()
    }

    /// What cuts the links of a network of namespaces; `None` for a proxy.
    pub(crate) fn cutter(&self) -> Option<&Cutter> {
        self.cutter.as_ref()
    }

    /// iproute2's `ss`, which can end connections.
    pub(crate) fn ss(&self) -> Option<&PathBuf> {
        self.ss.as_ref()
    }

    /// How TCP is to behave after a cut.
    pub(crate) fn tcp(&self) -> TcpChoice {
        self.tcp
    }
}

fn kind(cutter: Option<&Cutter>) -> NetworkKind {
    match cutter {
        Some(Cutter::Filters(_)) => NetworkKind::Netns,
        Some(Cutter::Switch) => NetworkKind::Switch,
        None => NetworkKind::Proxy,
    }
}

/// Whether namespaces of our own can be had, found out once. Where they can't be tried any more, as threads run,
/// they are taken to be there.
pub(crate) fn has_namespaces() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| !trial::is_possible() || trial::isolation(false).is_ok())
}

/// Why a network with our own switch can't be had here, and what to do about it. It is tried once in a process,
/// before that has threads; afterwards nothing is known to be in the way.
pub(crate) fn switch_obstacle() -> Option<String> {
    static TRIED: OnceLock<Option<String>> = OnceLock::new();
    tried_once(&TRIED, || trial::isolation(true).and_then(trial::switch))
}

/// Why processes can't be given another time since boot here, and what to do about it. Tried as
/// [`switch_obstacle`] is.
pub(crate) fn boot_obstacle() -> Option<String> {
    static TRIED: OnceLock<Option<String>> = OnceLock::new();
    tried_once(&TRIED, || trial::isolation(false).and_then(trial::boot))
}

fn tried_once(
    tried: &OnceLock<Option<String>>,
    attempt: impl FnOnce() -> Result<(), Trouble>,
) -> Option<String> {
    if tried.get().is_none() && !trial::is_possible() {
        return None;
    }
    let tried = tried.get_or_init(|| {
        namespace::hear_of_children();
        let trouble = attempt().err();
        trouble.map(|trouble| format!("{}: {}", trouble.why, trouble.remedy))
    });
    tried.clone()
}

/// What [`enter`] is going to do.
struct Decision {
    why: String,
    cutter: Option<Cutter>,
    isolation: Option<Isolation>,
}

/// Enters a lab, looking for tools where the environment says. See [`enter_with`].
pub fn enter(wishes: impl Into<Wishes>) -> Result<Lab, EnterError> {
    enter_with(wishes, &SearchPath::from_environment())
}

/// Enters a lab: from here on this process is the controller, in namespaces of its own if they can be had.
///
/// First removes what dead runs left. If it forks it returns in the child; the parent never returns. The child
/// is the first process of its PID namespace: signals that it has no handler for do nothing to it, but the
/// parent sees to it that an interrupt ends it until it has one.
pub fn enter_with(wishes: impl Into<Wishes>, search: &SearchPath) -> Result<Lab, EnterError> {
    let wishes = wishes.into();
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
        why,
        cutter,
        isolation,
    } = decide(wishes, search)?;
    if let Some(isolation) = isolation {
        move_into(isolation)?;
    }
    if cutter.is_some() {
        let refused = |error: io::Error| EnterError::Refused {
            step: "set up loopback".into(),
            error: error.to_string(),
        };
        netlink::set_up("lo").map_err(refused)?;
    }
    Ok(Lab {
        why,
        mark,
        cutter,
        ss: search.find("ss"),
        tcp: wishes.tcp,
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

/// Tries what may be used, the best first.
fn decide(wishes: Wishes, search: &SearchPath) -> Result<Decision, EnterError> {
    let ways: &[NetworkKind] = match (wishes.network, wishes.prefer_switch) {
        (NetworkChoice::Proxy, _) => &[],
        (NetworkChoice::Netns, _) => &[NetworkKind::Netns],
        (NetworkChoice::Switch, _) => &[NetworkKind::Switch],
        (NetworkChoice::Auto, false) => &[NetworkKind::Netns, NetworkKind::Switch],
        (NetworkChoice::Auto, true) => &[NetworkKind::Switch, NetworkKind::Netns],
    };
    let mut troubles: Vec<String> = Vec::new();
    for &way in ways {
        match attempt(way, search) {
            Ok((isolation, cutter)) => {
                let because = reasons(wishes, &troubles);
                return Ok(with_namespaces(isolation, cutter, &because));
            }
            Err(Trouble { why, remedy }) if wishes.network != NetworkChoice::Auto => {
                return Err(EnterError::Impossible {
                    network: way,
                    why,
                    remedy,
                });
            }
            Err(trouble) => {
                let told = format!("{} ({})", trouble.why, trouble.remedy);
                // Where namespaces are refused they are refused for every way.
                if !troubles.contains(&told) {
                    troubles.push(told);
                }
            }
        }
    }
    let why = if troubles.is_empty() {
        "asked for by name".to_owned()
    } else {
        troubles.join("; ")
    };
    Ok(Decision {
        why,
        cutter: None,
        isolation: trial::isolation(false).ok(),
    })
}

fn attempt(way: NetworkKind, search: &SearchPath) -> Result<(Isolation, Cutter), Trouble> {
    let isolation = trial::isolation(true)?;
    let cutter = if way == NetworkKind::Switch {
        trial::switch(isolation)?;
        Cutter::Switch
    } else {
        Cutter::Filters(trial::network(isolation, search)?)
    };
    Ok((isolation, cutter))
}

fn reasons(wishes: Wishes, troubles: &[String]) -> String {
    match troubles {
        [] if wishes.prefer_switch && wishes.network == NetworkChoice::Auto => {
            "; a planned fault acts upon packets".to_owned()
        }
        [] => String::new(),
        troubles => format!("; {}", troubles.join("; ")),
    }
}

fn with_namespaces(isolation: Isolation, cutter: Cutter, because: &str) -> Decision {
    let privilege = if isolation.user {
        "without root, in a user namespace"
    } else {
        "as root"
    };
    let means = match &cutter {
        Cutter::Filters(tools) => format!("cut by {}", tools.restore_name()),
        Cutter::Switch => "joined by our own switch".to_owned(),
    };
    Decision {
        why: format!("a namespace for each node works here, {privilege}, {means}{because}"),
        cutter: Some(cutter),
        isolation: Some(isolation),
    }
}
