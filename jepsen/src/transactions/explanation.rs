//! A cycle in words.

use super::anomaly::{Anomaly, Order};
use super::cycles::{Cycle, Hop};
use super::graph::{About, Link};
use super::history::{Step, TransactionHistory};

/// Transactions of a cycle that are quoted.
const QUOTED_MAX: usize = 12;

/// Puts a cycle into words.
pub(super) fn explain(history: &TransactionHistory, cycle: &Cycle) -> Anomaly {
    let transactions: Vec<_> = cycle.hops.iter().map(|hop| hop.from).collect();
    let names: Vec<String> =
        transactions.iter().chain(&transactions[..1]).map(|index| format!("T{index}")).collect();
    let mut lines = vec![format!("each of these must come before the next: {}", names.join(" < "))];
    lines.extend(transactions.iter().take(QUOTED_MAX).map(|index| format!("  {}", history.describe(*index))));
    lines.extend(cycle.hops.iter().take(QUOTED_MAX).map(|hop| format!("  {}", explain_hop(history, hop))));
    if cycle.hops.len() > QUOTED_MAX {
        lines.push(format!("  and {} more", cycle.hops.len() - QUOTED_MAX));
    }
    Anomaly { kind: cycle.kind(), order: cycle.order(), transactions, explanation: lines.join("\n") }
}

fn explain_hop(history: &TransactionHistory, hop: &Hop) -> String {
    let Hop { from, to, .. } = hop;
    let begin = format!("T{from} < T{to}");
    let because = match (hop.link, hop.about) {
        (Link::Process, _) => {
            format!("client {} sent T{from} before T{to}", history.transactions()[*from].process)
        }
        (Link::RealTime, _) | (_, None) => format!("T{from} ended before T{to} began"),
        (link, Some(About { key, earlier, later })) => {
            let wrote =
                earlier.is_some_and(|value| history.steps(*from).contains(&Step::Write { key, value }));
            let key = history.key_name(key);
            let earlier = earlier.map_or("nil", |value| history.value_text(value));
            let later = later.map_or("nil", |value| history.value_text(value));
            match link {
                Link::Wr => format!("T{to} read {later} in {key}, which T{from} wrote"),
                _ if link == Link::Ww || wrote => {
                    format!("T{from} wrote {earlier} to {key}, and T{to} wrote {later} after it")
                }
                _ => format!("T{from} read {key} at {earlier}, before T{to} wrote {later}"),
            }
        }
    };
    let is_inferred = hop.order == Order::RealTime && !matches!(hop.link, Link::RealTime);
    let remark = if is_inferred { " (the values are ordered by who read them, and when)" } else { "" };
    format!("{begin}: {because}{remark}.")
}
