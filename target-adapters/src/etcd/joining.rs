//! A node of etcd that is to become a member.
//!
//! etcd itself can't wait for that: started before it was added, or with another list of members than the others have
//! at that moment, it ends at once. So it is our own program that waits, `partita join-etcd`, and starts etcd with the
//! list as it then is. It trusts no single node: one that lags may still list the member that was here before, as which
//! etcd would then start, with an empty disk. That one has a name, and one that was added has none yet.

use std::io::{self, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use tokio::signal::unix::{SignalKind, signal};

use super::members::{Member, member_at};
use crate::http;

/// How often the others are asked, and how long each may take to answer.
const ASK_EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_millis(500);

/// A node of etcd, and the cluster that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joining {
    /// All nodes, itself included: their names, and where their peers find them (`http://10.0.0.1:2380`).
    pub nodes: Vec<(String, String)>,
    /// The name of the node that is to join.
    pub name: String,
    /// etcd's data directory.
    pub data: PathBuf,
}

impl Joining {
    /// The command of a node that founds the cluster together with all others.
    pub(super) fn found(&self, command: Vec<String>) -> Vec<String> {
        let all = self.nodes.iter();
        with_members(command, all, "new")
    }

    /// The command that waits, and then starts etcd by this command.
    pub(super) fn command(&self, own_program: &Path, etcd: Vec<String>) -> Vec<String> {
        let mut command = vec![own_program.display().to_string(), "join-etcd".into()];
        let mut option = |name: &str, value: String| command.extend([format!("--{name}"), value]);
        option("name", self.name.clone());
        option("data", self.data.display().to_string());
        for (name, url) in &self.nodes {
            option("node", format!("{name}={url}"));
        }
        command.push("--".into());
        command.extend(etcd);
        command
    }

    /// Waits until the node was added, and runs etcd by this command; in the place of this process if it is a member
    /// already, by what is on its disk. Returns the exit code of an etcd that ended as a member.
    ///
    /// # Errors
    /// When etcd can't be started.
    pub async fn run(&self, command: Vec<String>) -> io::Result<u8> {
        if self.is_member() {
            // It takes the members from its log, and no notice of what is said here.
            let all = self.nodes.iter();
            return Err(process(&with_members(command, all, "existing")).exec());
        }
        let http = http::client(PATIENCE, None).map_err(io::Error::other)?;
        // Who is asked to end while etcd runs waits for etcd's end, which is asked to, too, and is the node's.
        let mut asked_to_end = signal(SignalKind::terminate())?;
        loop {
            say("waiting to be added");
            let members = tokio::select! {
                members = self.wait(&http) => members,
                _ = asked_to_end.recv() => return Ok(code(ExitStatus::from_raw(Signal::SIGTERM as i32))),
            };
            let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
            say(&format!("was added; the members are {}", names.join(", ")));
            let command = with_members(command.clone(), members.into_iter(), "existing");
            let ended = process(&command).status()?;
            if self.is_member() {
                if let Some(signal) = ended.signal().and_then(|signal| Signal::try_from(signal).ok()) {
                    // By which signal a node ended matters: a kernel without memory kills. Rust's runtime catches
                    // some when they come for the first time.
                    let _ = (raise(signal), raise(signal));
                }
                return Ok(code(ended));
            }
            // It asks the others, too, who may have been cut off since.
            say(&format!("etcd did not become a member: {ended}"));
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Waits until the node was added; the members then.
    async fn wait(&self, http: &reqwest::Client) -> Vec<&(String, String)> {
        loop {
            if let Some(members) = self.members(&self.ask(http).await) {
                return members;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Did it get so far that it has a log?
    fn is_member(&self) -> bool {
        let files = std::fs::read_dir(self.data.join("member/wal"));
        files.is_ok_and(|files| {
            let names = files.flatten().map(|file| file.path());
            names
                .into_iter()
                .any(|path| path.extension().is_some_and(|kind| kind == "wal"))
        })
    }

    /// What the other nodes take for the members, where they answer.
    async fn ask(&self, http: &reqwest::Client) -> Vec<(&str, Vec<Member>)> {
        let mut told = Vec::new();
        for (_, url) in self.nodes.iter().filter(|(name, _)| *name != self.name) {
            if let Ok(members) = http::ask(http.get(format!("{url}/members"))).await {
                told.push((url.as_str(), members));
            }
        }
        told
    }

    /// The members, if this node was added to them, and they all say so.
    fn members(&self, told: &[(&str, Vec<Member>)]) -> Option<Vec<&(String, String)>> {
        let own = self.nodes.iter().find(|(name, _)| *name == self.name)?;
        let (_, list) = told.iter().find(|(_, list)| {
            let listed = member_at(list, &own.1);
            listed.is_some_and(|member| member.name.is_empty())
        })?;
        let is_member = |node: &&(String, String)| member_at(list, &node.1).is_some();
        let members: Vec<_> = self.nodes.iter().filter(is_member).collect();
        let says_so = |node: &(String, String)| {
            let list = sorted(list);
            told.iter()
                .any(|(url, told)| *url == node.1 && sorted(told) == list)
        };
        let all_say_so = members.iter().all(|node| **node == *own || says_so(node));
        all_say_so.then_some(members)
    }
}

/// In an order that does not depend on who was asked.
fn sorted(members: &[Member]) -> Vec<&Member> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort();
    members
}

/// The command that starts etcd with these for the members.
fn with_members<'a>(
    mut command: Vec<String>,
    members: impl Iterator<Item = &'a (String, String)>,
    state: &str,
) -> Vec<String> {
    let members: Vec<_> = members.map(|(name, url)| format!("{name}={url}")).collect();
    command.extend(["--initial-cluster".into(), members.join(",")]);
    command.extend(["--initial-cluster-state".into(), state.into()]);
    command
}

fn process(command: &[String]) -> Command {
    let (program, arguments) = command
        .split_first()
        .map_or(("", &[][..]), |(program, arguments)| {
            (program.as_str(), arguments)
        });
    let mut process = Command::new(program);
    process.args(arguments);
    process
}

/// As a shell tells it of a process that a signal ended.
fn code(ended: ExitStatus) -> u8 {
    let code = ended.code().or_else(|| Some(128 + ended.signal()?));
    code.and_then(|code| code.try_into().ok()).unwrap_or(u8::MAX)
}

/// Into the node's log.
fn say(text: &str) {
    // Nobody can be told if that fails.
    let _ = writeln!(io::stderr().lock(), "partita join-etcd: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::members::tests::PEERS_LIST;

    fn joining(data: &Path) -> Joining {
        let nodes = [1, 2, 3].map(|n| (format!("n{n}"), format!("http://10.0.0.{n}:7000")));
        Joining {
            nodes: nodes.into(),
            name: "n3".into(),
            data: data.to_owned(),
        }
    }

    fn list() -> Vec<Member> {
        serde_json::from_str(PEERS_LIST).unwrap()
    }

    #[test]
    fn all_other_members_must_say_that_it_was_added() {
        let joining = joining(Path::new("d"));
        let [n1, n2] = ["http://10.0.0.1:7000", "http://10.0.0.2:7000"];
        let members = |told: &[(&str, Vec<Member>)]| {
            let members = joining.members(told)?;
            Some(members.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
        };
        let mut turned = list();
        turned.reverse();
        assert_eq!(
            members(&[(n1, list()), (n2, turned)]),
            Some(vec!["n1", "n2", "n3"])
        );
        assert_eq!(members(&[(n1, list())]), None, "n2 may lag");
        assert_eq!(members(&[(n1, list()), (n2, list()[..2].to_vec())]), None);
        assert_eq!(members(&[]), None);
        // The member that was here before, as one that lags lists it.
        let mut before = list();
        (before[2].id, before[2].name) = ("7".into(), "n3".into());
        assert_eq!(members(&[(n1, before.clone()), (n2, before.clone())]), None);
        assert_eq!(members(&[(n1, list()), (n2, before)]), None);
        // One of the others is no member just now, and need not answer.
        let mut fewer = list();
        fewer.remove(1);
        assert_eq!(members(&[(n1, fewer)]), Some(vec!["n1", "n3"]));
    }

    #[test]
    fn it_is_a_member_once_it_has_a_log() {
        let folder = tempfile::tempdir().unwrap();
        let joining = joining(folder.path());
        assert!(!joining.is_member());
        let wal = folder.path().join("member/wal");
        std::fs::create_dir_all(&wal).unwrap();
        std::fs::write(wal.join("0.tmp"), "").unwrap();
        assert!(!joining.is_member());
        std::fs::write(wal.join("0000000000000000-0000000000000000.wal"), "").unwrap();
        assert!(joining.is_member());
    }

    #[test]
    fn who_founds_names_all_and_who_joins_waits() {
        let joining = joining(Path::new("d"));
        let etcd = || vec!["etcd".to_owned(), "--name".into(), "n3".into()];
        let founds = joining.found(etcd()).join(" ");
        assert_eq!(
            founds,
            "etcd --name n3 --initial-cluster n1=http://10.0.0.1:7000,n2=http://10.0.0.2:7000,n3=http://10.0.0.3:7000 \
             --initial-cluster-state new"
        );
        let joins = joining.command(Path::new("partita"), etcd()).join(" ");
        assert_eq!(
            joins,
            "partita join-etcd --name n3 --data d --node n1=http://10.0.0.1:7000 --node n2=http://10.0.0.2:7000 \
             --node n3=http://10.0.0.3:7000 -- etcd --name n3"
        );
    }

    /// A peer that tells everybody who the members are.
    async fn peer() -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let body = format!(
            r#"[{{"id":1,"name":"n1","peerURLs":["{url}"]}},{{"id":2,"peerURLs":["http://127.0.0.1:1"]}}]"#
        );
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    while stream.read(&mut request).await.unwrap_or(0) > 0 {
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        url
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn etcd_is_started_until_it_has_become_a_member_and_then_its_end_is_ours() {
        let folder = tempfile::tempdir().unwrap();
        let nodes = [("n1", peer().await), ("n2", "http://127.0.0.1:1".into())];
        let joining = Joining {
            nodes: nodes.map(|(name, url)| (name.to_owned(), url)).into(),
            name: "n2".into(),
            data: folder.path().join("etcd"),
        };
        // It fails once, then gets a log, and ends; that whoever waits for it is asked to end as well changes nothing.
        let script = format!(
            "cd {}; echo \"$@\" >> told; [ $(wc -l < told) = 2 ] || exit 1; mkdir -p etcd/member/wal; \
             touch etcd/member/wal/0.wal; kill -TERM $PPID; exit 7",
            folder.path().display()
        );
        let command = ["sh", "-c", &script, "etcd"].map(str::to_owned);
        assert_eq!(joining.run(command.into()).await.unwrap(), 7);
        let told = std::fs::read_to_string(folder.path().join("told")).unwrap();
        let expected = format!(
            "--initial-cluster n1={},n2=http://127.0.0.1:1 --initial-cluster-state existing",
            joining.nodes[0].1
        );
        assert_eq!(told.lines().collect::<Vec<_>>(), [&expected; 2]);

        let nothing = vec!["/there/is/no/etcd".to_owned()];
        assert!(joining.run(nothing).await.is_err(), "a member is started at once");
    }
}
