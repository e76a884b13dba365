//! What a plan asks of the network.

use partita_nemesis::fault;
use partita_nemesis::lab::{NetworkKind, TcpChoice, Wishes};
use serde::{Deserialize, Serialize};

use super::Plan;

/// How TCP behaves after a cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tcp {
    /// Connections over a healed link go on within a second.
    #[default]
    Prompt,
    /// As the kernel does by default: they may stay silent for as long again as the cut lasted.
    Default,
}

impl Tcp {
    pub(super) fn is_prompt(&self) -> bool {
        *self == Tcp::Prompt
    }
}

impl Plan {
    /// What to build. The error names what is unknown.
    pub(crate) fn wishes(&self) -> Result<Wishes, String> {
        let mut planned = self
            .faults
            .iter()
            .filter_map(|planned| fault::find(&planned.fault));
        Ok(Wishes {
            network: self.network.parse()?,
            prefer_switch: planned.any(|fault| !fault.networks().contains(&NetworkKind::Netns)),
            tcp: match self.tcp {
                Tcp::Prompt => TcpChoice::Prompt,
                Tcp::Default => TcpChoice::Default,
            },
        })
    }
}
