//! The plan of a run: all that is needed to repeat it.

mod nemesis;
mod network;
mod repeat;
mod tracks;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use partita_generator::faults::PlannedFault;
use partita_nemesis::fault;
use partita_protocols::{Defect, ProtocolKind};
use partita_targets::Target;
use partita_workloads::Workload;
use serde::{Deserialize, Serialize};

pub(crate) use self::nemesis::Obstacle;
pub(crate) use self::network::Tcp;
pub(crate) use self::tracks::Track;

/// The version of `plan.toml`.
const FORMAT: u32 = 1;
/// Few enough for a node that was away for some seconds to need a snapshot, at the rate that is asked for by
/// default.
const SNAPSHOT_ENTRIES: u64 = 500;
/// Larger clusters than this are surely a mistake.
const NODES_MAX: usize = 9;
/// More clients than this are surely a mistake.
const CONCURRENCY_MAX: u32 = 1_000;
/// Loads are bounded.
const RATE_MAX: f64 = 100_000.0;
/// More faults than this are surely a mistake. It is more than any set draws for the longest load.
const FAULTS_MAX: usize = 100_000;
/// Loads are bounded.
const TIME_LIMIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// What becomes of a run when the online checker sees a violation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnViolation {
    /// It goes on to its end: so that it can be compared with others, and recovery is judged as well.
    #[default]
    Continue,
    /// It ends there and then.
    Stop,
}

/// Which state the clients' reads are to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reads {
    /// One with all that was done before the read began.
    #[default]
    Linearizable,
    /// Whatever the node that is asked has, however old: most workloads must then find violations.
    Local,
}

/// `plan.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// The version of the format.
    pub(crate) format: u32,
    /// The seed of everything random.
    pub(crate) seed: u64,
    /// The system under test.
    pub(crate) target: String,
    /// A program for it other than the one found.
    pub(crate) binary: Option<PathBuf>,
    /// The other program that `upgrade` gives to nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) binary_b: Option<PathBuf>,
    /// A deliberate bug of our own servers.
    pub(crate) defect: Option<String>,
    /// Entries from one snapshot to the next, in our own servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot_entries: Option<u64>,
    /// Do leaders of our own servers answer reads on a lease?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) lease_reads: bool,
    /// What clients do.
    pub(crate) workload: String,
    /// Which state their reads see.
    #[serde(default)]
    pub(crate) reads: Reads,
    /// The names of the nodes.
    pub(crate) nodes: Vec<String>,
    /// How nodes are connected: as asked, `auto` included.
    pub(crate) network: String,
    /// How TCP behaves after a cut.
    #[serde(default, skip_serializing_if = "Tcp::is_prompt")]
    pub(crate) tcp: Tcp,
    /// Clients at a time.
    pub(crate) concurrency: u32,
    /// Operations a second.
    pub(crate) rate: f64,
    /// How long clients work.
    pub(crate) time_limit_ms: u64,
    /// How long a client waits for an operation.
    pub(crate) operation_timeout_ms: u64,
    /// How long the checkers may take.
    pub(crate) checker_time_ms: u64,
    /// How much memory the checkers may take.
    pub(crate) checker_memory_bytes: u64,
    /// What becomes of the run at its first violation.
    #[serde(default)]
    pub(crate) on_violation: OnViolation,
    /// The faults that the schedule was drawn from, as asked for: `kill`, `partition:halves`, `all`.
    pub(crate) nemesis: Vec<String>,
    /// What was left out of a set that was asked for, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) left_out: BTreeMap<String, String>,
    /// The tracks that the schedule was drawn from, where somebody has thought them out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) schedule: Vec<Track>,
    /// The schedule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) faults: Vec<PlannedFault>,
}

/// What the command line asks for.
pub(crate) struct Request {
    pub(crate) target: String,
    pub(crate) binary: Option<PathBuf>,
    pub(crate) binary_b: Option<PathBuf>,
    pub(crate) defect: Option<String>,
    /// None stands for so few that snapshots matter, in our own servers.
    pub(crate) snapshot_entries: Option<u64>,
    /// Without it they do so only if the defect is one of leases.
    pub(crate) lease_reads: bool,
    /// None stands for the first that the target has the functions for.
    pub(crate) workload: Option<String>,
    pub(crate) reads: Reads,
    pub(crate) nodes: usize,
    pub(crate) network: String,
    pub(crate) tcp: Tcp,
    pub(crate) nemesis: Vec<String>,
    /// Tracks, which stand in for what `nemesis` says.
    pub(crate) schedule: Vec<Track>,
    /// Where they were read.
    pub(crate) schedule_file: Option<PathBuf>,
    /// Why this machine can't do a fault, if it can't.
    pub(crate) obstacle: Obstacle,
    pub(crate) concurrency: u32,
    pub(crate) rate: f64,
    pub(crate) time_limit: Duration,
    pub(crate) operation_timeout: Duration,
    pub(crate) checker_time: Duration,
    pub(crate) checker_memory_bytes: u64,
    pub(crate) on_violation: OnViolation,
    pub(crate) seed: u64,
}

impl Plan {
    /// Checks what was asked for, and draws the schedule.
    ///
    /// # Errors
    /// When something is unknown or out of range: what, and what there is instead.
    pub(crate) fn new(request: Request) -> anyhow::Result<Plan> {
        let target = partita_targets::find(&request.target).with_context(|| {
            unknown(
                "target",
                &request.target,
                partita_targets::ALL.iter().map(|t| t.name()),
            )
        })?;
        let workload = workload(request.workload.as_deref(), target)?;
        let offered = target.functions(workload.object());
        if let Some(missing) = workload.functions().iter().find(|f| !offered.contains(f)) {
            bail!(
                "workload `{}` needs `{missing}` on a {}, which target `{}` does not have",
                workload.name(),
                workload.object(),
                target.name()
            );
        }
        if request.reads == Reads::Local && !target.reads_locally() {
            bail!(
                "target `{}` has no reads from one node alone: --reads local is not for it",
                target.name()
            );
        }
        let is_ours = target.name().parse::<ProtocolKind>().is_ok();
        let for_ours = |option: &str| {
            let ours: Vec<_> = ProtocolKind::ALL.iter().map(|kind| kind.name()).collect();
            let ours = ours.join(", ");
            format!(
                "`{option}` is for our own servers ({ours}), not for `{}`",
                target.name()
            )
        };
        if request.snapshot_entries.is_some() && !is_ours {
            bail!(for_ours("--snapshot-entries"));
        }
        if request.lease_reads && !is_ours {
            bail!(for_ours("--lease-reads"));
        }
        if let Some(defect) = &request.defect {
            let fitting = || Defect::all().filter(|defect| defect.fits(target.name()));
            if !is_ours {
                bail!(for_ours("--defect"));
            }
            if !fitting().any(|its| its.name == defect) {
                bail!(unknown("defect", defect, fitting().map(|its| its.name)));
            }
        }
        if !(1..=NODES_MAX).contains(&request.nodes) {
            bail!("--nodes {} is out of range: 1 to {NODES_MAX}", request.nodes);
        }
        if !(1..=CONCURRENCY_MAX).contains(&request.concurrency) {
            bail!(
                "--concurrency {} is out of range: 1 to {CONCURRENCY_MAX}",
                request.concurrency
            );
        }
        if !(request.rate > 0.0 && request.rate <= RATE_MAX) {
            bail!(
                "--rate {} is out of range: more than 0, at most {RATE_MAX}",
                request.rate
            );
        }
        if request.time_limit.is_zero() || request.time_limit > TIME_LIMIT_MAX {
            bail!("--time-limit is out of range: more than 0, at most 24h");
        }
        let defect = request.defect.as_deref().map(Defect::by_name).transpose()?;
        let time_limit_ms = millis(request.time_limit);
        let nodes: Vec<String> = (1..=request.nodes).map(|node| format!("n{node}")).collect();
        let ground = nemesis::Ground {
            nodes: &nodes,
            target,
            network: &request.network,
            has_other_program: request.binary_b.is_some(),
            obstacle: request.obstacle,
        };
        let drawn = if request.schedule.is_empty() {
            nemesis::draw(request.seed, &request.nemesis, &ground, time_limit_ms)?
        } else {
            let file = request.schedule_file.as_deref();
            tracks::draw(request.seed, &request.schedule, file, &ground, time_limit_ms)?
        };
        Ok(Plan {
            format: FORMAT,
            seed: request.seed,
            target: request.target,
            binary: request.binary,
            binary_b: request.binary_b,
            defect: request.defect,
            snapshot_entries: is_ours.then(|| request.snapshot_entries.unwrap_or(SNAPSHOT_ENTRIES)),
            lease_reads: request.lease_reads || defect.is_some_and(Defect::needs_leases),
            workload: workload.name().to_owned(),
            reads: request.reads,
            nodes,
            network: request.network,
            tcp: request.tcp,
            concurrency: request.concurrency,
            rate: request.rate,
            time_limit_ms,
            operation_timeout_ms: millis(request.operation_timeout),
            checker_time_ms: millis(request.checker_time),
            checker_memory_bytes: request.checker_memory_bytes,
            on_violation: request.on_violation,
            faults: drawn.faults,
            nemesis: drawn.asked,
            left_out: drawn.left_out,
            schedule: request.schedule,
        })
    }

    /// The clients' time, as a duration.
    pub(crate) fn time_limit(&self) -> Duration {
        Duration::from_millis(self.time_limit_ms)
    }

    /// The faults that were asked for: each by its name, and by a shape if one was asked for.
    pub(crate) fn asked(&self) -> BTreeSet<(&str, Option<&str>)> {
        let asked = self
            .nemesis
            .iter()
            .flat_map(|asked| match fault::Set::find(asked) {
                Some(set) => {
                    let faults = set.faults().map(|fault| (fault.name(), None));
                    faults
                        .filter(|(name, _)| !self.left_out.contains_key(*name))
                        .collect()
                }
                None => vec![nemesis::named(asked)],
            });
        asked.collect()
    }

    /// The faults that were asked for, and for which the time limit left no time when the plan was drawn, in words.
    pub(crate) fn no_time(&self) -> Option<String> {
        let is_planned = |(name, shape): &(&str, Option<&str>)| {
            self.faults
                .iter()
                .any(|fault| fault.fault == *name && shape.is_none_or(|shape| fault.shape == shape))
        };
        let mut names: Vec<String> = self
            .asked()
            .into_iter()
            .filter(|asked| self.is_as_drawn() && !is_planned(asked))
            .map(|(name, shape)| shape.map_or(format!("`{name}`"), |shape| format!("`{name}:{shape}`")))
            .collect();
        let last = names.pop()?;
        let and = if names.is_empty() { "" } else { " and " };
        Some(format!(
            "the time limit of {} s left no time for {}{and}{last}",
            self.time_limit_ms as f64 / 1e3,
            names.join(", ")
        ))
    }

    /// The names of the faults that were asked for by name, not as some of a set.
    pub(crate) fn asked_by_name(&self) -> BTreeSet<&str> {
        let names = self
            .nemesis
            .iter()
            .filter(|asked| fault::Set::find(asked).is_none());
        names.map(|asked| nemesis::named(asked).0).collect()
    }

    /// The faults planned for which nodes must keep their data on disks that can be made to fail.
    pub(crate) fn disk_faults(&self) -> BTreeSet<&'static str> {
        let planned = self
            .faults
            .iter()
            .filter_map(|planned| fault::find(&planned.fault));
        planned
            .filter(|fault| fault.needs_disks())
            .map(|fault| fault.name())
            .collect()
    }

    /// Is a fault planned for which nodes must have clocks that can be bent?
    pub(crate) fn bends_clocks(&self) -> bool {
        let mut planned = self
            .faults
            .iter()
            .filter_map(|planned| fault::find(&planned.fault));
        planned.any(|fault| fault.bends_clocks())
    }

    /// The command line that repeats the run: whatever differs from the defaults, and the seed.
    pub(crate) fn command(&self, defaults: &Plan) -> String {
        let mut command = format!("partita run {}", self.target);
        let mut option = |differs: bool, name: &str, value: String| {
            if differs {
                // A flag has no value.
                command.push_str(format!(" --{name} {value}").trim_end());
            }
        };
        let binary = self
            .binary
            .as_ref()
            .map(|path| quoted(&path.display().to_string()));
        option(binary.is_some(), "binary", binary.unwrap_or_default());
        let other = self.binary_b.as_ref();
        let other = other.map(|path| quoted(&path.display().to_string()));
        option(other.is_some(), "binary-b", other.unwrap_or_default());
        option(
            self.defect.is_some(),
            "defect",
            self.defect.clone().unwrap_or_default(),
        );
        let by_defect = self
            .defect
            .as_deref()
            .is_some_and(|name| Defect::by_name(name).is_ok_and(Defect::needs_leases));
        option(self.lease_reads && !by_defect, "lease-reads", String::new());
        option(
            self.snapshot_entries.is_some() && self.snapshot_entries != defaults.snapshot_entries,
            "snapshot-entries",
            self.snapshot_entries.unwrap_or_default().to_string(),
        );
        option(
            self.workload != defaults.workload,
            "workload",
            self.workload.clone(),
        );
        let reads = match self.reads {
            Reads::Linearizable => "linearizable",
            Reads::Local => "local",
        };
        option(self.reads != defaults.reads, "reads", reads.to_owned());
        option(
            self.nodes.len() != defaults.nodes.len(),
            "nodes",
            self.nodes.len().to_string(),
        );
        option(self.network != defaults.network, "network", self.network.clone());
        let nemesis = if self.nemesis.is_empty() {
            "none".to_owned()
        } else {
            quoted(&self.nemesis.join(","))
        };
        option(self.tcp != defaults.tcp, "tcp", "default".to_owned());
        let drawn = self.schedule.is_empty();
        option(drawn && self.nemesis != defaults.nemesis, "nemesis", nemesis);
        option(
            self.concurrency != defaults.concurrency,
            "concurrency",
            self.concurrency.to_string(),
        );
        option(self.rate != defaults.rate, "rate", self.rate.to_string());
        let in_ms = |ms: u64| {
            if ms.is_multiple_of(1000) {
                format!("{}s", ms / 1000)
            } else {
                format!("{ms}ms")
            }
        };
        option(
            self.time_limit_ms != defaults.time_limit_ms,
            "time-limit",
            in_ms(self.time_limit_ms),
        );
        option(
            self.operation_timeout_ms != defaults.operation_timeout_ms,
            "operation-timeout",
            in_ms(self.operation_timeout_ms),
        );
        option(
            self.checker_time_ms != defaults.checker_time_ms,
            "checker-time",
            in_ms(self.checker_time_ms),
        );
        option(
            self.checker_memory_bytes != defaults.checker_memory_bytes,
            "checker-memory",
            self.checker_memory_bytes.to_string(),
        );
        let on_violation = match self.on_violation {
            OnViolation::Continue => "continue",
            OnViolation::Stop => "stop",
        };
        option(
            self.on_violation != defaults.on_violation,
            "on-violation",
            on_violation.to_owned(),
        );
        option(true, "seed", self.seed.to_string());
        command
    }
}

/// The workload asked for, or the first that fits the target.
fn workload(asked: Option<&str>, target: &dyn Target) -> anyhow::Result<&'static dyn Workload> {
    let all = partita_workloads::ALL;
    let Some(name) = asked else {
        let fits = |workload: &&dyn Workload| {
            let mut needed = workload.functions().iter();
            needed.all(|f| target.functions(workload.object()).contains(f))
        };
        return all.iter().copied().find(fits).with_context(|| {
            let name = target.name();
            format!("no workload fits target `{name}`")
        });
    };
    partita_workloads::find(name)
        .with_context(|| unknown("workload", name, all.iter().map(|workload| workload.name())))
}

/// "unknown target `x`; there are: a, b".
pub(crate) fn unknown<'a>(kind: &str, name: &str, names: impl Iterator<Item = &'a str>) -> String {
    format!(
        "unknown {kind} `{name}`; there are: {}",
        names.collect::<Vec<_>>().join(", ")
    )
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A word as a shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
pub(crate) mod tests;
