//! Places for compare-and-sets that were refused.
//!
//! A refused compare-and-set changes nothing and tells little: at some instant of its interval the register
//! did not hold the value that it expected. If that value held the register all the time, nothing explains
//! it. Otherwise it nearly always fits into the order that the zones give; where it does not, the order is
//! bent: the value comes no earlier than the compare-and-set began, or goes no later than it ended. What
//! does not fit then is left to a search.
//!
//! To place them independently of each other, every operation of the order gets the earliest instant that
//! it can have: the latest beginning so far. Then any instant of a refused one's interval will do at which
//! its value is not there.

use super::clusters::{Clusters, Contradiction, NONE};
use super::rows::Row;
use super::unique::{Decision, write_down};
use super::zones::{self, Zone};

/// Orders that are tried before a search must tell.
const ATTEMPTS_MAX: usize = 200;

/// Places the refused compare-and-sets of a key into the order that its zones give.
pub(super) fn place(rows: &[Row], clusters: Clusters, zones: &[Zone]) -> Decision {
    if let Some(contradiction) = held(rows, &clusters, zones) {
        return Decision::Contradiction(contradiction);
    }
    let mut bent = Bent { rows: rows.to_vec(), clusters };
    let mut placement = bent.placement(zones);
    let mut given_up = Vec::new();
    for _ in 0..ATTEMPTS_MAX {
        let Some(refused) = placement.left.iter().copied().find(|row| !given_up.contains(row)) else { break };
        match bent.bend(refused) {
            Some(better) => placement = better,
            None => given_up.push(refused),
        }
    }
    if placement.left.is_empty() { Decision::Order(placement.order) } else { Decision::Undecided }
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
struct Bent {
    rows: Vec<Row>,
    clusters: Clusters,
}

/// An order with as many refused compare-and-sets as fit.
struct Placement {
    order: Vec<u32>,
    /// Those that found no place.
    left: Vec<usize>,
}

impl Bent {
    /// Bends the order so that `refused` finds a place; none if that contradicts something.
    fn bend(&mut self, refused: usize) -> Option<Placement> {
        let (begin, end, value) =
            (self.rows[refused].begin, self.rows[refused].end, self.rows[refused].first);
        let cluster = &self.clusters.all[value as usize];
        let writer = cluster.writer();
        let next =
            (cluster.next != NONE).then(|| self.clusters.all[cluster.next as usize].writer()).flatten();
        let later = |row: &Row| Row { begin: row.begin.max(begin), ..*row };
        let earlier = |row: &Row| Row { end: row.end.min(end), ..*row };
        let attempts = [
            writer.map(|row| (row, later(&self.rows[row]))),
            next.or(writer).map(|row| (row, earlier(&self.rows[row]))),
        ];
        for (row, changed) in attempts.into_iter().flatten() {
            let original = std::mem::replace(&mut self.rows[row], changed);
            let is_possible = self.rows[row].begin <= self.rows[row].end;
            if is_possible && let Ok(zones) = zones::order(&self.rows, &self.clusters) {
                let placement = self.placement(&zones);
                if !placement.left.contains(&refused) {
                    return Some(placement);
                }
            }
            self.rows[row] = original;
        }
        None
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
