//! Descriptors run out: no connection is accepted, no file opened.

use rustix::process::Resource;

use super::limit::{self, Limit};
use super::node_fault::NodeFault;
use crate::procfs;

/// See the module's text.
pub(super) const FILE_DESCRIPTORS: NodeFault = NodeFault {
    name: "file-descriptors",
    summary: "Lets node processes open no more descriptors than they have open (RLIMIT_NOFILE); a server may end itself of that.",
    harsh: true,
    act: |hit| Box::pin(limit::inject(hit, LIMIT)),
    ..NodeFault::PLAIN
};

const LIMIT: Limit = Limit {
    resource: Resource::Nofile,
    name: "Max open files",
    used: |pid| u64::try_from(procfs::descriptors(pid)).ok(),
    spare: 0,
    excuse: "it could open no more descriptors",
};
