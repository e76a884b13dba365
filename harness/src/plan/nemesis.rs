//! Which faults a schedule is drawn from.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail};
use partita_generator::faults::{self, FaultKind, PlannedFault};
use partita_nemesis::fault::{self, Fault, SETS, Set};
use partita_nemesis::lab::NetworkKind;
use partita_targets::{Matter, Target};

use super::unknown;
use crate::run::operator::matter;

/// Tells why this machine can't do a fault, if it can't.
pub(crate) type Obstacle = fn(&dyn Fault) -> Option<String>;

/// What decides which faults can be had.
pub(super) struct Ground<'a> {
    /// The names of the nodes.
    pub(super) nodes: &'a [String],
    pub(super) target: &'a dyn Target,
    /// The network as asked for, `auto` included.
    pub(super) network: &'a str,
    pub(super) has_other_program: bool,
    pub(super) obstacle: Obstacle,
}

/// A schedule, and what it was drawn from.
#[derive(Debug)]
pub(super) struct Drawn {
    pub(super) faults: Vec<PlannedFault>,
    /// As asked for; nothing where nothing was.
    pub(super) asked: Vec<String>,
    pub(super) left_out: BTreeMap<String, String>,
}

/// Draws a schedule from the faults asked for: `kill` in all its shapes, `kill:leader` in one, `partition:n1>n2+n3`
/// over these links, or a set of faults.
/// `none` is none.
pub(super) fn draw(seed: u64, asked: &[String], ground: &Ground<'_>, load_ms: u64) -> anyhow::Result<Drawn> {
    let asked: Vec<String> = asked.iter().filter(|name| *name != "none").cloned().collect();
    let (kinds, left_out) = ground.kinds(&asked)?;
    Ok(Drawn {
        faults: faults::schedule(seed, &kinds, load_ms),
        asked,
        left_out,
    })
}

impl Ground<'_> {
    /// Why a fault can't be had, if it can't. A shape that is asked for is looked at by itself.
    fn lacks(&self, fault: &dyn Fault, shape: Option<&str>) -> Option<String> {
        let name = self.target.name();
        let call = match fault.needs().map(matter) {
            Some(matter) if !self.target.administers().contains(&matter) => Some(match matter {
                Matter::Members => "its members can be changed",
                Matter::Leadership => "its leader can be told to hand over",
                Matter::Snapshots => "its nodes can be told to take a snapshot",
                Matter::EmptyDisks => "its members are taken back when they have lost their disks",
            }),
            _ => None,
        };
        if let Some(call) = call {
            return Some(format!(
                "target `{name}` has no call that we know of by which {call}"
            ));
        }
        let network = NetworkKind::ALL
            .iter()
            .find(|kind| kind.to_string() == self.network);
        if let Some(&network) = network.filter(|kind| !fault.networks().contains(kind)) {
            return Some(fault::not_over(fault, network));
        }
        if fault.needs_other_program() && !self.has_other_program {
            return Some("it needs another program for the nodes: --binary-b".into());
        }
        let of_all_shapes = match shape {
            None => fault::obstacle_to_all(fault, self.nodes.len(), self.target.has_leader()),
            Some(_) => None,
        };
        of_all_shapes.or_else(|| (self.obstacle)(fault))
    }

    /// The faults asked for, each once, in the shapes that these nodes, with a leader or without, can have; and what
    /// was left out of a set, with the reason.
    ///
    /// # Errors
    /// When something is unknown, or was asked for by name and can't be had.
    pub(super) fn kinds(
        &self,
        asked: &[String],
    ) -> anyhow::Result<(Vec<FaultKind>, BTreeMap<String, String>)> {
        let (each, left_out) = self.each(asked)?;
        let mut kinds = Vec::new();
        for asked in each {
            add(&mut kinds, asked.kind);
        }
        Ok((kinds, left_out))
    }

    /// The faults asked for, as they were listed, a set as all that is in it; and what was left out of a set, with the
    /// reason.
    ///
    /// # Errors
    /// When something is unknown, or was asked for by name and can't be had.
    pub(super) fn each(&self, asked: &[String]) -> anyhow::Result<(Vec<Asked>, BTreeMap<String, String>)> {
        let mut kinds = Vec::new();
        let mut left_out = BTreeMap::new();
        let mut before = None;
        for asked in asked {
            let before = before.replace(asked.as_str());
            if let Some(set) = Set::find(asked) {
                for fault in set.faults() {
                    match self.lacks(fault, None) {
                        Some(why) => drop(left_out.insert(fault.name().to_owned(), why)),
                        None => kinds.push(Asked {
                            kind: self.kind(fault, None)?,
                            as_listed: None,
                        }),
                    }
                }
                continue;
            }
            let (name, shape) = named(asked);
            let fault = fault::find(name).with_context(|| self.no_fault(name, before))?;
            if let Some(why) = self.lacks(fault, shape) {
                bail!("fault `{name}` can't be had here: {why}; or leave it out");
            }
            kinds.push(Asked {
                kind: self.kind(fault, shape)?,
                as_listed: Some(asked.clone()),
            });
        }
        if let Some((fault, why)) = left_out.iter().next()
            && kinds.is_empty()
        {
            bail!("nothing of `{}` can be had here; {fault}: {why}", asked.join(","));
        }
        Ok((kinds, left_out))
    }

    /// Why this is no fault, given what was asked for just before it.
    fn no_fault(&self, name: &str, before: Option<&str>) -> String {
        if name == "none" {
            return "`none` is no fault: leave it out".into();
        }
        let is_end = |end: &str| end == fault::CLIENTS || self.nodes.iter().any(|node| node == end);
        if let Some(before) = before
            && name.split(['+', '<', '>', ';']).any(is_end)
        {
            return if before.contains('>') {
                // Either more ends of the same links, or more links.
                let (what, sign) = if name.contains('>') {
                    ("links", ';')
                } else {
                    ("nodes", '+')
                };
                format!(
                    "unknown fault `{name}`: between {what} stands `{sign}`, as in `{before}{sign}{name}`"
                )
            } else {
                let (fault, _) = named(before);
                format!("unknown fault `{name}`: each node needs its fault, as in `{before},{fault}:{name}`")
            };
        }
        let names = fault::ALL.iter().map(|fault| fault.name());
        let sets = SETS.iter().map(|set| set.name);
        unknown("fault", name, names.chain(sets).chain(["none"]))
    }

    /// A fault in one shape, or in all that it can have here.
    fn kind(&self, fault: &dyn Fault, shape: Option<&str>) -> anyhow::Result<FaultKind> {
        let mut shapes = fault::shapes(fault, self.nodes.len(), self.target.has_leader());
        let grudge = shape.and_then(|shape| Some((shape, fault::grudge(fault, shape, self.nodes)?)));
        if let Some((links, sense)) = grudge {
            sense.map_err(|wrong| anyhow!("fault `{}`: {wrong}", fault.name()))?;
            shapes = vec![links.to_owned()];
        } else if let Some(shape) = shape {
            let is_named = fault::takes_names(fault) && self.nodes.iter().any(|node| node == shape);
            let on_request = fault.shapes_on_request().iter().map(|known| known.name);
            shapes.extend(on_request.clone().map(str::to_owned));
            let drawn = fault.shapes().iter().map(|known| known.name);
            let is_known = drawn.chain(on_request).any(|known| known == shape);
            if is_known
                && let Some(why) = fault::obstacle(fault, shape, self.nodes.len(), self.target.has_leader())
            {
                let (name, nodes, target) = (fault.name(), self.nodes.len(), self.target.name());
                bail!("fault `{name}:{shape}` can't be had with {nodes} nodes of target `{target}`: {why}");
            }
            if !is_named && !is_known {
                let kind = format!("shape of `{}` for {} nodes", fault.name(), self.nodes.len());
                let names = self.nodes.iter().filter(|_| fault::takes_names(fault));
                bail!(unknown(
                    &kind,
                    shape,
                    shapes.iter().chain(names).map(String::as_str)
                ));
            }
            shapes = vec![shape.to_owned()];
        }
        Ok(FaultKind {
            name: fault.name().to_owned(),
            shapes,
            lengths_ms: fault.lengths_ms().to_vec(),
        })
    }
}

/// A fault that was asked for.
pub(super) struct Asked {
    pub(super) kind: FaultKind,
    /// How it was listed; none if it is only one of a set.
    pub(super) as_listed: Option<String>,
}

/// Adds a fault, or shapes of one that is there already.
fn add(kinds: &mut Vec<FaultKind>, new: FaultKind) {
    match kinds.iter_mut().find(|kind| kind.name == new.name) {
        None => kinds.push(new),
        Some(kind) => {
            for shape in new.shapes {
                if !kind.shapes.contains(&shape) {
                    kind.shapes.push(shape);
                }
            }
        }
    }
}

/// `kill:leader` is the fault `kill` in the shape `leader`; `kill` is that fault in any shape.
pub(super) fn named(asked: &str) -> (&str, Option<&str>) {
    asked
        .split_once(':')
        .map_or((asked, None), |(name, shape)| (name, Some(shape)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::plan::tests::request;
    use crate::plan::{Plan, Request};

    fn ask(target: &str, nemesis: &[&str], obstacle: Obstacle) -> anyhow::Result<Plan> {
        Plan::new(Request {
            target: target.into(),
            nemesis: nemesis.iter().map(|&name| name.into()).collect(),
            time_limit: Duration::from_secs(240),
            obstacle,
            ..request()
        })
    }

    #[test]
    fn what_a_short_run_leaves_no_time_for_is_known_beforehand() {
        let no_time = |nemesis: &str, seconds| {
            let plan = Plan::new(Request {
                nemesis: vec![nemesis.into()],
                time_limit: Duration::from_secs(seconds),
                ..request()
            });
            plan.unwrap().no_time()
        };
        let told = no_time("all", 6).unwrap();
        assert!(
            told.starts_with("the time limit of 6 s left no time for `"),
            "{told}"
        );
        assert!(told.contains(" and `"), "{told}");
        assert_eq!(no_time("all", 240), None);
        assert_eq!(no_time("kill", 6), None);
    }

    fn names(plan: &Plan) -> BTreeSet<String> {
        plan.faults.iter().map(|fault| fault.fault.clone()).collect()
    }

    fn refused(nemesis: &[&str], obstacle: Obstacle) -> String {
        ask("raft", nemesis, obstacle).unwrap_err().to_string()
    }

    #[test]
    fn what_a_target_has_no_call_for_is_refused_by_name_and_left_out_of_all() {
        for target in ["nats", "paxos"] {
            for fault in [
                "membership",
                "membership:replace",
                "transfer",
                "snapshot",
                "lost-disk",
            ] {
                let error = ask(target, &[fault], |_| None).unwrap_err().to_string();
                let expected = format!("target `{target}` has no call that we know of by which its ");
                assert!(error.contains(&expected), "{error}");
            }
            let plan = ask(target, &["all"], |_| None).unwrap();
            assert!(!names(&plan).contains("membership") && names(&plan).contains("kill"));
            assert!(plan.left_out["membership"].contains("has no call"));
            assert!(plan.asked().iter().all(|(name, _)| names(&plan).contains(*name)));
        }
        for target in ["zab", "etcd", "etcd-leased"] {
            let plan = ask(target, &["all"], |_| None).unwrap();
            let left_out: Vec<_> = plan.left_out.keys().collect();
            assert_eq!(left_out, ["lost-disk", "upgrade"], "{target}");
        }
        let plan = ask("viewstamped", &["all"], |_| None).unwrap();
        assert_eq!(plan.left_out.keys().collect::<Vec<_>>(), ["upgrade"]);
        assert_eq!(plan.asked().len(), fault::ALL.len() - 1);
        assert!(plan.faults.iter().any(|fault| fault.fault == "membership"));
    }

    #[test]
    fn what_this_machine_cannot_do_is_left_out_of_a_set_and_refused_by_name() {
        let no_fuse: Obstacle = |fault| fault.needs_disks().then(|| "there is no /dev/fuse".into());
        for set in ["all", "hard", "disk"] {
            let plan = ask("raft", &[set], no_fuse).unwrap();
            assert_eq!(plan.left_out["power-cut"], "there is no /dev/fuse", "{set}");
            assert!(!names(&plan).contains("power-cut") && !plan.asked().contains(&("power-cut", None)));
            assert_eq!(plan.nemesis, [set], "it is asked for as it was");
            let text = toml::to_string(&plan).unwrap();
            assert_eq!(toml::from_str::<Plan>(&text).unwrap(), plan);
        }
        let error = refused(&["all", "power-cut:one"], no_fuse);
        assert_eq!(
            error,
            "fault `power-cut` can't be had here: there is no /dev/fuse; or leave it out"
        );
        assert!(refused(&["upgrade"], |_| None).contains("--binary-b"));
        let nothing = refused(&["clock"], |_| Some("no ptrace".into()));
        assert_eq!(
            nothing,
            "nothing of `clock` can be had here; clock-jump: no ptrace"
        );
    }

    #[test]
    fn sets_go_with_each_other_and_with_single_faults() {
        assert!(ask("raft", &["calm"], |_| None).unwrap().faults.is_empty());
        let plan = ask("raft", &["clock", "kill:leader"], |_| None).unwrap();
        let expected = ["clock-jump", "clock-skew", "clock-strobe", "kill"];
        assert_eq!(names(&plan), expected.map(str::to_owned).into());
        assert!(plan.asked().contains(&("kill", Some("leader"))) && plan.asked().len() == 4);
    }

    #[test]
    fn a_node_can_be_named_if_it_is_there() {
        let plan = ask("raft", &["kill:n5", "clock-skew:n1"], |_| None).unwrap();
        let shapes: BTreeSet<_> = plan.faults.iter().map(|fault| fault.shape.as_str()).collect();
        assert_eq!(shapes, BTreeSet::from(["n1", "n5"]));
        let error = refused(&["kill:n6"], |_| None);
        assert!(
            error.starts_with("unknown shape of `kill` for 5 nodes `n6`; there are: one, ")
                && error.ends_with("n4, n5"),
            "{error}"
        );
        assert!(refused(&["partition:n1"], |_| None).starts_with("unknown shape of `partition`"));
    }

    #[test]
    fn shapes_that_give_a_bound_up_are_had_by_name_and_never_drawn() {
        let shapes = |plan: &Plan| -> BTreeSet<String> {
            let rot = plan.faults.iter().filter(|fault| fault.fault == "bit-rot");
            rot.map(|fault| fault.shape.clone()).collect()
        };
        for drawn in ["bit-rot", "disk"] {
            let plan = ask("raft", &[drawn], |_| None).unwrap();
            let expected = ["one", "minority", "leader"].map(String::from);
            assert_eq!(shapes(&plan), expected.into(), "{drawn}");
        }
        let plan = ask("raft", &["bit-rot:all", "bit-rot:majority", "bit-rot:n2"], |_| {
            None
        })
        .unwrap();
        assert_eq!(shapes(&plan), ["all", "majority", "n2"].map(String::from).into());
        for other in ["lost-disk:all", "lost-disk:n2", "bit-rot:n6"] {
            assert!(ask("viewstamped", &[other], |_| None).is_err(), "{other}");
        }
    }

    #[test]
    fn what_so_few_nodes_cannot_have_is_refused_with_the_reason_and_left_out_of_a_set() {
        let on = |target: &str, nodes: usize, fault: &str| {
            Plan::new(Request {
                target: target.into(),
                nodes,
                nemesis: vec![fault.into()],
                ..request()
            })
        };
        for (target, nodes, fault, why) in [
            (
                "raft",
                2,
                "partition:halves",
                "halves needs at least 3 nodes; there are 2",
            ),
            ("raft", 1, "delay:all", "all needs at least 2 nodes; there are 1"),
            (
                "raft",
                1,
                "loss:leader",
                "leader needs at least 2 nodes; there are 1",
            ),
            ("raft", 1, "transfer", "it needs at least 2 nodes; there are 1"),
            (
                "raft",
                1,
                "transfer:any",
                "any needs at least 2 nodes; there are 1",
            ),
            ("raft", 2, "bit-rot", "it needs at least 3 nodes; there are 2"),
            (
                "viewstamped",
                2,
                "lost-disk:one",
                "one needs at least 3 nodes; there are 2",
            ),
            ("raft", 2, "membership", "it needs at least 3 nodes; there are 2"),
            (
                "paxos",
                5,
                "kill:leader",
                "leader needs a leader, and there is none",
            ),
        ] {
            let error = on(target, nodes, fault).unwrap_err().to_string();
            let name = named(fault).0;
            assert!(
                error.starts_with(&format!("fault `{name}")) && error.contains(why),
                "{fault}: {error}"
            );
        }
        let asked_for = on("raft", 2, "bit-rot:n1").unwrap();
        assert_eq!(asked_for.faults[0].shape, "n1", "who names a node has to know");
        let of_one = on("raft", 1, "all").unwrap();
        for fault in ["transfer", "bit-rot", "membership"] {
            let why = &of_one.left_out[fault];
            assert!(why.starts_with("it needs at least "), "{fault}: {why}");
        }
        let delays = on("raft", 1, "delay").unwrap().faults;
        let shapes: BTreeSet<_> = delays.iter().map(|fault| fault.shape.as_str()).collect();
        assert_eq!(shapes, BTreeSet::from(["all-clients"]));
    }

    #[test]
    fn a_comma_where_another_sign_was_meant_is_answered_with_that_sign() {
        for (asked, expected) in [
            (
                &["partition:n1>n2", "n3"][..],
                "unknown fault `n3`: between nodes stands `+`, as in `partition:n1>n2+n3`",
            ),
            (
                &["partition:n1>n2", "n3>n4"],
                "unknown fault `n3>n4`: between links stands `;`, as in `partition:n1>n2;n3>n4`",
            ),
            (
                &["kill:n1", "n2"],
                "unknown fault `n2`: each node needs its fault, as in `kill:n1,kill:n2`",
            ),
        ] {
            assert_eq!(refused(asked, |_| None), expected);
        }
        assert!(refused(&["n3"], |_| None).starts_with("unknown fault `n3`; there are: "));
        assert!(refused(&["kill", "n9"], |_| None).starts_with("unknown fault `n9`; there are: "));
    }

    #[test]
    fn links_named_by_hand_are_planned_as_they_are_and_unknown_nodes_are_refused() {
        let plan = ask("raft", &["partition:n1>n2+n3", "delay:clients<>n1"], |_| None).unwrap();
        let shapes: BTreeSet<_> = plan.faults.iter().map(|fault| fault.shape.as_str()).collect();
        assert_eq!(shapes, BTreeSet::from(["n1>n2+n3", "clients<>n1"]));
        assert!(plan.wishes().unwrap().prefer_switch);
        let command = plan.command(&ask("raft", &["none"], |_| None).unwrap());
        assert!(
            command.contains("--nemesis 'partition:n1>n2+n3,delay:clients<>n1'"),
            "{command}"
        );
        assert_eq!(
            refused(&["partition:n1>n9"], |_| None),
            "fault `partition`: `n1>n9`: there is no node `n9`; there are: n1, n2, n3, n4, n5, clients"
        );
        let error = refused(&["kill:n1>n2"], |_| None);
        assert!(error.starts_with("unknown shape of `kill`"), "{error}");
    }

    #[test]
    fn what_the_network_asked_for_cannot_do_is_left_out_of_a_set_and_refused_by_name() {
        let ask = |network: &str, fault: &str| {
            Plan::new(Request {
                network: network.into(),
                nemesis: vec![fault.into()],
                ..request()
            })
        };
        let left_out = |network: &str| ask(network, "all").unwrap().left_out;
        assert!(!left_out("auto").contains_key("loss") && !left_out("switch").contains_key("loss"));
        assert!(left_out("netns").contains_key("loss") && left_out("netns").contains_key("delay"));
        assert!(left_out("proxy").contains_key("loss") && !left_out("proxy").contains_key("delay"));
        assert_eq!(
            ask("netns", "loss").unwrap_err().to_string(),
            "fault `loss` can't be had here: it needs the network switch, and this is netns; or leave it out"
        );
    }
}
