//! Another time since boot, for all that a command begins (time_namespaces(7)): as on a machine that was started at
//! another time. The wall clock stays.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;
use nix::unistd::write;

use crate::procfs;

/// `CLONE_NEWTIME` (linux/sched.h).
const NEW_TIME: CloneFlags = CloneFlags::from_bits_retain(0x80);

/// What is to be written so that clocks are ahead of ours by so many seconds.
fn offsets(ahead: i64) -> String {
    // They count from the first namespace, which need not be ours.
    let seconds = procfs::boot_offset(std::process::id().cast_signed()).unwrap_or(0) + ahead;
    format!("monotonic {seconds} 0\nboottime {seconds} 0\n")
}

/// Moves the calling process, of one thread, into a namespace of its own. Allocates nothing.
fn enter(offsets: &[u8]) -> nix::Result<()> {
    unshare(NEW_TIME)?;
    let file = open(
        c"/proc/self/timens_offsets",
        OFlag::O_WRONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    write(&file, offsets)?;
    let namespace = open(
        c"/proc/self/ns/time_for_children",
        OFlag::O_RDONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    setns(namespace, NEW_TIME)
}

/// Has the command, and all that it begins, see clocks that are ahead of ours by so many seconds.
pub(crate) fn boot_elsewhere(command: &mut Command, ahead: i64) {
    let offsets = offsets(ahead);
    let hook = move || enter(offsets.as_bytes()).map_err(io::Error::from);
    #[expect(
        unsafe_code,
        reason = "between fork and exec it makes a few system calls and allocates nothing"
    )]
    unsafe {
        command.pre_exec(hook);
    }
}

/// Tries it on the calling process, which must be one that can be spared.
pub(crate) fn try_boot() -> Result<(), String> {
    enter(offsets(3_600).as_bytes()).map_err(|error| format!("make a time namespace: {error}"))
}

/// By how many seconds a process's time since boot is ahead of ours; `None` if it has ended, or the kernel has no time
/// namespaces.
pub(crate) fn boot_ahead(pid: i32) -> Option<i64> {
    let ours = procfs::boot_offset(std::process::id().cast_signed())?;
    Some(procfs::boot_offset(pid)? - ours)
}
