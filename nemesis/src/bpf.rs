//! Steps of the programs by which the kernel filters what it gives to us (McCanne and Jacobson, The BSD Packet Filter,
//! 1993): frames for a socket, system calls for a supervisor.

use nix::libc;

pub(crate) const LOAD_WORD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
pub(crate) const LOAD_HALF_WORD: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
pub(crate) const JUMP_IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
pub(crate) const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

/// Jumps count from the step that follows.
pub(crate) const fn step(code: u32, k: u32, if_so: u8, if_not: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: if_so,
        jf: if_not,
        k,
    }
}
