//! One connection through the forwarder: bytes in both directions, each through its gate.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use nix::sys::socket;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio::{select, try_join};

use super::gate::Gate;

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;
/// Chunks kept between reader and writer, per direction. When they are full the sender feels it, as it would
/// over a link that does not acknowledge.
const CHUNKS: usize = 16;

/// Bytes, and when they may go on at the earliest.
type Chunk = (Instant, Vec<u8>);

/// Carries a connection until both sides have ended it or a gate breaks it.
pub(super) async fn relay(dialler: TcpStream, target: SocketAddr, there: &Gate, back: &Gate) {
    there.count_connection();
    back.count_connection();
    let _ = dialler.set_nodelay(true);
    let ended = select! {
        biased;
        () = there.reset() => Err(broken()),
        () = back.reset() => Err(broken()),
        ended = carry(&dialler, target, there, back) => ended,
    };
    if ended.is_err() {
        // The dialler is to see a broken connection and not an orderly end.
        let _ = dialler.set_zero_linger();
    }
}

fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

async fn carry(dialler: &TcpStream, target: SocketAddr, there: &Gate, back: &Gate) -> io::Result<()> {
    let (sender, chunks) = mpsc::channel(CHUNKS);
    let given_up = sender.clone();
    let connected = AtomicBool::new(false);
    let reading = async {
        let read = read(dialler, there, &sender).await;
        if read.is_err() && connected.load(Relaxed) {
            // A reset crosses a cut link no more than bytes do.
            there.passable().await;
        }
        drop(sender);
        read
    };
    let carrying = async {
        if there.is_cut() {
            // Over a cut link nothing is heard of a dialler that gives up.
            let gave_up = async {
                while given_up.strong_count() > 1 {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            };
            select! {
                biased;
                () = there.passable() => {}
                () = gave_up => return Err(broken()),
            }
        }
        drop(given_up);
        let target = TcpStream::connect(target).await?;
        connected.store(true, Relaxed);
        let _ = target.set_nodelay(true);
        let (sender, answers) = mpsc::channel(CHUNKS);
        let answering = async {
            let read = read(&target, back, &sender).await;
            if read.is_err() {
                back.passable().await;
            }
            drop(sender);
            read
        };
        let ended = try_join!(
            write(&target, there, chunks),
            answering,
            write(dialler, back, answers)
        );
        if ended.is_err() {
            let _ = target.set_zero_linger();
        }
        ended.map(drop)
    };
    try_join!(reading, carrying).map(drop)
}

/// Reads until the end of the stream.
async fn read(from: &TcpStream, gate: &Gate, chunks: &mpsc::Sender<Chunk>) -> io::Result<()> {
    loop {
        // A place for the chunk first, so that what can't be kept is not read.
        let Ok(place) = chunks.reserve().await else {
            return Ok(());
        };
        from.readable().await?;
        let mut bytes = Vec::with_capacity(CHUNK);
        match from.try_read_buf(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                gate.count_arrived(length);
                place.send((gate.due(length), bytes));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes what was read, then passes on the end of the stream.
async fn write(to: &TcpStream, gate: &Gate, mut chunks: mpsc::Receiver<Chunk>) -> io::Result<()> {
    let mut state = gate.watch();
    while let Some((due, bytes)) = chunks.recv().await {
        if due > Instant::now() {
            // What was read while the link was slow does not wait on when it has been healed.
            select! {
                () = sleep_until(due) => {}
                () = gate.prompt() => {}
            }
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            gate.passable().await;
            state.mark_unchanged();
            select! {
                writable = to.writable() => writable?,
                _ = state.changed() => continue,
            }
            let written = gate.unless_cut(|| {
                let written = to.try_write(rest);
                gate.count_forwarded(*written.as_ref().unwrap_or(&0));
                written
            });
            match written {
                None => {}
                Some(Ok(length)) => rest = &rest[length..],
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                Some(Err(error)) => return Err(error),
            }
        }
    }
    gate.passable().await;
    socket::shutdown(to.as_raw_fd(), socket::Shutdown::Write)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::network::link::{Force, Interference};
    use crate::network::proxy::gate::Passage;

    #[tokio::test]
    async fn what_waits_at_a_slow_link_goes_on_when_it_is_healed() {
        let slow = |interference| {
            Passage::under(&[Force {
                interference,
                fault: 1,
                seed: 1,
            }])
        };
        let here = (Ipv4Addr::LOCALHOST, 0);
        let (front, server) = (
            TcpListener::bind(here).await.unwrap(),
            TcpListener::bind(here).await.unwrap(),
        );
        let target = server.local_addr().unwrap();
        let mut client = TcpStream::connect(front.local_addr().unwrap()).await.unwrap();
        let (dialler, _) = front.accept().await.unwrap();
        let (there, back) = (Gate::open(), Gate::open());
        let talk = async {
            let (mut server, _) = server.accept().await.unwrap();
            // An hour each, were it not healed.
            for interference in [
                Interference::delay(Duration::from_secs(3_600)),
                Interference::Rate(1),
            ] {
                there.set(slow(interference), 1);
                let before = there.traffic().slowed;
                client.write_all(&[7; 4_000]).await.unwrap();
                while there.traffic().slowed < before + 4_000 {
                    tokio::task::yield_now().await;
                }
                there.set(Passage::default(), 1);
                let mut read = [0; 4_000];
                server.read_exact(&mut read).await.unwrap();
                assert_eq!(read, [7; 4_000]);
            }
        };
        select! {
            () = relay(dialler, target, &there, &back) => panic!("the connection ended"),
            () = talk => {}
        }
    }
}
