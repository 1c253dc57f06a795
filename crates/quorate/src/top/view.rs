//! What is shown of two samples, one after the other.

use std::time::Duration;

use quorate_client::{ClientError, ClusterStatus};
use serde::Serialize;

use super::metrics::{Counters, Latencies, MEDIAN, TAIL};
use super::observer::{NodeSample, Sample};
use crate::client_commands::Table;

/// The columns, in their order.
pub const TITLES: [&str; 11] =
    ["MEMBER", "ROLE", "TERM", "REVISION", "LAG", "OPS/S", "FAILED/S", "P50", "P99", "FLUSH", "URL"];

/// The cluster, and each of its nodes.
#[derive(Debug, PartialEq, Serialize)]
pub struct View {
    /// Its identity; none if no node knows one.
    pub cluster_id: Option<String>,
    /// Which member leads, as the nodes of the highest term say.
    pub leader: Option<u64>,
    /// That term.
    pub term: u64,
    /// How many keys there are, as the node says that has applied most.
    pub keys: u64,
    /// How many bytes are stored, history included, and how many may be (0 for any).
    pub stored_bytes: u64,
    /// As many may be stored; 0 for any number.
    pub quota_bytes: u64,
    /// All nodes together.
    pub total: Rates,
    /// By member.
    pub nodes: Vec<NodeView>,
}

/// One node.
#[derive(Debug, PartialEq, Serialize)]
pub struct NodeView {
    /// Where it was asked.
    pub url: String,
    /// Why it says nothing.
    pub error: Option<String>,
    /// Its member number; none as long as it has never answered.
    pub member: Option<u64>,
    /// What it is in Raft.
    pub role: Option<&'static str>,
    /// Whether it would answer a linearizable read.
    pub ready: bool,
    /// Its term.
    pub term: Option<u64>,
    /// Its revision.
    pub revision: Option<u64>,
    /// How many log entries it has yet to apply, of those that any node knows to be committed.
    pub lag: Option<u64>,
    /// What it did lately.
    pub rates: Rates,
}

/// What was done between two samples; nothing is known at the first.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Requests answered in a second, but for those about nodes.
    pub requests: Option<f64>,
    /// Those of them that were refused for load or failed.
    pub failures: Option<f64>,
    /// Half of them were answered within so many seconds.
    pub latency_p50: Option<f64>,
    /// And 99 of 100.
    pub latency_p99: Option<f64>,
    /// How long a flush of the log took on average, in seconds.
    pub flush_mean: Option<f64>,
}

impl View {
    /// What `sample` says, and what has been done since the one before.
    pub fn of(previous: Option<&Sample>, sample: &Sample) -> Self {
        let newest = sample.answers().map(|node| &node.status).max_by_key(|status| status.applied_index);
        let electing = sample.answers().map(|node| &node.status).max_by_key(|status| {
            // Of those who know the newest term, one that knows who leads it.
            (status.term, status.leader.is_some())
        });
        let committed = sample.answers().map(|node| node.status.committed_index).max().unwrap_or(0);
        let mut latencies = Latencies::default();
        let mut total = Rates::default();
        let mut nodes = Vec::new();
        for (url, answered) in &sample.nodes {
            let before = previous.and_then(|sample| sample.nodes.get(url)?.as_ref().ok());
            let node = match answered {
                Ok(node) => {
                    let done = before.and_then(|before| Done::between(before, node));
                    if let Some(done) = &done {
                        latencies.merge(&done.counters.latencies);
                        total.add(&done.rates());
                    }
                    let rates = done.map(|done| done.rates()).unwrap_or_default();
                    NodeView::of(url, &node.status, committed, rates)
                }
                Err(error) => NodeView::silent(url, known_member(sample, url), reason(error)),
            };
            nodes.push(node);
        }
        total.latency_p50 = latencies.percentile(MEDIAN);
        total.latency_p99 = latencies.percentile(TAIL);
        // Those of which nobody knows a number come last.
        nodes.sort_by_key(|node| (node.member.is_none(), node.member));
        Self {
            cluster_id: newest.and_then(|status| status.cluster_id.clone()),
            leader: electing.and_then(|status| status.leader.as_ref()).map(|leader| leader.member),
            term: electing.map_or(0, |status| status.term),
            keys: newest.map_or(0, |status| status.key_count),
            stored_bytes: newest.map_or(0, |status| status.quota.stored_bytes),
            quota_bytes: newest.map_or(0, |status| status.quota.quota_bytes),
            total,
            nodes,
        }
    }

    /// If no node has answered: why not.
    pub fn silence(&self) -> Option<String> {
        let reasons: Option<Vec<_>> = self.nodes.iter().map(|node| node.error.clone()).collect();
        reasons.map(|reasons| reasons.join("; "))
    }

    /// The lines above the table.
    pub fn summary(&self) -> [String; 2] {
        if self.silence().is_some() {
            return ["no node answers".to_owned(), String::new()];
        }
        let cluster = self.cluster_id.as_deref().unwrap_or("not known");
        let leader = match self.leader {
            Some(member) => format!("member {member} leads in term {}", self.term),
            None => format!("nobody leads in term {}", self.term),
        };
        let quota = match self.quota_bytes {
            0 => String::new(),
            bytes => format!(" of {}", size(bytes)),
        };
        let Rates { requests, failures, latency_p50, latency_p99, .. } = &self.total;
        [
            format!(
                "cluster {cluster}, {leader}, {} keys, {}{quota} stored",
                self.keys,
                size(self.stored_bytes)
            ),
            format!(
                "all nodes: {} operations/s, {} failed/s, p50 {}, p99 {}",
                rate(*requests),
                rate(*failures),
                time(*latency_p50),
                time(*latency_p99)
            ),
        ]
    }

    /// The table and what stands above it.
    pub fn text(&self) -> String {
        let mut table = Table::new(TITLES);
        for node in &self.nodes {
            table.row(node.cells());
        }
        format!("{}\n{}", self.summary().join("\n"), table.with_titles())
    }
}

impl NodeView {
    fn of(url: &str, status: &ClusterStatus, committed: u64, rates: Rates) -> Self {
        Self {
            url: url.to_owned(),
            error: None,
            member: Some(status.node.member),
            role: Some(status.role.name()),
            ready: status.ready,
            term: Some(status.term),
            revision: Some(status.revision),
            lag: Some(committed.saturating_sub(status.applied_index)),
            rates,
        }
    }

    fn silent(url: &str, member: Option<u64>, error: String) -> Self {
        Self {
            url: url.to_owned(),
            error: Some(error),
            member,
            role: None,
            ready: false,
            term: None,
            revision: None,
            lag: None,
            rates: Rates::default(),
        }
    }

    /// A row of the table, by [`TITLES`].
    pub fn cells(&self) -> [String; TITLES.len()] {
        let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
        let role = match (self.role, self.ready) {
            (Some(role), true) => role.to_owned(),
            (Some(role), false) => format!("{role}, not ready"),
            (None, _) => "silent".to_owned(),
        };
        [
            number(self.member),
            role,
            number(self.term),
            number(self.revision),
            number(self.lag),
            rate(self.rates.requests),
            rate(self.rates.failures),
            time(self.rates.latency_p50),
            time(self.rates.latency_p99),
            time(self.rates.flush_mean),
            self.url.clone(),
        ]
    }
}

/// What a node has counted in some time.
struct Done {
    counters: Counters,
    time: Duration,
}

impl Done {
    /// None if the node was started anew between the two.
    fn between(before: &NodeSample, now: &NodeSample) -> Option<Self> {
        let time = now.at.checked_duration_since(before.at).filter(|time| !time.is_zero())?;
        Some(Self { counters: now.counters.since(&before.counters)?, time })
    }

    fn rates(&self) -> Rates {
        let seconds = self.time.as_secs_f64();
        Rates {
            requests: Some(self.counters.requests as f64 / seconds),
            failures: Some(self.counters.failures as f64 / seconds),
            latency_p50: self.counters.latencies.percentile(MEDIAN),
            latency_p99: self.counters.latencies.percentile(TAIL),
            flush_mean: self.counters.flush_mean(),
        }
    }
}

impl Rates {
    fn add(&mut self, other: &Rates) {
        let sum = |one: Option<f64>, other: Option<f64>| Some(one.unwrap_or(0.0) + other.unwrap_or(0.0));
        self.requests = sum(self.requests, other.requests);
        self.failures = sum(self.failures, other.failures);
    }
}

fn reason(error: &ClientError) -> String {
    match error {
        ClientError::Unreachable { reason } => reason.clone(),
        other => other.to_string(),
    }
}

/// The number of the member that others say is at this URL.
fn known_member(sample: &Sample, url: &str) -> Option<u64> {
    let mut members = sample.answers().flat_map(|node| &node.status.members);
    let member = members.find(|member| member.client_url.as_deref() == Some(url))?;
    Some(member.node.member)
}

fn rate(rate: Option<f64>) -> String {
    match rate {
        None => "-".to_owned(),
        Some(rate) if rate > 0.0 && rate < 10.0 => format!("{rate:.1}"),
        Some(rate) => format!("{rate:.0}"),
    }
}

/// A time of which only the bound of its bucket is known, or a mean.
fn time(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(seconds) if seconds.is_infinite() => "> 10 s".to_owned(),
        Some(seconds) if seconds >= 1.0 => format!("{seconds:.1} s"),
        Some(seconds) if seconds >= 0.01 => format!("{:.0} ms", seconds * 1e3),
        Some(seconds) => format!("{:.2} ms", seconds * 1e3),
    }
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut amount = bytes as f64;
    let mut unit = "bytes";
    for next in UNITS {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = next;
    }
    match unit {
        "bytes" => format!("{bytes} bytes"),
        unit => format!("{amount:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_no_node_answers_is_said() {
        let unreachable = || ClientError::Unreachable { reason: "it is off".to_owned() };
        let nodes = ["http://a:1", "http://b:1"].map(|url| (url.to_owned(), Err(unreachable())));
        let view = View::of(None, &Sample { nodes: nodes.into() });
        assert_eq!(view.summary()[0], "no node answers");
        assert_eq!(view.silence().expect("nobody answered"), "it is off; it is off");
        assert!(view.text().contains("-       silent"), "{}", view.text());
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!([None, Some(0.0), Some(1.25), Some(1234.5)].map(rate), ["-", "0", "1.2", "1234"]);
        let times = [None, Some(0.0005), Some(0.025), Some(2.5), Some(f64::INFINITY)];
        assert_eq!(times.map(time), ["-", "0.50 ms", "25 ms", "2.5 s", "> 10 s"]);
        assert_eq!([0, 1023, 1024, 3 << 29].map(size), ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 GiB"]);
    }
}
