//! A small node: it talks to its peers all the time, and does what it is told on its client port.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Every token that a peer has said to us.
type Heard = Arc<Mutex<BTreeSet<String>>>;

/// Never returns: `node <peer port's address> <client port's address> <address of a peer>...`
pub(crate) fn main(args: &[String]) {
    let address = |text: &String| text.parse::<SocketAddr>().expect("an address");
    let peers = TcpListener::bind(address(&args[0])).expect("the peer port is free");
    let clients = TcpListener::bind(address(&args[1])).expect("the client port is free");
    println!("node listens on {} and {}", args[0], args[1]);
    let heard = Heard::default();
    let hearing = Arc::clone(&heard);
    thread::spawn(move || listen(&peers, &hearing));
    for peer in args[2..].iter().map(address) {
        thread::spawn(move || chatter(peer));
    }
    for client in clients.incoming().flatten() {
        let heard = Arc::clone(&heard);
        thread::spawn(move || serve(client, &heard));
    }
}

fn listen(peers: &TcpListener, heard: &Heard) {
    for peer in peers.incoming().flatten() {
        let heard = Arc::clone(heard);
        thread::spawn(move || {
            for token in BufReader::new(peer).lines().map_while(Result::ok) {
                // Chatter is not remembered.
                if !token.is_empty() {
                    heard.lock().unwrap().insert(token);
                }
            }
        });
    }
}

/// Something crosses every link all the time, as heartbeats do.
fn chatter(peer: SocketAddr) {
    loop {
        if let Ok(mut stream) = TcpStream::connect_timeout(&peer, Duration::from_millis(200)) {
            while stream.write_all(b"\n").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The time of day, and the time since boot, as programs read them.
fn time() -> String {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is later than 1970");
    let monotonic = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("a clock");
    let monotonic = i128::from(monotonic.tv_sec()) * 1_000_000_000 + i128::from(monotonic.tv_nsec());
    format!("{} {monotonic}", wall.as_nanos())
}

/// A file of this node's.
fn data(name: &str) -> PathBuf {
    Path::new("data").join(name)
}

fn told(file: std::io::Result<File>, work: impl FnOnce(File) -> std::io::Result<String>) -> String {
    file.and_then(work)
        .unwrap_or_else(|error| format!("error {error}"))
}

/// `ping`; `write <file> <length> <letter>` at its end; `sync <file>`; `read <file>`; `exit`; `open <address>` -> a number; `say <number> <token>`; `heard <token>`; `time`.
fn serve(client: TcpStream, heard: &Heard) {
    let mut answers = client.try_clone().expect("a descriptor");
    let mut opened = BTreeMap::new();
    for line in BufReader::new(client).lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["ping"] => "pong".to_owned(),
            ["open", address] => {
                let address = address.parse().expect("an address");
                match TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
                    Ok(stream) => {
                        stream.set_nodelay(true).unwrap();
                        opened.insert(opened.len(), stream);
                        (opened.len() - 1).to_string()
                    }
                    Err(error) => format!("error {error}"),
                }
            }
            ["say", number, token] => {
                let stream = opened
                    .get_mut(&number.parse().expect("a number"))
                    .expect("it was opened");
                let said = stream.write_all(format!("{token}\n").as_bytes());
                said.map_or_else(|error| format!("error {error}"), |()| "said".to_owned())
            }
            ["write", name, length, letter] => {
                let bytes = letter.repeat(length.parse().expect("a number"));
                told(
                    File::options().create(true).append(true).open(data(name)),
                    |mut file| file.write_all(bytes.as_bytes()).map(|()| "done".into()),
                )
            }
            ["sync", name] => told(File::open(data(name)), |file| {
                file.sync_all().map(|()| "done".into())
            }),
            ["read", name] => match std::fs::read_to_string(data(name)) {
                Err(error) if error.kind() == ErrorKind::NotFound => format!("error {}", error.kind()),
                read => read.unwrap_or_else(|error| format!("error {error}")),
            },
            ["exit"] => std::process::exit(3),
            ["time"] => time(),
            ["heard", token] => heard.lock().unwrap().contains(token).to_string(),
            _ => "what?".to_owned(),
        };
        if answers.write_all(format!("{answer}\n").as_bytes()).is_err() {
            return;
        }
    }
}
