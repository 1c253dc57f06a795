//! Bad input to the routes that take JSON or ranges. What concerns single keys is in `refusals`.

use quorate_api::ErrorCode;

use crate::harness::{Server, full_request};
use crate::refusals::assert_refused;

#[tokio::test]
async fn bodies_that_are_not_understood_are_refused_with_the_place() {
    let server = Server::start().await;
    for (request, body, mention) in [
        ("POST /v1/txn", "", "EOF"),
        ("POST /v1/txn", "{", "EOF"),
        ("POST /v1/txn", "null", "invalid type"),
        ("POST /v1/txn", "[]", "invalid type: sequence"),
        ("POST /v1/txn", "{}{}", "trailing"),
        ("POST /v1/txn", r#"{"succes":[]}"#, "unknown field `succes`"),
        ("POST /v1/txn", r#"{"success":[],"success":[]}"#, "duplicate field `success`"),
        (
            "POST /v1/txn",
            r#"{"success":[{"put":{"key":1,"value":""}}]}"#,
            "at success[0].put.key: invalid type",
        ),
        (
            "POST /v1/txn",
            r#"{"success":[{"put":{"key":"a"}}]}"#,
            "at success[0]: value or value_base64 is missing",
        ),
        ("POST /v1/txn", "{\"success\":[{\"get\":{\"key\":\"\\ud800\"}}]}", "hex escape"),
        ("POST /v1/cluster/leader", r#"{"to":"second"}"#, "at to: "),
        ("POST /v1/cluster/leader", r#"{"leader":2}"#, "unknown field `leader`"),
        ("POST /v1/compact", "", "EOF"),
        ("POST /v1/compact", "{}", "missing field `revision`"),
        ("POST /v1/compact", r#"{"revision":-1}"#, "at revision: "),
        ("POST /v1/compact", r#"{"revision":"x"}"#, "at revision: "),
        ("POST /v1/compact", r#"{"revision":1,"revision":1}"#, "duplicate field"),
        ("POST /v1/compact", r#"[1]"#, "invalid type: sequence"),
        ("PUT /v1/settings", "[]", "invalid type: sequence"),
        ("PUT /v1/settings", r#"{"sessions_max":1,"sessions_max":1}"#, "duplicate field `sessions_max`"),
        ("PUT /v1/settings", r#"{"sessions_max":1.5}"#, "at sessions_max: "),
        ("POST /v1/sessions", r#"{"ttl":1}"#, "unknown field `ttl`"),
        ("POST /v1/sessions", r#"{"ttl_ms":true}"#, "at ttl_ms: "),
        ("POST /v1/sessions", r#"{"ttl_ms":86400001}"#, "ttl_ms is more than the limit of 86400000"),
    ] {
        let answer = server.ask(&format!("{request}\n\n{body}")).await;
        assert_refused(&answer, ErrorCode::BadBody, mention);
    }
    let mut request = b"POST /v1/txn HTTP/1.1\r\nhost: test\r\ncontent-length: 35\r\n\r\n".to_vec();
    request.extend_from_slice(b"{\"success\":[{\"get\":{\"key\":\"\xff\xfe\xff\xfe\"}}]}");
    let mut connection = server.connect().await;
    connection.send(&request).await;
    assert_refused(&connection.answer(false).await.expect("an answer"), ErrorCode::BadBody, "unicode");
    for request in [
        "GET /v1/kv\n\nx",
        "DELETE /v1/kv?prefix=a\n\nx",
        "POST /v1/sessions/1\n\nx",
        "GET /v1/settings\n\nx",
    ] {
        assert_refused(&server.ask(request).await, ErrorCode::BadBody, "takes no body");
    }
}

#[tokio::test]
async fn transactions_that_cannot_be_done_are_refused_before_the_log() {
    let server = Server::start().await;
    let transact = async |body: &str| server.ask(&format!("POST /v1/txn\n\n{body}")).await;
    let put = |key: &str| format!(r#"{{"put":{{"key":"{key}","value":""}}}}"#);
    let twice =
        transact(&format!(r#"{{"failure":[{},{{"delete_range":{{"prefix":"a"}}}}]}}"#, put("ab"))).await;
    assert_refused(&twice, ErrorCode::DuplicateKey, "\"ab\" may be written more than once");
    let deep = format!("{}{}", r#"{"success":[{"txn":"#.repeat(3), "}]}".repeat(3));
    let deep = transact(&deep.replace(r#""txn":}"#, r#""txn":{}}"#)).await;
    assert_refused(&deep, ErrorCode::NestedTooDeep, "nest");
    let far_too_deep = format!("{}{}", r#"{"success":[{"txn":"#.repeat(100_000), "}]}".repeat(100_000));
    assert_refused(&transact(&far_too_deep).await, ErrorCode::BadBody, "recursion limit");
    for key in [String::new(), "k".repeat(1025)] {
        let answer = transact(&format!(r#"{{"success":[{}]}}"#, put(&key))).await;
        assert_refused(&answer, ErrorCode::BadKey, "1 to 1024 bytes");
        let compare = format!(r#"{{"compare":[{{"key":"{key}","exists":true}}]}}"#);
        assert_refused(&transact(&compare).await, ErrorCode::BadKey, "1 to 1024 bytes");
    }
    let many: Vec<String> = (0..129).map(|number| put(&number.to_string())).collect();
    let nested = format!(r#"{{"success":[{{"txn":{{"success":[{}]}}}}]}}"#, many[..128].join(","));
    assert_refused(&transact(&nested).await, ErrorCode::TooManyOperations, "limit of 128");
    let comparisons = vec![r#"{"prefix":"a","exists":true}"#; 129].join(",");
    let comparisons = transact(&format!(r#"{{"compare":[{comparisons}]}}"#)).await;
    assert_refused(&comparisons, ErrorCode::TooManyComparisons, "limit of 128");
    assert_eq!(server.store.writes_begun.available_permits(), 0, "the log was not asked");

    let long = "v".repeat((1 << 20) + 1);
    let value = transact(&format!(r#"{{"success":[{{"put":{{"key":"a","value":"{long}"}}}}]}}"#)).await;
    assert_refused(&value, ErrorCode::ValueTooLarge, "limit of 1048576 bytes");
    assert_eq!(server.store.state().key_count(), 0);
}

#[tokio::test]
async fn a_transaction_that_is_too_long_is_refused() {
    let server = Server::start().await;
    let value = "v".repeat(1 << 20);
    let puts: Vec<String> =
        (0..13).map(|number| format!(r#"{{"put":{{"key":"{number}","value":"{value}"}}}}"#)).collect();
    let answer = server.ask(&format!("POST /v1/txn\n\n{{\"success\":[{}]}}", puts.join(","))).await;
    assert_refused(&answer, ErrorCode::TransactionTooLarge, "12582912 bytes");
    let mut connection = server.connect().await;
    connection.send(b"POST /v1/txn HTTP/1.1\r\nhost: test\r\ncontent-length: 16777217\r\n\r\n{").await;
    let answer = connection.answer(false).await.expect("an answer");
    assert_refused(&answer, ErrorCode::BodyTooLarge, "limit of 16777216 bytes");
    assert_eq!(server.store.state().key_count(), 0);
}

#[tokio::test]
async fn cursors_are_of_one_query_and_one_store() {
    let server = Server::start().await;
    for key in ["a", "b", "c"] {
        server.ask(&format!("PUT /v1/kv/{key}\n\nx")).await;
    }
    let first: quorate_api::RangeAnswer = server.ask("GET /v1/kv?limit=1").await.json();
    let cursor = first.next_cursor.expect("there are more");
    for query in [
        format!("cursor={cursor}&prefix=a"),
        format!("cursor={cursor}&order=descending"),
        format!("cursor={cursor}&keys_only=true"),
    ] {
        let answer = server.ask(&format!("GET /v1/kv?{query}")).await;
        assert_refused(&answer, ErrorCode::BadCursor, "another query");
    }
    for damaged in ["", "x", "%FF", &cursor[1..], &cursor.replace('A', "B"), &format!("{cursor}A")] {
        let answer = server.ask(&format!("GET /v1/kv?cursor={damaged}")).await;
        assert_refused(&answer, ErrorCode::BadCursor, "damaged");
    }
    let of = |group, revision| {
        let parameters = quorate_api::RangeParameters::default();
        parameters.cursor_behind(group, revision, bytes::Bytes::from("a")).encode()
    };
    let answer = server.ask(&format!("GET /v1/kv?cursor={}", of(1, 3))).await;
    assert_refused(&answer, ErrorCode::BadCursor, "group 1");
    let answer = server.ask(&format!("GET /v1/kv?cursor={}", of(0, 4))).await;
    assert_refused(&answer, ErrorCode::BadCursor, "yet to come");
    let answer = server.ask(&format!("GET /v1/kv?consistency=stale&cursor={}", of(0, 4))).await;
    assert_refused(&answer, ErrorCode::Unavailable, "not reached");
    assert_eq!(server.ask(&format!("GET /v1/kv?cursor={}", of(0, 3))).await.status, 200);
}

#[tokio::test]
async fn bad_queries_of_all_routes_are_named() {
    let server = Server::start().await;
    for (request, mention) in [
        ("GET /v1/kv?prefix=a&start=b", "prefix"),
        ("GET /v1/kv?prefix=%zz", "prefix"),
        ("GET /v1/kv?limit=0", "limit"),
        ("GET /v1/kv?limit=ten", "limit"),
        ("GET /v1/kv?revision=18446744073709551616", "revision"),
        ("GET /v1/kv?order=random", "\"random\""),
        ("GET /v1/kv?keys_only=1", "keys_only"),
        ("GET /v1/kv?keys_only=true&count_only=true", "exclude"),
        ("GET /v1/kv?timeout=1h", "\"1h\""),
        ("GET /v1/kv?watch=true", "\"watch\""),
        ("GET /v1/kv/a?revision=-1", "revision"),
        ("GET /v1/kv/a?revision=1&revision=1", "twice"),
        ("PUT /v1/kv/a?revision=1\n\nx", "\"revision\""),
        ("DELETE /v1/kv", "prefix="),
        ("DELETE /v1/kv?prefix=a&limit=1", "\"limit\""),
        ("GET /v1/revisions?limit=0", "limit"),
        ("GET /v1/revisions?from=x", "from"),
        ("GET /v1/revisions?cursor=x", "\"cursor\""),
        ("GET /v1/settings?consistency=stale", "\"consistency\""),
        ("PUT /v1/settings?dry_run=true\n\n{}", "\"dry_run\""),
        ("POST /v1/txn?timeout=soon\n\n{}", "\"soon\""),
        ("POST /v1/compact?wait=true\n\n{}", "\"wait\""),
        ("POST /v1/sessions?ttl=1", "\"ttl\""),
        ("POST /v1/sessions/1?ttl=1", "\"ttl\""),
        ("POST /v1/cluster/leader?to=2", "\"to\""),
    ] {
        assert_refused(&server.ask(request).await, ErrorCode::BadQuery, mention);
    }
}

#[tokio::test]
async fn conditions_are_refused_where_there_are_none() {
    let server = Server::start().await;
    for request in [
        "DELETE /v1/kv?prefix=",
        "POST /v1/txn",
        "POST /v1/compact",
        "PUT /v1/settings",
        "POST /v1/sessions",
        "POST /v1/cluster/leader",
        "DELETE /v1/sessions/1",
    ] {
        for header in
            ["if-match: \"1\"", "if-none-match: *", "if-unmodified-since: Sat, 29 Oct 1994 19:43:31 GMT"]
        {
            let answer = server.ask(&format!("{request}\n{header}")).await;
            assert_refused(&answer, ErrorCode::BadHeader, header.split(':').next().expect("a name"));
        }
    }
}

#[tokio::test]
async fn methods_that_a_path_does_not_have_are_refused_with_those_that_it_has() {
    let server = Server::start().await;
    for (path, allow) in [
        ("/v1/kv", "GET, HEAD, DELETE, OPTIONS"),
        ("/v1/kv/a", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("/v1/txn", "POST, OPTIONS"),
        ("/v1/compact", "POST, OPTIONS"),
        ("/v1/settings", "GET, HEAD, PUT, OPTIONS"),
        ("/v1/sessions", "POST, OPTIONS"),
        ("/v1/sessions/1", "POST, DELETE, OPTIONS"),
        ("/v1/revisions", "GET, HEAD, OPTIONS"),
        ("/v1/cluster/leader", "POST, OPTIONS"),
    ] {
        server.check(&format!("OPTIONS {path}"), &format!("204\nallow: {allow}")).await;
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "PROPFIND"] {
            if !allow.contains(method) {
                let answer = server.ask(&format!("{method} {path}")).await;
                assert_refused(&answer, ErrorCode::MethodNotAllowed, allow);
                assert_eq!(answer.header("allow"), Some(allow));
            }
        }
    }
}

#[tokio::test]
async fn heads_and_targets_that_are_too_long_are_refused() {
    let server = Server::start().await;
    for (request, status) in [
        (full_request(&format!("GET /v1/kv?prefix={}", "k".repeat(15_000))), 200),
        (full_request(&format!("GET /v1/kv?prefix={}", "k".repeat(20_000))), 431),
        (full_request(&format!("POST /v1/txn\nx-long: {}\n\n{{}}", "x".repeat(20_000))), 431),
        (full_request(&format!("GET /v1/kv\n{}", "x: y\n".repeat(200).trim_end())), 431),
    ] {
        let mut connection = server.connect().await;
        connection.send(&request).await;
        let answer = connection.answer(false).await.expect("an answer");
        assert_eq!(answer.status, status, "{:?}", String::from_utf8_lossy(&request[..60]));
    }
}

#[tokio::test]
async fn a_target_that_is_too_long_for_any_server_is_refused_as_such() {
    let options = quorate_http::HttpOptions { head_bytes_max: 128 << 10, ..Default::default() };
    let server = Server::start_with(options).await;
    let mut connection = server.connect().await;
    connection.send(&full_request(&format!("GET /v1/kv?prefix={}", "k".repeat(70_000)))).await;
    assert_eq!(connection.answer(false).await.expect("an answer").status, 414);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_cut() {
    let server = Server::start().await;
    for request in [
        "POST /v1/txn",
        "POST /v1/compact",
        "PUT /v1/settings",
        "POST /v1/sessions",
        "POST /v1/cluster/leader",
    ] {
        let mut connection = server.connect().await;
        let head = format!("{request}?timeout=50ms HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\n{{");
        connection.send(head.as_bytes()).await;
        let answer = connection.answer(false).await.expect("an answer");
        assert_refused(&answer, ErrorCode::RequestTimeout, "did not arrive");
        assert!(connection.is_closed_silently().await);
    }
}
