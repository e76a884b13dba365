//! How a node is, by what its server tells over HTTP.

use serde::Deserialize;

use super::{STREAM, monitoring};
use crate::{BoxFuture, Node, Observer, Status, http};

pub(super) struct NatsObserver {
    pub(super) http: reqwest::Client,
    pub(super) cluster: Vec<Node>,
}

/// What a server knows of JetStream, as far as it matters. (Its terms it does not tell.)
#[derive(Deserialize)]
struct JetStream {
    #[serde(default)]
    account_details: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    stream_detail: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    name: String,
    #[serde(default)]
    cluster: Group,
    #[serde(default)]
    state: State,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Group {
    leader: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    last_seq: u64,
    bytes: u64,
}

impl NatsObserver {
    async fn status_of(&self, node: usize) -> Result<Status, String> {
        let at = monitoring(&self.cluster[node]);
        let request = self.http.get(format!("http://{at}/jsz?streams=true"));
        Ok(status(&self.cluster, node, &http::ask(request).await?))
    }
}

impl Observer for NatsObserver {
    fn status(&self, node: usize) -> BoxFuture<'_, Result<Status, String>> {
        Box::pin(self.status_of(node))
    }
}

fn status(cluster: &[Node], node: usize, told: &JetStream) -> Status {
    let mut streams = told
        .account_details
        .iter()
        .flat_map(|account| &account.stream_detail);
    let Some(stream) = streams.find(|stream| stream.name == STREAM) else {
        return Status {
            role: "without the stream".into(),
            ..Status::default()
        };
    };
    let leader = cluster.iter().find(|node| node.name == stream.cluster.leader);
    let role = match leader {
        Some(leader) if *leader == cluster[node] => "leader",
        Some(_) => "follower",
        None => "candidate",
    };
    Status {
        role: role.into(),
        leader: leader.map(|leader| leader.name.clone()),
        commit: stream.state.last_seq,
        applied: stream.state.last_seq,
        log_bytes: stream.state.bytes,
        ..Status::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_tells_who_leads_the_stream() {
        let cluster = crate::tests::cluster();
        let told = |text: &str| {
            let told = serde_json::from_str(text).unwrap();
            let Status {
                role,
                leader,
                applied,
                ..
            } = status(&cluster, 1, &told);
            (role, leader, applied)
        };
        let with = |leader: &str| {
            told(&format!(
                r#"{{"account_details":[{{"name":"$G","stream_detail":[
                    {{"name":"partita","cluster":{{"name":"partita"{leader}}},"state":{{"last_seq":4}}}}]}}]}}"#
            ))
        };
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(with(r#","leader":"n2""#), ("leader".into(), named("n2"), 4));
        assert_eq!(with(r#","leader":"n1""#), ("follower".into(), named("n1"), 4));
        assert_eq!(with(""), ("candidate".into(), None, 4));
        for none in ["{}", r#"{"account_details":[{"name":"$G"}]}"#] {
            assert_eq!(told(none).1, None, "{none}");
        }
    }
}
