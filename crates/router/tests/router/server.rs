//! How requests and answers look on both sides, and the router's own paths and bounds.

use std::time::Duration;

use quorate_http::HttpOptions;

use crate::harness::{Router, node};
use crate::nodes::*;

#[tokio::test]
async fn a_request_keeps_its_name_or_is_given_one() {
    let leader = node(found()).await;
    let router = Router::in_front_of(&[&leader]).await;
    let answer = router.ask("GET /v1/kv/a\nquorate-request-id: 0123456789abcdef").await;
    assert_eq!(answer.header("quorate-request-id"), Some("0123456789abcdef"));
    assert_eq!(header(&leader.requests()[0], "quorate-request-id"), Some("0123456789abcdef"));
    let answer = router.ask("GET /v1/kv/a").await;
    let given = answer.header("quorate-request-id").expect("has a name");
    assert_eq!(given.len(), 16);
    assert_eq!(header(&leader.requests()[1], "quorate-request-id"), Some(given));
}

#[tokio::test]
async fn requests_and_answers_stay_as_they_are_but_for_what_is_about_the_connection() {
    let act = answer("200", &["etag: \"5\"", "quorate-revision: 9", "keep-alive: timeout=1"], "value");
    let leader = node(act).await;
    let router = Router::in_front_of(&[&leader]).await;
    let answer =
        router.ask("PUT /v1/kv/a%20b?timeout=2s\nif-match: \"3\"\nkeep-alive: 5\nx-own: 1\n\nbody").await;
    assert_eq!((answer.header("etag"), answer.header("quorate-revision")), (Some("\"5\""), Some("9")));
    assert_eq!((answer.header("keep-alive"), answer.body.as_str()), (None, "value"));
    let request = &leader.requests()[0];
    assert!(request.starts_with("PUT /v1/kv/a%20b?timeout=1"), "what is left of two seconds: {request}");
    let expected =
        [("if-match", Some("\"3\"")), ("x-own", Some("1")), ("keep-alive", None), ("connection", None)];
    for (name, value) in expected {
        assert_eq!(header(request, name), value, "{name}");
    }
    assert_eq!(header(request, "host"), Some(leader.url.trim_start_matches("http://")));
    assert!(header(request, "via").is_some());
    assert!(request.ends_with("\r\n\r\nbody"));
}

#[tokio::test]
async fn long_answers_are_passed_on_and_connections_are_used_again() {
    let long = "x".repeat(3 << 20);
    let leader = node(answer("200", &[], &long)).await;
    let router = Router::in_front_of(&[&leader]).await;
    let connections = leader.connections();
    for _ in 0..3 {
        assert_eq!(router.ask("GET /v1/kv?prefix=a").await.body.len(), long.len());
    }
    let now = leader.connections();
    assert!(now <= connections + 1, "{now} connections, {connections} before");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_passed_for_a_whole_one() {
    let chunked = "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let whole = node(Act::Answer(format!("{chunked}0\r\n\r\n"))).await;
    let router = Router::in_front_of(&[&whole]).await;
    assert!(router.try_ask("GET /v1/kv?prefix=a").await.is_some());
    whole.acts([Act::AnswerAndClose(chunked.to_owned())]);
    assert!(router.try_ask("GET /v1/kv?prefix=a").await.is_none());
}

#[tokio::test]
async fn the_router_says_how_it_is_itself() {
    let alone = Router::start(&[&nobody().await]).await;
    assert_eq!(alone.ask("GET /healthz").await.status, 200);
    assert_eq!(alone.ask("GET /readyz").await.status, 503);
    let leader = node(found()).await;
    let router = Router::in_front_of(&[&leader]).await;
    assert_eq!(router.ask("GET /readyz").await.status, 200);
    router.ask("GET /v1/kv/a").await;
    let metrics = router.ask("GET /metrics").await.body;
    for line in [
        "quorate_router_requests_total{to=\"leader\"} 1",
        "quorate_router_attempts_total{result=\"answered\"} 1",
        "quorate_http_requests_total{route=\"kv\",method=\"get\",status=\"200\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert_eq!(leader.requests().len(), 1, "its own paths concern nobody else");
}

#[tokio::test]
async fn beyond_its_bounds_it_sheds_load() {
    let leader = node(Act::Hang).await;
    leader.knows("x", 1, &[&leader.url]);
    let http =
        HttpOptions { requests_in_flight_max: 1, body_bytes_in_flight_max: 10, ..HttpOptions::default() };
    let router = Router::start_with(&[&leader.url], http).await;
    let answer = router.ask("PUT /v1/kv/a\n\nmore than ten bytes").await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    let router = std::sync::Arc::new(router);
    let waiting = tokio::spawn({
        let router = std::sync::Arc::clone(&router);
        async move { router.ask("GET /v1/kv/a?timeout=60s").await }
    });
    eventually("the first request to be passed on", || !leader.requests().is_empty()).await;
    let answer = router.ask("GET /v1/kv/b").await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "overloaded"));
    assert_eq!(router.ask("GET /healthz").await.status, 200);
    waiting.abort();
}

#[tokio::test]
async fn a_router_that_is_stopped_finishes_what_is_in_flight() {
    let leader = node(Act::Hang).await;
    let router = Router::in_front_of(&[&leader]).await;
    let waiting = tokio::spawn({
        let address = router.address.clone();
        let (shutdown, serving) = (router.shutdown.clone(), router.serving);
        async move {
            let router = Router { address, shutdown, serving };
            let answer = router.ask("GET /v1/kv/a?timeout=2s").await;
            (answer.status, router.serving.await)
        }
    });
    eventually("the request to be passed on", || !leader.requests().is_empty()).await;
    router.shutdown.cancel();
    let (status, served) = waiting.await.expect("nobody panicked");
    assert_eq!(status, 503, "nobody answered the read in time");
    served.expect("the router ends");
    let connected =
        tokio::time::timeout(Duration::from_secs(5), tokio::net::TcpStream::connect(&router.address)).await;
    assert!(connected.expect("is refused or accepted at once").is_err());
}
