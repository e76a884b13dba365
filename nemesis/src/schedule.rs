//! Carries out a planned schedule of faults, and heals all of them whatever happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use partita_generator::faults::PlannedFault;
use partita_history::{FaultOutcome, FaultPhase, FaultValue};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::clock;
use crate::cluster::Cluster;
use crate::condition;
use crate::fault::{self, Context};
use crate::host;
use crate::procfs;

/// Takes the phases of faults as they happen: the fault's name, and what happened.
pub type Sink = Arc<dyn Fn(&str, FaultValue) + Send + Sync>;

/// Nanoseconds since the start of the run.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What a schedule is carried out with.
#[derive(Clone)]
pub struct Conductor {
    /// The nodes, and who knows their roles.
    pub context: Context,
    /// Where the phases of faults go.
    pub sink: Sink,
    /// The run's clock.
    pub clock: Clock,
}

/// Why a schedule was not carried out to its end.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The schedule names a fault that there is not.
    #[error("there is no fault `{0}`")]
    Unknown(String),
    /// A fault's code panicked; everything was healed.
    #[error("a fault panicked: {0}")]
    Panicked(String),
}

/// Carries out the schedule, whose times count from now. Ends when every fault is healed; once `stop` turns true
/// it injects no more and heals at once.
///
/// Faults may overlap, but of one name only those that [can](fault::Fault::overlaps_itself): else, if a healing takes
/// long, the next of its name waits. Whatever happens (an error, a panic, this future being dropped), links are opened, paused nodes continued and killed
/// ones restarted.
pub async fn run(
    conductor: &Conductor,
    schedule: &[PlannedFault],
    stop: watch::Receiver<bool>,
) -> Result<(), ScheduleError> {
    if let Some(unknown) = schedule
        .iter()
        .find(|planned| fault::find(&planned.fault).is_none())
    {
        return Err(ScheduleError::Unknown(unknown.fault.clone()));
    }
    let start = Instant::now();
    let safety_net = Arc::new(SafetyNet::under(&conductor.context.cluster));
    let mut turns: BTreeMap<&str, Arc<Mutex<()>>> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    for planned in schedule {
        let turn = Arc::clone(turns.entry(&planned.fault).or_default());
        let performance = Performance {
            conductor: conductor.clone(),
            planned: planned.clone(),
            start,
            turn,
            safety_net: Arc::clone(&safety_net),
        };
        tasks.spawn(performance.run(stop.clone()));
    }
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            // The other faults are not to go on: the net below heals them all, once each has let go.
            tasks.abort_all();
            result = result.and(Err(ScheduleError::Panicked(error.to_string())));
        }
    }
    if result.is_ok() {
        // Each fault has healed its own; what it could not heal it has said.
        safety_net.all_went_well.store(true, Relaxed);
    }
    result
}

/// Heals everything when the last who holds it lets go, unless all went well. Every fault in progress holds it: it
/// must not heal while one of them still does harm.
struct SafetyNet {
    cluster: Arc<Cluster>,
    all_went_well: AtomicBool,
}

impl SafetyNet {
    fn under(cluster: &Arc<Cluster>) -> Self {
        SafetyNet {
            cluster: Arc::clone(cluster),
            all_went_well: AtomicBool::new(false),
        }
    }
}

impl Drop for SafetyNet {
    fn drop(&mut self) {
        if !self.all_went_well.load(Relaxed)
            && let Err(error) = self.cluster.final_heal()
        {
            tracing::error!("healing failed: {error}");
        }
    }
}

/// A fault that had to wait longer than this for the last one of its name is late.
const LATE: Duration = Duration::from_millis(50);
/// How long the cluster is left alone before a fault that is late.
const RESPITE: Duration = Duration::from_millis(700);

/// One fault of the schedule, from its planned time to its healing.
struct Performance {
    conductor: Conductor,
    planned: PlannedFault,
    start: Instant,
    /// Held by the one fault of this name that is in force, where there can be only one.
    turn: Arc<Mutex<()>>,
    #[expect(dead_code, reason = "it is held, not used")]
    safety_net: Arc<SafetyNet>,
}

impl Performance {
    async fn run(self, mut stop: watch::Receiver<bool>) {
        let Some(fault) = fault::find(&self.planned.fault) else {
            return;
        };
        let due = self.start + Duration::from_millis(self.planned.at_ms);
        if stopped_before(&mut stop, due).await {
            return;
        }
        let began = self.now();
        let shape = self.planned.shape.as_str();
        let what = fault
            .shapes()
            .iter()
            .find(|known| known.name == shape)
            .map_or_else(|| shape.to_owned(), |known| format!("{shape}: {}", known.summary));
        self.tell(FaultValue {
            what,
            ..self.value(FaultPhase::Planned, began)
        });

        let context = &self.conductor.context;
        if let Some(when) = &self.planned.when {
            let waited = tokio::select! {
                held = condition::wait(when, context) => held,
                () = stopped(&mut stop) => Err("the run ended".into()),
            };
            if let Err(why) = waited {
                let (outcome, evidence) = (
                    Some(FaultOutcome::Skipped),
                    format!("it waited for `{when}`: {why}"),
                );
                return self.tell(FaultValue {
                    outcome,
                    evidence,
                    ..self.value(FaultPhase::Injected, began)
                });
            }
        }
        let waited = Instant::now();
        let turn = async {
            match fault.overlaps_itself() {
                true => None,
                false => Some(self.turn.lock().await),
            }
        };
        let _turn = tokio::select! {
            turn = turn => turn,
            () = stopped(&mut stop) => {
                let evidence = "the run ended before the last fault of this name was healed".into();
                let outcome = Some(FaultOutcome::Skipped);
                return self.tell(FaultValue { outcome, evidence, ..self.value(FaultPhase::Injected, began) });
            }
        };
        if waited.elapsed() > LATE {
            // The one before took longer than planned: the cluster must still work again before the next.
            let _ = stopped_before(&mut stop, Instant::now() + RESPITE).await;
        }
        if *stop.borrow() {
            // It came while the others were waited for: what is injected now hits the end of the run.
            return self.tell(FaultValue {
                outcome: Some(FaultOutcome::Skipped),
                evidence: "the run ended before it began".into(),
                ..self.value(FaultPhase::Injected, began)
            });
        }
        let (mut began, clock_read) = (self.now(), std::time::Instant::now());
        let injected = fault
            .inject(context, self.planned.id, shape, self.planned.seed)
            .await;
        if let Some(imposed) = context.cluster.imposed_at(self.planned.id) {
            // It may have waited for a leader, or for nodes to lag, before it did what it does.
            let waited = imposed.saturating_duration_since(clock_read).as_nanos();
            began += u64::try_from(waited).unwrap_or_default();
        }
        let value = FaultValue {
            outcome: Some(injected.outcome),
            what: injected.what.clone(),
            nodes: injected.nodes.clone(),
            roles: injected.roles.clone(),
            links: injected.links.clone(),
            evidence: injected.evidence.clone(),
            ..self.value(FaultPhase::Injected, began)
        };
        self.tell(value.clone());
        if injected.outcome != FaultOutcome::Skipped && fault.lasts() {
            let due = Instant::now() + Duration::from_millis(self.planned.for_ms);
            let _ = stopped_before(&mut stop, due).await;
        }
        let began = self.now();
        if let Some(healed) = injected.heal(context).await {
            let outcome = Some(healed.outcome);
            let phase = FaultPhase::Healed;
            self.tell(FaultValue {
                phase,
                outcome,
                evidence: healed.evidence,
                started: began,
                ..value
            });
        }
    }

    fn now(&self) -> u64 {
        (self.conductor.clock)()
    }

    fn tell(&self, value: FaultValue) {
        (self.conductor.sink)(&self.planned.fault, value);
    }

    fn value(&self, phase: FaultPhase, started: u64) -> FaultValue {
        FaultValue {
            id: self.planned.id,
            phase,
            outcome: None,
            what: self.planned.shape.clone(),
            started,
            nodes: Vec::new(),
            roles: BTreeMap::new(),
            links: Vec::new(),
            evidence: String::new(),
        }
    }
}

/// Waits for the time, or for the stop if that comes first; says whether it came.
async fn stopped_before(stop: &mut watch::Receiver<bool>, time: Instant) -> bool {
    tokio::time::timeout_at(time, stopped(stop)).await.is_ok()
}

/// Waits for the stop. If nobody is left who could give it, that is for ever.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Whether nothing of any fault is left: every link open and carrying, every disk with power, no process stopped or
/// with a clock or a program that is not its own, every node alive.
/// The error lists what is amiss.
pub async fn clean_bill(cluster: &Cluster) -> Result<(), Vec<String>> {
    let mut amiss = Vec::new();
    let cut = cluster.cut_links();
    if !cut.is_empty() {
        let names: Vec<String> = cut.into_iter().map(|link| cluster.link_name(link)).collect();
        amiss.push(format!("links are cut: {}", names.join(", ")));
    }
    amiss.extend(cluster.network().leftovers(cluster.len()).await);
    for node in 0..cluster.len() {
        let name = cluster.name(node);
        if let Some(disk) = cluster.host(node).disk()
            && !disk.faults().is_empty()
        {
            amiss.push(format!("the disk of {name} is still troubled"));
        }
        if cluster.host(node).disk().is_some_and(|disk| !disk.has_power()) {
            amiss.push(format!("the disk of {name} has no power, or is about to lose it"));
        }
        if cluster.host(node).is_on_other_program() {
            amiss.push(format!("{name} is started with its other program"));
        }
        if cluster.host(node).boot() != 0 {
            amiss.push(format!("{name} is started with another time since boot"));
        }
        match cluster.status(node).pid() {
            None => amiss.push(format!("{name} does not run: {:?}", cluster.status(node))),
            Some(pid) => {
                if host::is_in_a_freezer(pid) {
                    amiss.push(format!("{name} is still in a control group of ours"));
                }
                if clock::boot_ahead(pid).is_some_and(|ahead| ahead != 0) {
                    amiss.push(format!("{name} has another time since boot"));
                }
                let stopped = procfs::thread_stats(pid)
                    .into_iter()
                    .filter(|stat| stat.is_stopped())
                    .count();
                if stopped > 0 {
                    amiss.push(format!("{stopped} threads of {name} are stopped"));
                }
                let bent = cluster.clock(node).bent(pid);
                if !bent.is_empty() {
                    amiss.push(format!("{name} has clocks that are not its own (pid {bent:?})"));
                }
            }
        }
    }
    if amiss.is_empty() { Ok(()) } else { Err(amiss) }
}
