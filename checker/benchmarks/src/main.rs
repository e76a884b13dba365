//! Prints the table, each check in a process of its own.

use std::io::Read;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, UsageWho, getrusage, setrlimit};
use partita_checker_benchmarks::rows::{CHECKERS, Checker, ROWS, Row};

/// How long a check may take.
const TIME_MAX: Duration = Duration::from_secs(60);
/// How much address space a process may take, its history included.
const MEMORY_MAX: u64 = 4 << 30;
/// How much a search that recurses may put on its stack.
const STACK: usize = 1 << 30;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["one", row, checker] => one(row, checker, TIME_MAX),
        ["one", row, checker, seconds] => one(
            row,
            checker,
            seconds.parse().map_or(TIME_MAX, Duration::from_secs),
        ),
        [] => table(""),
        [filter] => table(filter),
        _ => {
            eprintln!("usage: partita-checker-benchmarks [ROWS | one ROW CHECKER [SECONDS]]");
            ExitCode::FAILURE
        }
    }
}

/// In a process of its own: makes the history, then checks it, and prints what came of that.
fn one(row: &str, checker: &str, time: Duration) -> ExitCode {
    let row = ROWS.iter().find(|other| other.name == row);
    let checker = CHECKERS.iter().find(|(_, name)| *name == checker);
    let (Some(row), Some((checker, _))) = (row, checker) else {
        eprintln!("no such row or checker");
        return ExitCode::FAILURE;
    };
    let _ = setrlimit(Resource::RLIMIT_AS, MEMORY_MAX, MEMORY_MAX);
    let work = move || {
        let history = row.history();
        std::thread::spawn(|| {
            std::thread::sleep(TIME_MAX);
            println!("not in {} s", TIME_MAX.as_secs());
            std::process::exit(0);
        });
        let start = Instant::now();
        let answer = checker.check(row, &history, &|| start.elapsed() > time);
        let seconds = start.elapsed().as_secs_f64();
        let kib = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss());
        let configurations = answer
            .configurations
            .map_or_else(|| "-".to_owned(), |n| n.to_string());
        println!("{}\t{seconds}\t{kib}\t{configurations}", answer.verdict);
        std::process::exit(0);
    };
    let stack = if checker == &CHECKERS[4].0 { STACK } else { 8 << 20 };
    match std::thread::Builder::new().stack_size(stack).spawn(work) {
        Ok(thread) => drop(thread.join()),
        Err(error) => eprintln!("{error}"),
    }
    ExitCode::FAILURE
}

/// What one process told.
enum Cell {
    Done {
        verdict: String,
        seconds: f64,
        mib: f64,
        configurations: String,
    },
    /// Why there is nothing to tell.
    Not(String),
}

impl Cell {
    fn seconds(&self) -> f64 {
        match self {
            Cell::Done { seconds, .. } => *seconds,
            Cell::Not(_) => f64::INFINITY,
        }
    }
}

/// What is over sooner than this, in seconds, is done three times, and the fastest counts: a short time is easily spoilt.
const SHORT: f64 = 2.0;

fn measure(row: &Row, checker: &str) -> Cell {
    let mut best = measure_once(row, checker);
    for _ in 0..2 {
        if best.seconds() < SHORT {
            let again = measure_once(row, checker);
            if again.seconds() < best.seconds() {
                best = again;
            }
        }
    }
    best
}

fn measure_once(row: &Row, checker: &str) -> Cell {
    let executable = std::env::current_exe().expect("we are running");
    let child = Command::new(executable)
        .args(["one", row.name, checker])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return Cell::Not(error.to_string()),
    };
    let (mut told, mut complained) = (String::new(), String::new());
    if let (Some(mut out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) {
        let _ = out.read_to_string(&mut told);
        let _ = err.read_to_string(&mut complained);
    }
    let _ = child.wait();
    let told = told.trim();
    match told.split('\t').collect::<Vec<_>>()[..] {
        [verdict, seconds, kib, configurations] => Cell::Done {
            verdict: verdict.to_owned(),
            seconds: seconds.parse().unwrap_or(f64::NAN),
            mib: kib.parse::<f64>().unwrap_or(f64::NAN) / 1024.0,
            configurations: configurations.to_owned(),
        },
        _ if !told.is_empty() => Cell::Not(told.to_owned()),
        _ if complained.contains("memory allocation") => Cell::Not("over 4 GiB".to_owned()),
        _ if complained.contains("overflowed its stack") => Cell::Not("stack overflow".to_owned()),
        _ => Cell::Not(format!(
            "failed: {}",
            complained.lines().last().unwrap_or("no word")
        )),
    }
}

fn table(filter: &str) -> ExitCode {
    print!("| history | verdict | partita |");
    for (_, name) in &CHECKERS[1..] {
        print!(" {name} |");
    }
    println!(" memory |\n|---|---|{}", "---:|".repeat(CHECKERS.len() + 1));
    let mut ended: Vec<(&str, &str)> = Vec::new();
    let mut agree = true;
    for row in ROWS.iter().filter(|row| row.name.contains(filter)) {
        let mut cells = Vec::new();
        for (checker, name) in CHECKERS {
            let is_hopeless = row.smaller.is_some_and(|smaller| {
                *name != *CHECKERS[0].1
                    && ROWS
                        .iter()
                        .any(|other| other.name == smaller && other.name.contains(filter))
                    && !ended.contains(&(smaller, name))
            });
            let cell = match checker {
                _ if !checker.knows(row.shape.object) => Cell::Not("–".to_owned()),
                _ if is_hopeless => Cell::Not("(not asked)".to_owned()),
                _ => measure(row, name),
            };
            if let Cell::Done { .. } = cell {
                ended.push((row.name, name));
            }
            cells.push((checker, cell));
        }
        agree &= print_row(row, &cells);
    }
    if agree {
        ExitCode::SUCCESS
    } else {
        eprintln!("the checkers do not agree");
        ExitCode::FAILURE
    }
}

/// Prints a row; gives whether all that came to a verdict came to the same.
fn print_row(row: &Row, cells: &[(Checker, Cell)]) -> bool {
    let expected = row.expected().map(|verdict| verdict.to_string());
    let mut verdicts: Vec<&String> = cells
        .iter()
        .filter_map(|(_, cell)| match cell {
            Cell::Done { verdict, .. } => Some(verdict),
            Cell::Not(_) => None,
        })
        .chain(&expected)
        .collect();
    verdicts.dedup();
    let ours = match &cells[0].1 {
        Cell::Done { seconds, .. } => Some(*seconds),
        Cell::Not(_) => None,
    };
    let verdict = verdicts
        .iter()
        .map(|verdict| verdict.as_str())
        .collect::<Vec<_>>()
        .join(" / ");
    print!("| {} | {verdict} |", row.title);
    let mut memory = "–".to_owned();
    for (checker, cell) in cells {
        match (cell, ours) {
            (
                Cell::Done {
                    seconds,
                    mib,
                    configurations,
                    ..
                },
                _,
            ) if *checker == Checker::Partita => {
                memory = format!("{mib:.0} MiB");
                let how = match configurations.as_str() {
                    "0" => "no search".to_owned(),
                    n => format!("{n} cfg"),
                };
                print!(" {} ({how}) |", duration(*seconds));
            }
            (Cell::Done { seconds, .. }, Some(ours)) => print!(" {} |", ratio(seconds / ours)),
            (Cell::Done { seconds, .. }, None) => print!(" {} |", duration(*seconds)),
            (Cell::Not(why), _) => print!(" {why} |"),
        }
    }
    println!(" {memory} |");
    verdicts.len() <= 1
}

fn ratio(times: f64) -> String {
    match times {
        t if t >= 10.0 => format!("{t:.0}×"),
        t => format!("{t:.1}×"),
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{s:.1} s"),
        s if s >= 0.001 => format!("{:.0} ms", s * 1e3),
        s => format!("{:.0} µs", s * 1e6),
    }
}
