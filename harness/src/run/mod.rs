//! One run, from the plan to the verdict.
//!
//! ```text
//! plan -> network and nodes come up -> clients work while the nemesis follows its schedule
//!      -> everything is healed -> the cluster recovers -> final reads -> checkers -> verdict -> report
//! ```
//! - [`directory`]: the run directory. [`holes`]: what it leaves behind takes no more room than it must.
//! - [`recorder`]: every event, in order, on disk before the next depends on it.
//! - [`online`]: the same events, judged as they come.
//! - [`load`]: the clients.
//! - [`operator`]: how nodes are started, and what an operator can change.
//! - [`watch`]: what nodes say of themselves.
//! - [`starting`]: the nodes become a cluster. [`exits`]: those that end by themselves.
//! - [`phases`]: the above in their order.
//! - [`judge`]: the verdict.
//! - [`keep`]: what of old runs is kept.

pub(crate) mod directory;
mod exits;
pub(crate) mod holes;
pub(crate) mod judge;
pub(crate) mod keep;
pub(crate) mod load;
pub(crate) mod online;
pub(crate) mod operator;
pub(crate) mod phases;
pub(crate) mod recorder;
mod replicas;
mod starting;
pub(crate) mod watch;
