//! `POST /v1/admin`.

use partita_protocols::{Administration, NodeId};
use serde::Deserialize;

use crate::event::Request;

#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case", deny_unknown_fields)]
enum Body {
    AddMember { node: String },
    RemoveMember { node: String },
    Transfer { to: Option<String> },
    Snapshot,
}

/// Reads the body of a request; or says what is wrong with it.
pub(super) fn parse(body: &[u8]) -> Result<Request, String> {
    let node = |name: String| NodeId::new(&name).map_err(|error| error.to_string());
    let body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(Request::Administer(match body {
        Body::AddMember { node: name } => Administration::AddMember(node(name)?),
        Body::RemoveMember { node: name } => Administration::RemoveMember(node(name)?),
        Body::Transfer { to } => Administration::Transfer {
            to: to.map(node).transpose()?,
        },
        Body::Snapshot => Administration::Snapshot,
    }))
}
