//! The clients: each worker plays one logical process after another.

use std::sync::Arc;

use anyhow::Context;
use partita_generator::Client;
use partita_history::Outcome;
use partita_targets::{ClientOptions, Node, Request, Target};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::recorder::Recorder;

/// Who the clients are, and whom they speak to.
#[derive(Clone)]
pub(crate) struct Clients {
    /// The system under test.
    pub(crate) target: &'static dyn Target,
    /// Its nodes.
    pub(crate) cluster: Arc<Vec<Node>>,
    /// How many at a time.
    pub(crate) concurrency: u32,
    /// How each works.
    pub(crate) options: ClientOptions,
}

/// Lets the clients work until `stop` becomes true or there is nothing left to do. Processes are numbered
/// from `first`; the number after the last is given back.
///
/// # Errors
/// When an event can't be recorded or a client can't be made: the run is then worth nothing.
pub(crate) async fn work(
    clients: &Clients,
    recorder: &Arc<Recorder>,
    first: u64,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<u64> {
    let mut workers: JoinSet<anyhow::Result<u64>> = (0..clients.concurrency)
        .map(|number| {
            let (clients, recorder, stop) = (clients.clone(), Arc::clone(recorder), stop.clone());
            Worker {
                clients,
                recorder,
                stop,
            }
            .work(number, first)
        })
        .collect();
    let mut next = first;
    // The first that fails ends all: dropping the set aborts the others.
    while let Some(worker) = workers.join_next().await {
        next = next.max(worker.context("a client panicked")??);
    }
    Ok(next)
}

struct Worker {
    clients: Clients,
    recorder: Arc<Recorder>,
    stop: watch::Receiver<bool>,
}

impl Worker {
    /// Plays processes `first + number`, and after each of unknown outcome the one that is `concurrency` later.
    async fn work(mut self, number: u32, first: u64) -> anyhow::Result<u64> {
        let Clients {
            target,
            ref cluster,
            concurrency,
            options,
        } = self.clients;
        let home = number as usize % cluster.len();
        let seat = number / u32::try_from(cluster.len())?;
        let node = &cluster[home].name;
        let mut process = first + u64::from(number);
        let mut idle = None;
        loop {
            let begin = tokio::time::Instant::from_std(self.recorder.moment(self.recorder.next_begin()));
            tokio::select! {
                biased;
                _ = self.stop.wait_for(|&stop| stop) => return Ok(process + u64::from(concurrency)),
                () = tokio::time::sleep_until(begin) => {}
            }
            let mut client = match idle.take() {
                Some(client) => client,
                None => target
                    .client(cluster, home, &format!("client-{process}"), options)
                    .map_err(|error| anyhow::anyhow!("a client can't be made: {error}"))?,
            };
            let Some(op) = self
                .recorder
                .invoke(Client { process, seat }, node)
                .context(CANNOT_RECORD)?
            else {
                return Ok(process + u64::from(concurrency));
            };
            let request = Request {
                f: op.f,
                key: op.key.as_ref(),
                value: &op.value,
            };
            // Not cut short by `stop`: what was begun is awaited, to its end or its timeout.
            let completion = client.perform(request).await;
            let unknown = completion.outcome == Outcome::Info;
            self.recorder
                .complete(process, op, node, completion)
                .context(CANNOT_RECORD)?;
            if unknown {
                // The operation may still take effect: nobody else may act in its name.
                process += u64::from(concurrency);
            } else {
                idle = Some(client);
            }
        }
    }
}

const CANNOT_RECORD: &str = "the history can't be written";
