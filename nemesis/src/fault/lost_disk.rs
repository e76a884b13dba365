//! Machines come back with a new, empty disk, as members that they were: nobody has told the others.
//!
//! What a node promised is gone with its disk. Most protocols do not stand that; those that do have a way for such
//! a node to be taken back, which needs a majority that still has its disks.

use super::administrator::Need;
use super::bit_rot::{SPOILING_NODES, SPOILING_SHAPES, may_be_spoilt};
use super::node_fault::{Hit, NodeFault};
use super::{Injected, kill};
use crate::network::Evidence;

/// See the module's text.
pub(super) const LOST_DISK: NodeFault = NodeFault {
    name: "lost-disk",
    summary: "Kills nodes and takes all of their data away; in a run it is always the same minority. Healing starts them \
              again, with nothing.",
    shapes: SPOILING_SHAPES,
    least_nodes: SPOILING_NODES,
    needs: Some(Need::EmptyDisks),
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

async fn inject(hit: Hit<'_>) -> Injected {
    let context = hit.context;
    let Some(administrator) = &context.administrator else {
        return hit.skipped("the target has no call for it");
    };
    let victims = match may_be_spoilt(&hit) {
        Ok(victims) => victims,
        Err(skipped) => return *skipped,
    };
    let killed = kill::strike(context, &victims);
    let (mut certain, mut words) = kill::gone(context, &killed).await;
    for &node in &victims {
        let name = context.cluster.name(node);
        let wiped = administrator.wipe(node).await;
        // One that somebody else has started meanwhile may have read what was there.
        certain &= wiped.is_ok() && kill::is_kept_down(context, node);
        words.push(match wiped {
            Ok(files) => format!("{name} has lost {files} files"),
            Err(why) => format!("the data of {name} could not be taken away for good: {why}"),
        });
    }
    let hit_now = victims.clone();
    let undo = Box::new(move |context| kill::restart(context, victims));
    hit.injected(&hit_now, Evidence::new(certain, words.join("; ")), undo)
}
