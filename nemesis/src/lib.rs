//! Hosts, networks, and every fault that can be done to them, with evidence.
//!
//! - [`lab`]: the namespaces, or what stands in for them, that a run happens in. Entered first of all.
//! - [`Cluster`]: the nodes of a run and the network between them.
//! - [`fault`]: what can be done to a cluster, one file each, and the registry [`fault::ALL`].
//! - [`disk`]: what lies under the nodes' data when a fault is to make disks fail.
//! - [`schedule`]: carries out a planned schedule of faults, and heals all of them whatever happens.
//! - [`clean`]: removes what a dead run left.
//!
//! The call sequence:
//!
//! ```no_run
//! # use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
//! # use partita_nemesis::{Cluster, CommandSpec, PortRole, fault, lab, schedule};
//! # use partita_nemesis::fault::{BoxFuture, Context, Observer};
//! use partita_generator::faults::{self, FaultKind};
//! # struct Eyes;
//! # impl Observer for Eyes {
//! #     fn roles(&self) -> BoxFuture<'_, BTreeMap<String, String>> { Box::pin(async { BTreeMap::new() }) }
//! #     fn answers<'a>(&'a self, _: &'a str) -> BoxFuture<'a, bool> { Box::pin(async { true }) }
//! #     fn look(&self) -> BoxFuture<'_, Vec<Option<fault::Standing>>> { Box::pin(async { Vec::new() }) }
//! # }
//! # fn spec(_: std::net::SocketAddr, _: std::net::SocketAddr) -> CommandSpec { CommandSpec::default() }
//! # fn observer(_: &Cluster) -> Eyes { Eyes }
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let lab = lab::enter(lab::NetworkChoice::Auto)?; // before any thread; may fork
//!     tokio::runtime::Runtime::new()?.block_on(run(&lab))
//! }
//!
//! async fn run(lab: &lab::Lab) -> Result<(), Box<dyn std::error::Error>> {
//!     let names: Vec<String> = (1..=5).map(|i| format!("n{i}")).collect();
//!     let cluster = Cluster::start_network(lab, &names, Path::new("runs/1")).await?;
//!     for node in 0..cluster.len() {
//!         let spec = spec(cluster.listen(node, PortRole::Peer), cluster.listen(node, PortRole::Client));
//!         cluster.start(node, spec)?;
//!     }
//!     let observer = Arc::new(observer(&cluster));
//!     let kind = |fault: &&dyn fault::Fault| FaultKind {
//!         name: fault.name().into(),
//!         shapes: fault::shapes(*fault, cluster.len(), true),
//!         lengths_ms: fault.lengths_ms().to_vec(),
//!     };
//!     let kinds: Vec<_> = fault::ALL.iter().map(kind).collect();
//!     let planned = faults::schedule(1, &kinds, 30_000);
//!     let start = std::time::Instant::now();
//!     let conductor = schedule::Conductor {
//!         context: Context { cluster: Arc::clone(&cluster), observer, administrator: None },
//!         sink: Arc::new(|name, value| println!("{name}: {value:?}")),
//!         clock: Arc::new(move || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)),
//!     };
//!     let (stop, stopped) = tokio::sync::watch::channel(false);
//!     schedule::run(&conductor, &planned, stopped).await?; // `stop.send_replace(true)` ends it early
//!     cluster.final_heal()?;
//!     // ... wait until the nodes answer, final reads ...
//!     schedule::clean_bill(&cluster).await.map_err(|amiss| amiss.join("; "))?;
//!     cluster.stop_all(Duration::from_secs(2)).await;
//!     # drop(stop);
//!     Ok(())
//! }
//! ```
//!
//! Faults act only inside what Partita made: its namespaces, its children, its folders. The host's firewall,
//! routes, clock and disks are never changed.

pub mod clean;
mod clock;
mod cluster;
mod condition;
pub mod disk;
pub mod fault;
mod host;
pub mod lab;
pub mod mark;
mod network;
mod procfs;
pub mod schedule;

pub use cluster::{Cluster, ClusterError};
pub use host::{CommandSpec, Exit, ProcessState, UnexpectedExit};
pub use network::{Endpoint, Interference, Jitter, Link, PortRole, Share};
