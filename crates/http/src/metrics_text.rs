//! Metrics as Prometheus text, always in the same order.

use std::fmt::Write;

use quorate_kv::Setting;
use quorate_replica::{QuotaState, Status};

use crate::application::Application;
use crate::front::Front;
use crate::metrics::{ConnectionEvent, Histogram, LATENCY_BOUNDS_US, Method, Metrics, Route, STATUSES};
use crate::progress::Phase;
use crate::store::Store;
use quorate_environment::Environment;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of a node.
pub(crate) fn render<E: Environment, S: Store>(application: &Application<E, S>) -> String {
    let mut text = MetricsText::default();
    text.server(application);
    listings(&mut text, application);
    let node = application.store.status();
    status(&mut text, &node);
    work(&mut text, &node);
    amounts(&mut text, &node);
    text.finish()
}

fn requests(text: &mut MetricsText, metrics: &Metrics) {
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

fn latencies(text: &mut MetricsText, metrics: &Metrics) {
    let name = "quorate_http_request_duration_seconds";
    text.family(name, "histogram", "From the head of a request to the beginning of its answer.");
    for route in Route::ALL {
        for method in Method::ALL {
            let histogram = metrics.latency(route, method);
            if histogram.counts() != [0; LATENCY_BOUNDS_US.len() + 1] {
                latency(text, route.name(), method.name(), histogram);
            }
        }
    }
}

fn latency(text: &mut MetricsText, route: &str, method: &str, histogram: &Histogram) {
    let labels = format!("route=\"{route}\",method=\"{method}\"");
    let counts = histogram.counts();
    let mut cumulated = 0;
    for (count, bound_us) in counts.iter().zip(LATENCY_BOUNDS_US) {
        cumulated += count;
        let bound = bound_us as f64 / 1e6;
        text.suffixed("_bucket", &format!("{{{labels},le=\"{bound}\"}}"), cumulated);
    }
    let total: u64 = counts.iter().sum();
    text.suffixed("_bucket", &format!("{{{labels},le=\"+Inf\"}}"), total);
    text.suffixed("_sum", &format!("{{{labels}}}"), histogram.sum_us() as f64 / 1e6);
    text.suffixed("_count", &format!("{{{labels}}}"), total);
}

/// What is in flight, and the bounds of that.
fn in_flight<E>(text: &mut MetricsText, front: &Front<E>) {
    let options = &front.options;
    let requests = options.requests_in_flight_max - front.requests.available_permits();
    text.gauge(
        "quorate_http_requests_in_flight",
        "Requests being handled, but those about the server itself.",
        requests,
    );
    text.gauge("quorate_http_requests_in_flight_max", "The bound of that.", options.requests_in_flight_max);
    let bytes = front.bytes_in_flight.used();
    text.gauge("quorate_http_body_bytes_in_flight", "Bytes of bodies held now.", bytes);
    text.gauge(
        "quorate_http_body_bytes_in_flight_max",
        "The bound of that.",
        options.body_bytes_in_flight_max,
    );
}

fn listings<E: Environment, S: Store>(text: &mut MetricsText, application: &Application<E, S>) {
    let listings_max = application.options.listings_max;
    let listings = listings_max - application.listings.available_permits();
    text.gauge("quorate_http_listings", "Long answers being sent in pieces.", listings);
    text.gauge("quorate_http_listings_max", "The bound of that.", listings_max);
}

fn connections(text: &mut MetricsText, metrics: &Metrics) {
    let accepted = metrics.connections(ConnectionEvent::Accepted);
    text.gauge(
        "quorate_http_connections",
        "Open connections.",
        accepted.saturating_sub(metrics.connections(ConnectionEvent::Closed)),
    );
    text.counter("quorate_http_connections_accepted_total", "Connections accepted.", accepted);
    text.counter(
        "quorate_http_connections_refused_total",
        "Connections beyond the limit.",
        metrics.connections(ConnectionEvent::Refused),
    );
    text.family("quorate_http_connections_cut_total", "counter", "Connections that stalled.");
    for phase in [Phase::Idle, Phase::Head, Phase::Answering, Phase::Lingering] {
        text.sample(&format!("{{reason=\"{}\"}}", phase.name()), metrics.cut_in(phase));
    }
}

fn status(text: &mut MetricsText, status: &Status) {
    text.family("quorate_raft_role", "gauge", "1 for the node's part in the cluster.");
    for role in quorate_api::Role::ALL {
        let is = u64::from(role.name() == status.role.name());
        text.sample(&format!("{{role=\"{}\"}}", role.name()), is);
    }
    let settings = &status.state.settings;
    text.gauge("quorate_raft_term", "The current term.", status.term);
    text.gauge(
        "quorate_raft_has_leader",
        "1 if the node knows of a leader.",
        u64::from(status.leader.is_some()),
    );
    text.gauge("quorate_raft_members", "Members of the cluster.", status.members.len() as u64);
    text.gauge("quorate_raft_last_log_index", "The last entry in the log.", status.last_log_index);
    text.gauge(
        "quorate_raft_committed_index",
        "The last entry known to be committed.",
        status.committed_index,
    );
    text.gauge("quorate_raft_applied_index", "The last entry applied.", status.applied_index);
    text.gauge(
        "quorate_raft_snapshot_index",
        "The last entry in the newest snapshot.",
        status.snapshot_index,
    );
    text.gauge("quorate_ready", "1 if the node can serve linearizable requests.", u64::from(status.ready));
    text.gauge("quorate_has_room", "1 if there is room on the disk for puts.", u64::from(status.has_room));
    text.gauge("quorate_revision", "The newest revision.", status.state.revision);
    text.gauge("quorate_keys", "Keys that exist.", status.state.key_count);
    text.gauge("quorate_live_bytes", "Bytes of keys and values that exist.", status.state.live_bytes);
    text.gauge(
        "quorate_stored_bytes",
        "Bytes of all records, as the quota counts them.",
        status.state.stored_bytes,
    );
    text.gauge(
        "quorate_quota_bytes",
        "The bound of that, 0 if there is none.",
        settings.get(Setting::QuotaBytes),
    );
    let warn_percent = settings.get(Setting::QuotaWarnPercent);
    text.gauge("quorate_quota_warn_percent", "The part of the quota to be warned of.", warn_percent);
    text.gauge(
        "quorate_compacted_revision",
        "The oldest revision that can be read.",
        status.state.compacted_revision,
    );
    text.gauge("quorate_sessions", "Sessions that there are.", status.state.session_count);
    text.gauge("quorate_raft_apply_lag", "Entries committed and not applied yet.", status.apply_lag());
    text.gauge("quorate_sweep_backlog", "Revisions given up and not removed yet.", status.work.sweep_backlog);
    text.gauge("quorate_digest_mark", "The newest mark of a digest.", status.work.digest_mark);
    if let Some(staleness) = status.staleness {
        text.gauge(
            "quorate_state_age_seconds",
            "Since when the state was last known to be current.",
            staleness.as_secs_f64(),
        );
    }
}

/// What lies where, and what waits.
fn amounts(text: &mut MetricsText, status: &Status) {
    let work = &status.work;
    text.gauge("quorate_queued_writes", "Writes that wait to be proposed.", work.queued_writes);
    text.gauge(
        "quorate_write_bytes_in_flight",
        "Bytes of writes being worked on.",
        work.write_bytes_in_flight,
    );
    text.gauge(
        "quorate_log_unflushed_bytes",
        "Bytes of entries on their way to the disk.",
        work.unflushed_bytes,
    );
    text.gauge("quorate_log_bytes", "Bytes of entries in the log, roughly.", work.log_bytes);
    text.gauge("quorate_snapshot_bytes", "Bytes of the newest snapshot.", work.snapshot_bytes);
    text.gauge(
        "quorate_overlay_bytes",
        "Memory of what is applied and in no checkpoint yet.",
        work.overlay_bytes,
    );
    text.gauge("quorate_disk_free_bytes", "Bytes free on the disk when last measured.", work.disk_free_bytes);
    text.family("quorate_peer_round_trip_seconds", "gauge", "How long the newest ping took to come back.");
    for member in &status.members {
        if let Some(round_trip) = member.round_trip {
            let peer = member.node_id.member;
            text.sample(&format!("{{peer=\"{peer}\"}}"), round_trip.as_secs_f64());
        }
    }
}

/// What the node has done since it started.
fn work(text: &mut MetricsText, status: &Status) {
    let work = &status.work;
    text.counter("quorate_proposals_total", "Entries proposed as the leader.", work.proposals);
    text.counter("quorate_proposed_commands_total", "Commands in those.", work.proposed_commands);
    text.counter("quorate_digests_compared_total", "Comparisons of digests led.", work.digests_compared);
    text.counter("quorate_scrub_passes_total", "Searches of all records for damage.", work.scrub_passes);
    text.counter("quorate_scrubbed_records_total", "Records checked in those.", work.scrubbed_records);
    text.counter("quorate_scrubbed_bytes_total", "Bytes of those records.", work.scrubbed_bytes);
    text.family("quorate_log_flush_duration_seconds", "summary", "Flushes of the log.");
    text.suffixed("_sum", "", work.flush_total.as_secs_f64());
    text.suffixed("_count", "", work.flushes);
    text.counter("quorate_log_flushed_bytes_total", "Bytes of entries in those flushes.", work.flushed_bytes);
    text.gauge(
        "quorate_log_flush_last_seconds",
        "How long the last flush of the log took.",
        work.flush_last.as_secs_f64(),
    );
    text.family("quorate_quota_state", "gauge", "1 for how much of its quota the store takes.");
    let states = [
        (QuotaState::Unlimited, "unlimited"),
        (QuotaState::Good, "good"),
        (QuotaState::Warning, "warning"),
        (QuotaState::Exceeded, "exceeded"),
    ];
    for (state, name) in states {
        text.sample(&format!("{{state=\"{name}\"}}"), u64::from(status.quota_state() == state));
    }
}

/// Prometheus text being written.
#[derive(Debug, Default)]
pub struct MetricsText {
    text: String,
    family: &'static str,
}

impl MetricsText {
    /// What a server counts, whatever it serves.
    pub fn server<E>(&mut self, front: &Front<E>) {
        requests(self, &front.metrics);
        latencies(self, &front.metrics);
        connections(self, &front.metrics);
        in_flight(self, front);
    }

    /// Begins a family; samples that follow belong to it.
    pub fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a string takes text");
    }

    /// A family of one sample that goes up and down.
    pub fn gauge(&mut self, name: &'static str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "gauge", help);
        self.sample("", value);
    }

    /// A family of one sample that only grows.
    pub fn counter(&mut self, name: &'static str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "counter", help);
        self.sample("", value);
    }

    /// A sample of the family. `labels` are empty or stand in braces.
    pub fn sample(&mut self, labels: &str, value: impl std::fmt::Display) {
        self.suffixed("", labels, value);
    }

    fn suffixed(&mut self, suffix: &str, labels: &str, value: impl std::fmt::Display) {
        writeln!(self.text, "{}{suffix}{labels} {value}", self.family).expect("a string takes text");
    }

    /// All of it.
    pub fn finish(self) -> String {
        self.text
    }
}
