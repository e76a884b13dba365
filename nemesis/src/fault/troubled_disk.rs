//! What the faults have in common that make disks do badly what they are asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::node_fault::Hit;
use super::{AFTERMATH, Allowed, Context, Healed, Injected, Setting, kill};
use crate::disk::{Hits, Pattern, Trouble};
use crate::host::{Excuse, ProcessState};
use crate::network::Evidence;

/// How long to wait until a trouble is met.
const PATIENCE: Duration = Duration::from_millis(1_500);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The files of a disk that are hit.
pub(super) const FILES: Setting = Setting {
    name: "files",
    summary: "the files that it hits, and no others",
    allowed: Allowed::Paths,
};

/// A trouble, in words: of what it does, of its calls, and of a server that ends because of it.
#[derive(Clone)]
pub(super) struct Told {
    /// "each fsync takes 20 ms longer"
    pub(super) what: String,
    /// "fsyncs were held up"
    pub(super) calls: &'static str,
    /// "its disk was full"; `None` if no server has a reason to end because of it.
    pub(super) excuse: Option<String>,
}

/// Troubles the disks of those that are hit.
pub(super) async fn inject(hit: Hit<'_>, trouble: Trouble, told: Told) -> Injected {
    let (context, id) = (hit.context, hit.id);
    let files = hit.settings.text(FILES.name);
    let of_files = of_files(files);
    let cluster = &context.cluster;
    let nodes: Vec<usize> = hit.running().into_keys().collect();
    if nodes.is_empty() {
        return hit.nobody_ran();
    }
    for &node in &nodes {
        let host = cluster.host(node);
        let Some(disk) = host.disk() else { continue };
        if let Some(words) = &told.excuse {
            let excuse = Excuse::Trouble(Arc::clone(disk), words.clone());
            host.process.excuse(id, Some(excuse));
        }
        disk.begin(id, trouble, files.map(Pattern::new));
    }
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let evidence = loop {
        let met: Vec<Hits> = nodes.iter().map(|&node| hits(context, node, id)).collect();
        let certain = met.iter().all(|hits| hits.calls > 0);
        if certain || tokio::time::Instant::now() >= deadline {
            let words = nodes.iter().zip(&met);
            let words = words.map(|(&node, hits)| words_of(cluster.name(node), *hits, told.calls));
            break Evidence::new(certain, words.collect::<Vec<_>>().join("; "));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let (troubled, what) = (nodes.clone(), told.what.clone());
    let undo = Box::new(move |context| Box::pin(heal(context, id, troubled, told)) as _);
    let what = format!("{}: {what}{of_files}", hit.names(&nodes).join(", "));
    Injected {
        what,
        ..hit.injected(&nodes, evidence, undo)
    }
}

/// Of which files, in words that follow what is done to them.
pub(super) fn of_files(files: Option<&str>) -> String {
    files.map_or_else(String::new, |files| format!(" (of `{files}`)"))
}

fn hits(context: &Context, node: usize, id: u64) -> Hits {
    let disk = context.cluster.host(node).disk();
    disk.and_then(|disk| disk.hits(id)).unwrap_or_default()
}

fn words_of(name: &str, hits: Hits, calls: &str) -> String {
    let mut words = format!("{name}: {} {calls}", hits.calls);
    if hits.over > 0 {
        words.push_str(&format!(", the longest for {} ms", hits.longest.as_millis()));
    }
    words
}

/// Ends the trouble, and starts those that it has ended.
async fn heal(context: Context, id: u64, nodes: Vec<usize>, told: Told) -> Healed {
    let cluster = &context.cluster;
    let mut words = Vec::new();
    let mut ended = Vec::new();
    for node in nodes {
        let host = cluster.host(node);
        let hits = host.disk().and_then(|disk| disk.end(id)).unwrap_or_default();
        let name = cluster.name(node);
        words.push(format!("{} in all", words_of(name, hits, told.calls)));
        if let Some(excuse) = &told.excuse {
            // It may yet stumble over what it was told, for a while: then it is sound, or it has no excuse.
            let met = hits.calls > 0;
            host.process
                .excuse(id, met.then(|| Excuse::OfThisProcess(excuse.clone())));
            host.process.end_excuse(id, Instant::now() + AFTERMATH);
        }
        if let ProcessState::Exited(exit) = cluster.status(node) {
            words.push(format!("{name} had ended by itself ({exit})"));
            ended.push(node);
        }
    }
    if ended.is_empty() {
        return Evidence::new(true, words.join("; ")).into();
    }
    let restarted = kill::restart(context.clone(), ended).await;
    words.push(restarted.evidence);
    Healed {
        outcome: restarted.outcome,
        evidence: words.join("; "),
    }
}
