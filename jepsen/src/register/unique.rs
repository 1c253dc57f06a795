//! Registers whose values are written once, decided by sorting.
//!
//! `clusters.rs` says which operations belong together, `zones.rs` which of these groups must come first,
//! and `refused.rs` where compare-and-sets that were refused find a place. What remains is to write the
//! order down, in one walk through the operations. All of it takes time in proportion to the number of
//! operations, apart from a sort of what is nearly sorted.

use super::clusters::{Clusters, Contradiction, Gathered, NONE};
use super::refused;
use super::rows::{Kind, Row};
use super::zones::{self, Zone};
use crate::patience::Patience;

/// What sorting can tell about one key.
pub(super) enum Decision {
    /// This order of rows explains every answer.
    Order(Vec<u32>),
    /// Nothing does.
    Contradiction(Contradiction),
    /// A search must tell: a value that matters has several writers, or a refused compare-and-set found no
    /// place in the orders that were tried.
    Undecided,
    /// The caller's limits were reached.
    TimeUp,
}

/// Decides one key with `values` values.
pub(super) fn decide(rows: &[Row], values: usize, patience: &Patience<'_>) -> Decision {
    let mut clusters = match Clusters::gather(rows, values) {
        Gathered::Clusters(clusters) => clusters,
        Gathered::Impossible(contradiction) => return Decision::Contradiction(contradiction),
        Gathered::Ambiguous => return Decision::Undecided,
    };
    if patience.is_over(rows.len()) {
        return Decision::TimeUp;
    }
    match zones::order(rows, &clusters) {
        _ if patience.is_over(rows.len()) => Decision::TimeUp,
        Err(contradiction) => Decision::Contradiction(contradiction),
        Ok(zones) if clusters.refused.is_empty() => Decision::Order(write_down(rows, &mut clusters, &zones)),
        Ok(zones) => refused::place(rows, clusters, &zones, patience),
    }
}

/// The order of the rows that ordered zones mean.
pub(super) fn write_down(rows: &[Row], clusters: &mut Clusters, zones: &[Zone]) -> Vec<u32> {
    let mut length = 0;
    for zone in zones {
        let mut next = zone.head;
        while next != NONE {
            let cluster = &mut clusters.all[next as usize];
            // From here on the field says where the next operation of the cluster goes.
            cluster.last_read_begin = length;
            length += u64::from(cluster.reads) + u64::from(cluster.writer().is_some());
            next = cluster.next;
        }
    }
    let mut order = vec![NONE; length as usize];
    for cluster in &mut clusters.all {
        if let Some(writer) = cluster.writer() {
            order[cluster.last_read_begin as usize] = writer as u32;
            cluster.last_read_begin += 1;
        }
    }
    for (index, row) in rows.iter().enumerate() {
        if row.kind == Kind::Read {
            let cluster = &mut clusters.all[row.first as usize];
            order[cluster.last_read_begin as usize] = index as u32;
            cluster.last_read_begin += 1;
        }
    }
    order
}
