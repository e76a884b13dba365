//! Memory runs out: what a process asks for beyond what it has is refused.

use rustix::process::Resource;

use super::limit::{self, Limit};
use super::node_fault::NodeFault;
use crate::procfs;

/// See the module's text.
pub(super) const MEMORY: NodeFault = NodeFault {
    name: "memory",
    summary: "Lets node processes have 1 MiB more of address space than they have (RLIMIT_AS); a server may end itself of that.",
    harsh: true,
    act: |hit| Box::pin(limit::inject(hit, LIMIT)),
    ..NodeFault::PLAIN
};

const LIMIT: Limit = Limit {
    resource: Resource::As,
    name: "Max address space",
    used: address_space,
    spare: 1 << 20,
    excuse: "it could have no more memory",
};

/// In bytes.
fn address_space(pid: i32) -> Option<u64> {
    let size = procfs::status_field(pid, "VmSize")?;
    let kibibytes: u64 = size.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes << 10)
}
