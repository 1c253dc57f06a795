//! Counters and histograms of the server.
//!
//! Written by hand: the well-known crates keep label sets in hash maps, whose order would show in the
//! text and differ from run to run. Our label sets are small and known, so they are arrays.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;

use crate::dialects::Dialect;
use crate::progress::Phase;

/// Which part of the API a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// One key.
    Kv,
    /// Ranges of keys.
    Range,
    /// Transactions.
    Transaction,
    /// Compaction.
    Compact,
    /// Settings.
    Settings,
    /// Sessions.
    Sessions,
    /// The history.
    Revisions,
    /// The cluster's status.
    Cluster,
    /// Whether the node runs and is ready.
    Health,
    /// Metrics.
    Metrics,
    /// The description of the API.
    Documentation,
    /// Any path of the dialect.
    ClusterKv,
    /// Any path of the dialect.
    Simplekv,
    /// Any path of the dialect.
    KvDb,
    /// Any path of the dialect.
    Memberlist,
    /// Any path of the dialect.
    Keyval,
    /// Paths that there are not.
    Other,
}

impl Route {
    pub(crate) const ALL: [Route; 17] = [
        Route::Kv,
        Route::Range,
        Route::Transaction,
        Route::Compact,
        Route::Settings,
        Route::Sessions,
        Route::Revisions,
        Route::Cluster,
        Route::Health,
        Route::Metrics,
        Route::Documentation,
        Route::ClusterKv,
        Route::Simplekv,
        Route::KvDb,
        Route::Memberlist,
        Route::Keyval,
        Route::Other,
    ];

    /// The route of all requests in a dialect, whatever their paths mean elsewhere.
    pub(crate) const fn of_dialect(dialect: Dialect) -> Self {
        match dialect {
            Dialect::ClusterKv => Route::ClusterKv,
            Dialect::Simplekv => Route::Simplekv,
            Dialect::KvDb => Route::KvDb,
            Dialect::Memberlist => Route::Memberlist,
            Dialect::Keyval => Route::Keyval,
        }
    }

    pub(crate) fn of(path: &str) -> Self {
        if path.starts_with(quorate_api::KEY_PATH_PREFIX) {
            return Route::Kv;
        }
        match path {
            quorate_api::RANGE_PATH => Route::Range,
            quorate_api::TRANSACTION_PATH => Route::Transaction,
            quorate_api::COMPACT_PATH => Route::Compact,
            quorate_api::SETTINGS_PATH => Route::Settings,
            quorate_api::REVISIONS_PATH => Route::Revisions,
            quorate_api::CLUSTER_PATH | quorate_api::LEADER_PATH => Route::Cluster,
            quorate_api::HEALTH_PATH | quorate_api::READY_PATH => Route::Health,
            quorate_api::METRICS_PATH => Route::Metrics,
            quorate_api::OPENAPI_PATH | quorate_api::DOCS_PATH => Route::Documentation,
            path if path.starts_with(quorate_api::MEMBERS_PATH) => Route::Cluster,
            path if path.starts_with(quorate_api::SESSIONS_PATH) => Route::Sessions,
            _ => Route::Other,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Route::Kv => "kv",
            Route::Range => "range",
            Route::Transaction => "txn",
            Route::Compact => "compact",
            Route::Settings => "settings",
            Route::Sessions => "sessions",
            Route::Revisions => "revisions",
            Route::Cluster => "cluster",
            Route::Health => "health",
            Route::Metrics => "metrics",
            Route::Documentation => "documentation",
            Route::ClusterKv => Dialect::ClusterKv.name(),
            Route::Simplekv => Dialect::Simplekv.name(),
            Route::KvDb => Dialect::KvDb.name(),
            Route::Memberlist => Dialect::Memberlist.name(),
            Route::Keyval => Dialect::Keyval.name(),
            Route::Other => "other",
        }
    }

    /// Whether the request is about the node itself: those are answered however busy it is.
    pub(crate) const fn is_control(self) -> bool {
        matches!(self, Route::Cluster | Route::Health | Route::Metrics)
    }
}

/// A request's method, as far as metrics tell them apart: clients can make up any number of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Put,
    Post,
    Delete,
    Other,
}

impl Method {
    pub(crate) const ALL: [Method; 6] =
        [Method::Get, Method::Head, Method::Put, Method::Post, Method::Delete, Method::Other];

    pub(crate) fn of(method: &http::Method) -> Self {
        match *method {
            http::Method::GET => Method::Get,
            http::Method::HEAD => Method::Head,
            http::Method::PUT => Method::Put,
            http::Method::POST => Method::Post,
            http::Method::DELETE => Method::Delete,
            _ => Method::Other,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Method::Get => "get",
            Method::Head => "head",
            Method::Put => "put",
            Method::Post => "post",
            Method::Delete => "delete",
            Method::Other => "other",
        }
    }
}

/// Every status that this server answers with.
pub(crate) const STATUSES: [u16; 19] =
    [200, 201, 204, 304, 400, 404, 405, 408, 409, 410, 412, 413, 422, 429, 500, 503, 504, 507, 0];

/// The upper bounds of the latency histogram's buckets, in microseconds.
pub(crate) const LATENCY_BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionEvent {
    Accepted,
    Closed,
    Refused,
}

/// A distribution of durations.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// One for each bound, and one for what is longer than all.
    buckets: [AtomicU64; LATENCY_BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    fn observe(&self, duration: Duration) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BOUNDS_US.partition_point(|bound| *bound < microseconds);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// The number of observations in each bucket.
    pub(crate) fn counts(&self) -> [u64; LATENCY_BOUNDS_US.len() + 1] {
        std::array::from_fn(|bucket| self.buckets[bucket].load(Ordering::Relaxed))
    }

    /// The sum of all observations, in microseconds.
    pub(crate) fn sum_us(&self) -> u64 {
        self.sum_us.load(Ordering::Relaxed)
    }
}

/// What the server counts.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// By route, method, status.
    requests: [[[AtomicU64; STATUSES.len()]; Method::ALL.len()]; Route::ALL.len()],
    /// By route and method.
    latencies: [[Histogram; Method::ALL.len()]; Route::ALL.len()],
    connection_events: [AtomicU64; 3],
    /// By phase.
    connections_cut: [AtomicU64; 5],
}

impl Metrics {
    /// A request was answered.
    pub(crate) fn answered(&self, route: Route, method: Method, status: StatusCode, latency: Duration) {
        let status =
            STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(STATUSES.len() - 1);
        self.requests[route as usize][method as usize][status].fetch_add(1, Ordering::Relaxed);
        self.latencies[route as usize][method as usize].observe(latency);
    }

    pub(crate) fn count(&self, event: ConnectionEvent) {
        self.connection_events[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_cut(&self, stuck_in: Phase) {
        self.connections_cut[stuck_in as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connections(&self, event: ConnectionEvent) -> u64 {
        self.connection_events[event as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn cut_in(&self, phase: Phase) -> u64 {
        self.connections_cut[phase as usize].load(Ordering::Relaxed)
    }

    /// How many requests were answered so; `status` counts in [`STATUSES`].
    pub(crate) fn requests(&self, route: Route, method: Method, status: usize) -> u64 {
        self.requests[route as usize][method as usize][status].load(Ordering::Relaxed)
    }

    pub(crate) fn latency(&self, route: Route, method: Method) -> &Histogram {
        &self.latencies[route as usize][method as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_falls_into_the_bucket_whose_bound_it_does_not_pass() {
        let histogram = Histogram::default();
        for microseconds in [0, 100, 101, 10_000_000, 10_000_001] {
            histogram.observe(Duration::from_micros(microseconds));
        }
        let counts = histogram.counts();
        assert_eq!((counts[0], counts[1], counts[15], counts[16]), (2, 1, 1, 1));
        assert_eq!(histogram.sum_us(), 20_000_202);
    }

    #[test]
    fn paths_belong_to_routes() {
        for (path, route) in [
            ("/v1/kv/", Route::Kv),
            ("/v1/kv/a/b", Route::Kv),
            ("/v1/kv", Route::Range),
            ("/v1/sessions", Route::Sessions),
            ("/v1/sessions/12", Route::Sessions),
            ("/readyz", Route::Health),
            ("/v1/kvs", Route::Other),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }

    #[test]
    fn every_error_codes_status_is_counted_by_itself() {
        for code in quorate_api::ErrorCode::ALL {
            assert!(STATUSES.contains(&code.status()), "{code}");
        }
    }
}
