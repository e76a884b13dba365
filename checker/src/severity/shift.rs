//! Δ and Γ of a register with unique values (ALGORITHMS.md 4): by how much operations would have to be moved, or
//! widened, for its chains of versions to fit.
//!
//! A chain is a plain write and what was swapped in after it, with all reads; nothing can come between its
//! operations. It has a zone: from the first of its ends to the last of its beginnings. Two chains contradict
//! each other if each has an operation that ended before one of the other's began; a chain contradicts itself
//! if an operation of a later version ended before one of an earlier version began. Moving the reads' beginnings
//! back (Δ), or all ends on (Γ), only ever mends; so the least amount is found by bisection.

use super::result::Extent;
use super::scene::{Act, DAWN, Moment, NEVER, Scene, length};
use crate::monitor::register::versions::Versions;
use crate::monitor::register::{Failure, NONE};

/// The zone of a chain.
#[derive(Clone, Copy, Debug)]
struct Zone {
    /// When the first of its operations ended.
    first_end: Moment,
    /// When the last of its mutators began.
    write_began: Moment,
    /// When the last of its reads began.
    read_began: Moment,
}

impl Zone {
    fn last_begin(&self) -> Moment {
        self.write_began.max(self.read_began)
    }
}

/// All zones, and what the chains themselves demand.
pub(super) struct Zones {
    /// By the first end; only those that contradict another one.
    zones: Vec<Zone>,
    /// By how much reads must move for each chain to be consistent; none if that can't mend it.
    reads_inside: Option<Moment>,
    /// By how much everything must be widened for that.
    all_inside: Moment,
}

impl Zones {
    /// Why not, if there are no chains to be had.
    pub(super) fn new(scene: &Scene<'_>) -> Result<Zones, String> {
        let operations = scene.operations();
        let versions = match Versions::new(&operations, scene.values()) {
            Ok(versions) => versions,
            Err((_, Failure::NotApplicable(why))) => return Err(why.to_owned()),
            Err((_, Failure::Violation(found))) if found.len() > 1 => {
                return Err("two compare-and-sets both succeeded from one value".to_owned());
            }
            Err((_, Failure::Violation(_))) => return Err("a value came from nowhere".to_owned()),
        };
        let reads = reads(scene);
        let mut this = Zones {
            zones: Vec::new(),
            reads_inside: Some(0),
            all_inside: 0,
        };
        let (mut reached, mut happened) = (0, 0);
        for root in versions.values() {
            happened += 1;
            if versions.get(root).predecessor == NONE {
                reached += this.walk(scene, &versions, &reads, root);
            }
        }
        if reached < happened {
            return Err("compare-and-sets made each other's values in a circle".to_owned());
        }
        this.zones.sort_unstable_by_key(|zone| zone.first_end);
        this.keep_contradicting();
        Ok(this)
    }

    /// Adds the chain that begins with `root`; gives its length.
    fn walk(&mut self, scene: &Scene<'_>, versions: &Versions, reads: &[Span], root: u32) -> usize {
        let mut zone = Zone {
            first_end: NEVER,
            write_began: DAWN,
            read_began: DAWN,
        };
        let mut length = 0;
        let mut value = root;
        loop {
            let version = versions.get(value);
            let (began, ended) = scene
                .acts
                .get(version.writer as usize)
                .map_or((DAWN, DAWN), |writer: &Act| (writer.began, writer.ended));
            self.demand(&zone, ended);
            zone.write_began = zone.write_began.max(began);
            zone.first_end = zone.first_end.min(ended);
            let Span { began, ended } = reads[value as usize];
            self.demand(&zone, ended);
            zone.read_began = zone.read_began.max(began);
            zone.first_end = zone.first_end.min(ended);
            length += 1;
            if version.successor == NONE {
                break;
            }
            value = version.successor;
        }
        self.zones.push(zone);
        length
    }

    /// Something of a later version ended: nothing of the chain so far may have begun after that.
    fn demand(&mut self, earlier: &Zone, ended: Moment) {
        self.all_inside = self.all_inside.max(earlier.last_begin() - ended);
        if earlier.write_began > ended {
            self.reads_inside = None;
        }
        let late = earlier.read_began - ended;
        self.reads_inside = self.reads_inside.map(|inside| inside.max(late));
    }

    /// Keeps only the chains that contradict another one.
    fn keep_contradicting(&mut self) {
        let overlap = Overlap::new(&self.zones, Zone::last_begin);
        let kept: Vec<Zone> = (0..self.zones.len())
            .filter(|&i| overlap.contradicted(i, 0))
            .map(|i| self.zones[i])
            .collect();
        self.zones = kept;
    }

    /// The least Δ.
    pub(super) fn stale_by(&self) -> Extent {
        let fits = |shift| {
            let begin = |zone: &Zone| zone.write_began.max(zone.read_began.saturating_sub(shift));
            let overlap = Overlap::new(&self.zones, begin);
            !(0..self.zones.len()).any(|i| overlap.contradicted(i, 0))
        };
        let Some(inside) = self.reads_inside.filter(|_| fits(NEVER)) else {
            return Extent::Boundless(
                "writes contradict each other, or a read saw a write that had not begun".to_owned(),
            );
        };
        Extent::Exactly(least(inside, self.range(), fits))
    }

    /// The least Γ.
    pub(super) fn clock_error(&self) -> Extent {
        let overlap = Overlap::new(&self.zones, Zone::last_begin);
        let fits = |slack| !(0..self.zones.len()).any(|i| overlap.contradicted(i, slack));
        Extent::Exactly(least(self.all_inside, self.range(), fits))
    }

    /// An amount that is enough for all that can be mended.
    fn range(&self) -> Moment {
        let begins = self.zones.iter().map(Zone::last_begin);
        let ends = self.zones.iter().map(|zone| zone.first_end);
        let first = ends.filter(|&end| end > DAWN).min();
        match (begins.max(), first) {
            (Some(last), Some(first)) => (last - first).max(0),
            _ => 0,
        }
    }
}

/// The least amount from `from` on that fits, if `enough` does.
fn least(from: Moment, enough: Moment, fits: impl Fn(Moment) -> bool) -> u64 {
    let (mut low, mut high) = (from, enough.max(from));
    while low < high {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    length(low)
}

/// When reads of a value begin (the last) and end (the first).
#[derive(Clone, Copy)]
struct Span {
    began: Moment,
    ended: Moment,
}

fn reads(scene: &Scene<'_>) -> Vec<Span> {
    let none = Span {
        began: DAWN,
        ended: NEVER,
    };
    let mut reads = vec![none; scene.values() as usize];
    for act in scene.acts.iter().filter(|act| !act.is_pending()) {
        if act.step.produces().is_none()
            && let Some(value) = act.step.requires()
        {
            let span = &mut reads[value as usize];
            span.began = span.began.max(act.began);
            span.ended = span.ended.min(act.ended);
        }
    }
    reads
}

/// Zones by their first ends; for each number of them, the two that last longest.
struct Overlap {
    ends: Vec<Moment>,
    begins: Vec<Moment>,
    longest: Vec<[(Moment, usize); 2]>,
}

impl Overlap {
    fn new(zones: &[Zone], begin: impl Fn(&Zone) -> Moment) -> Overlap {
        let none = (Moment::MIN, usize::MAX);
        let mut longest = Vec::with_capacity(zones.len() + 1);
        let mut two = [none; 2];
        longest.push(two);
        for (i, zone) in zones.iter().enumerate() {
            let this = (begin(zone), i);
            if this > two[0] {
                two = [this, two[0]];
            } else if this > two[1] {
                two[1] = this;
            }
            longest.push(two);
        }
        Overlap {
            ends: zones.iter().map(|zone| zone.first_end).collect(),
            begins: zones.iter().map(begin).collect(),
            longest,
        }
    }

    /// Whether another zone must come both before and after this one, with ends moved on by `slack`.
    fn contradicted(&self, i: usize, slack: Moment) -> bool {
        let before = self.ends.partition_point(|&end| end + slack < self.begins[i]);
        let longest = self.longest[before].into_iter().find(|&(_, other)| other != i);
        longest.is_some_and(|(begin, _)| begin > self.ends[i] + slack)
    }
}
