//! A switch of our own: every node's cable ends in one namespace, in a socket that one thread serves.
//!
//! ```text
//! node i: eth0 ====== v<i>  hub namespace  vc ====== eth0: controller (clients, control)
//!                       \___ this thread ___/
//! ```
//! So what becomes of a frame is ours to say, per directed link, from one frame to the next: [`core`] decides, and
//! this module has the sockets, the clock and the thread. Questions after hardware addresses and what the
//! controller asks for itself pass whatever is in force, as they do where packet filters cut. Links to which nothing
//! is done are left to the kernel, where it can ([`fast_path`]).

mod core;
mod fast_path;
mod frame;
mod socket;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::prctl::set_timerslack;
use nix::sys::time::TimeSpec;

use self::core::{Core, Fate};
use self::fast_path::FastPath;
use self::frame::Kind;
use self::socket::Port;
pub(crate) use self::tally::Tally;
use super::link::{Endpoint, Force, Link};
use super::netns::{end_of, is_control};

/// So many frames of one port are served before the next port has its turn.
const TURN: usize = 32;
/// And so many before a link of it is given back to the kernel: more than wait there but under the heaviest load.
const DRAIN: usize = 4_096;

#[derive(Debug)]
pub(crate) struct Switch {
    shared: Arc<Shared>,
    /// Wakes the thread: something may be due earlier than it thinks, or it is to end.
    bell: UnixStream,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    ports: BTreeMap<Endpoint, Port>,
    /// Or why the kernel does none of our work. Whoever holds it decides which links are ours. Locked before the core.
    fast_path: Mutex<Result<FastPath, String>>,
    /// Whoever holds it decides what is in force; while a frame is sent the thread holds it.
    core: Mutex<Core>,
    began: Instant,
    ended: AtomicBool,
}

impl Shared {
    fn fast_path(&self) -> MutexGuard<'_, Result<FastPath, String>> {
        self.fast_path.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Switch {
    /// Opens a port at each of these interfaces of the calling thread's network namespace, and serves them.
    pub(crate) fn open(interfaces: &BTreeMap<Endpoint, String>) -> io::Result<Switch> {
        let mut ports = BTreeMap::new();
        for (end, interface) in interfaces {
            ports.insert(*end, Port::open(interface)?);
        }
        let fast_path = FastPath::open(&ports).map_err(|error| error.to_string());
        let shared = Arc::new(Shared {
            ports,
            fast_path: Mutex::new(fast_path),
            core: Mutex::default(),
            began: Instant::now(),
            ended: AtomicBool::new(false),
        });
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        let service = Service {
            shared: Arc::clone(&shared),
            ear,
            frame: vec![0; frame::LENGTH_MAX],
        };
        let thread = std::thread::Builder::new()
            .name("switch".into())
            .spawn(move || service.run())?;
        Ok(Switch {
            shared,
            bell,
            thread: Some(thread),
        })
    }

    /// From now on this is in force and nothing else, on all links at once. When it returns it is so, but for what the
    /// kernel had begun to pass on.
    ///
    /// # Errors
    /// If the kernel does not give links back; then what was in force still is, and nothing else.
    pub(crate) fn set(&self, in_force: BTreeMap<Link, Vec<Force>>) -> io::Result<()> {
        let mut fast_path = self.shared.fast_path();
        // All links have to be ours before anything is done to the first of them. Until then we pass on what they carry.
        let taken = match &mut *fast_path {
            Ok(fast_path) => fast_path.take(in_force.keys().copied()),
            Err(_) => Ok(()),
        };
        let mut core = self.shared.core();
        match &taken {
            Ok(()) => core.set(self.shared.began.elapsed(), in_force),
            Err(_) => core.may_have_idled(),
        }
        drop(core);
        drop(fast_path);
        self.ring();
        taken
    }

    /// Why the kernel passes nothing on by itself, if it does not.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.shared.fast_path().as_ref().err().cloned()
    }

    /// Whether the kernel serves all these links just now.
    pub(crate) fn leaves(&self, links: &BTreeSet<Link>) -> bool {
        let fast_path = self.shared.fast_path();
        fast_path
            .as_ref()
            .is_ok_and(|fast_path| fast_path.taken().is_disjoint(links))
    }

    /// What the links have done so far, while they were ours.
    pub(crate) fn tallies(&self, links: &BTreeSet<Link>) -> BTreeMap<Link, Tally> {
        let core = self.shared.core();
        links.iter().map(|link| (*link, core.tally(*link))).collect()
    }

    fn ring(&self) {
        // If the bell is full of rings the thread is awake.
        let _ = (&self.bell).write(&[1]);
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.shared.ended.store(true, Relaxed);
        self.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Service {
    shared: Arc<Shared>,
    ear: UnixStream,
    frame: Vec<u8>,
}

impl Service {
    fn run(mut self) {
        // A delay is to be as long as it says, and not 50 us longer.
        let _ = set_timerslack(1);
        while !self.shared.ended.load(Relaxed) {
            let next = self.deliver_due();
            self.give_back();
            let (ready, rung) = match self.wait(next) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(error) => return tracing::error!("the switch has to stop: {error}"),
            };
            if rung {
                let _ = self.ear.read(&mut [0; 64]);
            }
            for from in ready {
                self.serve(from, TURN);
            }
        }
    }

    /// Sends what is due; how long until the next is.
    fn deliver_due(&self) -> Option<Duration> {
        loop {
            let mut core = self.shared.core();
            let now = self.shared.began.elapsed();
            let Some((to, frame)) = core.take_due(now) else {
                return core.next_due().map(|due| due.saturating_sub(now));
            };
            self.send(to, &frame);
        }
    }

    /// Gives the kernel the links that are no longer busy.
    fn give_back(&mut self) {
        let shared = Arc::clone(&self.shared);
        // If it is held, `set` is about to ring. While we hold it nobody makes an idle link busy.
        let Ok(mut fast_path) = shared.fast_path.try_lock() else {
            return;
        };
        let Ok(fast_path) = &mut *fast_path else { return };
        let mut core = shared.core();
        if !core.take_idled() {
            return;
        }
        let busy = core.busy();
        drop(core);
        let idle: Vec<Link> = fast_path.taken().difference(&busy).copied().collect();
        for link in idle {
            // What came before goes on before what the kernel is going to pass on.
            self.serve(link.from, DRAIN);
            if let Err(error) = fast_path.give_back(link) {
                return tracing::warn!(
                    "the kernel does not take {link:?} over again, we go on serving it: {error}"
                );
            }
            self.serve(link.from, DRAIN);
        }
    }

    /// Waits for frames, for the bell, or for the time; which ports have frames, and whether it rang.
    fn wait(&self, at_most: Option<Duration>) -> Result<(Vec<Endpoint>, bool), Errno> {
        let ports = &self.shared.ports;
        let mut polled: Vec<PollFd<'_>> = ports
            .values()
            .flat_map(Port::sockets)
            .chain([self.ear.as_fd()])
            .map(|socket| PollFd::new(socket, PollFlags::POLLIN))
            .collect();
        ppoll(&mut polled, at_most.map(TimeSpec::from_duration), None)?;
        let is_ready = |polled: &PollFd<'_>| polled.any().unwrap_or(false);
        let ready = ports.keys().zip(polled.chunks(2));
        let ready = ready.filter(|(_, sockets)| sockets.iter().any(is_ready));
        let ready = ready.map(|(end, _)| *end).collect();
        Ok((ready, polled.last().is_some_and(is_ready)))
    }

    /// Passes on what a port has, so many frames at most.
    fn serve(&mut self, from: Endpoint, at_most: usize) {
        let mut frame = std::mem::take(&mut self.frame);
        for _ in 0..at_most {
            // No more frames, or an interface that is gone: then the node is, too.
            let port = self.shared.ports.get(&from);
            let Some(Ok(length)) = port.map(|port| port.receive(&mut frame)) else {
                break;
            };
            self.forward(from, &frame[..length]);
        }
        self.frame = frame;
    }

    fn forward(&self, from: Endpoint, frame: &[u8]) {
        match frame::kind(frame) {
            Some(Kind::Arp { to }) => {
                if let Some(to) = end_of(to) {
                    self.send(to, frame);
                }
            }
            Some(Kind::Ip {
                from: source,
                to: target,
            }) => {
                let Some(to) = end_of(target) else { return };
                if is_control(source) || is_control(target) {
                    return self.send(to, frame);
                }
                let mut core = self.shared.core();
                match core.arrive(self.shared.began.elapsed(), Link { from, to }, frame) {
                    Fate::PassOn => self.send(to, frame),
                    Fate::SendBack(answer) => self.send(from, &answer),
                    Fate::Taken => {}
                }
            }
            None => {}
        }
    }

    /// What can't be sent is lost, as in any switch.
    fn send(&self, to: Endpoint, frame: &[u8]) {
        if let Some(port) = self.shared.ports.get(&to) {
            let _ = port.send(frame);
        }
    }
}
