//! What a request needs: which node, how long, and what may be done if it is not answered.

use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Method};
use quorate_api::query::{self, Parameters};
use quorate_api::{CLUSTER_PATH, COMPACT_PATH, Consistency, DOCS_PATH, OPENAPI_PATH, SESSIONS_PATH, headers};
use quorate_environment::mutant::{self, Mutant};

/// Where a request is best passed to. Any other node will do, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Whoever leads.
    Leader,
    /// Whoever answers fastest.
    Nearest,
}

/// What may be done about a request that was sent and not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It can be repeated, and has changed nothing.
    Read,
    /// It can be repeated: the store knows a repetition, or a repetition does no harm.
    RepeatableWrite,
    /// It must not be repeated.
    Write,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) destination: Destination,
    pub(crate) kind: Kind,
    /// How long all attempts together may take.
    pub(crate) timeout: Duration,
    /// Whether each attempt is told how long it may take. A time limit that cannot be understood is passed on as
    /// it is: the node says what is wrong with it.
    tells_timeout: bool,
}

impl Need {
    /// That of a request.
    pub(crate) fn of(parts: &Parts) -> Self {
        let path = parts.uri.path();
        let query = parts.uri.query().unwrap_or_default();
        let kind = kind(&parts.method, path, &parts.headers);
        let is_stale = Parameters::of(query)
            .any(|parameter| parameter == (query::CONSISTENCY, Consistency::Stale.name()));
        let is_the_same_anywhere =
            parts.method == Method::OPTIONS || [DOCS_PATH, OPENAPI_PATH].contains(&path);
        let destination = match kind {
            Kind::Read if is_stale || is_the_same_anywhere => Destination::Nearest,
            _ => Destination::Leader,
        };
        let mut timeouts = Parameters::of(query).filter(|(name, _)| *name == query::TIMEOUT);
        let (first, second) = (timeouts.next(), timeouts.next());
        let (timeout, tells_timeout) = match (first.map(|(_, value)| query::parse_timeout(value)), second) {
            (Some(Some(timeout)), None) => (timeout, true),
            (None, _) => (query::TIMEOUT_DEFAULT, takes_timeout(path)),
            _ => (query::TIMEOUT_DEFAULT, false),
        };
        Self { destination, kind, timeout, tells_timeout }
    }

    /// The query of an attempt that may take so long.
    pub(crate) fn query(&self, raw: &str, timeout: Duration) -> String {
        if !self.tells_timeout {
            return raw.to_owned();
        }
        let is_other =
            |parameter: &&str| !parameter.is_empty() && parameter.split('=').next() != Some(query::TIMEOUT);
        let timeout = format!("{}={}", query::TIMEOUT, query::format_timeout(timeout));
        raw.split('&').filter(is_other).chain([timeout.as_str()]).collect::<Vec<_>>().join("&")
    }
}

fn kind(method: &Method, path: &str, headers: &HeaderMap) -> Kind {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Kind::Read,
        _ if headers.contains_key(headers::IDEMPOTENCY_KEY) => Kind::RepeatableWrite,
        // A session that nobody uses expires, and what is compacted stays so.
        Method::POST if path.starts_with(SESSIONS_PATH) || path == COMPACT_PATH => Kind::RepeatableWrite,
        _ if mutant::active(Mutant::RouterRepeatsPlainWrite) => Kind::RepeatableWrite,
        _ => Kind::Write,
    }
}

/// Whether the path takes a time limit. Those about the cluster may or may not.
fn takes_timeout(path: &str) -> bool {
    path.starts_with("/v1/") && !path.starts_with(CLUSTER_PATH)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn need(method: &str, target: &str, headers: &[(&str, &str)]) -> Need {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Need::of(&request.body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn only_reads_that_may_be_stale_go_to_the_nearest() {
        for (method, target, destination) in [
            ("GET", "/v1/kv/a", Destination::Leader),
            ("GET", "/v1/kv/a?consistency=linearizable", Destination::Leader),
            ("GET", "/v1/kv/a?timeout=1s&consistency=stale", Destination::Nearest),
            ("HEAD", "/v1/kv/a?consistency=stale", Destination::Nearest),
            ("GET", "/v1/kv/consistency=stale", Destination::Leader),
            ("PUT", "/v1/kv/a?consistency=stale", Destination::Leader),
            ("POST", "/v1/txn", Destination::Leader),
            ("GET", "/v1/cluster", Destination::Leader),
            ("GET", "/openapi.json", Destination::Nearest),
        ] {
            assert_eq!(need(method, target, &[]).destination, destination, "{method} {target}");
        }
    }

    #[test]
    fn a_write_is_repeatable_if_the_store_knows_a_repetition_or_it_does_no_harm() {
        let key = [("idempotency-key", "1:2")];
        for (method, target, headers, kind) in [
            ("GET", "/v1/kv/a", &[][..], Kind::Read),
            ("OPTIONS", "/v1/kv/a", &[], Kind::Read),
            ("PUT", "/v1/kv/a", &[], Kind::Write),
            ("PUT", "/v1/kv/a", &key, Kind::RepeatableWrite),
            ("DELETE", "/v1/kv/a", &[], Kind::Write),
            ("POST", "/v1/txn", &key, Kind::RepeatableWrite),
            ("POST", "/v1/sessions", &[], Kind::RepeatableWrite),
            ("POST", "/v1/sessions/7", &[], Kind::RepeatableWrite),
            ("DELETE", "/v1/sessions/7", &[], Kind::Write),
            ("POST", "/v1/compact", &[], Kind::RepeatableWrite),
            ("PUT", "/v1/settings", &[], Kind::Write),
            ("POST", "/v1/cluster/leader", &[], Kind::Write),
        ] {
            assert_eq!(need(method, target, headers).kind, kind, "{method} {target}");
        }
    }

    #[track_caller]
    fn check_query(target: &str, timeout_ms: u64, expected: &str) {
        let need = need("GET", target, &[]);
        assert_eq!(need.timeout, Duration::from_millis(timeout_ms), "{target}");
        let raw = target.split_once('?').map_or("", |(_, query)| query);
        assert_eq!(need.query(raw, Duration::from_millis(700)), expected, "{target}");
    }

    #[test]
    fn each_attempt_is_told_what_is_left_of_the_time() {
        check_query("/v1/kv/a", 5_000, "timeout=700ms");
        check_query("/v1/kv/a?timeout=2s&revision=3", 2_000, "revision=3&timeout=700ms");
        check_query("/v1/kv?prefix=a&count_only", 5_000, "prefix=a&count_only&timeout=700ms");
        check_query("/v1/cluster", 5_000, "");
        check_query("/v1/cluster/members?timeout=9s", 9_000, "timeout=700ms");
        check_query("/docs", 5_000, "");
        // The node is to say what is wrong with these.
        check_query("/v1/kv/a?timeout=soon", 5_000, "timeout=soon");
        check_query("/v1/kv/a?timeout=1s&timeout=2s", 5_000, "timeout=1s&timeout=2s");
    }
}
