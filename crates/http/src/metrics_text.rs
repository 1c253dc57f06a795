//! Metrics as Prometheus text, always in the same order.

use std::fmt::Write;

use quorate_replica::Status;

use crate::application::Application;
use crate::metrics::{ConnectionEvent, LATENCY_BOUNDS_US, Method, Metrics, Route, STATUSES};
use crate::progress::Phase;
use crate::store::Store;
use quorate_environment::Environment;

/// The media type of the text.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of a node.
pub(crate) fn render<E: Environment, S: Store>(application: &Application<E, S>) -> String {
    let mut text = Text::default();
    let metrics = &application.metrics;
    requests(&mut text, metrics);
    latencies(&mut text, metrics);
    connections(&mut text, metrics);
    text.family("quorate_http_body_bytes_in_flight", "gauge", "Bytes of bodies held now.");
    text.sample("", application.bytes_in_flight.used());
    text.family("quorate_http_body_bytes_in_flight_max", "gauge", "The bound of that.");
    text.sample("", application.options.body_bytes_in_flight_max);
    status(&mut text, &application.store.status());
    text.text
}

fn requests(text: &mut Text, metrics: &Metrics) {
    text.family("quorate_http_requests_total", "counter", "Requests answered.");
    for route in Route::ALL {
        for method in Method::ALL {
            for (index, status) in STATUSES.iter().enumerate() {
                let count = metrics.requests(route, method, index);
                if count > 0 {
                    let (route, method) = (route.name(), method.name());
                    text.sample(
                        &format!("{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}"),
                        count,
                    );
                }
            }
        }
    }
}

fn latencies(text: &mut Text, metrics: &Metrics) {
    let name = "quorate_http_request_duration_seconds";
    text.family(name, "histogram", "From the head of a request about a key to its answer.");
    for method in Method::ALL {
        let histogram = metrics.latency(method);
        let counts = histogram.counts();
        let method = method.name();
        let mut cumulated = 0;
        for (count, bound_us) in counts.iter().zip(LATENCY_BOUNDS_US) {
            cumulated += count;
            let bound = bound_us as f64 / 1e6;
            text.suffixed("_bucket", &format!("{{method=\"{method}\",le=\"{bound}\"}}"), cumulated);
        }
        let total: u64 = counts.iter().sum();
        text.suffixed("_bucket", &format!("{{method=\"{method}\",le=\"+Inf\"}}"), total);
        text.suffixed("_sum", &format!("{{method=\"{method}\"}}"), histogram.sum_us() as f64 / 1e6);
        text.suffixed("_count", &format!("{{method=\"{method}\"}}"), total);
    }
}

fn connections(text: &mut Text, metrics: &Metrics) {
    let accepted = metrics.connections(ConnectionEvent::Accepted);
    text.family("quorate_http_connections", "gauge", "Open connections.");
    text.sample("", accepted.saturating_sub(metrics.connections(ConnectionEvent::Closed)));
    text.family("quorate_http_connections_accepted_total", "counter", "Connections accepted.");
    text.sample("", accepted);
    text.family("quorate_http_connections_refused_total", "counter", "Connections beyond the limit.");
    text.sample("", metrics.connections(ConnectionEvent::Refused));
    text.family("quorate_http_connections_cut_total", "counter", "Connections that stalled.");
    for phase in [Phase::Idle, Phase::Head, Phase::Answering, Phase::Lingering] {
        text.sample(&format!("{{reason=\"{}\"}}", phase.name()), metrics.cut_in(phase));
    }
}

fn status(text: &mut Text, status: &Status) {
    text.family("quorate_raft_role", "gauge", "1 for the node's part in the cluster.");
    for role in quorate_api::Role::ALL {
        let is = u64::from(role.name() == status.role.name());
        text.sample(&format!("{{role=\"{}\"}}", role.name()), is);
    }
    let mut gauge = |name, help, value: u64| {
        text.family(name, "gauge", help);
        text.sample("", value);
    };
    gauge("quorate_raft_term", "The current term.", status.term);
    gauge("quorate_raft_has_leader", "1 if the node knows of a leader.", u64::from(status.leader.is_some()));
    gauge("quorate_raft_members", "Members of the cluster.", status.members.len() as u64);
    gauge("quorate_raft_last_log_index", "The last entry in the log.", status.last_log_index);
    gauge("quorate_raft_committed_index", "The last entry known to be committed.", status.committed_index);
    gauge("quorate_raft_applied_index", "The last entry applied.", status.applied_index);
    gauge("quorate_raft_snapshot_index", "The last entry in the newest snapshot.", status.snapshot_index);
    gauge("quorate_ready", "1 if the node can serve linearizable requests.", u64::from(status.ready));
    gauge("quorate_has_room", "1 if there is room on the disk for puts.", u64::from(status.has_room));
    gauge("quorate_revision", "The newest revision.", status.state.revision);
    gauge("quorate_keys", "Keys that exist.", status.state.key_count);
    gauge("quorate_live_bytes", "Bytes of keys and values that exist.", status.state.live_bytes);
    if let Some(staleness) = status.staleness {
        text.family(
            "quorate_state_age_seconds",
            "gauge",
            "Since when the state was last known to be current.",
        );
        text.sample("", staleness.as_secs_f64());
    }
}

/// Prometheus text being written.
#[derive(Debug, Default)]
struct Text {
    text: String,
    family: &'static str,
}

impl Text {
    /// Begins a family; samples that follow belong to it.
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a string takes text");
    }

    fn sample(&mut self, labels: &str, value: impl std::fmt::Display) {
        self.suffixed("", labels, value);
    }

    fn suffixed(&mut self, suffix: &str, labels: &str, value: impl std::fmt::Display) {
        writeln!(self.text, "{}{suffix}{labels} {value}", self.family).expect("a string takes text");
    }
}
