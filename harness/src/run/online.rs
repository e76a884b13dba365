//! The online checker: follows the events of a run on a thread of its own, and says at once when there is a
//! violation.
//!
//! The offline checker stays the judge. What this one says must agree with it, or one of them is wrong.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, bail};
use partita_checker::online::{Online, Standing, Violation};
use partita_checker::{Analysis, Model, Options, Verdict};
use partita_history::{OpEvent, Value};
use tokio::sync::watch;

/// Events that may wait to be followed. If there are more, the rest is left to the offline checker: the load does
/// not wait.
const WAITING_MAX: usize = 1 << 14;
/// How often waiting events are followed. To wake the thread for each of them would cost more than to follow it, and
/// nobody can tell so short a delay.
const PERIOD: Duration = Duration::from_millis(5);

/// A violation, and when it was noticed.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    /// What is violated.
    pub(crate) violation: Violation,
    /// Nanoseconds since the start of the run: of the event that showed it.
    pub(crate) time: u64,
}

/// Where the recorder tells of events.
pub(crate) struct Tap {
    /// None once the checker was too slow.
    sender: Option<SyncSender<(u32, OpEvent)>>,
}

impl Tap {
    /// An operation's event, and its position in the history.
    pub(crate) fn tell(&mut self, position: u64, event: OpEvent) {
        let Some(sender) = &self.sender else { return };
        let told = match u32::try_from(position) {
            Ok(position) => sender.try_send((position, event)),
            Err(_) => Err(TrySendError::Disconnected((u32::MAX, event))),
        };
        if told.is_err() {
            self.sender = None;
        }
    }
}

/// The thread, and what it has found so far.
pub(crate) struct Follower {
    thread: JoinHandle<Followed>,
    alarm: watch::Receiver<Option<Alarm>>,
}

/// What came of following.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    /// How many operations' events were followed.
    events: u64,
    /// The first violation.
    alarm: Option<Alarm>,
    /// What is known of each key, as far as it was followed.
    keys: Vec<(Option<Value>, Standing)>,
    /// Why no more events were followed, if there were more.
    failed: Option<String>,
}

/// Starts to follow a run.
///
/// # Errors
/// When there can't be a thread for it.
pub(crate) fn follow(model: &Model, options: &Options) -> std::io::Result<(Tap, Follower)> {
    let (sender, events) = sync_channel(WAITING_MAX);
    let (tell, alarm) = watch::channel(None);
    let online = Online::new(model, options);
    let thread = thread::Builder::new()
        .name("online checker".to_owned())
        .spawn(move || work(online, &events, &tell))?;
    let tap = Tap { sender: Some(sender) };
    Ok((tap, Follower { thread, alarm }))
}

fn work(
    mut online: Online,
    events: &Receiver<(u32, OpEvent)>,
    tell: &watch::Sender<Option<Alarm>>,
) -> Followed {
    let mut followed = Followed::default();
    loop {
        let (position, event) = match events.try_recv() {
            Ok(told) => told,
            Err(TryRecvError::Empty) => {
                thread::sleep(PERIOD);
                continue;
            }
            Err(TryRecvError::Disconnected) => break,
        };
        match online.push(position, &event) {
            Ok(None) => {}
            Ok(Some(violation)) => {
                let time = event.time;
                let alarm = followed.alarm.get_or_insert(Alarm { violation, time });
                tell.send_if_modified(|told| {
                    let is_first = told.is_none();
                    told.get_or_insert_with(|| alarm.clone());
                    is_first
                });
            }
            Err(error) => {
                followed.failed = Some(error.to_string());
                break;
            }
        }
        followed.events += 1;
    }
    followed.keys = online.finish();
    followed
}

impl Follower {
    /// Waits for the first violation; for ever, if there is none.
    pub(crate) fn alarm(&self) -> impl Future<Output = Alarm> + Send + 'static {
        let mut alarm = self.alarm.clone();
        async move {
            let seen = alarm.wait_for(Option::is_some).await.ok();
            match seen.and_then(|seen| seen.clone()) {
                Some(alarm) => alarm,
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until all is followed, given back the tap that told of it.
    ///
    /// # Errors
    /// When the checker panicked.
    pub(crate) async fn finish(self, tap: Option<Tap>) -> anyhow::Result<Followed> {
        let fell_behind = tap.is_none_or(|tap| tap.sender.is_none());
        let joined = tokio::task::spawn_blocking(|| self.thread.join()).await?;
        let mut followed = joined
            .ok()
            .context("the online checker panicked; the history is whole, and can be checked")?;
        if fell_behind && followed.failed.is_none() {
            followed.failed = Some(format!(
                "more than {WAITING_MAX} events waited after {} were followed",
                followed.events
            ));
        }
        Ok(followed)
    }
}

impl Followed {
    /// In words, for the facts of the run.
    pub(crate) fn told(&self) -> String {
        let mut told = match &self.alarm {
            None => format!("no violation in {} events", self.events),
            Some(alarm) => format!("{}, of {} events", alarm.told(), self.events),
        };
        let unknown = self.keys.iter().find_map(|(_, standing)| match standing {
            Standing::Unknown { from, why } => Some((from, why)),
            Standing::Linearizable | Standing::Violated(_) => None,
        });
        if let Some((from, why)) = unknown {
            told.push_str(&format!("; unknown from event {from} on, because {why}"));
        }
        if let Some(failed) = &self.failed {
            told.push_str(&format!("; not followed to the end: {failed}"));
        }
        told
    }

    /// Fails if the offline checker says otherwise.
    ///
    /// # Errors
    /// With the key, and what each says.
    pub(crate) fn agree(&self, offline: &Analysis) -> anyhow::Result<()> {
        let verdicts: BTreeMap<&Option<Value>, Verdict> =
            offline.keys.iter().map(|key| (&key.key, key.verdict)).collect();
        for (key, standing) in &self.keys {
            let anomaly = offline.anomalies.iter().find(|anomaly| anomaly.key == *key);
            let (online, disagree) = match (standing, verdicts.get(key)) {
                // Of what came after, it knows nothing.
                (Standing::Linearizable, Some(Verdict::Invalid)) => {
                    ("it is linearizable".to_owned(), self.failed.is_none())
                }
                (Standing::Violated(violation), Some(verdict)) => {
                    let events = violation.position + 1;
                    let is_late = anomaly.is_some_and(|anomaly| anomaly.prefix_events < events);
                    let told = format!("the first {events} events are no longer linearizable");
                    (told, is_late || *verdict == Verdict::Valid)
                }
                _ => continue,
            };
            if disagree {
                let offline = match anomaly {
                    Some(anomaly) => {
                        format!("the first {} events are not linearizable", anomaly.prefix_events)
                    }
                    None => format!("it is {}", verdicts[key]),
                };
                bail!(
                    "the checkers disagree{}: the online one says that {online}, the offline one that {offline}; \
                     one of them is wrong, and the history shows which",
                    on(key)
                );
            }
        }
        Ok(())
    }
}

impl Alarm {
    /// In words: `violation at 12.4 s on key r3`.
    pub(crate) fn told(&self) -> String {
        let seconds = self.time as f64 / 1e9;
        format!("violation at {seconds:.1} s{}", on(&self.violation.key))
    }
}

fn on(key: &Option<Value>) -> String {
    key.as_ref().map_or(String::new(), |key| format!(" on key {key}"))
}

#[cfg(test)]
mod tests {
    use partita_checker::check;
    use partita_history::jsonl;

    use super::*;

    fn standing(position: Option<u32>) -> Standing {
        match position {
            None => Standing::Linearizable,
            Some(position) => Standing::Violated(Violation {
                key: Some("x".into()),
                position,
                culprit: 3,
            }),
        }
    }

    /// What the offline checker says of a stale read on one key, with that verdict instead of its own.
    fn analysis(verdict: Verdict, prefix_events: u32) -> Analysis {
        let lines = br#"{"process":1,"type":"invoke","f":"write","key":"x","value":1}
{"process":1,"type":"ok","f":"write","key":"x","value":1}
{"process":1,"type":"invoke","f":"read","key":"x","value":null}
{"process":1,"type":"ok","f":"read","key":"x","value":null}
"#;
        let history = jsonl::read(lines.as_slice(), false).unwrap();
        let model = Model::by_name("register").unwrap();
        let mut analysis = check(&history, model, &Options::default(), &|| false).unwrap();
        analysis.keys[0].verdict = verdict;
        match verdict {
            Verdict::Invalid => analysis.anomalies[0].prefix_events = prefix_events,
            _ => analysis.anomalies.clear(),
        }
        analysis
    }

    #[test]
    fn a_disagreement_between_the_checkers_is_never_hidden() {
        let followed = |position| Followed {
            keys: vec![(Some("x".into()), standing(position))],
            ..Followed::default()
        };
        let agree = |position, verdict, prefix| followed(position).agree(&analysis(verdict, prefix));
        assert!(agree(None, Verdict::Valid, 0).is_ok());
        assert!(agree(None, Verdict::Unknown, 0).is_ok());
        assert!(agree(Some(7), Verdict::Invalid, 8).is_ok());
        assert!(agree(Some(7), Verdict::Unknown, 0).is_ok());
        // Only a budget can make the offline checker show a longer prefix.
        assert!(agree(Some(7), Verdict::Invalid, 12).is_ok());
        let error = agree(None, Verdict::Invalid, 8).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "the checkers disagree on key x: the online one says that it is linearizable, the offline \
                 one that the first 8 events are not linearizable"
            ),
            "{error}"
        );
        let error = agree(Some(7), Verdict::Valid, 0).unwrap_err().to_string();
        assert!(
            error.contains("the first 8 events are no longer linearizable, the offline one that it is valid"),
            "{error}"
        );
        assert!(agree(Some(7), Verdict::Invalid, 6).is_err());
        let mut behind = followed(None);
        behind.failed = Some("too slow".into());
        assert!(behind.agree(&analysis(Verdict::Invalid, 8)).is_ok());
    }

    #[tokio::test]
    async fn who_is_too_slow_says_so_and_holds_nobody_up() {
        let (sender, events) = sync_channel(1);
        let mut tap = Tap { sender: Some(sender) };
        let event = OpEvent {
            index: 0,
            time: 0,
            process: 1,
            kind: partita_history::EventType::Invoke,
            f: "read".into(),
            key: None,
            value: Value::Null,
            observed: None,
            node: None,
            error: None,
        };
        tap.tell(0, event.clone());
        tap.tell(1, event.clone());
        tap.tell(2, event);
        let (tell, alarm) = watch::channel(None);
        let model = Model::by_name("register").unwrap();
        let online = Online::new(model, &Options::default());
        let thread = thread::spawn(move || work(online, &events, &tell));
        let followed = Follower { thread, alarm }.finish(Some(tap)).await.unwrap();
        assert_eq!(followed.events, 1);
        assert!(
            followed.told().contains("not followed to the end"),
            "{}",
            followed.told()
        );
    }
}
