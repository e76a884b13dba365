//! What our own switch costs beside the kernel's bridge, measured by turns in one run: round trips, throughput, and the
//! time from a cut's record to its effect.
//!
//! `cargo run --release -p partita-nemesis --example switch_cost`
#![expect(clippy::print_stdout, reason = "it tells what it measures")]

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use partita_nemesis::lab::{self, NetworkChoice};
use partita_nemesis::{Cluster, CommandSpec, Endpoint, Interference, Link, PortRole, ProcessState};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// So many times each of the two is measured.
const TURNS: usize = 3;
const ROUND_TRIPS: usize = 20_000;
const BULK: Duration = Duration::from_secs(2);
const CUTS: u64 = 30;
const NODES: usize = 5;

fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", address] => serve(address.parse()?),
        ["ask", address] => ask(address.parse()?),
        [network, folder] => measure(network.parse()?, Path::new(folder)),
        _ => by_turns(),
    }
}

fn by_turns() -> Fallible<()> {
    for turn in 0..TURNS {
        // A lab is entered once in a process.
        for network in ["netns", "switch"] {
            let folder = std::env::temp_dir().join(format!("switch_cost-{}-{turn}", std::process::id()));
            let status = Command::new(std::env::current_exe()?)
                .arg(network)
                .arg(&folder)
                .status()?;
            std::fs::remove_dir_all(&folder)?;
            if !status.success() {
                return Err(format!("{network}: {status}").into());
            }
        }
    }
    Ok(())
}

fn measure(network: NetworkChoice, folder: &Path) -> Fallible<()> {
    let lab = lab::enter(network)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let names = (1..=NODES).map(|number| format!("n{number}")).collect::<Vec<_>>();
        let cluster = Cluster::start_network(&lab, &names, folder).await?;
        let address = cluster.listen(0, PortRole::Peer);
        let start = |node, what: &str| {
            cluster.start(
                node,
                CommandSpec {
                    program: std::env::current_exe().unwrap_or_default(),
                    args: vec![what.to_owned(), address.to_string()],
                    ..CommandSpec::default()
                },
            )
        };
        start(0, "serve")?;
        start(1, "ask")?;
        while !matches!(cluster.status(1), ProcessState::Exited(_)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("{}: {}", lab.kind(), cluster.log_tail(1, 1).trim());
        println!("{}: {}", lab.kind(), cut(&cluster, address).await?);
        cluster.stop_all(Duration::from_secs(2)).await;
        Ok(())
    })
}

/// Sends back what comes, over both protocols; a connection that begins with `s` is only counted.
fn serve(address: SocketAddr) -> Fallible<()> {
    let mirror = UdpSocket::bind(address)?;
    std::thread::spawn(move || {
        let mut datagram = [0; 64];
        while let Ok((length, from)) = mirror.recv_from(&mut datagram) {
            let _ = mirror.send_to(&datagram[..length], from);
        }
    });
    let listener = TcpListener::bind(address)?;
    loop {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut bytes = vec![0; 1 << 18];
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        let mut count = 0_u64;
        loop {
            let length = stream.read(&mut bytes)?;
            count += length as u64;
            match kind {
                _ if length == 0 => break,
                [b's'] => {}
                _ => stream.write_all(&bytes[..length])?,
            }
        }
        // Whoever only wanted an echo is gone.
        let _ = stream.write_all(&count.to_le_bytes());
    }
}

fn connect(address: SocketAddr, kind: u8) -> Fallible<TcpStream> {
    let begun = Instant::now();
    loop {
        match TcpStream::connect(address) {
            Ok(mut stream) => {
                stream.set_nodelay(true)?;
                stream.write_all(&[kind])?;
                return Ok(stream);
            }
            Err(_) if begun.elapsed() < Duration::from_secs(5) => {
                std::thread::sleep(Duration::from_millis(10))
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn ask(address: SocketAddr) -> Fallible<()> {
    let mut stream = connect(address, b'e')?;
    let mut message = [7; 64];
    let mut took = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let begun = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        took.push(begun.elapsed());
    }
    drop(stream);
    let mut stream = connect(address, b's')?;
    let bytes = vec![7; 1 << 18];
    let begun = Instant::now();
    while begun.elapsed() < BULK {
        stream.write_all(&bytes)?;
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut count = [0; 8];
    stream.read_exact(&mut count)?;
    let rate = u64::from_le_bytes(count) as f64 / begun.elapsed().as_secs_f64() / 1e9;
    println!("round trip {}; throughput {rate:.2} GB/s", spread(took));
    Ok(())
}

/// Median and 99th percentile.
fn spread(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    format!("p50 {:.1} us, p99 {:.1} us", at(50), at(99))
}

/// Sends datagrams without a pause, cuts a node off from all others, and sees which was the last that got there and back.
async fn cut(cluster: &Cluster, address: SocketAddr) -> Fallible<String> {
    let mut took = Vec::new();
    for id in 0..CUTS {
        let ended = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ended);
        let last = std::thread::spawn(move || last_echo(address, &until).map_err(|error| error.to_string()));
        tokio::time::sleep(Duration::from_millis(20)).await;
        let node = Endpoint::Node(0);
        let others = (1..NODES).map(Endpoint::Node).chain([Endpoint::Clients]);
        let links: BTreeSet<Link> = others
            .flat_map(|other| [Link::new(other, node), Link::new(node, other)])
            .collect();
        let recorded = Instant::now();
        cluster.impose(id, Interference::Stall, links).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
        ended.store(true, Relaxed);
        let last = last.join().map_err(|_| "a thread panicked")??;
        took.push(last.saturating_duration_since(recorded));
        cluster.lift(id).await?;
    }
    Ok(format!("a cut takes effect after {}", spread(took)))
}

/// When the last datagram was sent that came back.
fn last_echo(address: SocketAddr, ended: &AtomicBool) -> Fallible<Instant> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_nonblocking(true)?;
    let mut sent = Vec::new();
    let mut last = 0;
    while !ended.load(Relaxed) {
        sent.push(Instant::now());
        // One that can't be sent does not come back.
        let _ = socket.send_to(&(sent.len() as u64 - 1).to_le_bytes(), address);
        let until = Instant::now() + Duration::from_micros(50);
        while Instant::now() < until {
            let mut number = [0; 8];
            match socket.recv(&mut number) {
                Ok(_) => last = last.max(usize::try_from(u64::from_le_bytes(number))?),
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(sent[last])
}
