//! `partita join-etcd ...`: a node of etcd that waits to be added to its cluster.

use std::path::PathBuf;

use anyhow::Context;
use partita_checker::Verdict;
use partita_targets::EtcdJoining;

use super::Failure;

/// Arguments of `join-etcd`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The node's name
    #[arg(long)]
    name: String,
    /// etcd's data directory
    #[arg(long)]
    data: PathBuf,
    /// A node, this one included, as NAME=URL: where its peers find it
    #[arg(long = "node", required = true, value_parser = node)]
    nodes: Vec<(String, String)>,
    /// What starts etcd, but for who the members are
    #[arg(last = true, required = true)]
    etcd: Vec<String>,
}

/// `n2=http://10.0.0.2:2380`
fn node(text: &str) -> Result<(String, String), String> {
    let (name, url) = text.split_once('=').ok_or("expected NAME=URL")?;
    Ok((name.to_owned(), url.to_owned()))
}

pub(super) fn main(arguments: Arguments) -> Result<Verdict, Failure> {
    let program = arguments.etcd.first().cloned().unwrap_or_default();
    let joining = EtcdJoining {
        nodes: arguments.nodes,
        name: arguments.name,
        data: arguments.data,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("there is no thread to wait in")?;
    let ended = runtime.block_on(joining.run(arguments.etcd));
    let code = ended.with_context(|| format!("`{program}` can't be started"))?;
    // Not a verdict: it ends as etcd did.
    std::process::exit(code.into());
}
