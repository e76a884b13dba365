//! Queues, bags, stacks and priority queues: what came out can't have been next, or can't have been there.
//!
//! The operations on a few values are a history by themselves: an order of all operations stays one when all that
//! has to do with other values is left out (ALGORITHMS.md 3.8). Removals of unknown outcome may have taken anything.

use partita_history::{Outcome, Value};
use rustc_hash::FxHashMap;

use super::{Teller, Told, precedes};
use crate::linearizability::entry::Entry;
use crate::linearizability::words::{client, client_via, list, sentence};
use crate::model;

/// The most items that are named of those that were there while nothing was found.
const CHAIN_MAX: usize = 6;

/// What an operation does to a collection.
#[derive(Clone, Copy)]
enum Does<'a> {
    Put(&'a Value),
    Take(&'a Value),
    Peek(&'a Value),
    FindsNothing,
    /// It takes what nobody knows.
    Removes,
}

/// All that was done to one item, and how often it was there at first.
#[derive(Default)]
struct Item<'e> {
    initially: usize,
    puts: Vec<&'e Entry>,
    takes: Vec<&'e Entry>,
    peeks: Vec<&'e Entry>,
}

impl<'e> Item<'e> {
    /// When it had certainly gone in, if it did so once only; 0 for what was there at first.
    fn there_from(&self) -> Option<(u32, Option<&'e Entry>)> {
        match (self.initially, &self.puts[..]) {
            (1, []) => Some((0, None)),
            (0, [put]) => Some((put.deadline? + 1, Some(*put))),
            _ => None,
        }
    }

    /// What shows that it was still in, at the latest moment.
    fn last_evidence(&self) -> Option<&'e Entry> {
        let completed = |entry: &&&Entry| entry.deadline.is_some();
        let seen = self.takes.iter().chain(&self.peeks).filter(completed);
        seen.max_by_key(|entry| entry.invoked).copied()
    }
}

struct Collection<'t, 'a> {
    teller: &'t Teller<'a>,
    items: FxHashMap<&'a Value, Item<'t>>,
    removals: Vec<&'t Entry>,
    noun: &'static str,
}

pub(super) fn tell(teller: &Teller<'_>) -> Option<Told> {
    let name = model::registered_name(teller.object.specification)?;
    let initial = initial(teller.object.specification.initial());
    let mut this = Collection {
        teller,
        items: FxHashMap::default(),
        removals: Vec::new(),
        noun: match name {
            "fifo-queue" => "queue",
            "priority-queue" => "priority queue",
            other => other,
        },
    };
    for entry in &teller.prefix {
        match does(teller, entry) {
            Does::Put(item) => this.items.entry(item).or_default().puts.push(entry),
            Does::Take(item) => this.items.entry(item).or_default().takes.push(entry),
            Does::Peek(item) => this.items.entry(item).or_default().peeks.push(entry),
            Does::FindsNothing => {}
            Does::Removes => this.removals.push(entry),
        }
    }
    for (item, of) in &mut this.items {
        of.initially = initial.iter().filter(|value| value == item).count();
    }
    // An item that was there at first and that nobody touched has no name in the prefix; it can't be told of.
    let suspects = teller.suspects();
    let first = |template: &dyn Fn(&Entry) -> Option<Told>| suspects.iter().find_map(|entry| template(entry));
    first(&|entry| this.phantom(entry))
        .or_else(|| first(&|entry| this.twice(entry)))
        .or_else(|| first(&|entry| this.found_empty(entry)))
        .or_else(|| match name {
            "fifo-queue" => first(&|entry| this.fifo_inversion(entry, &suspects)),
            "stack" => first(&|entry| this.lifo_inversion(entry, &suspects)),
            "priority-queue" => first(&|entry| this.priority_inversion(entry)),
            _ => None,
        })
}

/// The items that were there at first: a bag keeps them in layers, `[[items, removals], ...]`.
fn initial(state: Value) -> Vec<Value> {
    let Value::List(items) = state else {
        return Vec::new();
    };
    match &items[..] {
        [only] => match only.as_pair() {
            Some((Value::List(layer), Value::Int(0))) => layer.clone(),
            _ => items,
        },
        _ => items,
    }
}

fn does<'a>(teller: &Teller<'a>, entry: &Entry) -> Does<'a> {
    let class = teller.class(entry);
    match class.action {
        "put" | "enqueue" => Does::Put(&class.argument),
        "take" | "dequeue" => Does::Take(&class.result),
        "peek" => Does::Peek(&class.result),
        "empty" => Does::FindsNothing,
        _ => Does::Removes,
    }
}

impl<'t, 'a> Collection<'t, 'a> {
    /// The item that it took or saw.
    fn out(&self, entry: &Entry) -> Option<&'a Value> {
        entry.deadline?;
        match does(self.teller, entry) {
            Does::Take(item) | Does::Peek(item) => Some(item),
            _ => None,
        }
    }

    /// `at 12.402 s n3 gave 7 to client 4`
    fn came_out(&self, entry: &Entry) -> String {
        let operation = self.teller.operation(entry);
        let when = self.teller.when(entry);
        let Some(item) = self.out(entry) else {
            return when;
        };
        match (does(self.teller, entry), operation.node) {
            (Does::Peek(_), Some(node)) => {
                format!("{when} {node} showed {item} to {} as the next", client(operation))
            }
            (Does::Peek(_), None) => format!("{when} {} saw {item} as the next", client(operation)),
            (_, Some(node)) => format!("{when} {node} gave {item} to {}", client(operation)),
            (_, None) => format!("{when} {} took {item}", client(operation)),
        }
    }

    /// `its enqueue by client 1 (via n1) was acknowledged at 1.000 s`
    fn went_in(&self, put: Option<&Entry>) -> String {
        put.map_or_else(
            || "it was there from the beginning".to_owned(),
            |put| {
                let operation = self.teller.operation(put);
                format!(
                    "its {} by {} was acknowledged {}",
                    operation.f,
                    client_via(operation),
                    self.teller.when(put)
                )
            },
        )
    }

    /// All that was done to these items, the removals that may have taken them, and these operations.
    fn proof(&self, items: &[&Value], also: &[&Entry]) -> Vec<Entry> {
        let is_part = |entry: &&Entry| match does(self.teller, entry) {
            Does::Put(item) | Does::Take(item) | Does::Peek(item) => items.contains(&item),
            Does::FindsNothing => also.iter().any(|other| other.id == entry.id),
            Does::Removes => true,
        };
        let proof: Vec<Entry> = self.teller.prefix.iter().filter(is_part).copied().collect();
        // What was there at first stays in the way of a proof if it is not touched.
        let initial = initial(self.teller.object.specification.initial());
        if initial.iter().all(|item| items.contains(&item)) {
            proof
        } else {
            Vec::new()
        }
    }

    fn phantom(&self, out: &Entry) -> Option<Told> {
        let item = self.out(out)?;
        let of = &self.items[item];
        let deadline = out.deadline?;
        if of.initially > 0 || of.puts.iter().any(|put| put.invoked < deadline) {
            return None;
        }
        let object = self.teller.object;
        let puts_it = |f: &str| ["enqueue", "push", "insert"].contains(&f);
        let mut puts = object
            .history
            .operations()
            .filter(|op| op.key == object.key && puts_it(op.f) && op.input == item);
        let failed = puts.clone().find(|op| op.outcome == Outcome::Fail);
        let why = match (failed, puts.find(|op| op.outcome != Outcome::Fail)) {
            (Some(failed), _) => format!(
                "the only {} of it, by {}, had been reported as failed {}: a failed operation must have no effect",
                failed.f,
                client_via(failed),
                self.teller.words.ended(failed)
            ),
            (None, Some(later)) => format!(
                "the first {} of it, by {}, began only {}",
                later.f,
                client_via(later),
                self.teller.words.at(later.invoked)
            ),
            (None, None) => "nobody ever put it in".to_owned(),
        };
        let text = format!("{}, but {why}: a phantom item.", sentence(&self.came_out(out)));
        Some(Told::new("phantom item", text).proved_by(self.proof(&[item], &[])))
    }

    fn twice(&self, out: &Entry) -> Option<Told> {
        let item = self.out(out)?;
        let of = &self.items[item];
        let mut taken: Vec<&Entry> = of
            .takes
            .iter()
            .filter(|take| take.deadline.is_some())
            .copied()
            .collect();
        let is_peek = matches!(does(self.teller, out), Does::Peek(_));
        if is_peek {
            // Seen when all of them were out.
            taken.retain(|take| precedes(take, out));
            taken.push(out);
        }
        let puts = of.initially + of.puts.len();
        if taken.len() <= puts || puts == 0 {
            return None;
        }
        let times: Vec<String> = taken.iter().map(|take| self.came_out(take)).collect();
        let origin = match (of.initially, &of.puts[..]) {
            (0, [put]) => {
                let operation = self.teller.operation(put);
                let when = self.teller.words.moment(operation.invoked);
                format!(
                    "it had gone in only once (by {}, from {when} on)",
                    client_via(operation)
                )
            }
            (1, []) => "it was there only once, from the beginning".to_owned(),
            _ => format!("it had gone in only {puts} times"),
        };
        let (name, often) = match (is_peek, taken.len()) {
            (true, _) => (
                "item seen after it was taken",
                "was there again after it had come out".to_owned(),
            ),
            (false, 2) => ("double take", "came out twice".to_owned()),
            (false, n) => ("double take", format!("came out {n} times")),
        };
        let text = format!("Item {item} {often}: {}, though {origin}.", list(&times));
        Some(Told::new(name, text).proved_by(self.proof(&[item], &[])))
    }

    /// From when to when an item was certainly there: positions, and what put it in.
    fn presence(&self, item: &Value) -> Option<(u32, u32, Option<&'t Entry>)> {
        let of = self.items.get(item)?;
        let (from, put) = of.there_from()?;
        let until = match of.last_evidence() {
            Some(evidence) => evidence.invoked,
            // Nobody took it: unless somebody may have done so unseen, it is still there.
            None if of.takes.is_empty() && self.removals.is_empty() => u32::MAX,
            None => return None,
        };
        (from < until).then_some((from, until, put))
    }

    fn found_empty(&self, empty: &Entry) -> Option<Told> {
        let deadline = empty.deadline?;
        if !matches!(does(self.teller, empty), Does::FindsNothing) {
            return None;
        }
        let mut present: Vec<(u32, u32, &Value, Option<&Entry>)> = self
            .items
            .keys()
            .filter_map(|item| {
                let (from, until, put) = self.presence(item)?;
                (from < deadline && until > empty.invoked).then_some((from, until, *item, put))
            })
            .collect();
        present.sort_unstable_by_key(|&(from, until, item, _)| (from, until, item));
        // The fewest items such that at every moment one of them was there.
        let mut chain: Vec<(&Value, Option<&Entry>)> = Vec::new();
        let mut reach = empty.invoked;
        while reach <= deadline {
            let next = present
                .iter()
                .filter(|(from, ..)| *from <= reach)
                .max_by_key(|(_, until, ..)| *until)
                .filter(|(_, until, ..)| *until > reach)?;
            reach = next.1;
            chain.push((next.2, next.3));
            if chain.len() > CHAIN_MAX {
                return None;
            }
        }
        let items: Vec<&Value> = chain.iter().map(|(item, _)| *item).collect();
        let teller = self.teller;
        let name = teller.name(self.noun);
        let told = format!(
            "{} {} that {name} was empty",
            sentence(&teller.when(empty)),
            teller.answered(empty)
        );
        let told = match chain[..] {
            [(item, put)] => {
                let lead = put.map_or_else(String::new, |put| {
                    format!(", {} that was asked", teller.lead(put, empty))
                });
                let never = !self.ever_out(item);
                let (name, ending) = if never {
                    ("lost item", "it never came out: the item was lost".to_owned())
                } else {
                    let last = self.items[item].last_evidence().map(|last| self.came_out(last));
                    let later = last.map_or_else(String::new, |last| format!(", and {last}"));
                    (
                        "found empty while it was not",
                        format!("it was there all the time{later}"),
                    )
                };
                let text = format!(
                    "{told}, but item {item} was in it: {}{lead}; {ending}.",
                    self.went_in(put)
                );
                Told::new(name, text)
            }
            _ => {
                let names: Vec<String> = items.iter().map(|item| item.to_string()).collect();
                let text = format!(
                    "{told}, but at every moment while it was asked (from {} on) at least one of the items {} was in it.",
                    teller.words.moment(teller.operation(empty).invoked),
                    list(&names),
                );
                Told::new("found empty while it was not", text)
            }
        };
        Some(told.proved_by(self.proof(&items, &[empty])))
    }

    /// Whether anybody took or saw an item, in the whole history.
    fn ever_out(&self, item: &Value) -> bool {
        let teller = self.teller;
        teller
            .object
            .entries
            .iter()
            .any(|entry| match does(teller, entry) {
                Does::Take(other) | Does::Peek(other) => other == item,
                Does::Removes => true,
                Does::Put(_) | Does::FindsNothing => false,
            })
    }

    /// The items of the counterexample.
    fn others<'s>(&'s self, suspects: &'s [&Entry], item: &'s Value) -> impl Iterator<Item = &'a Value> + 's {
        suspects
            .iter()
            .filter_map(move |entry| match does(self.teller, entry) {
                Does::Put(other) | Does::Take(other) | Does::Peek(other) if other != item => Some(other),
                _ => None,
            })
    }

    /// `it was still in: ...`, or that nobody took it.
    fn later(&self, item: &Value) -> String {
        if let Some(last) = self.items[item].last_evidence() {
            return format!("it was still in: {}", self.came_out(last));
        }
        let entries = &self.teller.object.entries;
        match entries.iter().find(|entry| self.out(entry) == Some(item)) {
            Some(out) => format!("it was still in: {}", self.came_out(out)),
            None => "nobody ever took it".to_owned(),
        }
    }

    /// The item that came out went in after one that was still in.
    fn fifo_inversion(&self, out: &Entry, suspects: &[&Entry]) -> Option<Told> {
        let (second, deadline) = (self.out(out)?, out.deadline?);
        let puts = &self.items[second].puts;
        if self.items[second].initially > 0 {
            return None;
        }
        self.others(suspects, second).find_map(|first| {
            let (from, until, first_put) = self.presence(first)?;
            let ordered = puts.iter().all(|put| put.invoked >= from);
            if !(ordered && until > deadline) {
                return None;
            }
            let second_put = puts.first()?;
            let gap = first_put.map_or_else(String::new, |first_put| {
                format!(
                    ", {} that of {second} (by {}) began",
                    self.teller.lead(first_put, second_put),
                    self.teller.who(second_put)
                )
            });
            let text = format!(
                "{}, but {first} had gone in before it ({}{gap}), and {}. First in, first out was not kept.",
                sentence(&self.came_out(out)),
                self.went_in(first_put),
                self.later(first),
            );
            Some(Told::new("FIFO inversion", text).proved_by(self.proof(&[first, second], &[])))
        })
    }

    /// Another item lay on top of the one that came out.
    fn lifo_inversion(&self, out: &Entry, suspects: &[&Entry]) -> Option<Told> {
        let (below, deadline) = (self.out(out)?, out.deadline?);
        let (_, put_below) = self.items[below].there_from()?;
        self.others(suspects, below).find_map(|above| {
            let (from, until, put_above) = self.presence(above)?;
            let put_above = put_above?;
            let ordered = put_below.is_none_or(|put| precedes(put, put_above));
            if !(ordered && from <= out.invoked && until > deadline) {
                return None;
            }
            let text = format!(
                "{}, but {above} lay on top of it: {}, after {below} had gone in and {} this {} began, and {}. Last in, \
                 first out was not kept.",
                sentence(&self.came_out(out)),
                self.went_in(Some(put_above)),
                self.teller.lead(put_above, out),
                self.teller.operation(out).f,
                self.later(above),
            );
            Some(Told::new("LIFO inversion", text).proved_by(self.proof(&[above, below], &[])))
        })
    }

    /// A larger item was there all the time.
    fn priority_inversion(&self, out: &Entry) -> Option<Told> {
        let (smaller, deadline) = (self.out(out)?, out.deadline?);
        let larger = self.items.keys().copied().filter(|item| *item > smaller);
        let mut there: Vec<(&Value, Option<&Entry>)> = larger
            .filter_map(|item| {
                let (from, until, put) = self.presence(item)?;
                (from <= out.invoked && until > deadline).then_some((item, put))
            })
            .collect();
        there.sort_unstable_by_key(|(item, _)| *item);
        let &(item, put) = there.last()?;
        let lead = put.map_or_else(String::new, |put| {
            format!(
                ", {} this {} began",
                self.teller.lead(put, out),
                self.teller.operation(out).f
            )
        });
        let text = format!(
            "{}, but {item}, which is larger, was there: {}{lead}, and {}. The largest must come first.",
            sentence(&self.came_out(out)),
            self.went_in(put),
            self.later(item),
        );
        Some(Told::new("priority inversion", text).proved_by(self.proof(&[item, smaller], &[])))
    }
}
