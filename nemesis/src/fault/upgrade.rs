//! Nodes get another release of their program, one after another, and later the first one again.

use super::node_fault::{Hit, NodeFault};
use super::{Context, Healed, Injected, kill, stop};
use crate::host::CommandSpec;
use crate::network::Evidence;
use crate::procfs;

/// See the module's text.
pub(super) const UPGRADE: NodeFault = NodeFault {
    name: "upgrade",
    summary: "Restarts nodes one after another with the other program (--binary-b); healing goes back the same way.",
    needs_other_program: true,
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

async fn inject(hit: Hit<'_>) -> Injected {
    let mut nodes: Vec<usize> = hit.running().into_keys().collect();
    if nodes.is_empty() {
        return hit.nobody_ran();
    }
    // None is started anew by this.
    nodes.retain(|&node| hit.context.cluster.use_other_program(node, false));
    if nodes.is_empty() {
        return hit.skipped("there is no other program (--binary-b)");
    }
    let evidence = roll(hit.context, &nodes, true).await;
    let victims = nodes.clone();
    let undo = Box::new(move |context| Box::pin(heal(context, victims)) as _);
    hit.injected(&nodes, evidence, undo)
}

async fn heal(context: Context, nodes: Vec<usize>) -> Healed {
    roll(&context, &nodes, false).await.into()
}

/// Restarts each node with its other program, or with its own.
async fn roll(context: &Context, nodes: &[usize], other: bool) -> Evidence {
    let cluster = &context.cluster;
    let mut certain = true;
    let mut words = Vec::new();
    for &node in nodes {
        let name = cluster.name(node);
        if !cluster.use_other_program(node, other) {
            certain = false;
            words.push(format!("{name} has no other program"));
            continue;
        }
        if kill::is_kept_down(context, node) {
            // Whoever starts it again starts it so. Until then nothing runs the other program there.
            certain &= !other;
            words.push(kill::left_out(context, node));
            continue;
        }
        let stopped = stop::stop(context, &[node]).await;
        let started = kill::restart(context.clone(), vec![node]).await;
        certain &= [stopped.outcome, started.outcome] == [partita_history::FaultOutcome::Took; 2];
        words.extend([stopped.text, started.evidence]);
        let command = cluster.command(node).unwrap_or_default();
        let is_it = cluster.status(node).pid().is_some_and(|pid| runs(pid, &command));
        certain &= is_it;
        words.push(format!(
            "{name} {} {}",
            if is_it { "runs" } else { "does not run" },
            command.program.display()
        ));
    }
    Evidence::new(certain, words.join("; "))
}

/// Is this what the process runs, as the kernel tells it? A script's executable is its interpreter, and its path an
/// argument of that.
fn runs(pid: i32, command: &CommandSpec) -> bool {
    let told = procfs::command(pid);
    let program = command.program.to_string_lossy();
    let is_executable = || {
        let resolved = command.program.canonicalize();
        resolved.is_ok_and(|path| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == path))
    };
    told.ends_with(&command.args.join(" "))
        && (told.split(' ').any(|word| word == program) || is_executable())
}
