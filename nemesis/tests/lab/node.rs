//! A small node: it talks to its peers all the time, and does what it is told on its client port.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
    let mirror = UdpSocket::bind(address(&args[0])).expect("the peer port is free for datagrams");
    thread::spawn(move || reflect(&mirror));
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

/// Sends back every datagram.
fn reflect(mirror: &UdpSocket) {
    let mut datagram = [0; 2_048];
    while let Ok((length, from)) = mirror.recv_from(&mut datagram) {
        let _ = mirror.send_to(&datagram[..length], from);
    }
}

/// Sends so many datagrams to a node, one every three milliseconds, and listens for another 400 ms: how many came
/// back, how many of them twice and how many after a later one, and how long the quickest and the slowest took, in us.
fn echo(to: SocketAddr, count: u32, length: usize) -> std::io::Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(1)))?;
    let (mut back, mut twice, mut overtaken, mut took) = (BTreeSet::new(), 0, 0, Vec::new());
    let begun = Instant::now();
    let mut sent: Vec<Instant> = Vec::new();
    let mut datagram = [0; 2_048];
    loop {
        // By the clock and not by the last: a kernel may make a wait of 1 ms one of 8 ms, and few datagrams do not
        // fill a narrow link.
        while sent.len() < count as usize && begun.elapsed() >= Duration::from_millis(3 * sent.len() as u64) {
            let number = u32::try_from(sent.len()).unwrap_or(u32::MAX);
            datagram[..4].copy_from_slice(&number.to_le_bytes());
            sent.push(Instant::now());
            // What can't be sent does not come back.
            let _ = socket.send_to(&datagram[..length.max(4)], to);
        }
        if socket.recv(&mut datagram).is_ok() {
            let number = u32::from_le_bytes([datagram[0], datagram[1], datagram[2], datagram[3]]);
            overtaken += u32::from(back.last().is_some_and(|last| *last > number) && !back.contains(&number));
            took.push(sent[number as usize].elapsed().as_micros());
            twice += u32::from(!back.insert(number));
        } else if sent.len() == count as usize && sent[sent.len() - 1].elapsed() > Duration::from_millis(400)
        {
            let (least, most) = (took.iter().min().unwrap_or(&0), took.iter().max().unwrap_or(&0));
            return Ok(format!("{} {twice} {overtaken} {least} {most}", back.len()));
        }
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

fn read_from_start(file: &File) -> std::io::Result<String> {
    let mut bytes = [0; 4_096];
    let length = std::os::unix::fs::FileExt::read_at(file, &mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

fn told(file: std::io::Result<File>, work: impl FnOnce(File) -> std::io::Result<String>) -> String {
    file.and_then(work)
        .unwrap_or_else(|error| format!("error {error}"))
}

/// `ping`; `write <file> <length> <letter>` at its end; `sync <file>`; `read <file>`; `keep <file>` open and read it; `again`: read what is kept; `exit`; `open <address>` -> a number; `say <number> <token>`; `heard <token>`; `time`; `echo <address> <count> <length>`.
fn serve(client: TcpStream, heard: &Heard) {
    let mut answers = client.try_clone().expect("a descriptor");
    let mut opened = BTreeMap::new();
    let mut kept = None;
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
            ["keep", name] => told(File::open(data(name)), |file| {
                let read = read_from_start(&file);
                kept = Some(file);
                read
            }),
            ["again"] => match &kept {
                Some(file) => read_from_start(file).unwrap_or_else(|error| format!("error {error}")),
                None => "nothing".to_owned(),
            },
            ["exit"] => std::process::exit(3),
            ["time"] => time(),
            ["echo", to, count, length] => {
                let number = |text: &str| text.parse::<u32>().expect("a number");
                let echoed = echo(
                    to.parse().expect("an address"),
                    number(count),
                    number(length) as usize,
                );
                echoed.unwrap_or_else(|error| format!("error {error}"))
            }
            ["heard", token] => heard.lock().unwrap().contains(token).to_string(),
            _ => "what?".to_owned(),
        };
        if answers.write_all(format!("{answer}\n").as_bytes()).is_err() {
            return;
        }
    }
}
