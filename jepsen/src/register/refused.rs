//! Places for compare-and-sets that were refused.
//!
//! A refused compare-and-set changes nothing and tells little: at some instant of its interval the register
//! did not hold the value that it expected. If that value held the register all the time, nothing explains
//! it. Otherwise it nearly always fits into the order that the zones give; where it does not, the order is
//! bent: the value comes no earlier than the compare-and-set began, or goes no later than it ended. All that
//! do not fit are bent for at once, and those whose bends contradict each other by halves, because every
//! try costs a walk through the whole history. What does not fit then is left to a search.
//!
//! To place them independently of each other, every operation of the order gets the earliest instant that
//! it can have: the latest beginning so far. Then any instant of a refused one's interval will do at which
//! its value is not there.

use std::collections::BTreeSet;

use super::clusters::{Cluster, Clusters, Contradiction, NONE};
use super::rows::Row;
use super::unique::{Decision, write_down};
use super::zones::{self, Zone};
use crate::patience::Patience;

/// Orders that are tried before a search must tell.
const ORDERS_MAX: usize = 400;

/// Places the refused compare-and-sets of a key into the order that its zones give.
pub(super) fn place(rows: &[Row], clusters: Clusters, zones: &[Zone], patience: &Patience<'_>) -> Decision {
    if let Some(contradiction) = held(rows, &clusters, zones) {
        return Decision::Contradiction(contradiction);
    }
    let mut bent = Bent { rows: rows.to_vec(), clusters, orders_left: ORDERS_MAX, patience };
    let mut placement = bent.placement(zones);
    let mut tried = BTreeSet::new();
    while !placement.left.is_empty() {
        let bends = bent.choose(&placement.left, &mut tried);
        if bends.is_empty() {
            return Decision::Undecided;
        }
        match bent.bend(&bends) {
            Some(better) => placement = better,
            None if patience.has_ended() => return Decision::TimeUp,
            None => return Decision::Undecided,
        }
    }
    Decision::Order(placement.order)
}

/// For each cluster, how long it holds the register at least: the end of the first operation that shows
/// that it was written, and the beginning of the last one that shows that it had not gone.
fn holds(rows: &[Row], clusters: &Clusters, zones: &[Zone]) -> Vec<(u64, u64)> {
    let mut holds = vec![(u64::MAX, 0); clusters.all.len()];
    let mut chain = Vec::new();
    for zone in zones {
        chain.clear();
        let mut next = zone.head;
        let mut latest = 0;
        while next != NONE {
            let cluster = &clusters.all[next as usize];
            chain.push(next);
            let begin = cluster.writer().map_or(0, |writer| rows[writer].begin);
            if let [.., before, _] = chain[..] {
                let before = &mut holds[before as usize].1;
                *before = begin.max(*before);
            }
            latest = latest.max(begin).max(cluster.last_read_begin);
            holds[next as usize].1 = latest;
            next = cluster.next;
        }
        let mut earliest = u64::MAX;
        for cluster in chain.iter().rev() {
            let (index, cluster) = (*cluster as usize, &clusters.all[*cluster as usize]);
            let end = cluster.writer().map_or(0, |writer| rows[writer].end);
            earliest = earliest.min(end).min(cluster.first_read_end);
            holds[index].0 = earliest;
        }
    }
    holds
}

/// A refused compare-and-set whose value was there from its beginning to its end.
fn held(rows: &[Row], clusters: &Clusters, zones: &[Zone]) -> Option<Contradiction> {
    let holds = holds(rows, clusters, zones);
    let is_held = |row: &&u32| {
        let row = &rows[**row as usize];
        let (from, to) = holds[row.first as usize];
        from < row.begin && row.end < to
    };
    let refused = *clusters.refused.iter().find(is_held)? as usize;
    let value = rows[refused].first;
    let (from, to) = holds[value as usize];
    let is_in_chain = |zone: &&Zone| {
        std::iter::successors(Some(zone.head), |cluster| {
            Some(clusters.all[*cluster as usize].next).filter(|next| *next != NONE)
        })
        .any(|cluster| cluster == value)
    };
    let zone = zones.iter().find(is_in_chain).expect("a value that holds the register is in a chain");
    let chain = zones::chain(rows, clusters, zone.head);
    let place = |cluster: u32| {
        let writer = clusters.all.get(cluster as usize).and_then(|cluster| cluster.writer());
        chain.iter().position(|row| Some(*row) == writer)
    };
    // What comes from the value's writer on shows that it was there before; what comes up to the writer of
    // the next value shows that it had not gone.
    let from_writer = &chain[place(value).unwrap_or(0)..];
    let until_next = &chain[..place(clusters.all[value as usize].next).map_or(chain.len(), |next| next + 1)];
    let before = from_writer.iter().copied().find(|index| rows[*index].end == from);
    let after = until_next.iter().copied().find(|index| rows[*index].begin == to);
    Some(Contradiction::Held { refused, before, after: after.expect("an operation begins last") })
}

/// The operations with narrower times, which bend the order.
struct Bent<'a> {
    rows: Vec<Row>,
    clusters: Clusters,
    orders_left: usize,
    patience: &'a Patience<'a>,
}

/// Which way the order is bent for a refused compare-and-set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    /// The value comes no earlier than the compare-and-set began.
    Later,
    /// It goes no later than the compare-and-set ended.
    Earlier,
}

/// A writer with a narrower time, for the sake of one refused compare-and-set.
struct Bend {
    refused: usize,
    row: usize,
    narrowed: Row,
    original: Row,
}

/// An order with as many refused compare-and-sets as fit.
struct Placement {
    order: Vec<u32>,
    /// Those that found no place.
    left: Vec<usize>,
}

impl Bent<'_> {
    /// What to try next for the refused compare-and-sets that found no place, at most one bend a writer.
    fn choose(&self, left: &[usize], tried: &mut BTreeSet<(usize, Side)>) -> Vec<Bend> {
        let mut taken = BTreeSet::new();
        let mut bends = Vec::new();
        for refused in left {
            for side in [Side::Later, Side::Earlier] {
                if tried.contains(&(*refused, side)) {
                    continue;
                }
                match self.bend_of(*refused, side) {
                    // The writer may be free in the next round.
                    Some(bend) if !taken.insert(bend.row) => {}
                    Some(bend) => {
                        tried.insert((*refused, side));
                        bends.push(bend);
                    }
                    None => {
                        tried.insert((*refused, side));
                        continue;
                    }
                }
                break;
            }
        }
        bends
    }

    /// How to bend the order one way; none if that leaves the writer no time.
    fn bend_of(&self, refused: usize, side: Side) -> Option<Bend> {
        let of = &self.rows[refused];
        let cluster = &self.clusters.all[of.first as usize];
        let next = self.clusters.all.get(cluster.next as usize).and_then(Cluster::writer);
        let row = match side {
            Side::Later => cluster.writer()?,
            Side::Earlier => next.or(cluster.writer())?,
        };
        let original = self.rows[row];
        let narrowed = match side {
            Side::Later => Row { begin: original.begin.max(of.begin), ..original },
            Side::Earlier => Row { end: original.end.min(of.end), ..original },
        };
        (narrowed.begin <= narrowed.end).then_some(Bend { refused, row, narrowed, original })
    }

    /// Bends the order in as many of these ways as contradict nothing and help; none if too many orders
    /// were tried, or the caller's limits were reached.
    fn bend(&mut self, bends: &[Bend]) -> Option<Placement> {
        let mut kept = Vec::new();
        self.keep(bends, &mut kept)?;
        let zones = self.order()?.expect("what was kept contradicts nothing");
        let placement = self.placement(&zones);
        let is_in_vain = |bend: &&&Bend| placement.left.binary_search(&bend.refused).is_ok();
        let in_vain: Vec<&&Bend> = kept.iter().filter(is_in_vain).collect();
        if in_vain.is_empty() {
            return Some(placement);
        }
        in_vain.into_iter().for_each(|bend| self.rows[bend.row] = bend.original);
        let zones = self.order()?.expect("more time contradicts nothing");
        Some(self.placement(&zones))
    }

    /// Bends the order in all these ways, or each half of them if they contradict something.
    fn keep<'b>(&mut self, bends: &'b [Bend], kept: &mut Vec<&'b Bend>) -> Option<()> {
        bends.iter().for_each(|bend| self.rows[bend.row] = bend.narrowed);
        if self.order()?.is_ok() {
            kept.extend(bends);
            return Some(());
        }
        bends.iter().for_each(|bend| self.rows[bend.row] = bend.original);
        if bends.len() > 1 {
            let (first, second) = bends.split_at(bends.len() / 2);
            self.keep(first, kept)?;
            self.keep(second, kept)?;
        }
        Some(())
    }

    /// The zones in order, if they do not contradict each other; none if enough orders were tried.
    fn order(&mut self) -> Option<Result<Vec<Zone>, Contradiction>> {
        self.orders_left = self.orders_left.checked_sub(1)?;
        let is_over = self.patience.is_over(self.rows.len());
        (!is_over).then(|| zones::order(&self.rows, &self.clusters))
    }

    /// The order that the zones give, with the refused compare-and-sets that fit.
    fn placement(&self, zones: &[Zone]) -> Placement {
        let mut clusters = Clusters { all: self.clusters.all.clone(), refused: Vec::new() };
        let order = write_down(&self.rows, &mut clusters, zones);
        let mut instants = Vec::with_capacity(order.len());
        let mut latest = 0;
        for row in &order {
            latest = self.rows[*row as usize].begin.max(latest);
            instants.push(latest);
        }
        let mut placed: Vec<(usize, usize)> = Vec::new();
        let mut left = Vec::new();
        for refused in &self.clusters.refused {
            let refused = *refused as usize;
            let row = &self.rows[refused];
            let cluster = &clusters.all[row.first as usize];
            // Gap g is after g operations. While the order was written down, the field came to say where
            // the cluster's operations end.
            let last = cluster.last_read_begin as usize;
            let size = cluster.reads as usize + usize::from(cluster.writer().is_some());
            let first = if cluster.writer().is_some() { last - size + 1 } else { 0 };
            let begin = instants.partition_point(|instant| *instant < row.begin);
            let end = instants.partition_point(|instant| *instant <= row.end);
            if !cluster.exists() || begin < first {
                placed.push((begin, refused));
            } else if end > last {
                placed.push((begin.max(last + 1), refused));
            } else {
                left.push(refused);
            }
        }
        placed.sort_unstable();
        Placement { order: merge(&order, &placed), left }
    }
}

/// Puts rows into the gaps of an order.
fn merge(order: &[u32], placed: &[(usize, usize)]) -> Vec<u32> {
    let mut merged = Vec::with_capacity(order.len() + placed.len());
    let mut placed = placed.iter().peekable();
    for gap in 0..=order.len() {
        while let Some((_, row)) = placed.next_if(|(wanted, _)| *wanted == gap) {
            merged.push(*row as u32);
        }
        merged.extend(order.get(gap));
    }
    merged
}
