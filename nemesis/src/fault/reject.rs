//! Links refuse what is sent over them: connections break and new ones are refused, as when a process or a firewall
//! that answers stands at the other end.

use super::cut::CutFault;
use crate::network::Interference;

/// See the module's text.
pub(super) const REJECT: CutFault = CutFault {
    name: "reject",
    summary: "Has network links refuse: connections over them break at once, and new ones are refused.",
    interference: Interference::Reset,
};
