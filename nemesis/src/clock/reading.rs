//! Reading the clock that a process sees, by having one of its own threads call its own function.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use nix::sys::ptrace;
use nix::unistd::Pid;

use super::ClockError;
use super::tracee::{Held, Onward, Stop};
use super::vdso::Image;

/// How far below the top of its stack the thread works for us: beyond the 128 bytes that a function may use
/// without saying so (System V ABI, 3.2.2).
const BELOW: u64 = 256;
/// For the function's answer: two numbers of eight bytes, above the return address.
const ANSWER_ABOVE: u64 = 32;
/// "Not in a system call": the kernel then begins none again.
const NO_SYSTEM_CALL: u64 = u64::MAX;

/// What the process's clock of this number shows, in nanoseconds. `thread` of it must be held, and it must have a
/// vDSO, mapped there.
///
/// The function returns to an instruction that makes a system call, which is where we catch it; that call is not
/// made. The registers are put back only where the kernel can still begin the system call again that the
/// thread was in, so that nothing of this shows.
pub(super) fn read(
    pid: i32,
    held: &mut Held,
    thread: i32,
    mapped: &Range<u64>,
    image: &Image,
    clock: usize,
) -> Result<i64, ClockError> {
    let tracee = Pid::from_raw(thread);
    let saved = ptrace::getregs(tracee)?;
    let memory = File::options()
        .read(true)
        .write(true)
        .open(format!("/proc/{pid}/mem"))?;

    let mut call = saved;
    call.rsp = ((saved.rsp - BELOW) & !15) - 8;
    call.rip = mapped.start + image.clock_gettime();
    call.rdi = clock as u64;
    call.rsi = call.rsp + ANSWER_ABOVE;
    call.orig_rax = NO_SYSTEM_CALL;
    let back_at = mapped.start + image.system_call();
    memory.write_all_at(&back_at.to_le_bytes(), call.rsp)?;
    ptrace::setregs(tracee, call)?;

    let returned = run(held, thread, back_at + 2, call.rsp + 8);
    let mut answer = [0; 16];
    let read = memory.read_exact_at(&mut answer, call.rsi);
    ptrace::interrupt(tracee)?;
    // Whatever came of it, the registers must be put back.
    held.wait_longer();
    if returned.is_ok() {
        held.go_on(thread, Onward::Freely, 0)?;
    }
    loop {
        match held.next_stop(thread)? {
            Stop::Interrupted => break,
            Stop::Signal(signal) => held.go_on(thread, Onward::Freely, signal)?,
            Stop::SystemCall => held.go_on(thread, Onward::Freely, 0)?,
            Stop::Ended => return Err(ClockError::Gone),
        }
    }
    ptrace::setregs(tracee, saved)?;
    let result = returned?;
    read?;
    if result != 0 {
        return Err(ClockError::Odd(format!(
            "its clock {clock} can't be read ({result})"
        )));
    }
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |number: i64, byte| number << 8 | i64::from(*byte))
    };
    Ok(number(&answer[..8]) * 1_000_000_000 + number(&answer[8..]))
}

/// Runs the thread until it has returned. Gives back what the function returned.
fn run(held: &Held, thread: i32, at: u64, stack: u64) -> Result<i32, ClockError> {
    let tracee = Pid::from_raw(thread);
    let mut signal = 0;
    loop {
        held.go_on(thread, Onward::ToSystemCall, signal)?;
        signal = 0;
        match held.next_stop(thread)? {
            Stop::SystemCall => {
                let mut registers = ptrace::getregs(tracee)?;
                // The function itself may make a call from there, but then with more on its stack.
                if (registers.rip, registers.rsp) == (at, stack) {
                    // The kernel takes what was returned for the number of the call.
                    let result = registers.orig_rax as i32;
                    registers.orig_rax = NO_SYSTEM_CALL;
                    ptrace::setregs(tracee, registers)?;
                    return Ok(result);
                }
            }
            Stop::Signal(number) => signal = number,
            Stop::Interrupted => {}
            Stop::Ended => return Err(ClockError::Gone),
        }
    }
}
