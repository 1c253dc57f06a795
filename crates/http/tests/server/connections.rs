//! Connections: reuse, limits, silence, and the end.

use std::time::{Duration, Instant};

use quorate_api::{ErrorBody, ErrorCode};
use quorate_environment::{Environment, TokioEnvironment};
use quorate_http::HttpOptions;

use crate::harness::{PATIENCE, Server, full_request};
use crate::refusals::assert_refused;

fn short_times() -> HttpOptions {
    HttpOptions {
        idle_timeout: Duration::from_millis(300),
        head_timeout: Duration::from_millis(100),
        answer_timeout: Duration::from_millis(200),
        shutdown_grace: Duration::from_millis(200),
        ..HttpOptions::default()
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    let requests = [
        "PUT /v1/kv/a\n\n1",
        "GET /v1/kv/a",
        "PUT /v1/kv/a\n\n2",
        "GET /v1/kv/a",
        "DELETE /v1/kv/a",
        "GET /v1/kv/a",
    ];
    let bytes: Vec<u8> = requests.into_iter().flat_map(full_request).collect();
    connection.send(&bytes).await;
    let mut statuses = Vec::new();
    let mut bodies = Vec::new();
    for _ in requests {
        let answer = connection.answer(false).await.expect("an answer to each");
        statuses.push(answer.status);
        bodies.push(answer.text().to_owned());
    }
    assert_eq!(statuses, [201, 200, 200, 200, 204, 404]);
    assert_eq!((&bodies[1][..], &bodies[3][..]), ("1", "2"));
}

#[tokio::test]
async fn a_request_may_arrive_byte_by_byte() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    for byte in full_request("PUT /v1/kv/a\n\nvalue") {
        connection.send(&[byte]).await;
    }
    assert_eq!(connection.answer(false).await.expect("an answer").status, 201);
}

#[tokio::test]
async fn an_error_does_not_end_a_connection_that_is_still_in_step() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    for _ in 0..3 {
        assert_eq!(connection.ask("GET /v1/kv/").await.status, 400);
        assert_eq!(connection.ask("GET /nowhere").await.status, 404);
    }
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut() {
    let server = Server::start_with(short_times()).await;
    let mut connection = server.connect().await;
    let began = Instant::now();
    connection.send(b"GET /v1/kv/a HTT").await;
    assert!(connection.is_closed_silently().await);
    assert!(began.elapsed() >= Duration::from_millis(100));
    let cut = "quorate_http_connections_cut_total{reason=\"slow_head\"} 1";
    assert!(server.ask("GET /metrics").await.text().contains(cut));
}

#[tokio::test]
async fn a_silent_connection_is_cut_and_a_busy_one_is_not() {
    let idle_timeout = Duration::from_secs(3);
    let server = Server::start_with(HttpOptions { idle_timeout, ..short_times() }).await;
    let began = Instant::now();
    let mut silent = server.connect().await;
    let mut busy = server.connect().await;
    let cut = "quorate_http_connections_cut_total{reason=\"idle\"} 1";
    let tick = Duration::from_millis(50);
    while !busy.ask("GET /metrics").await.text().contains(cut) {
        assert!(began.elapsed() < PATIENCE, "the silent connection is not cut");
        TokioEnvironment::new().sleep(tick).await;
    }
    assert!(began.elapsed() >= idle_timeout);
    assert!(silent.is_closed_silently().await);
    assert_eq!(busy.ask("GET /healthz").await.status, 200);
}

#[tokio::test]
async fn a_slow_store_is_not_taken_for_a_slow_client() {
    let server = Server::start_with(short_times()).await;
    server.store.state().hangs = true;
    let mut connection = server.connect().await;
    // Longer than every time limit of the connection.
    let answer = connection.ask("PUT /v1/kv/a?timeout=800ms\n\nx").await;
    assert_eq!(answer.status, 504);
    assert_eq!(connection.ask("GET /healthz").await.status, 200);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_cut() {
    let server = Server::start_with(short_times()).await;
    server.ask(&format!("PUT /v1/kv/big\n\n{}", "v".repeat(1 << 20))).await;
    let mut connection = server.connect().await;
    // More than the sockets' buffers take.
    let requests: Vec<u8> = (0..64).flat_map(|_| full_request("GET /v1/kv/big")).collect();
    connection.send(&requests).await;
    let began = Instant::now();
    let cut = "quorate_http_connections_cut_total{reason=\"slow_reader\"} 1";
    let tick = Duration::from_millis(20);
    while !server.ask("GET /metrics").await.text().contains(cut) {
        assert!(began.elapsed() < Duration::from_secs(10), "the connection is not cut");
        TokioEnvironment::new().sleep(tick).await;
    }
    assert!(server.ask("GET /metrics").await.text().contains("\nquorate_http_body_bytes_in_flight 0\n"));
}

/// Sends a request that is refused and closes the connection, and waits until the server has let go of
/// that, though the client has not.
async fn cuts_of_lingering_after(request: &[u8]) -> String {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    connection.send(request).await;
    assert_eq!(connection.answer(false).await.expect("an answer").status / 100, 4);
    assert!(connection.is_closed_silently().await);
    let mut asking = server.connect().await;
    let began = Instant::now();
    let tick = Duration::from_millis(20);
    loop {
        let metrics = asking.ask("GET /metrics").await.text().to_owned();
        if metrics.contains("\nquorate_http_connections 1\n") {
            let cuts = metrics.lines().find(|line| line.contains("reason=\"lingering\""));
            return cuts.expect("every reason is counted").to_owned();
        }
        assert!(began.elapsed() < Duration::from_secs(10), "the connection is not let go of: {metrics}");
        TokioEnvironment::new().sleep(tick).await;
    }
}

#[tokio::test]
async fn a_client_that_may_still_be_sending_is_given_time_and_no_other() {
    let read = full_request("PUT /v1/kv/a\nif-match: \"7\"\nconnection: close\n\nvalue");
    assert!(cuts_of_lingering_after(&read).await.ends_with(" 0"));
    let unread = b"PUT /v1/kv/a HTTP/1.1\r\nhost: test\r\ncontent-length: 4000000\r\n\r\nthe begin";
    assert!(cuts_of_lingering_after(unread).await.ends_with(" 1"));
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let server = Server::start_with(HttpOptions {
        connections_max: 2,
        control_connections_max: 0,
        ..HttpOptions::default()
    })
    .await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    assert_eq!(first.ask("GET /healthz").await.status, 200);
    assert_eq!(second.ask("GET /healthz").await.status, 200);
    let mut third = server.connect().await;
    let answer = third.answer(false).await.expect("an answer");
    let body: ErrorBody = serde_json::from_slice(&answer.body).expect("a JSON error body");
    assert_eq!((answer.status, body.error_code()), (429, Some(ErrorCode::Overloaded)));
    assert!(first.ask("GET /metrics").await.text().contains("\nquorate_http_connections_refused_total 1\n"));
    drop(second);
    // The server notices the end in its own time.
    let began = Instant::now();
    while server.connect().await.ask_if_open("GET /healthz").await != Some(200) {
        assert!(began.elapsed() < Duration::from_secs(10), "the place is not free again");
    }
}

#[tokio::test]
async fn a_busy_node_is_told_apart_from_a_dead_one() {
    let options = HttpOptions { connections_max: 1, control_connections_max: 1, ..HttpOptions::default() };
    let server = Server::start_with(options).await;
    let mut first = server.connect().await;
    assert_eq!(first.ask("PUT /v1/kv/a\n\nx").await.status, 201);
    let mut second = server.connect().await;
    for path in ["/healthz", "/readyz", "/metrics", "/v1/cluster"] {
        assert_eq!(second.ask(&format!("GET {path}")).await.status, 200, "{path}");
    }
    let refused = second.ask("GET /v1/kv/a").await;
    assert_refused(&refused, ErrorCode::Overloaded, "too many connections");
    assert_eq!((refused.header("retry-after"), refused.header("connection")), (Some("1"), Some("close")));
    assert!(second.is_closed_silently().await);
}

#[tokio::test]
async fn requests_in_flight_are_bounded_and_others_refused_at_once() {
    let server =
        Server::start_with(HttpOptions { requests_in_flight_max: 2, ..HttpOptions::default() }).await;
    server.store.writes_admitted.forget_permits(usize::MAX >> 3);
    let mut waiting = Vec::new();
    for key in ["a", "b"] {
        let mut connection = server.connect().await;
        connection.send(&full_request(&format!("PUT /v1/kv/{key}\n\nx"))).await;
        server.store.writes_begun.acquire().await.expect("is never closed").forget();
        waiting.push(connection);
    }
    let mut third = server.connect().await;
    for request in ["PUT /v1/kv/c\n\nx", "GET /v1/kv", "POST /v1/txn\n\n{}"] {
        let refused = third.ask(request).await;
        assert_refused(&refused, ErrorCode::Overloaded, "requests are in flight");
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    let metrics = third.ask("GET /metrics").await;
    assert!(metrics.text().contains("\nquorate_http_requests_in_flight 2\n"));
    assert_eq!(third.ask("GET /healthz").await.status, 200);
    server.store.writes_admitted.add_permits(10);
    for mut connection in waiting {
        assert_eq!(connection.answer(false).await.expect("an answer").status, 201);
    }
    assert_eq!(third.ask("PUT /v1/kv/c\n\nx").await.status, 201);
}

#[tokio::test]
async fn shutdown_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let server = Server::start().await;
    let mut idle = server.connect().await;
    assert_eq!(idle.ask("GET /readyz").await.status, 200);
    let mut fresh = server.connect().await;
    server.store.writes_admitted.forget_permits(usize::MAX >> 3);
    let mut busy = server.connect().await;
    busy.send(&full_request("PUT /v1/kv/a\n\nvalue")).await;
    server.store.writes_begun.acquire().await.expect("is never closed").forget();
    server.shutdown.cancel();
    assert!(idle.is_closed_silently().await);
    assert!(fresh.is_closed_silently().await);
    assert!(server.serving.is_empty(), "it has not ended");
    server.store.writes_admitted.add_permits(1);
    let answer = busy.answer(false).await.expect("the write in flight is answered");
    assert_eq!((answer.status, answer.header("connection")), (201, Some("close")));
    assert!(busy.is_closed_silently().await);
    server.serving.await.expect("the server ends");
    assert!(tokio::net::TcpStream::connect(&server.address).await.is_err());
}

#[tokio::test]
async fn a_request_on_a_connection_that_waits_at_shutdown_is_answered_and_is_its_last() {
    let (shutdown_drain, shutdown_grace) = (Duration::from_secs(30), Duration::from_secs(60));
    let server =
        Server::start_with(HttpOptions { shutdown_drain, shutdown_grace, ..HttpOptions::default() }).await;
    let mut idle = server.connect().await;
    assert_eq!(idle.ask("GET /healthz").await.status, 200);
    server.shutdown.cancel();
    let mut answer = idle.ask("GET /v1/kv/a").await;
    if answer.header("connection").is_none() {
        // It was faster than the news of the shutdown.
        answer = idle.ask("GET /v1/kv/a").await;
    }
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")));
    assert!(idle.is_closed_silently().await);
    server.serving.await.expect("the server ends");
}

#[tokio::test]
async fn a_node_that_is_shutting_down_is_not_ready() {
    let server = Server::start().await;
    server.store.writes_admitted.forget_permits(usize::MAX >> 3);
    let mut connection = server.connect().await;
    let mut requests = full_request("PUT /v1/kv/a\n\nvalue");
    requests.extend(full_request("GET /readyz"));
    connection.send(&requests).await;
    server.store.writes_begun.acquire().await.expect("is never closed").forget();
    server.shutdown.cancel();
    server.store.writes_admitted.add_permits(1);
    assert_eq!(connection.answer(false).await.expect("an answer").status, 201);
    // hyper may take the pipelined request or close; a node that says "ready" now would be wrong.
    if let Some(answer) = connection.answer(false).await {
        assert_eq!(answer.status, 503);
    }
    server.serving.await.expect("the server ends");
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let server = Server::start_with(short_times()).await;
    server.store.state().hangs = true;
    let mut connection = server.connect().await;
    connection.send(&full_request("PUT /v1/kv/a?timeout=60s\n\nvalue")).await;
    server.store.writes_begun.acquire().await.expect("is never closed").forget();
    server.shutdown.cancel();
    server.serving.await.expect("the server ends");
    assert!(connection.is_closed_silently().await);
}
