//! `GET /v1/status`.

use hyper::StatusCode;
use partita_protocols::{Defect, NodeId};
use serde::Serialize;

use super::json::Response;
use crate::event::View;

#[derive(Serialize)]
struct Body<'a> {
    node: &'a str,
    role: &'static str,
    term: u64,
    leader: Option<&'a str>,
    members: Vec<&'a str>,
    commit: u64,
    applied: u64,
    last_index: u64,
    snapshot_index: u64,
    log_bytes: u64,
    snapshot_bytes: u64,
    /// Since the node started.
    messages_sent: u64,
    fsyncs: u64,
    snapshots_installed: u64,
    /// The longest of late that the leader was not heard, by who follows one.
    leader_silence_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    defect: Option<&'static str>,
}

pub(super) fn response(me: NodeId, defect: Option<&'static Defect>, view: &View) -> Response {
    let View {
        status,
        members,
        log,
        messages_sent,
        snapshots_installed,
        leader_silence,
    } = view;
    let body = Body {
        node: me.as_str(),
        role: status.role.name(),
        term: status.term,
        leader: status.leader.as_ref().map(NodeId::as_str),
        members: members.iter().map(NodeId::as_str).collect(),
        commit: status.commit,
        applied: status.applied,
        last_index: status.last_index,
        snapshot_index: status.snapshot_index,
        log_bytes: log.log_bytes,
        snapshot_bytes: log.snapshot_bytes,
        messages_sent: *messages_sent,
        fsyncs: log.fsyncs,
        snapshots_installed: *snapshots_installed,
        leader_silence_us: leader_silence.and_then(|silence| u64::try_from(silence.as_micros()).ok()),
        defect: defect.map(|defect| defect.name),
    };
    Response::new(StatusCode::OK, &body)
}
