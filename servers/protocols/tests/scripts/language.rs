//! Commands in, transcript out.

use std::path::Path;

use partita_protocols::{Administration, Defect, NodeId, Protocol};

use crate::cluster::Cluster;

/// The script again, with what its commands print now.
pub(crate) fn transcript<P: Protocol>(script: &str) -> String {
    let mut cluster = Cluster::<P>::default();
    let mut out = Vec::new();
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            out.push(line.to_owned());
            let (quiet, command) = match command.strip_prefix("quiet ") {
                Some(command) => (true, command),
                None => (false, command),
            };
            let printed = match run(&mut cluster, command) {
                Ok(()) => cluster.take_output(),
                Err(error) => vec![format!("error: {error}")],
            };
            if !quiet {
                out.extend(printed);
            }
        } else if line.is_empty() || line.starts_with('#') {
            out.push(line.to_owned());
        }
    }
    out.join("\n") + "\n"
}

/// The first line that differs, with its place.
pub(crate) fn difference(path: &Path, before: &str, now: &str) -> String {
    let lines = before.lines().chain(std::iter::repeat("")).zip(now.lines());
    let first = (1..).zip(lines).find(|(_, (before, now))| before != now);
    match first {
        Some((number, (before, now))) => {
            format!("{}:{number}:\n  was {before}\n  now {now}", path.display())
        }
        None => format!("{}: it says more than is printed", path.display()),
    }
}

fn node(name: &str) -> Result<NodeId, String> {
    NodeId::new(name).map_err(|error| error.to_string())
}

fn nodes(names: &[&str]) -> Result<Vec<NodeId>, String> {
    names.iter().map(|name| node(name)).collect()
}

/// A node, or none for `*` and for nothing.
fn any(names: &[&str], at: usize) -> Result<Option<NodeId>, String> {
    match names.get(at) {
        None | Some(&"*") => Ok(None),
        Some(name) => node(name).map(Some),
    }
}

fn run<P: Protocol>(cluster: &mut Cluster<P>, command: &str) -> Result<(), String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        ["cluster", size, options @ ..] => make(cluster, size, options),
        ["tick", at] => cluster.tick(node(at)?, 1),
        ["tick", at, count] => cluster.tick(node(at)?, number(count)?),
        ["campaign", at] => cluster.campaign(node(at)?),
        ["propose", at, commands @ ..] => cluster.propose(node(at)?, commands),
        ["read", at] => cluster.read(node(at)?, "x"),
        ["read", at, key] => cluster.read(node(at)?, key),
        ["admin", at, what @ ..] => cluster.administer(node(at)?, administration(what)?),
        ["sync", at @ ..] => nodes(at)?.into_iter().try_for_each(|at| cluster.sync(at)),
        ["deliver", between @ ..] => cluster.deliver(any(between, 0)?, any(between, 1)?),
        ["drop", between @ ..] => cluster.lose(any(between, 0)?, any(between, 1)?),
        ["again", from, to] => cluster.again(node(from)?, node(to)?),
        ["crash", at @ ..] => nodes(at)?.into_iter().try_for_each(|at| cluster.crash(at)),
        ["restart", at @ ..] => nodes(at)?.into_iter().try_for_each(|at| cluster.restart(at)),
        ["cut", group @ ..] => {
            cluster.cut(&nodes(group)?);
            Ok(())
        }
        ["heal"] => {
            cluster.cut(&[]);
            Ok(())
        }
        ["stabilize"] => cluster.stabilize(),
        ["status", at @ ..] => cluster.status(&nodes(at)?),
        ["under-way"] => {
            cluster.under_way();
            Ok(())
        }
        _ => Err(format!("`{command}` is no command")),
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn administration(words: &[&str]) -> Result<Administration, String> {
    match words {
        ["add", who] => Ok(Administration::AddMember(node(who)?)),
        ["remove", who] => Ok(Administration::RemoveMember(node(who)?)),
        ["transfer", who] => Ok(Administration::Transfer { to: any(&[who], 0)? }),
        ["snapshot"] => Ok(Administration::Snapshot),
        _ => Err("add, remove, transfer or snapshot is wanted".into()),
    }
}

fn make<P: Protocol>(cluster: &mut Cluster<P>, size: &str, options: &[&str]) -> Result<(), String> {
    let members: Result<Vec<NodeId>, String> = (1..=number(size)?)
        .map(|number| node(&format!("n{number}")))
        .collect();
    let mut joining = Vec::new();
    let mut snapshot_entries = None;
    let mut defect = None;
    let mut leases = false;
    for option in options {
        match option.split_once('=') {
            Some(("joining", names)) => joining = nodes(&names.split(',').collect::<Vec<_>>())?,
            Some(("snapshot-entries", count)) => snapshot_entries = Some(number(count)?),
            Some(("defect", name)) => {
                defect = Some(Defect::by_name(name).map_err(|error| error.to_string())?)
            }
            None if *option == "leases" => leases = true,
            _ => return Err(format!("{option:?} is no option of a cluster")),
        }
    }
    cluster.make(&members?, &joining, |config| {
        config.snapshot_entries = snapshot_entries.unwrap_or(config.snapshot_entries);
        config.lease_reads = leases;
        config.defect = defect;
    })
}
