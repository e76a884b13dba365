//! Five nodes, and eyes of our own on what they can reach.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use partita_generator::faults::PlannedFault;
use partita_generator::settings::Value;
use partita_history::FaultOutcome;
use partita_nemesis::disk;
use partita_nemesis::fault::{self, BoxFuture, Context, Injected, Observer, Standing};
use partita_nemesis::lab::Lab;
use partita_nemesis::{Cluster, CommandSpec, Endpoint, Link, PortRole};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

/// A line-by-line conversation with a node's client port.
pub(crate) struct Talk(BufReader<TcpStream>);

impl Talk {
    pub(crate) async fn with(address: SocketAddr, source: Option<IpAddr>) -> std::io::Result<Talk> {
        let socket = TcpSocket::new_v4()?;
        if let Some(source) = source {
            socket.bind((source, 0).into())?;
        }
        Ok(Talk(BufReader::new(socket.connect(address).await?)))
    }

    pub(crate) async fn ask(&mut self, question: &str, patience: Duration) -> Option<String> {
        let asked = async {
            self.0.write_all(format!("{question}\n").as_bytes()).await.ok()?;
            let mut answer = String::new();
            self.0.read_line(&mut answer).await.ok()?;
            (!answer.is_empty()).then(|| answer.trim().to_owned())
        };
        tokio::time::timeout(patience, asked).await.ok()?
    }
}

/// Says who the leader is, because it was told so, and asks nodes whether they are there.
pub(crate) struct Eyes {
    pub(crate) leader: Mutex<Option<String>>,
    /// What the nodes are to say of themselves: nothing, unless they are told.
    pub(crate) standings: Mutex<Vec<Option<Standing>>>,
    addresses: BTreeMap<String, SocketAddr>,
    source: Option<IpAddr>,
}

impl Observer for Eyes {
    fn roles(&self) -> BoxFuture<'_, BTreeMap<String, String>> {
        let leader = self.leader.lock().unwrap().clone();
        let role = |node: &String| {
            if Some(node) == leader.as_ref() {
                "leader"
            } else {
                "follower"
            }
        };
        let roles = self
            .addresses
            .keys()
            .map(|node| (node.clone(), role(node).to_owned()))
            .collect();
        Box::pin(async { roles })
    }

    fn answers<'a>(&'a self, node: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async {
            let Ok(mut talk) = Talk::with(self.addresses[node], self.source).await else {
                return false;
            };
            talk.ask("ping", Duration::from_millis(300)).await.is_some()
        })
    }

    fn look(&self) -> BoxFuture<'_, Vec<Option<Standing>>> {
        let standings = self.standings.lock().unwrap().clone();
        Box::pin(async { standings })
    }
}

pub(crate) struct Stage {
    pub(crate) context: Context,
    pub(crate) eyes: Arc<Eyes>,
    tokens: u64,
}

pub(crate) const NODES: usize = 5;
const PATIENCE: Duration = Duration::from_secs(5);

impl Stage {
    /// Builds the network and starts five nodes, and waits until they answer.
    pub(crate) async fn set(lab: &Lab, run_dir: &Path) -> Stage {
        Stage::set_with(lab, run_dir, |_| {}).await
    }

    /// The same, with disks that can be made to fail under the nodes.
    pub(crate) async fn set_on_disks(lab: &Lab, run_dir: &Path) -> Stage {
        let mount = |cluster: &Cluster| {
            let reach = cluster.mount_disks(disk::Options::default()).expect("disks");
            println!("    disks fail by {}", reach.means());
        };
        Stage::set_with(lab, run_dir, mount).await
    }

    /// The same, with clocks that can be bent.
    pub(crate) async fn set_with_clocks(lab: &Lab, run_dir: &Path) -> Stage {
        let prepare = |cluster: &Cluster| {
            if let Some(means) = cluster.prepare_clocks().expect("clocks") {
                println!("    clocks are bent by {means}");
            }
        };
        Stage::set_with(lab, run_dir, prepare).await
    }

    async fn set_with(lab: &Lab, run_dir: &Path, prepare: impl FnOnce(&Cluster)) -> Stage {
        let names: Vec<String> = (1..=NODES).map(|i| format!("n{i}")).collect();
        let begun = Instant::now();
        let cluster = Cluster::start_network(lab, &names, run_dir)
            .await
            .expect("a network");
        println!("    {} built in {} ms", lab.kind(), begun.elapsed().as_millis());
        for (key, value) in cluster.facts() {
            println!("    {key}: {value}");
        }
        prepare(&cluster);
        for node in 0..NODES {
            cluster
                .start(node, Stage::command(&cluster, node))
                .expect("a node")
                .expect("it did not run yet");
        }
        let addresses = (0..NODES)
            .map(|node| (names[node].clone(), cluster.control_address(node)))
            .collect();
        let source = cluster.control_source();
        let eyes = Arc::new(Eyes {
            leader: Mutex::new(Some("n3".into())),
            standings: Mutex::new(vec![None; NODES]),
            addresses,
            source,
        });
        let observer: Arc<dyn Observer> = Arc::clone(&eyes) as _;
        let stage = Stage {
            context: Context {
                cluster,
                observer,
                administrator: None,
            },
            eyes,
            tokens: 0,
        };
        for node in 0..NODES {
            stage.wait_until_it_answers(node).await;
        }
        stage
    }

    pub(crate) fn command(cluster: &Cluster, node: usize) -> CommandSpec {
        let mut args = vec!["node".to_owned()];
        args.extend([PortRole::Peer, PortRole::Client].map(|role| cluster.listen(node, role).to_string()));
        let peers = (0..NODES).filter(|&peer| peer != node);
        args.extend(peers.map(|peer| cluster.peer_address(peer).to_string()));
        CommandSpec {
            program: std::env::current_exe().unwrap(),
            args,
            ..CommandSpec::default()
        }
    }

    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        &self.context.cluster
    }

    pub(crate) async fn answers(&self, node: usize) -> bool {
        self.context.observer.answers(self.cluster().name(node)).await
    }

    pub(crate) async fn wait_until_it_answers(&self, node: usize) {
        let begun = Instant::now();
        while !self.answers(node).await {
            assert!(
                begun.elapsed() < PATIENCE,
                "node {node}: {}",
                self.cluster().log_tail(node, 5)
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn inject(&self, name: &str, shape: &str, id: u64, seed: u64) -> Injected {
        self.inject_with(name, shape, id, seed, &[]).await
    }

    /// The same, with settings.
    pub(crate) async fn inject_with(
        &self,
        name: &str,
        shape: &str,
        id: u64,
        seed: u64,
        settings: &[(&str, Value)],
    ) -> Injected {
        let fault = fault::find(name).expect("a known fault");
        let planned = PlannedFault {
            id,
            at_ms: 0,
            for_ms: 0,
            fault: name.into(),
            shape: shape.into(),
            when: None,
            seed,
            settings: settings.iter().cloned().collect(),
        };
        assert_eq!(fault::check(fault, &planned.settings), Ok(()));
        let injected = fault.inject(&self.context, &planned).await;
        println!(
            "    {name} {shape}: {:?}: {}: {}",
            injected.outcome, injected.what, injected.evidence
        );
        injected
    }

    /// Heals, and insists that it took.
    pub(crate) async fn heal(&self, injected: Injected) {
        let healed = injected.heal(&self.context).await.expect("something to heal");
        println!("      healed: {:?}: {}", healed.outcome, healed.evidence);
        assert_eq!(healed.outcome, FaultOutcome::Took);
    }

    /// Opens a connection from every node to every other, to be used across faults.
    pub(crate) async fn open_connections(&self) -> Connections {
        let mut talks = BTreeMap::new();
        let mut numbers = BTreeMap::new();
        for from in 0..NODES {
            let cluster = self.cluster();
            let address = cluster.control_address(from);
            let mut talk = Talk::with(address, cluster.control_source())
                .await
                .expect("a connection");
            for to in (0..NODES).filter(|&to| to != from) {
                let question = format!("open {}", cluster.peer_address(to));
                let number = talk.ask(&question, PATIENCE).await.expect("an answer");
                assert!(number.parse::<usize>().is_ok(), "{from} to {to}: {number}");
                numbers.insert((from, to), number);
            }
            talks.insert(from, talk);
        }
        Connections { talks, numbers }
    }

    /// By word of mouth, over connections that were there before: which links carry.
    pub(crate) async fn say_everywhere(&mut self, connections: &mut Connections) -> BTreeMap<Link, String> {
        let mut said = BTreeMap::new();
        for (&(from, to), number) in &connections.numbers {
            self.tokens += 1;
            let token = format!("token-{}", self.tokens);
            let talk = connections.talks.get_mut(&from).unwrap();
            let answer = talk.ask(&format!("say {number} {token}"), PATIENCE).await;
            assert_eq!(answer.as_deref(), Some("said"), "{from} to {to}");
            said.insert(Link::between(from, to), token);
        }
        said
    }

    /// Checks that what was said over links that are not cut is heard, and the rest is not.
    pub(crate) async fn expect_heard(
        &self,
        connections: &mut Connections,
        said: &BTreeMap<Link, String>,
        cut: &BTreeSet<Link>,
    ) {
        // Long enough for what must not arrive to arrive, if it could.
        tokio::time::sleep(Duration::from_millis(150)).await;
        for (link, token) in said {
            let Endpoint::Node(to) = link.to else {
                unreachable!("it is said among nodes")
            };
            let begun = Instant::now();
            loop {
                let heard = connections
                    .talks
                    .get_mut(&to)
                    .unwrap()
                    .ask(&format!("heard {token}"), PATIENCE)
                    .await;
                let heard = heard.expect("an answer") == "true";
                let name = self.cluster().link_name(*link);
                if cut.contains(link) {
                    assert!(!heard, "{name} is cut and yet carried {token}");
                    break;
                } else if heard {
                    break;
                }
                assert!(
                    begun.elapsed() < PATIENCE,
                    "{name} is not cut and yet has not carried {token}"
                );
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

pub(crate) struct Connections {
    talks: BTreeMap<usize, Talk>,
    numbers: BTreeMap<(usize, usize), String>,
}
