//! Viewstamped Replication (Liskov & Cowling, *Viewstamped Replication Revisited*, MIT-CSAIL-TR-2012-021,
//! 2012: "the paper"; sections are its).

mod backup;
mod defects;
mod disk;
mod handover;
mod log;
mod message;
mod node;
mod primary;
mod read;
mod reconfiguration;
mod record;
mod recovery;
mod snapshot;
mod state_transfer;
mod view;
mod view_change;

pub use defects::DEFECTS;
pub use log::{Entry, Log, Operation, Position};
pub use message::{Body, Condition, Message};
pub use node::Viewstamped;
pub use view::{Group, View};
