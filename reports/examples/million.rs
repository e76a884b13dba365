//! How long the page of a million operations takes beside the check of them:
//!
//! ```sh
//! cargo build --release -p partita-reports --example million
//! million make HISTORY; time million check HISTORY; time million report HISTORY PAGE
//! ```

use std::fs::File;
use std::io::{BufReader, BufWriter, Error, Write as _};

use partita_checker::{Analysis, Model, Options, check};
use partita_history::{History, jsonl};
use partita_reports::{Run, html};

const OPERATIONS: u64 = 1_000_000;
const CLIENTS: u64 = 10;
const KEYS: u64 = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", history] => make(history)?,
        ["check", history] => drop(checked(&read(history)?)?),
        ["report", history, page] => {
            let read = read(history)?;
            let analysis = checked(&read)?;
            let run = Run::of_history(history.as_ref(), read, analysis, String::new(), Vec::new());
            std::fs::write(page, html(&run))?;
        }
        _ => return Err("expected make, check or report".into()),
    }
    Ok(())
}

fn read(path: &str) -> Result<History, Box<dyn std::error::Error>> {
    Ok(jsonl::read(BufReader::new(File::open(path)?), true)?)
}

fn checked(history: &History) -> Result<Analysis, Box<dyn std::error::Error>> {
    let model = Model::by_name("register").ok_or("the model is not there")?;
    Ok(check(history, model, &Options::default(), &|| false)?)
}

/// One operation of a register that works.
struct Act {
    process: u64,
    begin: u64,
    /// When it takes effect.
    effect: u64,
    end: u64,
    key: u64,
    /// What is written; none for a read.
    value: Option<u64>,
    found: Option<u64>,
}

fn make(path: &str) -> Result<(), Error> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut draw = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut acts: Vec<Act> = Vec::new();
    for process in 0..CLIENTS {
        let mut now = draw(1_000_000);
        for _ in 0..OPERATIONS / CLIENTS {
            let begin = now + draw(2_000_000);
            let longest = 1 + draw(4_000_000);
            let took = 150_000 + draw(longest);
            let value = (draw(3) == 0).then_some(0);
            acts.push(Act {
                process,
                begin,
                effect: begin + draw(took),
                end: begin + took,
                key: draw(KEYS),
                value,
                found: None,
            });
            now = begin + took;
        }
    }
    acts.sort_by_key(|act| act.effect);
    let mut registers: Vec<Option<u64>> = vec![None; KEYS as usize];
    for (next, act) in acts.iter_mut().enumerate() {
        let register = &mut registers[act.key as usize];
        if let Some(value) = &mut act.value {
            *value = next as u64;
            *register = Some(*value);
        }
        act.found = *register;
    }
    let mut events: Vec<(u64, usize, bool)> = Vec::new();
    for (place, act) in acts.iter().enumerate() {
        events.push((act.begin, place, false));
        events.push((act.end, place, true));
    }
    events.sort_unstable();
    let mut out = BufWriter::new(File::create(path)?);
    let json = |value: Option<u64>| value.map_or("null".to_owned(), |value| value.to_string());
    for (time, place, ends) in events {
        let act = &acts[place];
        let (kind, value) = if ends {
            ("ok", act.found)
        } else {
            ("invoke", act.value)
        };
        let f = if act.value.is_some() { "write" } else { "read" };
        writeln!(
            out,
            r#"{{"time":{time},"process":{},"type":"{kind}","f":"{f}","key":"r{}","value":{},"node":"n{}"}}"#,
            act.process,
            act.key,
            json(value),
            1 + act.process % 5,
        )?;
    }
    out.flush()
}
