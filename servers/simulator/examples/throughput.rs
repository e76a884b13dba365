//! How fast is the simulator, and which runs find the most for their time?
//!
//! `cargo run --release -p partita-simulator --example throughput -- runs 100 raft zab` tells the time of a run without a
//! defect. `... -- defects 400 1000,2000,4000,8000` tries every defect of the catalogue with runs of so many faulty
//! milliseconds, and tells how much time it takes to find them.
#![expect(clippy::print_stdout, reason = "it is there to tell")]

use partita_protocols::Defect;
use partita_simulator::{Options, Simulator};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = |place: usize| arguments.get(place).map_or("", String::as_str);
    let seeds = text(1).parse().unwrap_or(100);
    match text(0) {
        "defects" => {
            for faulty_ms in text(2).split(',').filter_map(|it| it.parse().ok()) {
                defects(seeds, faulty_ms, arguments.get(3..).unwrap_or_default());
            }
        }
        _ => runs(seeds, arguments.get(2..).unwrap_or_default()),
    }
}

/// Of every protocol, or of those named.
fn chosen(names: &[String]) -> impl Iterator<Item = &'static Simulator> {
    let all = Simulator::ALL.iter();
    all.filter(move |it| names.is_empty() || names.iter().any(|name| name == it.name))
}

fn runs(seeds: u64, names: &[String]) {
    for simulator in chosen(names) {
        let options = Options::default();
        let began = processor_seconds();
        let (mut steps, mut virtual_us, mut traces) = (0, 0, 0_u64);
        for seed in 0..seeds {
            let report = (simulator.simulate)(seed, &options);
            steps += report.counts.steps;
            virtual_us += report.virtual_us;
            traces ^= report.trace.rotate_left(seed as u32);
            if let Some(violation) = report.violation {
                println!("{}, seed {seed}: {violation:?}", simulator.name);
            }
        }
        let spent = processor_seconds() - began;
        println!(
            "{:12} {:.2} ms a run, {:.0} cluster-seconds a second, {:.0} ns a step, {traces:016x}",
            simulator.name,
            spent * 1e3 / seeds as f64,
            virtual_us as f64 / 1e6 / spent,
            spent * 1e9 / steps as f64,
        );
    }
}

/// How long it takes to find each defect: from three places in the seeds, to tell luck from strength.
fn defects(seeds: u64, faulty_ms: u64, names: &[String]) {
    let (mut times, mut missed) = (Vec::new(), Vec::new());
    for simulator in chosen(names) {
        for defect in Defect::all().filter(|defect| defect.fits(simulator.name)) {
            for first in [0, 100_000, 200_000] {
                let began = processor_seconds();
                let found = (first..first + seeds).any(|seed| {
                    let options = Options {
                        nodes: [3, 3, 5, 4][(seed % 4) as usize],
                        faulty_ms,
                        defect: Some(defect),
                        ..Options::default()
                    };
                    (simulator.simulate)(seed, &options).violation.is_some()
                });
                times.push(processor_seconds() - began);
                if !found {
                    missed.push(format!("{}/{defect}", simulator.name));
                }
            }
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |share: usize| {
        times
            .get(times.len() * share / 100)
            .map_or(f64::NAN, |time| time * 1e3)
    };
    println!(
        "{faulty_ms} ms of faults: median {:.1} ms, 90 % in {:.0} ms, 95 % in {:.0} ms, all {:.1} s; missed of {}: {missed:?}",
        at(50),
        at(90),
        at(95),
        times.iter().sum::<f64>(),
        times.len(),
    );
}

/// The time for which this thread has run: what others do on the machine does not count.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = text
        .split_whitespace()
        .next()
        .and_then(|it| it.parse::<f64>().ok());
    nanoseconds.unwrap_or(f64::NAN) / 1e9
}
