//! How a node is, by the word of its server and of its sentinel.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::MASTER;
use super::connection::Connection;
use super::resp::Reply;
use crate::{BoxFuture, Node, Observer, Status};

pub(super) struct RedisObserver {
    pub(super) cluster: Vec<Node>,
    pub(super) source: Option<IpAddr>,
    pub(super) timeout: Duration,
}

impl RedisObserver {
    async fn status_of(&self, node: usize) -> Result<Status, String> {
        tokio::time::timeout(self.timeout, self.ask_both(&self.cluster[node]))
            .await
            .map_err(|_| "timed out".to_owned())?
    }

    async fn ask_both(&self, node: &Node) -> Result<Status, String> {
        let info = match self.ask(node.control, &["INFO"]).await? {
            Reply::Text(text) => String::from_utf8_lossy(&text).into_owned(),
            other => return Err(format!("the server says {other:?}")),
        };
        let sentinel = SocketAddr::new(node.control.ip(), node.peer_listen.port());
        let told = self.ask(sentinel, &["SENTINEL", "MASTER", MASTER]).await?;
        let view = fields(&told).ok_or_else(|| format!("the sentinel says {told:?}"))?;
        status(&self.cluster, node, &info, &view)
    }

    async fn ask(&self, at: SocketAddr, words: &[&str]) -> Result<Reply, String> {
        let told = async { Connection::open(at, self.source).await?.ask(words).await };
        told.await.map_err(|error| format!("{at}: {error}"))
    }
}

impl Observer for RedisObserver {
    fn status(&self, node: usize) -> BoxFuture<'_, Result<Status, String>> {
        Box::pin(self.status_of(node))
    }
}

/// Names and values by turns, as a sentinel describes a master.
fn fields(reply: &Reply) -> Option<BTreeMap<String, String>> {
    let Reply::Array(items) = reply else { return None };
    let text = |reply: &Reply| match reply {
        Reply::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    };
    let pairs = items.chunks(2).map(|pair| match pair {
        [name, value] => Some((text(name)?, text(value)?)),
        _ => None,
    });
    pairs.collect()
}

/// From the server's `INFO`, whose lines are `name:value`, and from what the sentinel beside it knows of the
/// master.
fn status(
    cluster: &[Node],
    node: &Node,
    info: &str,
    view: &BTreeMap<String, String>,
) -> Result<Status, String> {
    let field = |name: &str| {
        info.lines()
            .find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
    };
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
    let seen = |name: &str| view.get(name).map(String::as_str);
    let named = |ip: Option<&str>, port: Option<&str>| {
        let at = SocketAddr::new(ip?.parse().ok()?, port?.parse().ok()?);
        cluster.iter().find(|node| node.client == at)
    };
    let by_sentinel = named(seen("ip"), seen("port"));
    // `master,s_down,o_down,disconnected`: a master that the sentinel takes for gone leads nobody.
    let is_up = seen("flags") == Some("master");
    let (role, offset, by_server) = match field("role") {
        Some("master") => ("leader", field("master_repl_offset"), Some(node)),
        Some("slave") => {
            let follows = field("master_link_status") == Some("up");
            let followed = named(field("master_host"), field("master_port"));
            (
                "follower",
                field("slave_repl_offset"),
                followed.filter(|_| follows),
            )
        }
        _ => return Err("the server does not tell its role".into()),
    };
    Ok(Status {
        role: role.into(),
        // Each failover has an epoch of its own, by which sentinels know the newest master.
        term: number(seen("config-epoch")),
        // Whom both take for it.
        leader: by_sentinel
            .filter(|leader| is_up && by_server == Some(*leader))
            .map(|leader| leader.name.clone()),
        // Redis knows of no commitment: a master acknowledges what it alone has.
        commit: number(offset),
        applied: number(offset),
        log_bytes: number(field("aof_current_size")),
        ..Status::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::cluster;

    fn view(flags: &str, ip: &str) -> BTreeMap<String, String> {
        let text = |text: &str| Reply::Text(text.into());
        let words = ["name", MASTER, "ip", ip, "port", "8000", "flags", flags];
        let words = words.into_iter().chain(["config-epoch", "4"]).map(text);
        fields(&Reply::Array(words.collect())).unwrap()
    }

    #[test]
    fn a_master_and_a_replica_agree_upon_the_master() {
        let cluster = cluster();
        let info = "# Persistence\r\naof_current_size:88\r\n# Replication\r\nrole:master\r\nmaster_repl_offset:7\r\n";
        let leads = status(&cluster, &cluster[1], info, &view("master", "10.0.0.2")).unwrap();
        assert_eq!(
            (
                leads.role.as_str(),
                leads.term,
                leads.leader.as_deref(),
                leads.commit,
                leads.log_bytes
            ),
            ("leader", 4, Some("n2"), 7, 88)
        );
        let info = "role:slave\r\nmaster_host:10.0.0.2\r\nmaster_port:8000\r\nmaster_link_status:up\r\nslave_repl_offset:6\r\n";
        let follows = status(&cluster, &cluster[0], info, &view("master", "10.0.0.2")).unwrap();
        assert_eq!(
            (follows.role.as_str(), follows.leader.as_deref(), follows.applied),
            ("follower", Some("n2"), 6)
        );
    }

    #[test]
    fn who_is_cut_off_or_of_two_minds_knows_no_leader() {
        let cluster = cluster();
        let leader = |info: &str, flags: &str, ip: &str| {
            let status = status(&cluster, &cluster[0], info, &view(flags, ip));
            status.unwrap().leader
        };
        let follower = "role:slave\nmaster_host:10.0.0.2\nmaster_port:8000\nmaster_link_status:";
        let (up, down) = (&format!("{follower}up"), &format!("{follower}down"));
        assert_eq!(leader(up, "master", "10.0.0.2").as_deref(), Some("n2"));
        assert_eq!(leader(down, "master", "10.0.0.2"), None);
        assert_eq!(leader(up, "master,s_down", "10.0.0.2"), None);
        assert_eq!(leader(up, "master", "10.0.0.3"), None);
        assert_eq!(leader("role:master", "master", "10.0.0.2"), None);
    }

    #[test]
    fn answers_that_make_no_sense_are_errors() {
        let cluster = cluster();
        assert!(status(&cluster, &cluster[0], "", &BTreeMap::new()).is_err());
        assert!(fields(&Reply::Nil).is_none());
        assert!(fields(&Reply::Array(vec![Reply::Text(b"ip".to_vec())])).is_none());
    }
}
