//! Machines lose their power: processes end, and with them whatever they had written and not synced.

use partita_history::FaultOutcome;

use super::{BoxFuture, Context, Fault, Injected, Shape, kill, roles_and_leaders, roles_of, selection};
use crate::disk::{Extent, Loss};

/// See the module's text.
pub(super) struct PowerCut;

impl Fault for PowerCut {
    fn name(&self) -> &'static str {
        "power-cut"
    }

    fn summary(&self) -> &'static str {
        "Kills nodes and undoes what they had not synced to disk; healing restarts them."
    }

    fn shapes(&self) -> &'static [Shape] {
        selection::PROCESS_SHAPES
    }

    fn needs_disks(&self) -> bool {
        true
    }

    fn inject<'a>(
        &'a self,
        context: &'a Context,
        _: u64,
        shape: &'a str,
        seed: u64,
    ) -> BoxFuture<'a, Injected> {
        Box::pin(async move {
            let (victims, roles) = match victims(context, shape, seed).await {
                Ok(found) => found,
                Err(reason) => return Injected::skipped(shape, reason),
            };
            for &node in &victims {
                if let Some(disk) = context.cluster.host(node).disk() {
                    disk.cut();
                }
            }
            let lost = lose(context, &victims, |_| Extent::All).await;
            lost.injected(context, victims, &roles)
        })
    }
}

/// The roles of nodes, by name.
pub(super) type Roles = std::collections::BTreeMap<String, String>;

/// Whom the shape hits, and the roles of all. `Err` says why nobody can be hit.
pub(super) async fn victims(
    context: &Context,
    shape: &str,
    seed: u64,
) -> Result<(Vec<usize>, Roles), String> {
    let cluster = &context.cluster;
    let (roles, leaders) = roles_and_leaders(context, selection::needs_leader(shape)).await;
    let victims = selection::victims(shape, cluster.len(), &leaders, seed)?;
    match victims.iter().find(|&&node| cluster.host(node).disk().is_none()) {
        Some(&node) => Err(format!(
            "the disk of {} can't be made to fail",
            cluster.name(node)
        )),
        None => Ok((victims, roles)),
    }
}

/// What nodes lost.
pub(super) struct Lost {
    /// Whether all went as it should.
    pub(super) certain: bool,
    pub(super) words: Vec<String>,
    pub(super) losses: Vec<Loss>,
}

/// Kills nodes whose power is cut, and undoes what they had not synced.
pub(super) async fn lose(context: &Context, victims: &[usize], extent: impl Fn(usize) -> Extent) -> Lost {
    let cluster = &context.cluster;
    let killed = kill::strike(context, victims);
    let (mut certain, mut words) = kill::gone(context, &killed).await;
    let mut losses = Vec::new();
    for &node in victims {
        let name = cluster.name(node);
        let Some(disk) = cluster.host(node).disk() else {
            continue;
        };
        let (disk, extent) = (std::sync::Arc::clone(disk), extent(node));
        // Files may be long.
        let rolled_back = tokio::task::spawn_blocking(move || disk.roll_back(extent)).await;
        match rolled_back {
            Ok(Some(loss)) => {
                certain &= loss.failed.is_empty();
                words.push(told(name, &loss));
                losses.push(loss);
            }
            Ok(None) => {
                certain = false;
                words.push(format!(
                    "{name} was started again before one could look at what it lost"
                ));
            }
            Err(error) => {
                certain = false;
                words.push(format!("{name}: {error}"));
            }
        }
    }
    Lost {
        certain,
        words,
        losses,
    }
}

impl Lost {
    pub(super) fn injected(self, context: &Context, victims: Vec<usize>, roles: &Roles) -> Injected {
        let name = |&node: &usize| context.cluster.name(node).to_owned();
        let nodes: Vec<String> = victims.iter().map(name).collect();
        Injected {
            what: nodes.join(", "),
            roles: roles_of(roles, &nodes),
            nodes,
            links: Vec::new(),
            outcome: if self.certain {
                FaultOutcome::Took
            } else {
                FaultOutcome::Uncertain
            },
            evidence: self.words.join("; "),
            undo: Some(Box::new(move |context| Box::pin(kill::restart(context, victims)))),
        }
    }
}

/// How many files are named.
const FILES_TOLD: usize = 3;

fn told(name: &str, loss: &Loss) -> String {
    if loss.writes + loss.names == 0 {
        return format!("{name} had synced all that it had written");
    }
    let mut text = match &loss.torn {
        Some((file, kept, length)) => {
            format!("{name} keeps {kept} of the last {length} bytes written to {file}")
        }
        None => format!(
            "{name} lost {} changes of data ({} bytes) and {} of names",
            loss.writes, loss.bytes, loss.names
        ),
    };
    for file in loss.files.iter().take(FILES_TOLD) {
        text.push_str(&format!("; {file}"));
    }
    if loss.files.len() > FILES_TOLD {
        text.push_str(&format!("; and {} more files", loss.files.len() - FILES_TOLD));
    }
    if loss.spilled > 0 {
        text.push_str(&format!(
            "; {} changes so far were durable early, for want of memory",
            loss.spilled
        ));
    }
    for failed in &loss.failed {
        text.push_str(&format!("; not undone: {failed}"));
    }
    text
}
