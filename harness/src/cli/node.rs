//! `partita node ...`: one of our own servers, as a process of a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use partita_checker::Verdict;
use partita_protocols::defect::UnknownDefect;
use partita_protocols::{Defect, UnknownProtocol};
use partita_replica::NodeOptions;

use super::Failure;

/// Arguments of `node`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The protocol
    protocol: String,
    /// This node's name
    #[arg(long)]
    id: String,
    /// Where it stores what must survive
    #[arg(long)]
    data: PathBuf,
    /// Where it listens for its peers
    #[arg(long)]
    listen_peer: SocketAddr,
    /// Where it listens for clients
    #[arg(long)]
    listen_client: SocketAddr,
    /// Another node, as NAME=ADDRESS: the address book of all that this node may ever talk to
    #[arg(long = "peer", value_parser = peer)]
    peers: Vec<(String, SocketAddr)>,
    /// A member when the cluster began, if these are not the node and all its peers
    #[arg(long = "member")]
    members: Vec<String>,
    /// Be no member yet, and wait to be made one (POST /v1/admin)
    #[arg(long)]
    join: bool,
    /// Entries from one snapshot to the next, if not the protocol's own number
    #[arg(long)]
    snapshot_entries: Option<u64>,
    /// Answer reads on a lease, which is safe only while clocks drift by 10 % at most
    #[arg(long)]
    lease_reads: bool,
    /// Milliseconds between a leader's heartbeats
    #[arg(long, default_value_t = 50)]
    heartbeat_ms: u64,
    /// Milliseconds without a leader before an election
    #[arg(long, default_value_t = 500)]
    election_ms: u64,
    /// A deliberate bug to switch on
    #[arg(long)]
    defect: Option<String>,
}

/// `n2=127.0.0.1:7002`
fn peer(text: &str) -> Result<(String, SocketAddr), String> {
    let (name, address) = text.split_once('=').ok_or("expected NAME=ADDRESS")?;
    Ok((
        name.to_owned(),
        address
            .parse()
            .map_err(|_| format!("`{address}` is no address"))?,
    ))
}

pub(super) fn main(arguments: Arguments) -> Result<Verdict, Failure> {
    let protocol = arguments
        .protocol
        .parse()
        .map_err(|error: UnknownProtocol| Failure::usage(error))?;
    let defect = arguments.defect.as_deref().map(Defect::by_name).transpose();
    let defect = defect.map_err(|error: UnknownDefect| Failure::usage(error))?;
    let mut options = NodeOptions::new(
        protocol,
        arguments.id,
        arguments.data,
        arguments.listen_peer,
        arguments.listen_client,
    );
    options.peers = arguments
        .peers
        .into_iter()
        .map(|(name, address)| (name, address.to_string()))
        .collect();
    options.members = arguments.members.into_iter().collect();
    options.join = arguments.join;
    options.snapshot_entries = arguments.snapshot_entries;
    options.lease_reads = arguments.lease_reads;
    options.heartbeat = Duration::from_millis(arguments.heartbeat_ms);
    options.election = Duration::from_millis(arguments.election_ms);
    options.defect = defect;
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(NODE_THREADS)
        .enable_all()
        .build()
        .context("the node's threads can't be made")?;
    runtime.block_on(partita_replica::run(options))?;
    Ok(Verdict::Valid)
}

/// Several nodes share the machine.
const NODE_THREADS: usize = 2;
