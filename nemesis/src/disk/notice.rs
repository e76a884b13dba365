//! Having the kernel ask before a process syncs (seccomp_unotify(2)).
//!
//! A child installs a filter before it begins its program. From then on whoever holds the filter's listener is told of
//! each fsync, fdatasync and syncfs, of the child and of all that it begins, and the caller waits for the answer: go on,
//! or this error. The child hands its listener over through a socket, for it is nobody that one could ask later.
//!
//! It needs no root. What it does not see: syncs by io_uring, msync, and writes to files opened with `O_DSYNC`.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long, c_void};
use nix::sys::prctl;

/// How the kernel calls this processor, for a system call of another one has another meaning (linux/audit.h).
const ARCHITECTURE: Option<u32> = if cfg!(target_arch = "x86_64") {
    Some(0xC000_003E)
} else if cfg!(target_arch = "aarch64") {
    Some(0xC000_00B7)
} else {
    None
};

/// Of `struct seccomp_data` (linux/seccomp.h).
const OFFSET_OF_NUMBER: u32 = 0;
const OFFSET_OF_ARCHITECTURE: u32 = 4;

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const JUMP_IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

const fn step(code: u32, k: u32, if_so: u8, if_not: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: if_so,
        jf: if_not,
        k,
    }
}

const LENGTH: usize = 8;

/// Asks for the system calls that sync, and lets all others pass. Jumps count from the step that follows.
const fn filter(architecture: u32) -> [libc::sock_filter; LENGTH] {
    [
        step(LOAD, OFFSET_OF_ARCHITECTURE, 0, 0),
        step(JUMP_IF_EQUAL, architecture, 0, 4),
        step(LOAD, OFFSET_OF_NUMBER, 0, 0),
        step(JUMP_IF_EQUAL, libc::SYS_fsync as u32, 3, 0),
        step(JUMP_IF_EQUAL, libc::SYS_fdatasync as u32, 2, 0),
        step(JUMP_IF_EQUAL, libc::SYS_syncfs as u32, 1, 0),
        step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0),
        step(RETURN, libc::SECCOMP_RET_USER_NOTIF, 0, 0),
    ]
}

/// Installs the filter in the calling process; it can't be taken back. Allocates nothing.
fn install() -> io::Result<OwnedFd> {
    let Some(architecture) = ARCHITECTURE else {
        return Err(Errno::ENOSYS.into());
    };
    let mut steps = filter(architecture);
    let program = libc::sock_fprog {
        len: LENGTH as u16,
        filter: steps.as_mut_ptr(),
    };
    // Without it only root may install a filter: nobody is to get rights by having a privileged program see less.
    prctl::set_no_new_privs()?;
    let asking = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // A caller whose question was heard is disturbed by nothing but its death; before Linux 5.19 any signal has it
    // ask again.
    for flags in [asking | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, asking] {
        #[expect(unsafe_code, reason = "the kernel reads the program, which lives until then")]
        let listener = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                c_long::from(libc::SECCOMP_SET_MODE_FILTER),
                flags,
                &raw const program,
            )
        };
        match c_int::try_from(listener) {
            Ok(listener) if listener >= 0 => {
                #[expect(unsafe_code, reason = "the kernel has just made it, for us")]
                return Ok(unsafe { OwnedFd::from_raw_fd(listener) });
            }
            _ if Errno::last() == Errno::EINVAL => {}
            _ => break,
        }
    }
    Err(io::Error::last_os_error())
}

/// Room for one descriptor beside a message (cmsg(3)), aligned as the kernel wants it.
type Aside = [u64; 4];

/// A message of one byte, with room beside it.
fn with_message<T>(work: impl FnOnce(&mut libc::msghdr) -> T) -> T {
    let (mut byte, mut aside) = (0_u8, Aside::default());
    let mut part = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    #[expect(unsafe_code, reason = "a struct of C of which all bytes may be zero")]
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = aside.as_mut_ptr().cast::<c_void>();
    message.msg_controllen = size_of::<Aside>() as _;
    work(&mut message)
}

/// Sends a descriptor. Allocates nothing.
#[expect(
    unsafe_code,
    reason = "there is room for one header and one descriptor, and both outlive the call"
)]
fn send(socket: &UnixDatagram, descriptor: &OwnedFd) -> io::Result<()> {
    let sent = with_message(|message| unsafe {
        let length = size_of::<c_int>() as u32;
        message.msg_controllen = libc::CMSG_SPACE(length) as _;
        let header = libc::CMSG_FIRSTHDR(message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(length) as _;
        ptr::write_unaligned(libc::CMSG_DATA(header).cast(), descriptor.as_raw_fd());
        libc::sendmsg(socket.as_raw_fd(), message, libc::MSG_NOSIGNAL)
    });
    if sent == 1 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Takes a descriptor that was sent before.
#[expect(
    unsafe_code,
    reason = "the kernel fills the room that there is, and says how much of it"
)]
fn receive(socket: &UnixDatagram) -> io::Result<OwnedFd> {
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    with_message(|message| unsafe {
        if libc::recvmsg(socket.as_raw_fd(), message, flags) < 0 {
            return Err(io::Error::last_os_error());
        }
        let header = libc::CMSG_FIRSTHDR(message);
        if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return Err(io::Error::other("no descriptor came"));
        }
        let descriptor = ptr::read_unaligned(libc::CMSG_DATA(header).cast::<c_int>());
        Ok(OwnedFd::from_raw_fd(descriptor))
    })
}

/// Where the listener of a child arrives.
#[derive(Debug)]
pub(super) struct Letterbox(UnixDatagram);

impl Letterbox {
    /// Once the child has begun its program. It must be done: its first sync waits for us.
    pub(super) fn listener(self) -> io::Result<Listener> {
        receive(&self.0).map(Listener)
    }
}

/// Has the child ask before it syncs.
pub(super) fn ask_first(command: &mut Command) -> io::Result<Letterbox> {
    prepare(command, || Ok(()))
}

fn prepare(
    command: &mut Command,
    and_then: impl Fn() -> io::Result<()> + Send + Sync + 'static,
) -> io::Result<Letterbox> {
    let (ours, theirs) = UnixDatagram::pair()?;
    let hook = move || {
        let listener = install()?;
        send(&theirs, &listener)?;
        and_then()
    };
    #[expect(
        unsafe_code,
        reason = "between fork and exec it makes three system calls and allocates nothing"
    )]
    unsafe {
        command.pre_exec(hook);
    }
    Ok(Letterbox(ours))
}

/// Tries it on a child that goes no further.
pub(super) fn trial() -> io::Result<()> {
    let mut command = Command::new("/proc/self/exe");
    let letterbox = prepare(&mut command, || Err(Errno::ECANCELED.into()))?;
    match command.spawn() {
        Err(error) if error.raw_os_error() == Some(Errno::ECANCELED as i32) => letterbox.listener().map(drop),
        Err(error) => Err(error),
        Ok(mut child) => child.wait().and(Err(io::Error::other("a child went on"))),
    }
}

/// By which questions come and answers go.
#[derive(Debug)]
pub(super) struct Listener(OwnedFd);

/// A thread is about to sync, and waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    id: u64,
    pub(super) thread: u32,
    /// What is to be synced.
    pub(super) descriptor: u64,
}

impl Listener {
    /// Waits for the next question; `None` when nobody is left who could ask.
    pub(super) fn next(&self) -> io::Result<Option<Question>> {
        loop {
            let mut wait = libc::pollfd {
                fd: self.0.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            #[expect(unsafe_code, reason = "one entry, which lives as long as the call")]
            let ready = unsafe { libc::poll(&raw mut wait, 1, -1) };
            if ready < 0 {
                match Errno::last() {
                    Errno::EINTR => continue,
                    error => return Err(error.into()),
                }
            }
            if wait.revents & libc::POLLIN == 0 {
                return Ok(None);
            }
            #[expect(
                unsafe_code,
                reason = "a struct of C, which the kernel wants all zero and then fills"
            )]
            let (received, asked) = unsafe {
                let mut asked: libc::seccomp_notif = mem::zeroed();
                let received =
                    libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut asked);
                (received, asked)
            };
            if received == 0 {
                return Ok(Some(Question {
                    id: asked.id,
                    thread: asked.pid,
                    descriptor: asked.data.args[0],
                }));
            }
            match Errno::last() {
                // Who asked has been killed, or disturbed: then it asks again.
                Errno::ENOENT | Errno::EINTR => {}
                error => return Err(error.into()),
            }
        }
    }

    /// Lets the thread go on, or refuses.
    pub(super) fn answer(&self, question: Question, refusal: Option<Errno>) {
        let answer = libc::seccomp_notif_resp {
            id: question.id,
            val: 0,
            error: refusal.map_or(0, |errno| -(errno as i32)),
            flags: if refusal.is_none() {
                libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32
            } else {
                0
            },
        };
        #[expect(unsafe_code, reason = "the kernel reads the answer, which lives until then")]
        // It fails if who asked has ended meanwhile.
        let _ = unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_SEND,
                &raw const answer,
            )
        };
    }
}
