//! A thread that stays in one network namespace, so that whatever it makes (processes, sockets, rules) is in
//! that namespace too.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, unshare};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::gettid;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The thread also is the parent of its node's processes: these ask the kernel to be killed when the *thread*
/// that started them ends, so it must not be one of a pool.
#[derive(Debug)]
pub(crate) struct Room {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// The file by which the namespace is known to other programs.
    namespace: PathBuf,
    lock: OwnedFd,
}

impl Room {
    /// Opens a room, in a network namespace of its own or else in the caller's.
    pub(crate) fn open(name: &str, own_network: bool) -> io::Result<Room> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (ready, opened) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(format!("room {name}"))
            .spawn(move || {
                let entered = if own_network {
                    unshare(CloneFlags::CLONE_NEWNET)
                } else {
                    Ok(())
                };
                let _ = ready.send(entered.map(|()| gettid()));
                for job in inbox {
                    job();
                }
            })?;
        let thread_id = opened.recv().map_err(io::Error::other)??;
        Ok(Room {
            jobs: Some(jobs),
            thread: Some(thread),
            namespace: format!("/proc/{}/task/{thread_id}/ns/net", std::process::id()).into(),
            lock: memfd_create("xtables.lock", MFdFlags::MFD_CLOEXEC)?,
        })
    }

    /// The path of the namespace's file, for other programs to open while the room is open.
    pub(crate) fn namespace(&self) -> &PathBuf {
        &self.namespace
    }

    /// The path of a file for other programs to lock when they work on this namespace. It lies in memory:
    /// there is nothing to remove.
    pub(crate) fn lock_file(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.lock.as_raw_fd()).into()
    }

    fn submit(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // It fails only if the thread has panicked; then whoever waits for the answer learns of it.
            let _ = jobs.send(job);
        }
    }

    /// Does something in the room, blocking the calling thread until it is done. For short things.
    ///
    /// # Panics
    /// If `work` does.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, answer) = mpsc::channel();
        self.submit(Box::new(move || {
            let _ = done.send(work());
        }));
        answer.recv().expect("work in a room does not panic")
    }

    /// Begins something in the room; the answer can be awaited.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, answer) = oneshot::channel();
        self.submit(Box::new(move || {
            let _ = done.send(work());
        }));
        answer
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
