//! Who has sent DoViewChange acknowledges nothing in an earlier view.

use std::collections::BTreeMap;

use partita_protocols::viewstamped::{Body, View, Viewstamped};
use partita_protocols::{Effect, NodeId};

use super::super::{Invariant, Observed};

/// A replica that has sent DoViewChange for a view sends no PrepareOK, and no DoViewChange, for an earlier
/// one, in no later life either. The argument of section 8.1 rests on it: what is not in the log that the
/// replica sent can then not become committed in the earlier view.
#[derive(Debug, Default)]
pub struct NoStepBack {
    /// For each node, the last view for which it has sent DoViewChange.
    given: BTreeMap<NodeId, View>,
}

impl Invariant<Viewstamped> for NoStepBack {
    fn name(&self) -> &'static str {
        "no step back"
    }

    fn check(&mut self, observed: &Observed<'_, Viewstamped>) -> Result<(), String> {
        let node = observed.node;
        for effect in observed.effects {
            let Effect::Send { to, message } = effect else {
                continue;
            };
            let gives_word = matches!(message.body, Body::DoViewChange { .. });
            if !gives_word && !matches!(message.body, Body::PrepareOk { .. }) {
                continue;
            }
            let given = self.given.entry(node).or_default();
            if message.view < *given {
                return Err(format!(
                    "{node} tells {to} {:?} in {:?}, after it has sent DoViewChange for {given:?}",
                    message.body, message.view
                ));
            }
            if gives_word {
                *given = message.view;
            }
        }
        Ok(())
    }
}
