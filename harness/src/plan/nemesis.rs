//! Which faults a schedule is drawn from.

use anyhow::{Context, anyhow, bail};
use partita_generator::faults::FaultKind;
use partita_nemesis::fault::{self, Fault};
use partita_nemesis::lab::NetworkKind;
use partita_targets::{Matter, Target};

use super::unknown;
use crate::run::operator::matter;

/// Does the target let an operator do what the fault needs?
fn bears(target: &dyn Target, fault: &dyn Fault) -> bool {
    fault
        .needs()
        .is_none_or(|need| target.administers().contains(&matter(need)))
}

/// All faults that a target can bear, and the network, if one was asked for by name.
pub(super) fn bearable(target: &dyn Target, network: &str) -> impl Iterator<Item = &'static dyn Fault> {
    let named = |kind: &NetworkKind| kind.to_string() == network;
    let kind = NetworkKind::ALL.iter().copied().find(named);
    fault::ALL
        .iter()
        .copied()
        .filter(move |fault| bears(target, *fault))
        .filter(move |fault| kind.is_none_or(|kind| fault.networks().contains(&kind)))
}

/// The faults asked for, in the shapes that so many nodes, with a leader or without, can have: `kill` in all its
/// shapes, `kill:leader` in one, `partition:n1>n2+n3` over these links.
/// `none` is none, and `all` is all that the target can bear.
pub(super) fn kinds(
    asked: &[String],
    nodes: &[String],
    target: &dyn Target,
    network: &str,
) -> anyhow::Result<Vec<FaultKind>> {
    let all = || fault::ALL.iter().map(|fault| fault.name());
    let asked: Vec<&str> = match asked {
        [none] if none == "none" => Vec::new(),
        [every] if every == "all" => bearable(target, network).map(|fault| fault.name()).collect(),
        asked => asked.iter().map(String::as_str).collect(),
    };
    let mut kinds: Vec<FaultKind> = Vec::new();
    for asked in asked {
        let (name, shape) = named(asked);
        let fault =
            fault::find(name).with_context(|| unknown("fault", name, all().chain(["all", "none"])))?;
        if !bears(target, fault) {
            bail!(
                "target `{}` has no call that we know of by which {}: fault `{name}` is not for it",
                target.name(),
                match fault.needs().map(matter) {
                    Some(Matter::Members) => "its members can be changed",
                    Some(Matter::Leadership) => "its leader can be told to hand over",
                    Some(Matter::Snapshots) | None => "its nodes can be told to take a snapshot",
                }
            );
        }
        let mut shapes = fault::shapes(fault, nodes.len(), target.has_leader());
        let grudge = shape.and_then(|shape| Some((shape, fault::grudge(fault, shape, nodes)?)));
        if let Some((links, sense)) = grudge {
            sense.map_err(|wrong| anyhow!("fault `{name}`: {wrong}"))?;
            shapes = vec![links.to_owned()];
        } else if let Some(shape) = shape {
            if !shapes.iter().any(|known| known == shape) {
                let kind = format!("shape of `{name}` for {} nodes", nodes.len());
                bail!(unknown(&kind, shape, shapes.iter().map(String::as_str)));
            }
            shapes.retain(|known| known == shape);
        }
        match kinds.iter_mut().find(|kind| kind.name == name) {
            Some(kind) => kind.shapes.extend(
                shapes
                    .into_iter()
                    .filter(|shape| !kind.shapes.contains(shape))
                    .collect::<Vec<_>>(),
            ),
            None => kinds.push(FaultKind {
                name: name.to_owned(),
                shapes,
            }),
        }
    }
    Ok(kinds)
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

    #[test]
    fn what_a_target_has_no_call_for_is_refused_by_name_and_left_out_of_all() {
        let ask = |target: &str, nemesis: &str| {
            Plan::new(Request {
                target: target.into(),
                nemesis: vec![nemesis.into()],
                time_limit: Duration::from_secs(120),
                ..request()
            })
        };
        for target in ["etcd", "paxos"] {
            for fault in ["membership", "membership:replace", "transfer", "snapshot"] {
                let error = ask(target, fault).unwrap_err().to_string();
                let expected = format!("target `{target}` has no call that we know of by which its ");
                assert!(error.starts_with(&expected), "{error}");
            }
            let names = |plan: &Plan| -> BTreeSet<String> {
                plan.faults.iter().map(|fault| fault.fault.clone()).collect()
            };
            let plan = ask(target, "all").unwrap();
            assert!(!names(&plan).contains("membership") && names(&plan).contains("kill"));
            assert!(plan.asked().iter().all(|(name, _)| names(&plan).contains(*name)));
        }
        let plan = ask("zab", "all").unwrap();
        assert_eq!(plan.asked().len(), fault::ALL.len());
        assert!(plan.faults.iter().any(|fault| fault.fault == "membership"));
    }

    #[test]
    fn links_named_by_hand_are_planned_as_they_are_and_unknown_nodes_are_refused() {
        let plan = |nemesis: &str| {
            Plan::new(Request {
                nemesis: nemesis.split(',').map(str::to_owned).collect(),
                nodes: 3,
                ..request()
            })
        };
        let planned = plan("partition:n1>n2+n3,delay:clients<>n1").unwrap();
        let shapes: BTreeSet<&str> = planned.faults.iter().map(|fault| fault.shape.as_str()).collect();
        assert_eq!(shapes, BTreeSet::from(["n1>n2+n3", "clients<>n1"]));
        assert!(planned.wishes().unwrap().prefer_switch);
        let command = planned.command(&plan("none").unwrap());
        assert!(
            command.contains("--nemesis 'partition:n1>n2+n3,delay:clients<>n1'"),
            "{command}"
        );
        let error = plan("partition:n1>n4").unwrap_err().to_string();
        assert_eq!(
            error,
            "fault `partition`: `n1>n4`: there is no node `n4`; there are: n1, n2, n3, clients"
        );
        let error = plan("kill:n1>n2").unwrap_err().to_string();
        assert!(error.starts_with("unknown shape of `kill`"), "{error}");
    }

    #[test]
    fn all_faults_are_those_that_the_network_asked_for_can_do() {
        let asks = |network: &str, fault: &str| {
            let plan = Plan::new(Request {
                network: network.into(),
                ..request()
            });
            plan.unwrap().asked().iter().any(|(name, _)| *name == fault)
        };
        assert!(asks("auto", "loss") && asks("switch", "loss"));
        assert!(!asks("netns", "loss") && !asks("proxy", "loss"));
        assert!(!asks("netns", "delay") && asks("proxy", "delay"));
    }
}
