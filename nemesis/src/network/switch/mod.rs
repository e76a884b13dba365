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
    state: Mutex<State>,
    began: Instant,
    ended: AtomicBool,
}

#[derive(Debug)]
struct State {
    core: Core,
    /// Or why the kernel does not take any of our work.
    fast_path: Result<FastPath, String>,
}

impl Shared {
    /// Whoever holds it decides what is in force; while a frame is sent the thread holds it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// From its return on these links are ours, and the kernel has all others, if it takes any.
    fn keep(&mut self, ports: &BTreeMap<Endpoint, Port>, ours: &BTreeSet<Link>) -> io::Result<()> {
        match &mut self.fast_path {
            Ok(fast_path) => fast_path.serve_all_but(ports, ours),
            Err(_) => Ok(()),
        }
    }

    /// Keeps the links to which something is done, or of which something waits.
    fn keep_busy(&mut self, ports: &BTreeMap<Endpoint, Port>) -> io::Result<()> {
        let busy = self.core.busy();
        self.keep(ports, &busy)
    }
}

impl Switch {
    /// Opens a port at each of these interfaces of the calling thread's network namespace, and serves them.
    pub(crate) fn open(interfaces: &BTreeMap<Endpoint, String>) -> io::Result<Switch> {
        let mut ports = BTreeMap::new();
        for (end, interface) in interfaces {
            ports.insert(*end, Port::open(interface)?);
        }
        let mut state = State {
            core: Core::default(),
            fast_path: FastPath::open(&ports).map_err(|error| error.to_string()),
        };
        state.keep_busy(&ports)?;
        let shared = Arc::new(Shared {
            ports,
            state: Mutex::new(state),
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

    /// From now on this is in force and nothing else, on all links at once. When it returns it is so.
    ///
    /// # Errors
    /// If the kernel does not give links back, nothing has changed; if it does not take them, we keep them.
    pub(crate) fn set(&self, in_force: BTreeMap<Link, Vec<Force>>) -> io::Result<()> {
        let ports = &self.shared.ports;
        let mut state = self.shared.state();
        // All links have to be ours before anything is done to the first of them.
        let mut ours = state.core.busy();
        ours.extend(in_force.keys());
        state.keep(ports, &ours)?;
        state.core.set(self.shared.began.elapsed(), in_force);
        let kept = state.keep_busy(ports);
        drop(state);
        self.ring();
        kept
    }

    /// Why the kernel passes nothing on by itself, if it does not.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.shared.state().fast_path.as_ref().err().cloned()
    }

    /// What the links have done so far, while they were ours.
    pub(crate) fn tallies(&self, links: &BTreeSet<Link>) -> BTreeMap<Link, Tally> {
        let state = self.shared.state();
        links
            .iter()
            .map(|link| (*link, state.core.tally(*link)))
            .collect()
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
            let (ready, rung) = match self.wait(next) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(error) => return tracing::error!("the switch has to stop: {error}"),
            };
            if rung {
                let _ = self.ear.read(&mut [0; 64]);
            }
            for from in ready {
                self.serve(from);
            }
        }
    }

    /// Sends what is due; how long until the next is.
    fn deliver_due(&self) -> Option<Duration> {
        let mut sent = false;
        loop {
            let mut state = self.shared.state();
            let now = self.shared.began.elapsed();
            let Some((to, frame)) = state.core.take_due(now) else {
                let next = state.core.next_due();
                if sent
                    && next.is_none()
                    && let Err(error) = state.keep_busy(&self.shared.ports)
                {
                    tracing::warn!("the kernel does not take over all links that are healed: {error}");
                }
                return next.map(|due| due.saturating_sub(now));
            };
            self.send(to, &frame);
            sent = true;
        }
    }

    /// Waits for frames, for the bell, or for the time; which ports have frames, and whether it rang.
    fn wait(&self, at_most: Option<Duration>) -> Result<(Vec<Endpoint>, bool), Errno> {
        let readable = |socket| PollFd::new(socket, PollFlags::POLLIN);
        let mut polled: Vec<PollFd<'_>> = self
            .shared
            .ports
            .values()
            .map(|port| readable(port.as_fd()))
            .collect();
        polled.push(readable(self.ear.as_fd()));
        ppoll(&mut polled, at_most.map(TimeSpec::from_duration), None)?;
        let is_ready = |polled: &PollFd<'_>| polled.any().unwrap_or(false);
        let ready = self.shared.ports.keys().zip(&polled);
        let ready = ready.filter(|(_, polled)| is_ready(polled)).map(|(end, _)| *end);
        Ok((ready.collect(), polled.last().is_some_and(is_ready)))
    }

    fn serve(&mut self, from: Endpoint) {
        let mut frame = std::mem::take(&mut self.frame);
        for _ in 0..TURN {
            // No more frames, or an interface that is gone: then the node is, too.
            let Some(Ok(length)) = self.shared.ports.get(&from).map(|port| port.receive(&mut frame)) else {
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
                let mut state = self.shared.state();
                match state
                    .core
                    .arrive(self.shared.began.elapsed(), Link { from, to }, frame)
                {
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
