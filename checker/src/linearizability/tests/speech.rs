//! Random histories in words of one's own: what clients ask, and what they may be told.

use partita_history::{EventType, History, Outcome as Ended, Value};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::vocabulary::{event, operation};
use crate::model::{FailMeaning, Specification};

/// What clients of a model ask, and what they may be told.
#[derive(Clone, Copy)]
pub(super) struct Speech {
    pub(super) model: &'static str,
    /// Those named twice are asked twice as often.
    pub(super) functions: &'static [&'static str],
    pub(super) initial: fn(&mut ChaCha8Rng) -> Value,
    pub(super) input: fn(&mut ChaCha8Rng, &str) -> Value,
    /// An answer to the input, in some state, right or wrong.
    pub(super) answer: fn(&mut ChaCha8Rng, &str, &Value, &Value) -> (EventType, Value),
    pub(super) fail: FailMeaning,
    pub(super) clients: usize,
}

struct Client {
    f: &'static str,
    input: Value,
    /// How it ends, once it has taken effect.
    effect: Option<(EventType, Value)>,
}

struct Play<'a> {
    rng: &'a mut ChaCha8Rng,
    speech: &'a Speech,
    specification: &'a dyn Specification,
    state: Value,
}

impl Play<'_> {
    fn step(&self, process: u64, client: &Client, outcome: Ended, output: Value) -> Option<Value> {
        let operation = operation(process, client.f, &client.input, outcome, &output);
        match self.specification.classify(&operation).unwrap() {
            Some(class) => self.specification.step(&self.state, &class),
            None => Some(self.state.clone()),
        }
    }

    /// An answer that the model accepts, or, of `wrong` percent, any.
    fn take_effect(&mut self, process: u64, client: &Client, wrong: u32) -> (EventType, Value) {
        let is_wrong = self.rng.random_range(0..100) < wrong;
        for _ in 0..30 {
            let (kind, output) = (self.speech.answer)(self.rng, client.f, &client.input, &self.state);
            let outcome = match kind {
                EventType::Fail => Ended::Fail,
                _ => Ended::Ok,
            };
            if is_wrong {
                return (kind, output);
            }
            if let Some(state) = self.step(process, client, outcome, output.clone()) {
                self.state = state;
                return (kind, output);
            }
        }
        (EventType::Info, client.input.clone())
    }
}

/// A history of so many operations, of which some percent crash; if all answers are wrong it has no structure at all.
pub(super) fn history(
    rng: &mut ChaCha8Rng,
    speech: &Speech,
    specification: &dyn Specification,
    (operations, crashed, wrong): (usize, u32, u32),
) -> History {
    let mut play = Play {
        state: specification.initial(),
        rng,
        speech,
        specification,
    };
    let clients = play.rng.random_range(1..=speech.clients);
    let mut clients: Vec<(u64, Option<Client>)> = (0..clients as u64).map(|id| (id, None)).collect();
    let mut history = History::default();
    let (mut invoked, mut completed, mut next_process) = (0, 0, clients.len() as u64);
    while completed < operations {
        let at = play.rng.random_range(0..clients.len());
        let (process, slot) = &mut clients[at];
        let Some(client) = slot else {
            if invoked < operations {
                let f = *speech.functions.choose(play.rng).unwrap();
                let input = (speech.input)(play.rng, f);
                history
                    .push(event(*process, EventType::Invoke, f, input.clone()))
                    .unwrap();
                let effect = None;
                *slot = Some(Client { f, input, effect });
                invoked += 1;
            }
            continue;
        };
        if client.effect.is_none() && play.rng.random_range(0..100) < crashed {
            if play.rng.random_range(0..2) == 0
                && let Some(state) = play.step(*process, client, Ended::Info, Value::Null)
            {
                play.state = state;
            }
            client.effect = Some((EventType::Info, client.input.clone()));
        }
        match client.effect.take() {
            None => client.effect = Some(play.take_effect(*process, client, wrong)),
            Some((kind, output)) => {
                history.push(event(*process, kind, client.f, output)).unwrap();
                if kind == EventType::Info {
                    *process = next_process;
                    next_process += 1;
                }
                *slot = None;
                completed += 1;
            }
        }
    }
    history
}
