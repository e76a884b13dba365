//! What clients cost when nobody watches: the yardstick for the controller's own cost.
//!
//! Does the operations of the `register` workload against our Raft with bare reqwest, with as many clients and
//! at the rate that is asked, records nothing, and tells the processor time that an operation took. Beside it,
//! `partita run` tells the same of itself (`controller CPU per operation`).
//!
//! ```sh
//! bare_loop SECONDS CLIENTS RATE ADDRESS...
//! ```

use std::time::{Duration, Instant};

use serde_json::{Value, json};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [seconds, clients, rate, addresses @ ..] = arguments.as_slice() else {
        return Err("usage: bare_loop SECONDS CLIENTS RATE ADDRESS...".into());
    };
    let (seconds, clients, rate): (u64, usize, f64) = (seconds.parse()?, clients.parse()?, rate.parse()?);
    let start = tokio::time::Instant::now();
    let end = start + Duration::from_secs(seconds);
    let gap = Duration::from_secs_f64(clients as f64 / rate);
    let before = cpu()?;
    let workers: Vec<_> = (0..clients)
        .map(|client| {
            let addresses = addresses.to_vec();
            tokio::spawn(work(
                client,
                addresses,
                start + gap.mul_f64(client as f64 / clients as f64),
                gap,
                end,
            ))
        })
        .collect();
    let mut operations = 0;
    for worker in workers {
        operations += worker.await??;
    }
    let spent = cpu()? - before;
    let each = spent.as_micros() as f64 / operations as f64;
    let line = format!("{operations} operations, {each:.0} us of processor time each\n");
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes())?;
    Ok(())
}

async fn work(
    client: usize,
    addresses: Vec<String>,
    mut begin: tokio::time::Instant,
    gap: Duration,
    end: tokio::time::Instant,
) -> Result<u64, reqwest::Error> {
    let http = reqwest::Client::builder()
        .timeout(Duration::from_secs(1))
        .no_proxy()
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(1)
        .build()?;
    let session = format!("bare-{client}-{:?}", Instant::now());
    let mut at = client % addresses.len();
    let mut operations = 0;
    while begin < end {
        tokio::time::sleep_until(begin).await;
        begin = (begin + gap).max(tokio::time::Instant::now());
        let key = format!("bare{}", operations % 5);
        let op = match operations % 20 {
            0..9 => json!({ "f": "read", "key": key }),
            9..14 => json!({ "f": "write", "key": key, "value": operations }),
            _ => json!({ "f": "cas", "key": key, "from": operations - 5, "to": operations }),
        };
        let body = json!({ "session": session, "sequence": operations + 1, "op": op });
        loop {
            let response = http
                .post(format!("http://{}/v1/op", addresses[at]))
                .json(&body)
                .send()
                .await?;
            let refused = response.status() == 421;
            let answer: Value = response.json().await?;
            if !refused {
                break;
            }
            // Nodes are called n1, n2, ... in the order of the addresses.
            let leader = answer["leader"]
                .as_str()
                .and_then(|name| name.strip_prefix('n')?.parse::<usize>().ok());
            at = leader.map_or(at + 1, |leader| leader - 1) % addresses.len();
        }
        operations += 1;
    }
    Ok(operations)
}

/// The processor time of this process so far.
fn cpu() -> std::io::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // After the name, in parentheses: field 14 is user time and 15 system time, in hundredths of a second.
    let ticks: u64 = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2)
        .flat_map(str::parse::<u64>)
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}
