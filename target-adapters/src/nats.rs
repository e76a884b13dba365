//! NATS JetStream: a stream of messages of which each node keeps a copy, replicated by NATS' own Raft.
//!
//! A register is a subject of the stream. A write publishes a message to it, and JetStream's acknowledgement is the
//! answer, which its documentation says to mean that the message "has been successfully persisted" by a majority.
//! A read asks for the last message of the subject, and a compare-and-set publishes under the condition that this
//! message is still the last one (`Nats-Expected-Last-Subject-Sequence`).
//!
//! Up to 2.9.20 at least, that condition is looked at before the message is proposed, and by the leader alone, so that two
//! that come together may both be met (nats-server issue 4320). Writes and reads know nothing of it.
//!
//! What is promised: JetStream's documentation calls its consistency model linearizable. Of the two ways to read a
//! message it makes an exception for "direct gets", which any copy may answer. They are switched off here:
//! `$JS.API.STREAM.MSG.GET` is answered by the leader of the stream alone. But the leader does not ask whether it
//! still is the leader, so that one that was cut off may give an old answer.

mod client;
mod connection;
mod observer;
mod protocol;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use client::NatsClient;
use connection::{Answer, Connection};
use observer::NatsObserver;
use serde::Deserialize;
use serde_json::json;

use crate::{
    BoxFuture, Client, ClientError, ClientOptions, Node, Observer, Options, Program, Start, Target, http,
};

/// NATS JetStream.
pub(crate) struct Nats;

/// The stream, and the first word of all its subjects.
const STREAM: &str = "partita";
/// JetStream keeps no more copies of a stream.
const COPIES_MAX: usize = 5;
/// Where Debian's package puts it, which is not on everybody's search path.
const PROGRAM: &str = "/usr/sbin/nats-server";

impl Target for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn summary(&self) -> &'static str {
        "NATS JetStream 2.9 or later (Debian: apt-get install nats-server; another version: --binary PATH)"
    }

    fn functions(&self, object: &str) -> &'static [&'static str] {
        match object {
            "register" => &["read", "write", "cas"],
            _ => &[],
        }
    }

    fn needs_own_addresses(&self) -> bool {
        // Servers tell how they are over a port of its own, and each other where they are.
        true
    }

    fn locate(&self, options: &Options) -> Result<Program, String> {
        let path = options
            .binary
            .clone()
            .unwrap_or_else(|| match Path::new(PROGRAM) {
                debian if debian.is_file() => debian.into(),
                _ => PathBuf::from("nats-server"),
            });
        let output = Command::new(&path).arg("--version").output().map_err(|error| {
            format!(
                "nats-server can't be run as `{}`: {error} (Debian: apt-get install nats-server; or give --binary PATH)",
                path.display()
            )
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.trim().strip_prefix("nats-server: v") {
            Some(version) if output.status.success() => Ok(Program {
                path,
                version: format!("NATS {version}"),
            }),
            _ => Err(format!(
                "`{} --version` does not answer as nats-server does; it said: {}",
                path.display(),
                text.trim()
            )),
        }
    }

    fn command(
        &self,
        program: &Program,
        _: &Options,
        cluster: &[Node],
        node: &Node,
        data: &Path,
        _: Start,
    ) -> Vec<String> {
        let others = cluster.iter().filter(|other| *other != node);
        let routes: Vec<_> = others.map(|other| format!("nats://{}", other.peer)).collect();
        let mut command = vec![program.path.display().to_string()];
        let mut option = |name: &str, value: String| command.extend([format!("--{name}"), value]);
        option("name", node.name.clone());
        option("addr", node.client_listen.ip().to_string());
        option("port", node.client_listen.port().to_string());
        option("http_port", monitoring(node).port().to_string());
        option("store_dir", data.join("nats").display().to_string());
        option("cluster_name", "partita".into());
        option("cluster", format!("nats://{}", node.peer_listen));
        if !routes.is_empty() {
            option("routes", routes.join(","));
        }
        command.extend(["--jetstream".into(), "--no_advertise".into()]);
        command
    }

    /// Makes the stream. To make one that is there already, with the same configuration, changes nothing.
    fn found<'a>(
        &'a self,
        cluster: &'a [Node],
        source: Option<IpAddr>,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            tokio::time::timeout(timeout, make_stream(cluster, source))
                .await
                .map_err(|_| "the stream could not be made: timed out".to_owned())?
        })
    }

    fn client(
        &self,
        cluster: &[Node],
        node: usize,
        name: &str,
        options: ClientOptions,
    ) -> Result<Box<dyn Client>, ClientError> {
        Ok(Box::new(NatsClient::new(
            cluster[node].client,
            name,
            options.timeout,
        )))
    }

    fn observer(
        &self,
        cluster: &[Node],
        source: Option<IpAddr>,
        timeout: Duration,
    ) -> Result<Box<dyn Observer>, ClientError> {
        Ok(Box::new(NatsObserver {
            http: http::client(timeout, source)?,
            cluster: cluster.to_vec(),
        }))
    }
}

/// Where a server tells how it is.
fn monitoring(node: &Node) -> SocketAddr {
    SocketAddr::new(node.control.ip(), node.client_listen.port() + 1)
}

/// What JetStream says in place of a result.
#[derive(Debug, Deserialize)]
struct ApiError {
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

async fn make_stream(cluster: &[Node], source: Option<IpAddr>) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Made {
        error: Option<ApiError>,
    }

    if cluster.len() > COPIES_MAX {
        return Err(format!(
            "JetStream keeps at most {COPIES_MAX} copies of a stream, and each node is to have one"
        ));
    }
    let first = cluster.first().ok_or("there are no nodes")?;
    let configuration = json!({
        "name": STREAM,
        "subjects": [format!("{STREAM}.>")],
        "storage": "file",
        "num_replicas": cluster.len(),
        "allow_direct": false,
    });
    let subject = format!("$JS.API.STREAM.CREATE.{STREAM}");
    let asked = async {
        let mut connection = Connection::open(first.control, source, "founder").await?;
        let text = configuration.to_string();
        connection.ask(&subject, None, text.as_bytes()).await
    };
    match asked.await.map_err(|error| format!("{}: {error}", first.name))? {
        Answer::NobodyThere => Err("JetStream does not answer yet".into()),
        Answer::Text(text) => match serde_json::from_slice::<Made>(&text) {
            Ok(Made { error: None }) => Ok(()),
            Ok(Made { error: Some(error) }) => {
                Err(format!("the stream could not be made: {}", error.description))
            }
            Err(error) => Err(format!("an answer that can't be read: {error}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_knows_where_the_others_are() {
        let cluster = crate::tests::cluster();
        let program = Program {
            path: PROGRAM.into(),
            version: String::new(),
        };
        let (options, data) = (Options::default(), Path::new("/data"));
        let command = Nats.command(&program, &options, &cluster, &cluster[1], data, Start::Member);
        let value = |name: &str| {
            let at = command.iter().position(|word| word == name).unwrap();
            command[at + 1].as_str()
        };
        assert_eq!(value("--routes"), "nats://10.0.0.1:7000,nats://10.0.0.3:7000");
        assert_eq!(value("--cluster"), "nats://10.0.0.2:7000");
        assert_eq!((value("--addr"), value("--port")), ("10.0.0.2", "8000"));
        assert_eq!(value("--http_port"), "8001");
        assert_eq!(value("--store_dir"), "/data/nats");
    }
}
