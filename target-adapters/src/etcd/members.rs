//! The members of an etcd cluster, as its nodes list them.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::Node;

/// A member: its number, its name once it has told it, and where its peers find it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Member {
    #[serde(rename = "ID", alias = "id", deserialize_with = "number")]
    pub(super) id: String,
    /// Empty from when it was added until it has started and told the others.
    #[serde(default)]
    pub(super) name: String,
    #[serde(default, rename = "peerURLs")]
    pub(super) peer_urls: Vec<String>,
}

/// The answer to `/v3/cluster/member/list`.
#[derive(Deserialize)]
pub(super) struct Members {
    #[serde(default)]
    pub(super) members: Vec<Member>,
}

/// Where others find a node as their peer, in etcd's words.
pub(super) fn peer_url(node: &Node) -> String {
    format!("http://{}", node.peer)
}

/// The member that is found where the node is.
pub(super) fn member_at<'a>(members: &'a [Member], url: &str) -> Option<&'a Member> {
    members
        .iter()
        .find(|member| member.peer_urls.iter().any(|known| known == url))
}

/// Clients are told a number as a string, as protobuf's JSON has it; peers are told a number.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As clients are told: n3 was added, and has not started.
    pub(crate) const LIST: &str = r#"{"header":{"cluster_id":"10085893469561783784","member_id":"5196493097583935852","raft_term":"2"},
        "members":[
        {"ID":"5196493097583935852","name":"n1","peerURLs":["http://10.0.0.1:7000"],"clientURLs":["http://10.0.0.1:8000"]},
        {"ID":"10523257317450872127","name":"n2","peerURLs":["http://10.0.0.2:7000"],"clientURLs":["http://10.0.0.2:8000"]},
        {"ID":"9099656634247066519","peerURLs":["http://10.0.0.3:7000"]}]}"#;
    /// The same, as peers are told.
    pub(crate) const PEERS_LIST: &str = r#"[
        {"id":5196493097583935852,"peerURLs":["http://10.0.0.1:7000"],"name":"n1","clientURLs":["http://10.0.0.1:8000"]},
        {"id":10523257317450872127,"peerURLs":["http://10.0.0.2:7000"],"name":"n2","clientURLs":["http://10.0.0.2:8000"]},
        {"id":9099656634247066519,"peerURLs":["http://10.0.0.3:7000"]}]"#;

    #[test]
    fn clients_and_peers_are_told_the_same() {
        let clients: Members = serde_json::from_str(LIST).unwrap();
        let peers: Vec<Member> = serde_json::from_str(PEERS_LIST).unwrap();
        assert_eq!(clients.members, peers);
        assert_eq!(peers[1].id, "10523257317450872127", "it fits into no double");
    }

    #[test]
    fn a_member_is_known_by_where_it_is() {
        let members = serde_json::from_str::<Members>(LIST).unwrap().members;
        let cluster = crate::tests::cluster();
        let at = |node: &Node| member_at(&members, &peer_url(node)).unwrap();
        assert_eq!(at(&cluster[0]).name, "n1");
        assert_eq!(at(&cluster[2]).name, "");
        assert_eq!(member_at(&members, "http://10.0.0.30:7000"), None);
    }
}
