//! Machines lose their power: processes end, and with them whatever they had written and not synced.

use super::node_fault::{Hit, NodeFault};
use super::{Context, Injected, kill};
use crate::disk::{Extent, Loss, Reach};
use crate::network::Evidence;

/// See the module's text.
pub(super) const POWER_CUT: NodeFault = NodeFault {
    name: "power-cut",
    summary: "Kills nodes and undoes what they had not synced to disk; healing restarts them.",
    needs_disk: Some(Reach::Everything),
    act: |hit| {
        Box::pin(async move {
            let nodes: Vec<usize> = hit.running().into_keys().collect();
            if nodes.is_empty() {
                return hit.nobody_ran();
            }
            for &node in &nodes {
                if let Some(disk) = hit
                    .context
                    .cluster
                    .host(node)
                    .disk()
                    .and_then(|disk| disk.mounted())
                {
                    disk.cut();
                }
            }
            let lost = lose(hit.context, &nodes, |_| Extent::All).await;
            lost.injected(&hit, &nodes)
        })
    },
    ..NodeFault::PLAIN
};

/// What nodes lost.
pub(super) struct Lost {
    /// Whether all went as it should.
    pub(super) certain: bool,
    pub(super) words: Vec<String>,
    pub(super) losses: Vec<Loss>,
    /// Those that another fault has not killed meanwhile.
    ours: Vec<usize>,
}

/// Kills nodes whose power is cut, and undoes what they had not synced.
pub(super) async fn lose(context: &Context, nodes: &[usize], extent: impl Fn(usize) -> Extent) -> Lost {
    let cluster = &context.cluster;
    let killed = kill::strike(context, nodes);
    let ours = kill::ours(context, &killed);
    let (mut certain, mut words) = kill::gone(context, &killed).await;
    let mut losses = Vec::new();
    for &node in nodes {
        let name = cluster.name(node);
        let Some(disk) = cluster.host(node).disk() else {
            continue;
        };
        let (disk, extent) = (std::sync::Arc::clone(disk), extent(node));
        // Files may be long.
        let rolled_back = tokio::task::spawn_blocking(move || disk.mounted()?.roll_back(extent)).await;
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
        ours,
    }
}

impl Lost {
    pub(super) fn injected(self, hit: &Hit<'_>, nodes: &[usize]) -> Injected {
        let ours = self.ours;
        let undo = Box::new(move |context| kill::restart(context, ours));
        let evidence = Evidence::new(self.certain, self.words.join("; "));
        hit.injected(nodes, evidence, undo)
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
