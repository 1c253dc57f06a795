//! Every error code, and every kind of bad input.

use std::time::Duration;

use quorate_api::{ErrorBody, ErrorCode};
use quorate_http::HttpOptions;
use quorate_kv::{Limit, Outcome};
use quorate_replica::{MemberError, ReadError, TransferError, WriteError};

use crate::harness::{Answer, Server, full_request};

/// Asserts that the answer has the code, the code's status and a message with `mention` in it.
#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, code: ErrorCode, mention: &str) {
    let body: ErrorBody = serde_json::from_slice(&answer.body).expect("a JSON error body");
    assert_eq!(body.error_code(), Some(code), "{body:?}");
    assert_eq!(answer.status, code.status(), "{body:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(body.message.contains(mention), "{:?} does not mention {mention:?}", body.message);
}

const RETRY_AFTER: Duration = Duration::from_millis(1200);

/// Makes the server answer with `code`. Exhaustive: a new code needs its way here.
async fn provoke(server: &Server, code: ErrorCode) -> Answer {
    let write_fails = |error: WriteError| server.store.state().write_errors.push_back(error);
    let member_change_fails = |error: MemberError| server.store.state().member_errors.push_back(error);
    match code {
        ErrorCode::KeyEmpty => server.ask("GET /v1/kv/").await,
        ErrorCode::KeyTooLong => server.ask(&format!("GET /v1/kv/{}", "k".repeat(1025))).await,
        ErrorCode::BadKey => server.ask("GET /v1/kv/%zz").await,
        ErrorCode::BadQuery => server.ask("GET /v1/kv/a?fresh=1").await,
        ErrorCode::BadHeader => server.ask("PUT /v1/kv/a\nif-match: W/\"1\"\n\nx").await,
        ErrorCode::BadBody => server.ask("GET /v1/kv/a\n\nbody").await,
        ErrorCode::ValueTooLarge => {
            server.ask(&format!("PUT /v1/kv/a\n\n{}", "v".repeat((1 << 20) + 1))).await
        }
        ErrorCode::KeyNotFound => server.ask("GET /v1/kv/missing").await,
        ErrorCode::NotFound => server.ask("GET /v2").await,
        ErrorCode::MethodNotAllowed => server.ask("POST /v1/kv/a\n\nx").await,
        ErrorCode::RequestTimeout => {
            let mut connection = server.connect().await;
            connection
                .send(b"PUT /v1/kv/a?timeout=50ms HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\nval")
                .await;
            connection.answer(false).await.expect("an answer")
        }
        ErrorCode::PreconditionFailed => server.ask("DELETE /v1/kv/a\nif-match: \"5\"").await,
        ErrorCode::Overloaded => {
            write_fails(WriteError::Overloaded { retry_after: RETRY_AFTER });
            server.ask("PUT /v1/kv/a\n\nx").await
        }
        ErrorCode::Damaged => {
            server.store.state().read_errors.push_back(ReadError::Damaged { reason: "seen".to_owned() });
            server.ask("GET /v1/kv/a").await
        }
        ErrorCode::Unavailable => {
            write_fails(WriteError::Unavailable { reason: "seen".to_owned(), retry_after: RETRY_AFTER });
            server.ask("PUT /v1/kv/a\n\nx").await
        }
        ErrorCode::ShuttingDown => {
            write_fails(WriteError::ShuttingDown);
            server.ask("DELETE /v1/kv/a").await
        }
        ErrorCode::TooManyHops => {
            write_fails(WriteError::TooManyHops { hops: 3 });
            server.ask("PUT /v1/kv/a\n\nx").await
        }
        ErrorCode::OutcomeUnknown => {
            write_fails(WriteError::Unknown { reason: "seen".to_owned() });
            server.ask("PUT /v1/kv/a\n\nx").await
        }
        ErrorCode::DiskFull => {
            write_fails(WriteError::DiskFull);
            server.ask("PUT /v1/kv/a\n\nx").await
        }
        ErrorCode::BodyTooLarge => {
            server.ask(&format!("POST /v1/compact\n\n{}", " ".repeat((64 << 10) + 1))).await
        }
        ErrorCode::TooManyOperations => {
            let gets = vec!["{\"get\":{\"key\":\"a\"}}"; 129].join(",");
            server.ask(&format!("POST /v1/txn\n\n{{\"success\":[{gets}]}}")).await
        }
        ErrorCode::TooManyComparisons => {
            let comparisons = vec!["{\"key\":\"a\",\"exists\":true}"; 129].join(",");
            server.ask(&format!("POST /v1/txn\n\n{{\"compare\":[{comparisons}]}}")).await
        }
        ErrorCode::TransactionTooLarge => {
            let outcome = Outcome::LimitExceeded { limit: Limit::TransactionScannedKeys, maximum: 2 };
            server.store.state().outcomes.push_back(outcome);
            server.ask("POST /v1/txn\n\n{}").await
        }
        ErrorCode::DuplicateKey => {
            let put = "{\"put\":{\"key\":\"a\",\"value\":\"1\"}}";
            server.ask(&format!("POST /v1/txn\n\n{{\"success\":[{put},{put}]}}")).await
        }
        ErrorCode::NestedTooDeep => {
            let nested = "{\"success\":[{\"txn\":{\"failure\":[{\"txn\":{}}]}}]}";
            server.ask(&format!("POST /v1/txn\n\n{nested}")).await
        }
        ErrorCode::BadCursor => server.ask("GET /v1/kv?cursor=abc").await,
        ErrorCode::BadSetting => server.ask("PUT /v1/settings\n\n{\"no_such\":1}").await,
        ErrorCode::FutureRevision => server.ask("GET /v1/kv/a?revision=99").await,
        ErrorCode::Compacted => {
            server.ask("PUT /v1/kv/a\n\n1").await;
            server.ask("PUT /v1/kv/a\n\n2").await;
            server.ask("POST /v1/compact\n\n{\"revision\":2}").await;
            server.ask("GET /v1/kv/a?revision=1").await
        }
        ErrorCode::SessionExpired => server.ask("PUT /v1/kv/a\nidempotency-key: 99:1\n\nx").await,
        ErrorCode::SequenceFreed => {
            server.ask("POST /v1/sessions").await;
            let later = "idempotency-key: 1:5\nquorate-acknowledged-below: 5";
            server.ask(&format!("PUT /v1/kv/a\n{later}\n\nx")).await;
            server.ask("PUT /v1/kv/a\nidempotency-key: 1:4\n\nx").await
        }
        ErrorCode::SequenceReused => {
            server.ask("POST /v1/sessions").await;
            server.ask("PUT /v1/kv/a\nidempotency-key: 1:1\n\nx").await;
            server.ask("PUT /v1/kv/a\nidempotency-key: 1:1\n\ny").await
        }
        ErrorCode::TooManySessions => {
            server.ask("PUT /v1/settings\n\n{\"sessions_max\":1}").await;
            server.ask("POST /v1/sessions").await;
            server.ask("POST /v1/sessions").await
        }
        ErrorCode::TooManyOutcomes => {
            server.ask("PUT /v1/settings\n\n{\"session_outcomes_max\":1}").await;
            server.ask("POST /v1/sessions").await;
            server.ask("PUT /v1/kv/a\nidempotency-key: 1:1\n\nx").await;
            server.ask("PUT /v1/kv/a\nidempotency-key: 1:2\n\nx").await
        }
        ErrorCode::QuotaExceeded => {
            server.ask("PUT /v1/settings\n\n{\"quota_bytes\":1}").await;
            server.ask("PUT /v1/kv/a\n\nx").await
        }
        ErrorCode::MemberUnknown => {
            member_change_fails(MemberError::UnknownMember { member: 9 });
            server.ask("DELETE /v1/cluster/members/9").await
        }
        ErrorCode::MemberExists => {
            member_change_fails(MemberError::Exists { member: 1, reason: "seen".to_owned() });
            server.ask("POST /v1/cluster/members\n\n{\"member\":1}").await
        }
        ErrorCode::SlotUnclaimed => {
            member_change_fails(MemberError::SlotUnclaimed { member: 3 });
            server.ask("POST /v1/cluster/members/3/promote").await
        }
        ErrorCode::MemberLagging => {
            member_change_fails(MemberError::Lagging { member: 3, reason: "seen".to_owned() });
            server.ask("POST /v1/cluster/members/3/promote").await
        }
        ErrorCode::QuorumAtRisk => {
            member_change_fails(MemberError::QuorumAtRisk { reason: "seen".to_owned() });
            server.ask("DELETE /v1/cluster/members/2").await
        }
        ErrorCode::MembershipChangeInProgress => {
            let reason = "seen".to_owned();
            member_change_fails(MemberError::InProgress { reason, retry_after: RETRY_AFTER });
            server.ask("POST /v1/cluster/members/2/replace\n\n{\"with\":3}").await
        }
        ErrorCode::MemberNotVoter => transfer_refused(server, TransferError::NotVoter { member: 3 }).await,
        ErrorCode::MemberUnreachable => {
            transfer_refused(server, TransferError::Unreachable { member: 3 }).await
        }
        ErrorCode::NoSuccessor => transfer_refused(server, TransferError::NoSuccessor).await,
        ErrorCode::TooStale => {
            let too_stale = ReadError::TooStale { age: Some(Duration::from_secs(3)) };
            server.store.state().read_errors.push_back(too_stale);
            server.ask("GET /v1/kv/a").await
        }
    }
}

async fn transfer_refused(server: &Server, error: TransferError) -> Answer {
    server.store.state().transfer_errors.push_back(error);
    server.ask("POST /v1/cluster/leader").await
}

#[tokio::test]
async fn every_code_is_answered_with_its_status_and_patience() {
    for code in ErrorCode::ALL {
        let server = Server::start().await;
        let answer = provoke(&server, code).await;
        assert_refused(&answer, code, "");
        let patience = answer.header("retry-after");
        let expected = match code {
            ErrorCode::Overloaded | ErrorCode::Unavailable | ErrorCode::MembershipChangeInProgress => {
                Some("2")
            }
            ErrorCode::ShuttingDown
            | ErrorCode::TooManyHops
            | ErrorCode::TooManySessions
            | ErrorCode::TooManyOutcomes
            | ErrorCode::TooStale => Some("1"),
            _ => None,
        };
        assert_eq!(patience, expected, "{code}");
    }
}

#[tokio::test]
async fn failing_reads_are_answered_too() {
    let server = Server::start().await;
    for (error, code) in [
        (
            ReadError::Unavailable { reason: "no quorum".to_owned(), retry_after: RETRY_AFTER },
            ErrorCode::Unavailable,
        ),
        (ReadError::Overloaded { retry_after: RETRY_AFTER }, ErrorCode::Overloaded),
        (ReadError::ShuttingDown, ErrorCode::ShuttingDown),
        (ReadError::Damaged { reason: "checksum".to_owned() }, ErrorCode::Damaged),
    ] {
        server.store.state().read_errors.push_back(error);
        assert_refused(&server.ask("GET /v1/kv/a").await, code, "");
    }
}

#[tokio::test]
async fn limits_are_named() {
    let server = Server::start().await;
    let long = "k".repeat(1025);
    assert_refused(
        &server.ask(&format!("PUT /v1/kv/{long}\n\nx")).await,
        ErrorCode::KeyTooLong,
        "limit is 1024 bytes",
    );
    assert_refused(
        &server.ask(&format!("GET /v1/kv/{}", "%ff".repeat(1025))).await,
        ErrorCode::KeyTooLong,
        "1024",
    );
    for empty in ["GET /v1/kv/", "PUT /v1/kv/\n\nx", "DELETE /v1/kv/?timeout=1s"] {
        assert_refused(&server.ask(empty).await, ErrorCode::KeyEmpty, "empty");
    }
    server.store.state().value_bytes_max = 3;
    assert_refused(&server.ask("PUT /v1/kv/a\n\n1234").await, ErrorCode::ValueTooLarge, "limit of 3 bytes");
    // What the log says counts in the end: a limit may have changed since the request was admitted.
    for (limit, code) in
        [(Limit::KeyBytes, ErrorCode::KeyTooLong), (Limit::ValueBytes, ErrorCode::ValueTooLarge)]
    {
        server.store.state().outcomes.push_back(Outcome::LimitExceeded { limit, maximum: 2 });
        assert_refused(&server.ask("PUT /v1/kv/a\n\n123").await, code, "limit of 2 bytes");
    }
    assert_eq!(server.store.state().key_count(), 0);
}

#[tokio::test]
async fn a_chunked_value_over_the_limit_is_refused() {
    let server = Server::start().await;
    server.store.state().value_bytes_max = 3;
    let mut connection = server.connect().await;
    connection
        .send(b"PUT /v1/kv/a HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n")
        .await;
    assert_refused(&connection.answer(false).await.expect("an answer"), ErrorCode::ValueTooLarge, "3 bytes");
    assert_eq!(server.store.state().key_count(), 0);
}

#[tokio::test]
async fn a_body_that_is_not_well_formed_is_refused() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    let head = b"PUT /v1/kv/a HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
    connection.send(head).await;
    connection.send(b"2\r\nab\r\nno length\r\n").await;
    let answer = connection.answer(false).await.expect("an answer");
    assert_refused(&answer, ErrorCode::BadBody, "cannot be read");
    assert!(connection.is_closed_silently().await);
    assert_eq!(server.store.state().key_count(), 0);
}

#[tokio::test]
async fn a_client_that_sends_far_too_much_still_reads_why_it_was_refused() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    let length = 8 << 20;
    connection
        .send(format!("PUT /v1/kv/a HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n").as_bytes())
        .await;
    let chunk = vec![b'v'; 64 << 10];
    for _ in 0..length / chunk.len() {
        assert!(connection.try_send(&chunk).await, "the server reads on until the client is done");
    }
    let answer = connection.answer(false).await.expect("an answer");
    assert_refused(&answer, ErrorCode::ValueTooLarge, "1048576");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(connection.is_closed_silently().await);
}

#[tokio::test]
async fn bad_queries_are_named() {
    let server = Server::start().await;
    for (request, mention) in [
        ("GET /v1/kv/a?fresh=1", "\"fresh\""),
        ("GET /v1/kv/a?consistency", "not \"\""),
        ("GET /v1/kv/a?consistency=Stale", "\"Stale\""),
        ("GET /v1/kv/a?consistency=stale&consistency=stale", "twice"),
        ("GET /v1/kv/a?timeout=5", "\"5\""),
        ("GET /v1/kv/a?timeout=0s", "\"0s\""),
        ("GET /v1/kv/a?timeout=2m", "at most 60s"),
        ("PUT /v1/kv/a?timeout=1s&timeout=1s\n\nx", "twice"),
        ("PUT /v1/kv/a?consistency=stale\n\nx", "\"consistency\""),
        ("DELETE /v1/kv/a?prefix=true", "\"prefix\""),
        ("GET /v1/cluster?pretty", "\"pretty\""),
        ("GET /metrics?a=b&c=d", "\"a\""),
    ] {
        assert_refused(&server.ask(request).await, ErrorCode::BadQuery, mention);
    }
    server.ask("PUT /v1/kv/a?\n\nx").await;
    assert_eq!(server.ask("GET /v1/kv/a?&").await.status, 200);
    assert_eq!(server.ask("GET /v1/cluster?").await.status, 200);
}

#[tokio::test]
async fn bad_headers_are_named() {
    let server = Server::start().await;
    for (request, mention) in [
        ("PUT /v1/kv/a\nif-match: 1\n\nx", "If-Match"),
        ("PUT /v1/kv/a\nif-match: W/\"1\"\n\nx", "If-Match"),
        ("PUT /v1/kv/a\nif-match: \"1\", \"2\"\n\nx", "If-Match"),
        ("PUT /v1/kv/a\nif-match: \"one\"\n\nx", "If-Match"),
        ("PUT /v1/kv/a\nif-match: \"1\"\nif-match: \"2\"\n\nx", "one condition"),
        ("PUT /v1/kv/a\nif-match: \"1\"\nif-none-match: *\n\nx", "one condition"),
        ("PUT /v1/kv/a\nif-none-match: \"1\"\n\nx", "If-None-Match"),
        ("DELETE /v1/kv/a\nif-unmodified-since: Sat, 29 Oct 1994 19:43:31 GMT", "if-unmodified-since"),
        ("PUT /v1/kv/a\ncontent-range: bytes 0-1/2\n\nx", "content-range"),
        ("GET /v1/kv/a\nif-match: \"1\"", "if-match"),
        ("GET /v1/kv/a\nif-none-match: 1", "If-None-Match"),
        ("GET /v1/kv/a\nif-none-match: \"1\"\nif-none-match: \"2\"", "twice"),
    ] {
        assert_refused(&server.ask(request).await, ErrorCode::BadHeader, mention);
    }
    assert_eq!(server.store.state().key_count(), 0);
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_are_refused_in_json() {
    let server = Server::start().await;
    for path in ["/", "/v1", "/v1/kvs", "/v1/kv2/a", "/v1/cluster/", "/healthz/x", "/metrics/"] {
        assert_refused(&server.ask(&format!("GET {path}")).await, ErrorCode::NotFound, "/v1/kv/");
    }
    let answer = server.ask("PATCH /v1/kv/a\n\nx").await;
    assert_refused(&answer, ErrorCode::MethodNotAllowed, "PUT");
    assert_eq!(answer.header("allow"), Some("GET, HEAD, PUT, DELETE, OPTIONS"));
    for path in ["/v1/cluster", "/healthz", "/readyz", "/metrics"] {
        let answer = server.ask(&format!("DELETE {path}")).await;
        assert_refused(&answer, ErrorCode::MethodNotAllowed, "GET");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
}

#[tokio::test]
async fn a_store_that_hangs_is_answered_for_at_the_deadline() {
    let server = Server::start().await;
    server.store.state().hangs = true;
    assert_refused(
        &server.ask("PUT /v1/kv/a?timeout=50ms\n\nx").await,
        ErrorCode::OutcomeUnknown,
        "not known",
    );
    assert_refused(&server.ask("DELETE /v1/kv/a?timeout=50ms").await, ErrorCode::OutcomeUnknown, "not known");
    let read = server.ask("GET /v1/kv/a?timeout=50ms").await;
    assert_refused(&read, ErrorCode::Unavailable, "deadline");
    assert_eq!(read.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn bytes_in_flight_are_bounded_over_the_node_and_given_back() {
    let options = HttpOptions { body_bytes_in_flight_max: 100_000, ..HttpOptions::default() };
    let server = Server::start_with(options).await;
    server.ask(&format!("PUT /v1/kv/a\n\n{}", "v".repeat(60_000))).await;
    // A value that is announced and half sent holds its whole length.
    let mut slow = server.connect().await;
    let head =
        b"PUT /v1/kv/slow HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 60000\r\n\r\n";
    slow.send(head).await;
    assert_eq!(slow.answer(false).await.expect("an answer").status, 100);
    let refused = server.ask(&format!("PUT /v1/kv/b\n\n{}", "v".repeat(50_000))).await;
    assert_refused(&refused, ErrorCode::Overloaded, "in flight");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_refused(&server.ask("GET /v1/kv/a").await, ErrorCode::Overloaded, "in flight");
    assert_eq!(server.ask("PUT /v1/kv/b\n\nsmall").await.status, 201);
    let mut chunked = server.connect().await;
    chunked.send(b"PUT /v1/kv/c HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\nC350\r\n").await;
    chunked.send(&vec![b'v'; 50_000]).await;
    chunked.send(b"\r\n0\r\n\r\n").await;
    assert_refused(&chunked.answer(false).await.expect("an answer"), ErrorCode::Overloaded, "in flight");
    slow.send(&vec![b'v'; 60_000]).await;
    assert_eq!(slow.answer(false).await.expect("an answer").status, 201);
    assert_eq!(server.ask("GET /v1/kv/a").await.body.len(), 60_000);
    assert!(server.ask("GET /metrics").await.text().contains("\nquorate_http_body_bytes_in_flight 0\n"));
}

#[tokio::test]
async fn what_is_not_http_is_refused_and_closed() {
    let server = Server::start().await;
    for (bytes, status) in [
        (b"\x16\x03\x01\x02\x00garbage\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/9.9\r\n\r\n".to_vec(), 400),
        (full_request(&format!("GET /v1/kv/a\nx-long: {}", "x".repeat(20_000))), 431),
    ] {
        let mut connection = server.connect().await;
        connection.send(&bytes).await;
        assert_eq!(connection.answer(false).await.expect("an answer").status, status);
        assert!(connection.is_closed_silently().await);
    }
    assert_eq!(server.ask("GET /healthz").await.status, 200);
}
