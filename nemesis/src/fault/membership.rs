//! Nodes are removed from the cluster, and come back as new ones: with an empty disk, as an operator replaces a
//! machine. One that was removed never comes back with what it had.
//!
//! A node's data is taken away only when its removal is certain: the disk of a member holds promises on which
//! others rely. Healing ends with all nodes being members again, however often it must ask.

use std::time::Duration;

use partita_generator::faults::PlannedFault;
use partita_generator::random;
use partita_history::FaultOutcome;
use rand::RngExt as _;
use tokio::time::Instant;

use super::administrator::{Administrator, Changed, Need, who_agrees};
use super::{
    BoxFuture, Context, Fault, Healed, Injected, Shape, kill, roles_and_leaders, roles_of, selection,
};

/// See the module's text.
pub(super) struct Membership;

impl Fault for Membership {
    fn name(&self) -> &'static str {
        "membership"
    }

    fn summary(&self) -> &'static str {
        "Removes members, wipes their disks and starts them anew; healing makes them members again."
    }

    fn shapes(&self) -> &'static [Shape] {
        selection::MEMBERSHIP_SHAPES
    }

    fn needs(&self) -> Option<Need> {
        Some(Need::Members)
    }

    fn inject<'a>(&'a self, context: &'a Context, planned: &'a PlannedFault) -> BoxFuture<'a, Injected> {
        Box::pin(inject(context, &planned.shape, planned.seed))
    }
}

/// How long a change is asked for when the fault is injected, beside the time for which the members must have been
/// connected. Without a quorum it can't be had.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long the nodes may take to say that a change is made.
const KNOWN: Duration = Duration::from_secs(2);
/// How long healing goes on asking. Other faults may stand in its way for some seconds.
const HEALING: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Where a node stands that is to be a member again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absence {
    /// Its removal was asked for, and nobody knows what came of it.
    Uncertain,
    /// It is certain that it was removed; it still has its data.
    Removed,
    /// It was started anew, with nothing.
    Anew,
}

async fn inject(context: &Context, shape: &str, seed: u64) -> Injected {
    let Some(administrator) = context.administrator.as_deref() else {
        return Injected::skipped(shape, "the target has no call for it");
    };
    if shape == "leader-killed" {
        // A change that is refused has no middle in which a leader could be killed.
        tokio::time::sleep(administrator.settling()).await;
    }
    let cluster = &context.cluster;
    let (roles, leaders) = roles_and_leaders(context, selection::needs_leader(shape)).await;
    let victims = match selection::leaving(shape, cluster.len(), &leaders, seed) {
        Ok(victims) => victims,
        Err(reason) => return Injected::skipped(shape, reason),
    };
    let mut story = Story::default();
    let mut absent: Vec<(usize, Absence)> = Vec::new();
    for node in victims {
        let mut blow = Story::default();
        let killing = async {
            if shape == "leader-killed" {
                kill_soon(context, &leaders, seed, &mut blow).await;
            }
        };
        let (absence, ()) = tokio::join!(remove(context, administrator, node, &mut story), killing);
        story.absorb(blow);
        let Some(absence) = absence else { continue };
        absent.push((node, absence));
        if absence == Absence::Uncertain {
            // The next would only wait for the same.
            break;
        }
        expect_members(context, &absent, Instant::now() + KNOWN, &mut story).await;
        start_anew(
            context,
            administrator,
            &mut absent,
            node,
            Instant::now() + KNOWN,
            &mut story,
        )
        .await;
    }
    if absent.is_empty() {
        return Injected::skipped(shape, story.told());
    }
    cluster.remember_hit(&absent.iter().map(|(node, _)| *node).collect::<Vec<_>>());
    let nodes: Vec<String> = absent
        .iter()
        .map(|(node, _)| cluster.name(*node).to_owned())
        .collect();
    if shape == "replace" {
        let deadline = Instant::now() + PATIENCE + administrator.settling();
        come_back(context, administrator, &mut absent, deadline, &mut story).await;
    }
    Injected {
        what: nodes.join(", "),
        roles: roles_of(&roles, &nodes),
        nodes,
        links: Vec::new(),
        outcome: story.outcome(),
        evidence: story.told(),
        undo: Some(Box::new(move |context| Box::pin(heal(context, absent)))),
    }
}

async fn heal(context: Context, mut absent: Vec<(usize, Absence)>) -> Healed {
    let mut story = Story::default();
    if let Some(administrator) = context.administrator.as_deref() {
        let deadline = Instant::now() + HEALING;
        come_back(&context, administrator, &mut absent, deadline, &mut story).await;
    }
    Healed {
        outcome: story.outcome(),
        evidence: story.told(),
    }
}

/// Makes every node a member again that, by what the others say, is none; for when a change that was asked for
/// long ago was made late. Says what there was to do.
pub async fn restore_members(context: &Context) -> Vec<String> {
    let Some(administrator) = context.administrator.as_deref() else {
        return Vec::new();
    };
    let deadline = Instant::now() + HEALING;
    let cluster = &context.cluster;
    let all: Vec<String> = (0..cluster.len())
        .map(|node| cluster.name(node).to_owned())
        .collect();
    let mut story = Story::default();
    loop {
        let standings = context.observer.look().await;
        // The most recent word is that of the highest term.
        let latest = standings
            .iter()
            .flatten()
            .filter(|standing| standing.leader.is_some());
        let latest = latest.max_by_key(|standing| standing.term);
        if let Some(members) = latest.and_then(|standing| standing.members.as_ref()) {
            let missing = (0..all.len()).filter(|&node| !members.contains(&all[node]));
            let mut absent: Vec<_> = missing.map(|node| (node, Absence::Uncertain)).collect();
            if absent.is_empty() {
                return story.words;
            }
            come_back(context, administrator, &mut absent, deadline, &mut story).await;
        }
        if Instant::now() >= deadline {
            return story.words;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// What was seen, and whether all of it was as it should be.
#[derive(Default)]
struct Story {
    words: Vec<String>,
    doubtful: bool,
}

impl Story {
    fn add(&mut self, words: String) {
        self.words.push(words);
    }

    fn doubt(&mut self, words: String) {
        self.doubtful = true;
        self.words.push(words);
    }

    fn absorb(&mut self, other: Story) {
        self.doubtful |= other.doubtful;
        self.words.extend(other.words);
    }

    fn outcome(&self) -> FaultOutcome {
        if self.doubtful {
            FaultOutcome::Uncertain
        } else {
            FaultOutcome::Took
        }
    }

    fn told(&self) -> String {
        self.words.join("; ")
    }
}

/// How a change ended that was asked for until it was done.
enum Asked {
    Done,
    /// None of the answers leaves it open whether anything happened.
    Never(String),
    Perhaps(String),
}

/// Asks until it is done, or the time is over.
async fn ask<'a>(deadline: Instant, change: impl Fn() -> BoxFuture<'a, Changed>) -> Asked {
    let mut perhaps = false;
    loop {
        let why = match change().await {
            Changed::Done => return Asked::Done,
            Changed::Rejected(why) => why,
            Changed::Unknown(why) => {
                perhaps = true;
                why
            }
        };
        if Instant::now() + ASK_EVERY >= deadline {
            return if perhaps {
                Asked::Perhaps(why)
            } else {
                Asked::Never(why)
            };
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Has a node removed. `None` if it certainly was not.
async fn remove(
    context: &Context,
    administrator: &dyn Administrator,
    node: usize,
    story: &mut Story,
) -> Option<Absence> {
    let name = context.cluster.name(node);
    let began = Instant::now();
    let deadline = began + PATIENCE + administrator.settling();
    match ask(deadline, || administrator.remove(node)).await {
        Asked::Done => {
            story.add(format!(
                "{name} was removed within {} ms",
                began.elapsed().as_millis()
            ));
            Some(Absence::Removed)
        }
        Asked::Never(why) => {
            // Fewer than planned, but what happened is known.
            story.add(format!("{name} was not removed: {why}"));
            None
        }
        Asked::Perhaps(why) => {
            story.doubt(format!("whether {name} was removed is unknown: {why}"));
            Some(Absence::Uncertain)
        }
    }
}

/// From before a request has arrived to after it was committed, in microseconds.
const SOON_US: std::ops::RangeInclusive<u64> = 100..=20_000;

/// Kills leaders in the middle of what they were just asked for, and starts them again.
async fn kill_soon(context: &Context, leaders: &[usize], seed: u64, story: &mut Story) {
    let soon = Duration::from_micros(random(seed, "soon").random_range(SOON_US));
    tokio::time::sleep(soon).await;
    let killed = kill::strike(context, leaders);
    let ours = kill::ours(context, &killed);
    let (certain, words) = kill::gone(context, &killed).await;
    story.add(format!(
        "{} us after that was asked for: {}",
        soon.as_micros(),
        words.join("; ")
    ));
    story.doubtful |= !certain;
    let restarted = kill::restart(context.clone(), ours).await;
    story.doubtful |= restarted.outcome != FaultOutcome::Took;
    story.add(restarted.evidence);
}

/// Waits until a majority of the members says that they are all nodes but those that are absent.
async fn expect_members(
    context: &Context,
    absent: &[(usize, Absence)],
    deadline: Instant,
    story: &mut Story,
) {
    let cluster = &context.cluster;
    let nodes: Vec<&str> = (0..cluster.len()).map(|node| cluster.name(node)).collect();
    let present = |node: &usize| absent.iter().all(|(absent, _)| absent != node);
    let mut members: Vec<String> = (0..nodes.len())
        .filter(present)
        .map(|node| nodes[node].to_owned())
        .collect();
    members.sort_unstable();
    let list = members.join(", ");
    loop {
        let standings = context.observer.look().await;
        if let Some(agreeing) = who_agrees(&nodes, &standings, &members) {
            return story.add(format!("{} say that the members are {list}", agreeing.join(", ")));
        }
        if Instant::now() >= deadline {
            return story.doubt(format!("no majority says that the members are {list}"));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Stops a node that was removed, and starts it with nothing; until the time is over, as its disk may be in trouble.
async fn start_anew(
    context: &Context,
    administrator: &dyn Administrator,
    absent: &mut [(usize, Absence)],
    node: usize,
    deadline: Instant,
    story: &mut Story,
) -> bool {
    let name = context.cluster.name(node);
    loop {
        match administrator.start_anew(node).await {
            Ok(pid) => {
                for (absent, absence) in absent {
                    if *absent == node {
                        *absence = Absence::Anew;
                    }
                }
                story.add(format!(
                    "{name} was stopped and wiped, and waits as pid {pid} to be added"
                ));
                return true;
            }
            Err(why) if Instant::now() + ASK_EVERY >= deadline => {
                story.doubt(format!("{name} could not be started anew: {why}"));
                return false;
            }
            Err(_) => tokio::time::sleep(ASK_EVERY).await,
        }
    }
}

/// Makes members of all that are absent, one by one, and waits until that is known. Who is a member again is
/// absent no more.
async fn come_back(
    context: &Context,
    administrator: &dyn Administrator,
    absent: &mut Vec<(usize, Absence)>,
    deadline: Instant,
    story: &mut Story,
) {
    for (node, absence) in absent.clone() {
        let name = context.cluster.name(node);
        if absence == Absence::Uncertain {
            // One that is no member must not count as one by what its disk says, and one that is must keep it.
            match ask(deadline, || administrator.remove(node)).await {
                Asked::Done => story.add(format!("{name} is no member now")),
                Asked::Never(why) | Asked::Perhaps(why) => {
                    story.doubt(format!("{name} could not be removed for certain: {why}"));
                    continue;
                }
            }
        }
        if absence != Absence::Anew
            && !start_anew(context, administrator, absent, node, deadline, story).await
        {
            continue;
        }
        let began = Instant::now();
        match ask(deadline, || administrator.add(node)).await {
            Asked::Done => {
                absent.retain(|(absent, _)| *absent != node);
                story.add(format!(
                    "{name} was added within {} ms",
                    began.elapsed().as_millis()
                ));
            }
            Asked::Never(why) | Asked::Perhaps(why) => {
                story.doubt(format!("{name} was not added: {why}"));
            }
        }
    }
    let known_by = deadline.max(Instant::now() + KNOWN);
    expect_members(context, absent, known_by, story).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Gives these answers in turn, and the last for ever.
    async fn asked(answers: &[Changed], patience: Duration) -> Asked {
        let answers = Mutex::new(answers.to_vec());
        ask(Instant::now() + patience, || {
            let mut answers = answers.lock().unwrap();
            let answer = if answers.len() > 1 {
                answers.remove(0)
            } else {
                answers[0].clone()
            };
            Box::pin(async { answer })
        })
        .await
    }

    #[tokio::test]
    async fn what_was_once_unknown_is_not_known_by_a_later_refusal() {
        let [unknown, rejected] = [
            Changed::Unknown("timed out".into()),
            Changed::Rejected("another change is under way".into()),
        ];
        let soon = 3 * ASK_EVERY;
        let later = 600 * ASK_EVERY;
        let perhaps = asked(&[unknown.clone(), rejected.clone()], soon).await;
        assert!(matches!(perhaps, Asked::Perhaps(why) if why.contains("another change")));
        let never = asked(std::slice::from_ref(&rejected), soon).await;
        assert!(matches!(never, Asked::Never(why) if why.contains("another change")));
        let done = asked(&[unknown, rejected, Changed::Done], later).await;
        assert!(matches!(done, Asked::Done));
    }
}
