//! When a chain of clusters must, and when it may, hold the register.
//!
//! Let `low` be the time at which the first operation of a chain ends, and `high` the time at which the last
//! one begins. If `low` < `high`, the chain has a *forward* zone: it holds the register from `low` to
//! `high` at least. Otherwise all its operations are concurrent at some moment, and it can happen
//! altogether at any instant of its *backward* zone, from `high` to `low`. One chain must come before
//! another if and only if the `low` of the one is before the `high` of the other. So two chains contradict
//! each other exactly if two forward zones overlap, or a backward zone lies inside a forward one; and if no
//! two do, then ordering by the beginning of the zone explains everything (Gibbons and Korach 1997).

use super::clusters::{Cluster, Clusters, Contradiction, NONE};
use super::rows::{Kind, Row};

/// A chain of clusters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zone {
    /// When its first operation ends.
    pub(super) low: u64,
    /// When its last operation begins.
    pub(super) high: u64,
    /// The first cluster of the chain.
    pub(super) head: u32,
}

impl Zone {
    /// Whether the chain must hold the register for some time.
    pub(super) fn is_forward(&self) -> bool {
        self.low < self.high
    }

    /// Zones in this order explain everything, if they do not contradict each other. At one instant the
    /// backward ones come first: they may end there, and the forward one begins.
    fn rank(&self) -> (u64, bool) {
        (self.low.min(self.high), self.is_forward())
    }
}

/// The begin and the end of a cluster's writer; the initial value was written before everything.
fn written(rows: &[Row], cluster: &Cluster) -> (u64, u64) {
    match cluster.writer() {
        Some(writer) => (rows[writer].begin, rows[writer].end),
        None => (0, 0),
    }
}

/// The zones of a key in an order that explains everything, unless they contradict each other.
pub(super) fn order(rows: &[Row], clusters: &Clusters) -> Result<Vec<Zone>, Contradiction> {
    let mut zones = Vec::with_capacity(clusters.all.len());
    let mut in_chains = 0;
    let mut existing = 0;
    for (index, cluster) in clusters.all.iter().enumerate() {
        existing += usize::from(cluster.exists());
        if cluster.exists() && !cluster.is_continuation {
            let zone = walk(rows, clusters, index as u32, &mut in_chains);
            zones.push(zone.ok_or_else(|| too_early(rows, clusters, index as u32))?);
        }
    }
    if in_chains < existing {
        return Err(circle(clusters));
    }
    sort(&mut zones);
    match crossed(&zones) {
        None => Ok(zones),
        Some((one, other)) => Err(Contradiction::Crossed(extremes(rows, clusters, one, other))),
    }
}

/// The zone of the chain that begins at `head`; none if its own operations contradict each other.
fn walk(rows: &[Row], clusters: &Clusters, head: u32, in_chains: &mut usize) -> Option<Zone> {
    let (mut low, mut high) = (u64::MAX, 0);
    let mut next = head;
    while next != NONE {
        let cluster = &clusters.all[next as usize];
        let (begin, end) = written(rows, cluster);
        if end < high {
            return None;
        }
        high = high.max(begin);
        if cluster.first_read_end < high {
            return None;
        }
        low = low.min(end).min(cluster.first_read_end);
        high = high.max(cluster.last_read_begin);
        *in_chains += 1;
        next = cluster.next;
    }
    Some(Zone { low, high, head })
}

/// Sorts zones that are nearly sorted, because values appear about when they are written: an insertion
/// sort moves each by about as many places as there are clients. It gives up where it is not so.
fn sort(zones: &mut [Zone]) {
    let mut moves_left = zones.len() * 16;
    for index in 1..zones.len() {
        let zone = zones[index];
        let mut place = index;
        while place > 0 && zones[place - 1].rank() > zone.rank() {
            zones[place] = zones[place - 1];
            place -= 1;
        }
        zones[place] = zone;
        match moves_left.checked_sub(index - place) {
            Some(left) => moves_left = left,
            None => return zones.sort_by_key(Zone::rank),
        }
    }
}

/// Two sorted zones that contradict each other.
fn crossed(zones: &[Zone]) -> Option<(Zone, Zone)> {
    let mut forward: Option<Zone> = None;
    for zone in zones {
        if let Some(before) = forward
            && zone.low < before.high
        {
            return Some((before, *zone));
        }
        if zone.is_forward() {
            forward = Some(*zone);
        }
    }
    None
}

/// The operations of a chain as rows, in an order that explains them if anything does.
pub(super) fn chain(rows: &[Row], clusters: &Clusters, head: u32) -> Vec<usize> {
    let mut places = vec![NONE; clusters.all.len()];
    let mut chain: Vec<(u32, bool, usize)> = Vec::new();
    let mut next = head;
    let mut place = 0;
    while next != NONE {
        let cluster = &clusters.all[next as usize];
        places[next as usize] = place;
        chain.extend(cluster.writer().map(|writer| (place, false, writer)));
        place += 1;
        next = cluster.next;
    }
    let reads = rows.iter().enumerate().filter(|(_, row)| row.kind == Kind::Read);
    let reads = reads.map(|(index, row)| (places[row.first as usize], true, index));
    chain.extend(reads.filter(|(place, _, _)| *place != NONE));
    chain.sort_unstable();
    chain.into_iter().map(|(_, _, index)| index).collect()
}

/// The two operations of one chain that contradict each other.
fn too_early(rows: &[Row], clusters: &Clusters, head: u32) -> Contradiction {
    let mut latest: Option<usize> = None;
    for index in chain(rows, clusters, head) {
        let Some(before) = latest else {
            latest = Some(index);
            continue;
        };
        if rows[index].end < rows[before].begin {
            return Contradiction::TooEarly(before, index);
        }
        if rows[index].begin > rows[before].begin {
            latest = Some(index);
        }
    }
    unreachable!("the chain contradicts itself")
}

/// A compare-and-set of a chain that has no beginning.
fn circle(clusters: &Clusters) -> Contradiction {
    let mut is_reached = vec![false; clusters.all.len()];
    for (head, cluster) in clusters.all.iter().enumerate() {
        if cluster.exists() && !cluster.is_continuation {
            let mut next = head as u32;
            while next != NONE {
                is_reached[next as usize] = true;
                next = clusters.all[next as usize].next;
            }
        }
    }
    let left = clusters.all.iter().zip(&is_reached).find(|(cluster, reached)| cluster.exists() && !**reached);
    let writer = left.and_then(|(cluster, _)| cluster.writer());
    Contradiction::Circle(writer.expect("a compare-and-set wrote it"))
}

/// The operations that set the bounds of two zones.
fn extremes(rows: &[Row], clusters: &Clusters, one: Zone, other: Zone) -> [usize; 4] {
    let bounds = |zone: Zone| {
        let chain = chain(rows, clusters, zone.head);
        let low = chain.iter().copied().find(|index| rows[*index].end == zone.low);
        let high = chain.iter().copied().find(|index| rows[*index].begin == zone.high);
        let high = high.expect("an operation begins last");
        // The initial value has no writer: whatever shows that it was there at last shows it all.
        (low.unwrap_or(high), high)
    };
    let ((one_low, one_high), (other_low, other_high)) = (bounds(one), bounds(other));
    [one_low, one_high, other_low, other_high]
}
