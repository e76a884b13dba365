//! The phases of a run, in their order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use partita_checker::{Analysis, Model};
use partita_generator::pace::Pace;
use partita_generator::random;
use partita_history::{History, jsonl};
use partita_nemesis::fault::{self, Context as Ground, Need};
use partita_nemesis::lab::{Lab, SearchPath};
use partita_nemesis::schedule::{self, Conductor};
use partita_nemesis::{Cluster, PortRole, disk};
use partita_reports::run::Summary;
use partita_targets::{ClientOptions, Node, Options, Program, Reads, Target};
use partita_workloads::Workload;
use tokio::sync::watch;

use super::directory;
use super::exits;
use super::judge::{self, Observed, VIOLATION};
use super::load::{self, Clients};
use super::online::{self, Alarm, Follower, Tap};
use super::operator::{Operator, Starter};
use super::recorder::Recorder;
use super::replicas;
use super::starting::{self, Start};
use super::watch::Watch;
use crate::child::INTERRUPTED;
use crate::plan::{self, OnViolation, Plan};
use crate::progress::Progress;

/// How long the cluster has to recover when all faults are healed.
const RECOVERY_LIMIT: Duration = Duration::from_secs(30);
/// How long a node has to say how it is.
const STATUS_TIMEOUT: Duration = Duration::from_millis(500);
/// How long killed nodes may take to be gone.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Final reads a second.
const FINAL_RATE: f64 = 200.0;
/// All that a run needs.
pub(crate) struct Setting<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) target: &'static dyn Target,
    pub(crate) workload: &'static dyn Workload,
    pub(crate) options: &'a Options,
    pub(crate) program: &'a Program,
    /// The program that `upgrade` gives to nodes.
    pub(crate) other: Option<&'a Program>,
    pub(crate) lab: &'a Lab,
    pub(crate) directory: &'a Path,
    /// When the command was given.
    pub(crate) began: Instant,
    pub(crate) progress: &'a Progress,
}

/// Runs the plan and fills in the summary.
///
/// # Errors
/// When the harness broke or the target would not start. Nothing outlives this call in either case.
pub(crate) async fn run(setting: &Setting<'_>, summary: &mut Summary) -> anyhow::Result<()> {
    let plan = setting.plan;
    let mut observed = Observed::default();
    let mut facts = BTreeMap::new();
    facts.insert("target version".to_owned(), setting.program.version.clone());
    // Our own is known by its version.
    if plan.binary.is_some() || setting.other.is_some() {
        facts.insert("program".to_owned(), identity(setting.program));
    }
    if let Some(other) = setting.other {
        let told = format!("{}, {}", identity(other), other.version);
        facts.insert("other program".to_owned(), told);
    }
    let left_out = plan.left_out.iter().map(|(fault, why)| format!("{fault}: {why}"));
    let left_out: Vec<String> = left_out.collect();
    if !left_out.is_empty() {
        facts.insert("left out of the faults".to_owned(), left_out.join("; "));
    }

    let cluster = Cluster::start_network(setting.lab, &plan.nodes, setting.directory).await?;
    if !plan.disk_faults().is_empty() {
        let options = disk::Options::default();
        let reach = cluster.mount_disks(options)?;
        let age = options.write_back_age.as_secs();
        let told = match reach {
            disk::Reach::Everything => {
                format!("passed through by the controller, which can undo what was not synced for {age} s")
            }
            disk::Reach::Syncs => format!("plain folders: faults of syncs only, by {}", reach.means()),
        };
        facts.insert("disks".to_owned(), told);
    }
    if plan.bends_clocks()
        && let Some(means) = cluster.prepare_clocks()?
    {
        facts.insert("clocks bent by".to_owned(), means);
    }
    let (tap, follower) = online::follow(model(setting)?, &checker_options(plan))
        .context("the online checker can't have a thread")?;
    let outcome = with_cluster(setting, &cluster, &mut observed, &mut facts, tap, &follower).await;
    observed.unexpected_exits = exits::told(&cluster);
    let machine = exits::machine_failed(&cluster, setting.directory);
    facts.extend(cluster.facts().clone());
    let excused = cluster.excused_exits();
    if !excused.is_empty() {
        facts.insert("ended because of a fault".to_owned(), excused.join("; "));
    }
    let left = cluster.stop_all(STOP_LIMIT).await;
    let course = outcome?;
    if let Some(why) = machine {
        bail!("{why}");
    }
    if !left.is_empty() {
        bail!("could not be killed: {}", left.join(", "));
    }

    let tap = match course {
        Course::Over(tap) => tap,
        Course::NotBegun => {
            judge::not_begun(summary);
            summary.facts.extend(facts);
            return Ok(());
        }
    };

    let history = read_history(setting.directory)?;
    setting.progress.phase("checking");
    let checking = Instant::now();
    let followed = follower.finish(tap).await?;
    let (history, analysis) = check(setting, history).await?;
    facts.insert(
        "checker time".to_owned(),
        format!("{} ms", checking.elapsed().as_millis()),
    );
    facts.insert("online checker".to_owned(), followed.told());
    let agreed = followed.agree(&analysis);
    judge::judge(summary, plan, setting.workload, &history, &observed, analysis);
    summary.facts.extend(facts);
    agreed
}

/// How far a run came.
enum Course {
    /// To its last read. The tap is that through which the online checker was told.
    Over(Option<Tap>),
    /// It was interrupted before the load began.
    NotBegun,
}

/// From the start of the nodes to the last read.
async fn with_cluster(
    setting: &Setting<'_>,
    cluster: &Arc<Cluster>,
    observed: &mut Observed,
    facts: &mut BTreeMap<String, String>,
    tap: Tap,
    follower: &Follower,
) -> anyhow::Result<Course> {
    let plan = setting.plan;
    let nodes = Arc::new(members(cluster, plan));
    let observer = setting
        .target
        .observer(&nodes, cluster.control_source(), STATUS_TIMEOUT)
        .map_err(anyhow::Error::from_boxed)?;
    let watch = Arc::new(Watch::new(observer, Arc::clone(&nodes), setting.target));
    let starter = Starter {
        target: setting.target,
        program: setting.program.clone(),
        other: setting.other.cloned(),
        options: setting.options.clone(),
        nodes: Arc::clone(&nodes),
        directory: setting.directory.to_owned(),
    };
    setting.progress.phase("starting");
    if starting::start(setting, cluster, &starter, &watch).await? == Start::Interrupted {
        return Ok(Course::NotBegun);
    }
    let ground = Ground {
        cluster: Arc::clone(cluster),
        observer: Arc::<Watch>::clone(&watch),
        administrator: match Operator::new(cluster, starter)? {
            Some(operator) => Some(Arc::new(operator)),
            None => None,
        },
    };

    let pace = Pace::new(plan.seed, plan.rate);
    let rng = random(plan.seed, "operations");
    let recorder = Recorder::new(setting.directory, setting.workload.generator(), pace, rng, tap)
        .context("the history can't be made")?;
    facts.insert(
        partita_reports::TIME_ZERO.to_owned(),
        format!("{:.6}", jiff::Timestamp::now()),
    );
    let recorder = Arc::new(recorder);
    facts.insert(
        "time to first operation".to_owned(),
        format!("{} ms", setting.began.elapsed().as_millis()),
    );

    let clients = Clients {
        target: setting.target,
        cluster: Arc::clone(&nodes),
        concurrency: plan.concurrency,
        options: ClientOptions {
            object: setting.workload.object(),
            reads: match plan.reads {
                plan::Reads::Linearizable => Reads::Linearizable,
                plan::Reads::Local => Reads::Local,
            },
            timeout: Duration::from_millis(plan.operation_timeout_ms),
        },
    };
    let (stop_metrics, metrics_stopped) = watch::channel(false);
    let metrics = {
        let (watch, recorder, directory) = (
            Arc::clone(&watch),
            Arc::clone(&recorder),
            setting.directory.to_owned(),
        );
        tokio::spawn(async move { watch.record(&directory, &recorder, metrics_stopped).await })
    };
    let cpu_before = cpu();
    let announcing = {
        let (alarm, progress) = (follower.alarm(), setting.progress.clone());
        tokio::spawn(async move { progress.violation(&alarm.await) })
    };
    let next = load_under_faults(setting, &ground, &watch, &clients, &recorder, observed, follower).await?;
    if let Some(each) = (cpu() - cpu_before)
        .as_micros()
        .checked_div(u128::from(observed.load.invoked))
    {
        facts.insert("controller CPU per operation".to_owned(), format!("{each} us"));
    }

    if observed.ended == VIOLATION {
        cluster.final_heal()?;
    } else {
        recover(setting, &ground, &watch, observed, facts).await?;
        setting.progress.phase("final reads");
        if !final_reads(&clients, &recorder, plan.seed, next).await? {
            let limit = RECOVERY_LIMIT.as_secs();
            let why = format!("after {limit} s not all that was used could be read");
            observed.not_recovered.get_or_insert(why);
        }
        observed.replicas = replicas::compare(&watch, &plan.nodes).await;
    }

    stop_metrics.send_replace(true);
    metrics.await.context("the metrics panicked")??;
    observed.snapshots_installed = watch.snapshots_installed();
    observed.leaders_apart = setting
        .target
        .has_one_leader_a_term()
        .then(|| watch.leaders_apart());
    announcing.abort();
    Ok(Course::Over(recorder.untap()))
}

/// Heals all that is not healed, and waits until the cluster is whole.
async fn recover(
    setting: &Setting<'_>,
    ground: &Ground,
    watch: &Watch,
    observed: &mut Observed,
    facts: &mut BTreeMap<String, String>,
) -> anyhow::Result<()> {
    setting.progress.phase("recovering");
    let recovering = Instant::now();
    let cluster = &ground.cluster;
    cluster.final_heal()?;
    if setting.plan.asked().iter().any(|(name, _)| needs_members(name)) {
        let done = fault::restore_members(ground).await;
        if !done.is_empty() {
            facts.insert("members restored".to_owned(), done.join("; "));
        }
    }
    observed.not_recovered = watch.ready(RECOVERY_LIMIT, || None).await.err();
    // A node that ended by itself is a finding; anything else that is not as it was is our own failure.
    if let Err(amiss) = schedule::clean_bill(cluster).await
        && cluster.unexpected_exits().is_empty()
    {
        bail!("not everything was healed: {}", amiss.join("; "));
    }
    facts.insert(
        "recovery time".to_owned(),
        format!("{} ms", recovering.elapsed().as_millis()),
    );
    Ok(())
}

/// Does the fault change who is a member?
fn needs_members(fault: &str) -> bool {
    fault::find(fault).is_some_and(|fault| fault.needs() == Some(Need::Members))
}

/// Reads all that was used, until it was answered; false if that takes too long.
async fn final_reads(
    clients: &Clients,
    recorder: &Arc<Recorder>,
    seed: u64,
    next: u64,
) -> anyhow::Result<bool> {
    recorder.finally(Pace::new(seed, FINAL_RATE));
    let (stop, stopped) = watch::channel(false);
    let limit = tokio::spawn(async move {
        tokio::time::sleep(RECOVERY_LIMIT).await;
        stop.send_replace(true);
        // Held until the clients have seen it.
        stop.closed().await;
    });
    load::work(clients, recorder, next, &stopped).await?;
    limit.abort();
    Ok(!*stopped.borrow())
}

/// Where each node is.
fn members(cluster: &Cluster, plan: &Plan) -> Vec<Node> {
    let names = plan.nodes.iter().enumerate();
    names
        .map(|(node, name)| Node {
            name: name.clone(),
            peer_listen: cluster.listen(node, PortRole::Peer),
            client_listen: cluster.listen(node, PortRole::Client),
            peer: cluster.peer_address(node),
            client: cluster.client_address(node),
            control: cluster.control_address(node),
        })
        .collect()
}

/// Lets the clients work and the nemesis follow its schedule, until the time limit, an interruption, or a violation
/// if the plan says so. All
/// faults are healed when it returns. Gives back the number of the next process.
async fn load_under_faults(
    setting: &Setting<'_>,
    ground: &Ground,
    watch: &Watch,
    clients: &Clients,
    recorder: &Arc<Recorder>,
    observed: &mut Observed,
    follower: &Follower,
) -> anyhow::Result<u64> {
    let (stop, stopped) = watch::channel(false);
    let (stop_faults, faults_stopped) = watch::channel(false);
    let mut work = {
        let (clients, recorder) = (clients.clone(), Arc::clone(recorder));
        tokio::spawn(async move { load::work(&clients, &recorder, 0, &stopped).await })
    };
    let nemesis = {
        let (progress, sink, clock) = (
            setting.progress.clone(),
            Arc::clone(recorder),
            Arc::clone(recorder),
        );
        let conductor = Conductor {
            context: ground.clone(),
            sink: Arc::new(move |fault, value| {
                progress.fault(fault, &value);
                sink.fault(fault, value);
            }),
            clock: Arc::new(move || clock.now()),
        };
        let faults = setting.plan.faults.clone();
        tokio::spawn(async move { schedule::run(&conductor, &faults, faults_stopped).await })
    };
    let end = recorder.moment(0) + setting.plan.time_limit();
    let violated = async {
        let alarm = follower.alarm().await;
        match setting.plan.on_violation {
            OnViolation::Stop => alarm,
            OnViolation::Continue => std::future::pending().await,
        }
    };
    let mut frozen = Ok(());
    let early = tokio::select! {
        () = setting.progress.show(recorder) => unreachable!("progress is shown until the load ends"),
        () = tokio::time::sleep_until(end.into()) => { observed.ended = "time limit".into(); None }
        () = setting.progress.interrupted() => { observed.ended = INTERRUPTED.into(); None }
        alarm = violated => {
            // No client begins anything new; what is cut or paused stays so until it was looked at.
            stop.send_replace(true);
            observed.ended = VIOLATION.into();
            frozen = freeze(setting, &ground.cluster, watch, recorder, &alarm).await;
            None
        }
        // Clients end before they are told to only when something broke.
        ended = &mut work => Some(ended),
    };
    observed.load_seconds = recorder.now() as f64 / 1e9;
    observed.load = recorder.counts();
    stop.send_replace(true);
    stop_faults.send_replace(true);
    let nemesis = nemesis.await.context("the nemesis panicked");
    let next = match early {
        Some(ended) => ended,
        None => work.await,
    };
    let next = next.context("the clients panicked")??;
    nemesis??;
    frozen?;
    match recorder.broken() {
        Some(error) => bail!("the history can't be written: {error}"),
        None => Ok(next),
    }
}

/// Notes how the nodes are, as long as the faults that they are under go on.
async fn freeze(
    setting: &Setting<'_>,
    cluster: &Cluster,
    watch: &Watch,
    recorder: &Recorder,
    alarm: &Alarm,
) -> anyhow::Result<()> {
    let logs = (0..cluster.len()).map(|node| {
        let log = cluster.folder(node).join("node.log");
        let bytes = std::fs::metadata(log).map_or(0, |log| log.len());
        (cluster.name(node).to_owned(), bytes)
    });
    let moment = serde_json::json!({
        "format": partita_reports::run::FORMAT,
        "time": alarm.time,
        "key": alarm.violation.key,
        "position": alarm.violation.position,
        "culprit": alarm.violation.culprit,
        "log_bytes": logs.collect::<BTreeMap<_, _>>(),
        "nodes": watch.statuses(recorder).await,
    });
    let text = serde_json::to_string_pretty(&moment)?;
    directory::write(setting.directory, "violation.json", &text)
}

/// The processor time that the controller has used so far.
fn cpu() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    let time = usage.user_time() + usage.system_time();
    Duration::from_micros(u64::try_from(nix::sys::time::TimeValLike::num_microseconds(&time)).unwrap_or(0))
}

fn read_history(directory: &Path) -> anyhow::Result<History> {
    let path = directory.join("history.jsonl");
    let read = || -> anyhow::Result<History> { Ok(jsonl::read(BufReader::new(File::open(&path)?), false)?) };
    read().with_context(|| format!("`{}` can't be read back", path.display()))
}

/// A program by its path and its content.
fn identity(program: &Program) -> String {
    // A bare name is looked for on the search path.
    let is_bare = program.path.components().count() == 1;
    let found = program.path.to_str().filter(|_| is_bare);
    let found = found.and_then(|name| SearchPath::from_environment().find(name));
    let path = found.as_deref().unwrap_or(&program.path);
    match sum(path) {
        Ok(sum) => format!("{} (crc32 {sum:08x})", path.display()),
        Err(error) => format!("{} ({error})", path.display()),
    }
}

fn sum(path: &Path) -> std::io::Result<u32> {
    let mut hasher = crc32fast::Hasher::new();
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hasher.finalize());
        }
        hasher.update(bytes);
        let read = bytes.len();
        reader.consume(read);
    }
}

/// The model of the workload.
fn model(setting: &Setting<'_>) -> anyhow::Result<&'static Model> {
    let name = setting.workload.model();
    Model::by_name(name).with_context(|| format!("the workload's model `{name}` is not there"))
}

/// What both checkers assume, and how much the offline one may spend.
fn checker_options(plan: &Plan) -> partita_checker::Options {
    partita_checker::Options {
        memory_bytes_max: plan.checker_memory_bytes,
        ..partita_checker::Options::default()
    }
}

/// Judges the history, off the runtime's threads.
async fn check(setting: &Setting<'_>, history: History) -> anyhow::Result<(History, Analysis)> {
    let model = model(setting)?;
    let options = checker_options(setting.plan);
    let deadline = Instant::now().checked_add(Duration::from_millis(setting.plan.checker_time_ms));
    let stop = move || deadline.is_some_and(|deadline| Instant::now() >= deadline);
    tokio::task::spawn_blocking(move || {
        let analysis = partita_checker::check(&history, model, &options, &stop)?;
        Ok((history, analysis))
    })
    .await
    .context("the checker panicked")?
}
