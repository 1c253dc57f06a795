//! How fresh an answer has to be, and when it has to come.

use std::time::{Duration, Instant};

use quorate_api::ErrorCode;
use quorate_replica::{Consistency, ReadError};
use serde_json::Value;

use crate::harness::Server;
use crate::refusals::assert_refused;

const READS: [&str; 4] = ["/v1/kv/a?", "/v1/kv?prefix=a&", "/v1/kv?count_only=true&", "/v1/revisions?"];

#[tokio::test]
async fn every_read_can_say_how_fresh_it_has_to_be() {
    let server = Server::start().await;
    server.ask("PUT /v1/kv/a\n\n1").await;
    let bounded = Consistency::Stale { age_max: Some(Duration::from_millis(1500)) };
    for read in READS {
        for (query, consistency) in [
            ("", Consistency::Linearizable),
            ("consistency=linearizable", Consistency::Linearizable),
            ("consistency=lease", Consistency::Lease),
            ("consistency=stale", Consistency::STALE),
            ("max_staleness=1500ms&consistency=stale", bounded),
        ] {
            let answer = server.ask(&format!("GET {read}{query}")).await;
            assert_eq!(answer.status, 200, "{read}{query}: {}", answer.transcript());
            assert_eq!(server.store.state().consistencies.pop(), Some(consistency), "{read}{query}");
            let age = answer.header("quorate-age-ms");
            assert_eq!(age, consistency.is_stale().then_some("unknown"), "{read}{query}");
        }
    }
}

#[tokio::test]
async fn a_bound_on_staleness_goes_with_stale_reads_alone() {
    let server = Server::start().await;
    for read in READS {
        for (query, mention) in [
            ("max_staleness=2s", "max_staleness goes with consistency=stale"),
            ("consistency=lease&max_staleness=2s", "max_staleness goes with consistency=stale"),
            ("consistency=stale&max_staleness=0s", "max_staleness is like 500ms"),
            ("consistency=stale&max_staleness=2s&max_staleness=2s", "twice"),
            ("consistency=leased", "linearizable, lease or stale"),
        ] {
            let answer = server.ask(&format!("GET {read}{query}")).await;
            assert_refused(&answer, ErrorCode::BadQuery, mention);
        }
    }
    assert_refused(&server.ask("PUT /v1/kv/a?max_staleness=2s\n\n1").await, ErrorCode::BadQuery, "not known");
}

#[tokio::test]
async fn a_state_that_is_too_old_is_not_read_and_its_age_is_told() {
    let server = Server::start().await;
    for read in READS {
        let too_stale = ReadError::TooStale { age: Some(Duration::from_micros(2_500_100)) };
        server.store.state().read_errors.push_back(too_stale);
        let answer = server.ask(&format!("GET {read}consistency=stale&max_staleness=2s")).await;
        assert_refused(&answer, ErrorCode::TooStale, "older than the read allows");
        assert_eq!(answer.header("quorate-age-ms"), Some("2501"));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn every_operation_is_answered_within_its_deadline() {
    let server = Server::start().await;
    let document: Value = server.ask("GET /openapi.json").await.json();
    server.store.state().hangs = true;
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("a path item") {
            let mut parameters = operation["parameters"].as_array().into_iter().flatten();
            if !parameters.any(|parameter| parameter["name"] == "timeout") {
                continue;
            }
            let path = path.replace("{key}", "a").replace("{session}", "1").replace("{member}", "2");
            let bounds =
                if (path.as_str(), method.as_str()) == ("/v1/kv", "delete") { "prefix=a&" } else { "" };
            let body = match path.as_str() {
                "/v1/compact" => r#"{"revision":1}"#,
                "/v1/settings" if method == "put" => r#"{"sessions_max":1}"#,
                "/v1/txn" => "{}",
                "/v1/cluster/members" if method == "post" => r#"{"member":4}"#,
                "/v1/cluster/members/2/replace" => r#"{"with":4}"#,
                _ => "",
            };
            let began = Instant::now();
            let request = format!("{} {path}?{bounds}timeout=200ms\n\n{body}", method.to_uppercase());
            let answer = server.ask(&request).await;
            assert!([200, 503, 504].contains(&answer.status), "{request}: {}", answer.transcript());
            // Without a deadline of its own it would have had five seconds.
            assert!(began.elapsed() < Duration::from_secs(4), "{request}: {:?}", began.elapsed());
            asked += 1;
        }
    }
    assert_eq!(asked, 23);
}
