//! The machine code that stands in for a process's own way of reading the clock (x86-64).
//!
//! Three functions, plain ones of the System V ABI: they make the real system call and then add what
//! [`Bend`](super::course::Bend) says. They change only registers that belong to the callee, and no vector
//! registers. What they reckon with lies right behind them. In the syntax of the GNU assembler:
//!
//! ```text
//! clock_gettime:                          # edi: which clock, rsi: where to put the time
//!     mov   eax, 228                      # the real time first
//!     syscall
//!     test  eax, eax
//!     jnz   done
//!     cmp   edi, 11                       # clocks of single processes and devices are left alone,
//!     ja    done
//!     mov   edx, edi
//!     lea   r8, [rip + base]
//!     movzx eax, byte ptr [r8 + rdx + 192] # and so are those of processor time
//!     test  eax, eax
//!     jz    done
//!     lea   r9, [r8 + rax]                # r9: the bend of this clock
//!     imul  r10, qword ptr [rsi], 1000000000
//!     add   r10, [rsi + 8]                # r10: the time, in ns
//!     mov   rcx, r10
//!     sub   rcx, [r8 + rdx*8]             # rcx: the same, since the epoch
//!     mov   r8, rcx
//!     sar   r8, 3
//!     sub   r8, rcx
//!     add   r8, r10
//!     add   r8, [r9 + 40]                 # r8: what it may not be behind (floor)
//!     mov   r11, [r9 + 32]                # half a period
//!     test  r11, r11
//!     jz    bend
//!     lea   rax, [r11 + r11 - 1]
//!     and   rax, rcx                      # rax: the time within the period
//!     cmp   rax, r11
//!     jb    rush
//!     add   r11, r11                      # second half: what is left of it
//!     sub   r11, rax
//!     jmp   slope
//! rush:
//!     add   r10, [r9 + 16]                # amplitude
//!     mov   r11, rax
//! slope:
//!     imul  r11, [r9 + 24]                # slope
//! bend:
//!     mov   rax, [r9 + 8]                 # rate
//!     imul  rcx
//!     mov   rcx, r11
//!     sar   rcx, 63
//!     add   rax, r11
//!     adc   rdx, rcx
//!     shrd  rax, rdx, 20                  # both were in parts of 2^20
//!     add   r10, rax
//!     add   r10, [r9]                     # step
//!     cmp   r10, r8
//!     cmovl r10, r8
//!     mov   rax, r10                      # back to seconds and nanoseconds
//!     cqo
//!     mov   ecx, 1000000000
//!     idiv  rcx
//!     test  rdx, rdx
//!     jns   whole
//!     add   rdx, rcx
//!     dec   rax
//! whole:
//!     mov   [rsi], rax
//!     mov   [rsi + 8], rdx
//!     xor   eax, eax
//! done:
//!     ret
//! gettimeofday:                           # rdi: where to put the time, rsi: the time zone; both may be null
//!     test  rsi, rsi
//!     jz    value
//!     mov   eax, 96                       # the kernel knows the time zone
//!     syscall
//!     test  eax, eax
//!     jnz   told
//! value:
//!     test  rdi, rdi
//!     jz    none
//!     push  rdi
//!     mov   rsi, rdi
//!     xor   edi, edi
//!     call  clock_gettime
//!     pop   rdi
//!     mov   eax, [rdi + 8]                # nanoseconds to microseconds
//!     xor   edx, edx
//!     mov   ecx, 1000
//!     div   ecx
//!     mov   [rdi + 8], rax
//! none:
//!     xor   eax, eax
//! told:
//!     ret
//! time:                                   # rdi: where else to put the seconds, or null
//!     push  rdi
//!     sub   rsp, 16
//!     mov   rsi, rsp
//!     xor   edi, edi
//!     call  clock_gettime
//!     pop   rax
//!     pop   rcx
//!     pop   rdi
//!     test  rdi, rdi
//!     jz    said
//!     mov   [rdi], rax
//! said:
//!     ret
//!     .balign 8
//! base:                                   # the epoch of clocks 0 to 11, the two bends, which clock has which
//! ```

use super::course::Bend;
use super::{CLOCKS, Kind};

/// Where the three functions begin: `clock_gettime`, `gettimeofday`, `time`.
pub(super) const ENTRIES: [usize; 3] = [0, 0xcb, 0xff];

/// Where the numbers of the bends lie, counted from the end of the text.
const BENDS: [usize; 2] = [96, 144];

#[rustfmt::skip]
const TEXT: [u8; 288] = [
    0xb8, 0xe4, 0x00, 0x00, 0x00, 0x0f, 0x05, 0x85, 0xc0, 0x0f, 0x85, 0xbb, 0x00, 0x00, 0x00, 0x83, 0xff, 0x0b,
    0x0f, 0x87, 0xb2, 0x00, 0x00, 0x00, 0x89, 0xfa, 0x4c, 0x8d, 0x05, 0xff, 0x00, 0x00, 0x00, 0x41, 0x0f, 0xb6,
    0x84, 0x10, 0xc0, 0x00, 0x00, 0x00, 0x85, 0xc0, 0x0f, 0x84, 0x98, 0x00, 0x00, 0x00, 0x4d, 0x8d, 0x0c, 0x00,
    0x4c, 0x69, 0x16, 0x00, 0xca, 0x9a, 0x3b, 0x4c, 0x03, 0x56, 0x08, 0x4c, 0x89, 0xd1, 0x49, 0x2b, 0x0c, 0xd0,
    0x49, 0x89, 0xc8, 0x49, 0xc1, 0xf8, 0x03, 0x49, 0x29, 0xc8, 0x4d, 0x01, 0xd0, 0x4d, 0x03, 0x41, 0x28, 0x4d,
    0x8b, 0x59, 0x20, 0x4d, 0x85, 0xdb, 0x74, 0x21, 0x4b, 0x8d, 0x44, 0x1b, 0xff, 0x48, 0x21, 0xc8, 0x4c, 0x39,
    0xd8, 0x72, 0x08, 0x4d, 0x01, 0xdb, 0x49, 0x29, 0xc3, 0xeb, 0x07, 0x4d, 0x03, 0x51, 0x10, 0x49, 0x89, 0xc3,
    0x4d, 0x0f, 0xaf, 0x59, 0x18, 0x49, 0x8b, 0x41, 0x08, 0x48, 0xf7, 0xe9, 0x4c, 0x89, 0xd9, 0x48, 0xc1, 0xf9,
    0x3f, 0x4c, 0x01, 0xd8, 0x48, 0x11, 0xca, 0x48, 0x0f, 0xac, 0xd0, 0x14, 0x49, 0x01, 0xc2, 0x4d, 0x03, 0x11,
    0x4d, 0x39, 0xc2, 0x4d, 0x0f, 0x4c, 0xd0, 0x4c, 0x89, 0xd0, 0x48, 0x99, 0xb9, 0x00, 0xca, 0x9a, 0x3b, 0x48,
    0xf7, 0xf9, 0x48, 0x85, 0xd2, 0x79, 0x06, 0x48, 0x01, 0xca, 0x48, 0xff, 0xc8, 0x48, 0x89, 0x06, 0x48, 0x89,
    0x56, 0x08, 0x31, 0xc0, 0xc3, 0x48, 0x85, 0xf6, 0x74, 0x0b, 0xb8, 0x60, 0x00, 0x00, 0x00, 0x0f, 0x05, 0x85,
    0xc0, 0x75, 0x23, 0x48, 0x85, 0xff, 0x74, 0x1c, 0x57, 0x48, 0x89, 0xfe, 0x31, 0xff, 0xe8, 0x15, 0xff, 0xff,
    0xff, 0x5f, 0x8b, 0x47, 0x08, 0x31, 0xd2, 0xb9, 0xe8, 0x03, 0x00, 0x00, 0xf7, 0xf1, 0x48, 0x89, 0x47, 0x08,
    0x31, 0xc0, 0xc3, 0x57, 0x48, 0x83, 0xec, 0x10, 0x48, 0x89, 0xe6, 0x31, 0xff, 0xe8, 0xf2, 0xfe, 0xff, 0xff,
    0x58, 0x59, 0x5f, 0x48, 0x85, 0xff, 0x74, 0x03, 0x48, 0x89, 0x07, 0xc3, 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00,
];

/// How long the code is, with what it reckons with.
pub(super) const LENGTH: usize = TEXT.len() + 192 + 16;

/// The code for a process whose clocks are bent so. `epoch` is what each clock showed at the epoch.
pub(super) fn code(epoch: &[i64; CLOCKS], wall: Bend, monotonic: Bend) -> Vec<u8> {
    let mut code = TEXT.to_vec();
    let numbers = |bend: Bend| {
        [
            bend.step,
            bend.rate,
            bend.amplitude,
            bend.slope,
            bend.half,
            bend.floor,
        ]
    };
    for number in epoch
        .iter()
        .copied()
        .chain(numbers(wall))
        .chain(numbers(monotonic))
    {
        code.extend(number.to_le_bytes());
    }
    for clock in 0..CLOCKS {
        let block = Kind::of(clock).map_or(0, |kind| match kind {
            Kind::Wall => BENDS[0],
            Kind::Monotonic => BENDS[1],
        });
        code.push(u8::try_from(block).unwrap_or(0));
    }
    code.resize(LENGTH, 0);
    code
}
