//! Sessions, and writes that are safe to repeat.

use quorate_api::ErrorCode;

use crate::harness::Server;
use crate::refusals::assert_refused;

#[tokio::test]
async fn a_session_is_opened_kept_and_closed() {
    let server = Server::start().await;
    server
        .check(
            "POST /v1/sessions\n\n{\"ttl_ms\":2000}",
            "201\ncontent-type: application/json\ncache-control: no-store\nlocation: /v1/sessions/1\n\n\
             {\"session\":\"1\",\"ttl_ms\":\"2000\"}",
        )
        .await;
    let by_default = server.ask("POST /v1/sessions").await;
    assert_eq!(by_default.text(), "{\"session\":\"2\",\"ttl_ms\":\"60000\"}");
    let kept = server.ask("POST /v1/sessions/1").await;
    assert_eq!((kept.status, kept.text()), (200, "{\"session\":\"1\",\"ttl_ms\":\"2000\"}"));
    server.check("DELETE /v1/sessions/1", "204").await;
    for request in ["POST /v1/sessions/1", "DELETE /v1/sessions/1", "PUT /v1/kv/a\nidempotency-key: 1:1\n\nx"]
    {
        assert_refused(&server.ask(request).await, ErrorCode::SessionExpired, "session");
    }
    server.store.state().time_ms += 60_001;
    assert_refused(&server.ask("POST /v1/sessions/2").await, ErrorCode::SessionExpired, "session");
    assert_eq!(server.store.state().key_count(), 0);
}

#[tokio::test]
async fn a_repeated_write_is_done_once_and_answered_alike() {
    let server = Server::start().await;
    server.ask("POST /v1/sessions").await;
    let put = server.ask("PUT /v1/kv/a\nidempotency-key: 1:1\n\nx").await;
    server.ask("PUT /v1/kv/a\n\nof another").await;
    let again = server.ask("PUT /v1/kv/a?timeout=3s\nidempotency-key: 1:1\n\nx").await;
    assert_eq!(again.transcript(), format!("{}\nquorate-replayed: true", put.transcript()));
    assert_eq!(server.ask("GET /v1/kv/a").await.text(), "of another");

    let delete = "DELETE /v1/kv/a\nidempotency-key: 1:2";
    assert_eq!(server.ask(delete).await.transcript(), "204\nquorate-revision: 3");
    server.ask("PUT /v1/kv/a\n\nback").await;
    assert_eq!(server.ask(delete).await.transcript(), "204\nquorate-revision: 3\nquorate-replayed: true");

    let refused = "PUT /v1/kv/a\nif-none-match: *\nidempotency-key: 1:3\n\ny";
    let first = server.ask(refused).await;
    assert_refused(&first, ErrorCode::PreconditionFailed, "");
    server.ask("DELETE /v1/kv/a").await;
    let again = server.ask(refused).await;
    assert_refused(&again, ErrorCode::PreconditionFailed, "");
    assert_eq!(again.header("quorate-replayed"), Some("true"));
    assert_eq!(server.store.state().key_count(), 0);
}

#[tokio::test]
async fn a_sequence_belongs_to_one_request() {
    let server = Server::start().await;
    server.ask("POST /v1/sessions").await;
    assert_eq!(server.ask("PUT /v1/kv/a\nidempotency-key: 1:1\n\nx").await.status, 201);
    for other in [
        "PUT /v1/kv/a\nidempotency-key: 1:1\n\ny",
        "PUT /v1/kv/b\nidempotency-key: 1:1\n\nx",
        "PUT /v1/kv/a\nif-match: *\nidempotency-key: 1:1\n\nx",
        "DELETE /v1/kv/a\nidempotency-key: 1:1",
        "DELETE /v1/kv?prefix=a\nidempotency-key: 1:1",
        "POST /v1/txn\nidempotency-key: 1:1\n\n{}",
    ] {
        assert_refused(&server.ask(other).await, ErrorCode::SequenceReused, "sequence of its own");
    }
    assert_eq!(server.ask("GET /v1/kv/a").await.text(), "x");
}

#[tokio::test]
async fn bad_session_headers_are_named() {
    let server = Server::start().await;
    for (headers, mention) in [
        ("idempotency-key: 1", "SESSION:SEQUENCE"),
        ("idempotency-key: \"1:2\"", "SESSION:SEQUENCE"),
        ("idempotency-key: 1:18446744073709551616", "SESSION:SEQUENCE"),
        ("idempotency-key: 1:1\nidempotency-key: 1:1", "twice"),
        ("idempotency-key: 1:1\nquorate-acknowledged-below: x", "Quorate-Acknowledged-Below"),
        ("quorate-acknowledged-below: 5", "goes with"),
    ] {
        for request in ["PUT /v1/kv/a", "DELETE /v1/kv/a", "DELETE /v1/kv?prefix=", "POST /v1/txn"] {
            let answer = server.ask(&format!("{request}\n{headers}")).await;
            assert_refused(&answer, ErrorCode::BadHeader, mention);
        }
    }
    for request in ["POST /v1/sessions", "POST /v1/sessions/1", "POST /v1/compact", "PUT /v1/settings"] {
        let answer = server.ask(&format!("{request}\nidempotency-key: 1:1")).await;
        assert_refused(&answer, ErrorCode::BadHeader, "idempotency-key");
    }
    assert_refused(
        &server.ask("POST /v1/sessions/one").await,
        ErrorCode::NotFound,
        "\"one\" is not a number",
    );
}
