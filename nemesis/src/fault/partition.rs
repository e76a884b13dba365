//! Links are cut, in both directions or one. Connections stay open and silent, as when a cable is pulled.

use super::cut::CutFault;
use crate::network::Interference;

/// See the module's text.
pub(super) const PARTITION: CutFault = CutFault {
    name: "partition",
    summary: "Cuts network links: nothing that is sent over them arrives, and connections stay open.",
    interference: Interference::Stall,
};
