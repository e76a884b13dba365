//! The vDSO: the page of code that the kernel maps into every process, so that it can read the clock without a
//! system call (vdso(7)). It is the same in every 64-bit process of a machine, so ours tells where everything is.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;

use super::CLOCKS;
use super::code::{ENTRIES, LENGTH, code};
use super::course::Bend;
use crate::procfs;

/// A jump to any place within 2 GiB: its code, and the distance.
const JUMP: u8 = 0xe9;
const JUMP_LENGTH: usize = 5;
/// The instruction that makes a system call.
const SYSTEM_CALL: [u8; 2] = [0x0f, 0x05];

/// The vDSO as the kernel made it.
#[derive(Debug)]
pub(super) struct Image {
    bytes: Vec<u8>,
    /// Where `clock_gettime`, `gettimeofday` and `time` begin.
    entries: [usize; 3],
    /// Where our code goes.
    site: usize,
    /// Where a system call can be made.
    system_call: usize,
}

/// What a process's vDSO is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Pristine,
    /// It has our code.
    Bent,
    /// It is not the one that we know: the process is a 32-bit one, or someone else is at work.
    Foreign,
}

impl Image {
    /// This process's own.
    pub(super) fn own() -> Result<&'static Image, &'static str> {
        static OWN: OnceLock<Result<Image, &'static str>> = OnceLock::new();
        let own = OWN.get_or_init(|| {
            let pid = std::process::id().cast_signed();
            let mapped = procfs::vdso(pid).ok().flatten();
            let mapped = mapped.ok_or("this process has no vDSO")?;
            let bytes = read(pid, &mapped).map_err(|_| "/proc/self/mem can't be read")?;
            Image::parse(bytes)
        });
        own.as_ref().map_err(|why| *why)
    }

    fn parse(bytes: Vec<u8>) -> Result<Image, &'static str> {
        let symbols = symbols(&bytes).ok_or("the vDSO has no list of symbols")?;
        let symbol = |name: &str| symbols.iter().find(|symbol| symbol.name == name);
        let find = |name| symbol(name).ok_or("the vDSO lacks a function that reads the clock");
        let gettime = find("__vdso_clock_gettime")?;
        let entries = [
            gettime.begin,
            find("__vdso_gettimeofday")?.begin,
            find("__vdso_time")?.begin,
        ];
        // Behind the image the last page is empty. There our code is in nobody's way: of the functions that it
        // replaces only the first bytes change, so that a thread in the midst of one comes out whole.
        let end = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
        let behind = (end + 16).next_multiple_of(16);
        let within = (gettime.begin + JUMP_LENGTH).next_multiple_of(16);
        let site = if behind + LENGTH <= bytes.len() {
            behind
        } else if within + LENGTH <= gettime.begin + gettime.length {
            within
        } else {
            return Err("the vDSO has no room for our code");
        };
        let mut image = Image {
            bytes,
            entries,
            site,
            system_call: 0,
        };
        let calls = image
            .bytes
            .windows(2)
            .enumerate()
            .filter(|(_, window)| *window == SYSTEM_CALL);
        let free = |at: usize| {
            image
                .ours()
                .iter()
                .all(|range| at + 2 <= range.start || at >= range.end)
        };
        image.system_call = calls
            .map(|(at, _)| at)
            .find(|&at| free(at))
            .ok_or("the vDSO makes no system call")?;
        Ok(image)
    }

    /// What we write to.
    fn ours(&self) -> [Range<usize>; 4] {
        let entry = |entry: usize| entry..entry + JUMP_LENGTH;
        let [gettime, of_day, time] = self.entries;
        [
            self.site..self.site + LENGTH,
            entry(gettime),
            entry(of_day),
            entry(time),
        ]
    }

    pub(super) fn clock_gettime(&self) -> u64 {
        self.entries[0] as u64
    }

    pub(super) fn system_call(&self) -> u64 {
        self.system_call as u64
    }

    /// The vDSO of a process whose clocks are bent so.
    fn bent(&self, epoch: &[i64; CLOCKS], wall: Bend, monotonic: Bend) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[self.site..self.site + LENGTH].copy_from_slice(&code(epoch, wall, monotonic));
        for (entry, function) in self.entries.into_iter().zip(ENTRIES) {
            // The distance is counted from behind the jump; both places are within one image.
            let distance = (self.site + function) as i64 - (entry + JUMP_LENGTH) as i64;
            let distance = i32::try_from(distance).unwrap_or(0);
            bytes[entry] = JUMP;
            bytes[entry + 1..entry + JUMP_LENGTH].copy_from_slice(&distance.to_le_bytes());
        }
        bytes
    }

    /// Looks at a process's vDSO, mapped there.
    pub(super) fn state(&self, pid: i32, mapped: &Range<u64>) -> io::Result<State> {
        let mut bytes = read(pid, mapped)?;
        if bytes == self.bytes {
            return Ok(State::Pristine);
        }
        if bytes.len() != self.bytes.len() {
            return Ok(State::Foreign);
        }
        for range in self.ours() {
            bytes[range.clone()].copy_from_slice(&self.bytes[range]);
        }
        Ok(if bytes == self.bytes {
            State::Bent
        } else {
            State::Foreign
        })
    }

    /// Puts our code into a process's vDSO. All its threads must be stopped, and elsewhere.
    pub(super) fn put(
        &self,
        pid: i32,
        mapped: &Range<u64>,
        epoch: &[i64; CLOCKS],
        bends: (Bend, Bend),
    ) -> io::Result<()> {
        self.write(pid, mapped, &self.bent(epoch, bends.0, bends.1))
    }

    /// Makes a process's vDSO what it was. All its threads must be stopped, and elsewhere.
    pub(super) fn restore(&self, pid: i32, mapped: &Range<u64>) -> io::Result<()> {
        self.write(pid, mapped, &self.bytes)
    }

    fn write(&self, pid: i32, mapped: &Range<u64>, bytes: &[u8]) -> io::Result<()> {
        let memory = File::options().write(true).open(format!("/proc/{pid}/mem"))?;
        for range in self.ours() {
            memory.write_all_at(&bytes[range.clone()], mapped.start + range.start as u64)?;
        }
        Ok(())
    }
}

fn read(pid: i32, range: &Range<u64>) -> io::Result<Vec<u8>> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    File::open(format!("/proc/{pid}/mem"))?.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes)
}

struct Symbol {
    name: String,
    begin: usize,
    length: usize,
}

/// The functions that an ELF image exports (elf(5)), by way of its section headers.
fn symbols(image: &[u8]) -> Option<Vec<Symbol>> {
    const DYNSYM: u64 = 11;
    const HEADER_LENGTH: usize = 64;
    const SYMBOL_LENGTH: usize = 24;
    let number = |at: usize, length: usize| -> Option<u64> {
        let bytes = image.get(at..at.checked_add(length)?)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        )
    };
    let place = |at: usize, length: usize| usize::try_from(number(at, length)?).ok();
    if image.get(..4)? != b"\x7fELF" {
        return None;
    }
    let (headers, count) = (place(0x28, 8)?, place(0x3c, 2)?);
    let header = |index: usize| headers.checked_add(index.checked_mul(HEADER_LENGTH)?);
    let (begin, length, names) = (0..count).find_map(|index| {
        let at = header(index)?;
        if number(at + 4, 4)? != DYNSYM {
            return None;
        }
        let names = place(header(place(at + 0x28, 4)?)? + 0x18, 8)?;
        Some((place(at + 0x18, 8)?, place(at + 0x20, 8)?, names))
    })?;
    let all = (0..length / SYMBOL_LENGTH).filter_map(|index| {
        let at = begin + index * SYMBOL_LENGTH;
        let name = image.get(names.checked_add(place(at, 4)?)?..)?;
        let name = name.split(|byte| *byte == 0).next()?;
        let (begin, length) = (place(at + 8, 8)?, place(at + 16, 8)?);
        image.get(begin..begin.checked_add(length)?)?;
        Some(Symbol {
            name: String::from_utf8_lossy(name).into_owned(),
            begin,
            length,
        })
    });
    Some(all.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_vdso_has_what_we_need() {
        let image = Image::own().expect("a vDSO");
        let names: Vec<_> = symbols(&image.bytes)
            .unwrap()
            .into_iter()
            .map(|symbol| symbol.name)
            .collect();
        assert!(names.contains(&"__vdso_clock_gettime".to_owned()), "{names:?}");
        let bent = image.bent(&[0; CLOCKS], Bend::NONE, Bend::NONE);
        let changed: Vec<_> = (0..bent.len())
            .filter(|&at| bent[at] != image.bytes[at])
            .collect();
        let ours = image.ours();
        assert!(
            changed
                .iter()
                .all(|at| ours.iter().any(|range| range.contains(at)))
        );
        assert_eq!(
            &image.bytes[image.system_call..image.system_call + 2],
            SYSTEM_CALL
        );
    }

    #[test]
    fn an_image_without_room_behind_it_gives_up_the_function_itself() {
        let mut bytes = Image::own().expect("a vDSO").bytes.clone();
        let last = bytes.len() - 1;
        bytes[last] = 1;
        let image = Image::parse(bytes).expect("room in clock_gettime");
        assert!(image.site > image.entries[0] && image.site < image.entries[0] + 64);
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let own = &Image::own().expect("a vDSO").bytes;
        assert!(Image::parse(Vec::new()).is_err());
        assert!(Image::parse(vec![0; 8192]).is_err());
        for length in (0..own.len()).step_by(97) {
            // It may be found wanting or not; it is never read beyond its end.
            let _ = Image::parse(own[..length].to_vec());
        }
    }
}
