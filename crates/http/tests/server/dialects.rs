//! The dialects: each original's requests, what they are answered with, and what no original could do.

use std::time::Duration;

use quorate_api::ErrorCode;
use quorate_environment::{Environment, TokioEnvironment};
use quorate_http::{Dialect, HttpOptions};
use quorate_replica::{MemberChange, MemberError, ReadError, WriteError};

use crate::harness::Server;
use crate::refusals::assert_refused;

const VALUE: &str = "200\ncontent-type: application/octet-stream\ncache-control: no-store";

/// Asks for each answer and compares its status and body.
async fn check_each(server: &Server, expected: &[(&str, u16, &str)]) {
    for (request, status, body) in expected {
        let answer = server.ask(request).await;
        assert_eq!((answer.status, answer.text()), (*status, *body), "the answer to {request:?}");
    }
}

/// Asks for each refusal.
async fn check_refusals(server: &Server, expected: &[(&str, ErrorCode, &str)]) {
    for (request, code, mention) in expected {
        let answer = server.ask(request).await;
        assert_eq!(answer.status, code.status(), "the answer to {request:?}: {}", answer.text());
        assert_refused(&answer, *code, mention);
    }
}

#[tokio::test]
async fn cluster_kv_posts_and_gets() {
    let server = Server::speaking(Dialect::ClusterKv).await;
    server.check("POST /foo\ncontent-type: application/x-www-form-urlencoded\n\nbar", "200").await;
    server.check("GET /foo", &format!("{VALUE}\n\nbar")).await;
    server.check("HEAD /foo", VALUE).await;
    check_each(
        &server,
        &[
            ("POST /foo\n\nbaz", 200, ""),
            ("GET /foo?Timeout=2s", 200, "baz"),
            ("GET /foo?timeout=500ms", 200, "baz"),
            ("POST /a/b%20c", 200, ""),
            ("GET /a%2Fb%20c", 200, ""),
        ],
    )
    .await;
    check_refusals(
        &server,
        &[
            ("GET /none", ErrorCode::KeyNotFound, ""),
            ("GET /", ErrorCode::KeyEmpty, "first slash"),
            ("POST /\n\nx", ErrorCode::KeyEmpty, ""),
            ("GET /%zz", ErrorCode::BadKey, "percent"),
            ("GET /foo?Timeout=2", ErrorCode::BadQuery, "timeout"),
            ("GET /foo?Timeout=2s&timeout=2s", ErrorCode::BadQuery, "twice"),
            ("GET /foo?key=1", ErrorCode::BadQuery, "key"),
            ("PUT /foo\n\nx", ErrorCode::MethodNotAllowed, "GET, HEAD, POST, OPTIONS"),
            ("POST /foo\nif-none-match: *\n\nx", ErrorCode::BadHeader, "if-none-match"),
            ("POST /foo\nidempotency-key: 1:1\n\nx", ErrorCode::BadHeader, "idempotency-key"),
        ],
    )
    .await;
    assert_eq!(server.ask("GET /foo").await.text(), "baz", "what was refused has changed nothing");
}

#[tokio::test]
async fn simplekv_puts_gets_deletes_and_lists() {
    let server = Server::speaking(Dialect::Simplekv).await;
    server.check("PUT /exampleKey\ncontent-type: text/plain\n\nhello world", "201").await;
    server.check("GET /exampleKey", &format!("{VALUE}\n\nhello world")).await;
    check_each(
        &server,
        &[
            ("PUT /exampleKey\ncontent-type: image/png\n\nagain", 201, ""),
            ("PUT /b%0Ac%20d%FF\n\nx", 201, ""),
            ("GET /", 200, "b%0Ac%20d%FF\nexampleKey\n"),
            ("DELETE /exampleKey", 204, ""),
            ("GET /", 200, "b%0Ac%20d%FF\n"),
            ("GET /b%0Ac%20d%FF", 200, "x"),
            ("DELETE /b%0Ac%20d%FF", 204, ""),
            ("GET /", 200, ""),
        ],
    )
    .await;
    assert_eq!(server.ask("GET /").await.header("content-type"), Some("text/plain; charset=utf-8"));
    check_refusals(
        &server,
        &[
            ("GET /exampleKey", ErrorCode::KeyNotFound, ""),
            ("DELETE /exampleKey", ErrorCode::KeyNotFound, ""),
            ("PUT /\n\nx", ErrorCode::KeyEmpty, ""),
            ("DELETE /", ErrorCode::KeyEmpty, ""),
            ("POST /exampleKey\n\nx", ErrorCode::MethodNotAllowed, "PUT, DELETE"),
            ("GET /?prefix=a", ErrorCode::BadQuery, "prefix"),
        ],
    )
    .await;
}

#[tokio::test]
async fn simplekv_lists_more_keys_than_a_page_has_as_they_were_at_one_moment() {
    let server = Server::speaking(Dialect::Simplekv).await;
    let mut expected = String::new();
    for number in 0..1500 {
        let key = format!("key-{number:04}");
        let command = quorate_kv::Command::Put {
            key: key.clone().into(),
            value: "v".into(),
            condition: quorate_kv::Condition::Always,
        };
        server.store.state().apply(command);
        expected.push_str(&key);
        expected.push('\n');
    }
    let answer = server.ask("GET /").await;
    assert!(answer.is_whole);
    assert_eq!(answer.text(), expected);
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
}

#[tokio::test]
async fn kv_db_puts_gets_and_changes_members() {
    let server = Server::speaking(Dialect::KvDb).await;
    server.check("PUT /my-key\n\nhello", "204").await;
    server.check("GET /my-key", &format!("{VALUE}\n\nhello")).await;
    check_each(&server, &[("POST /4\n\nhttp://127.0.0.1:42379", 204, ""), ("DELETE /2", 204, "")]).await;
    assert_eq!(
        server.store.state().member_changes,
        [MemberChange::Add { member: 4, learner: false }, MemberChange::Remove { member: 2, force: false }]
    );
    // A member that is there at that address is what was asked for.
    check_each(&server, &[("POST /1\n\nhttp://10.0.0.1:7901/\n", 204, "")]).await;
    assert_eq!(server.store.state().member_changes.len(), 2);
    check_refusals(
        &server,
        &[
            ("GET /none", ErrorCode::KeyNotFound, ""),
            ("POST /node4\n\nhttp://127.0.0.1:42379", ErrorCode::BadKey, "\"node4\""),
            ("POST /0\n\nhttp://127.0.0.1:42379", ErrorCode::BadKey, "1 or greater"),
            ("DELETE /my-key", ErrorCode::BadKey, "number of a member"),
            ("DELETE /", ErrorCode::BadKey, ""),
            ("POST /4", ErrorCode::BadBody, "URL of a peer"),
            ("POST /4\n\n127.0.0.1:42379", ErrorCode::BadBody, "URL of a peer"),
            ("POST /4\n\nhttp://127.0.0.1", ErrorCode::BadBody, "HOST:PORT"),
            ("DELETE /2\n\nx", ErrorCode::BadBody, "no body"),
            ("PATCH /my-key\n\nx", ErrorCode::MethodNotAllowed, "GET, HEAD, PUT, POST, DELETE"),
        ],
    )
    .await;
    let long = format!("POST /4\n\nhttp://{}:1", "h".repeat(3000));
    assert_refused(&server.ask(&long).await, ErrorCode::BodyTooLarge, "2048");
    assert_eq!(server.store.state().member_changes.len(), 2, "what is refused changes nothing");
    server.store.state().member_errors.push_back(MemberError::UnknownMember { member: 9 });
    check_refusals(&server, &[("DELETE /9", ErrorCode::MemberUnknown, "9")]).await;
}

#[tokio::test]
async fn memberlist_reads_both_forms_of_its_paths() {
    let server = Server::speaking(Dialect::Memberlist).await;
    server.check("PUT /put\n\n{\"key\":\"a b\",\"value\":\"x\",\"more\":1}", "200").await;
    server.check("GET /get?key=a+b", &format!("{VALUE}\n\nx")).await;
    check_each(
        &server,
        &[
            ("GET /get?key=a%20b&timeout=1s", 200, "x"),
            ("GET /get/key=a%20b", 200, "x"),
            ("POST /set/c%2Fd/e%2Ff+g", 200, ""),
            ("GET /get?key=c/d", 200, "e/f+g"),
            ("GET /get/key=c/d", 200, "e/f+g"),
            ("POST /set/empty/", 200, ""),
            ("GET /get?key=empty", 200, ""),
            ("DELETE /delete?key=a+b", 200, ""),
        ],
    )
    .await;
    check_refusals(
        &server,
        &[
            ("GET /get?key=a+b", ErrorCode::KeyNotFound, ""),
            ("DELETE /delete?key=a+b", ErrorCode::KeyNotFound, ""),
            ("GET /get", ErrorCode::KeyEmpty, "no key"),
            ("GET /get?key=", ErrorCode::KeyEmpty, ""),
            ("GET /get?key=a&key=b", ErrorCode::BadQuery, "twice"),
            ("GET /get?value=a", ErrorCode::BadQuery, "value"),
            ("GET /get/key=", ErrorCode::KeyEmpty, ""),
            ("PUT /put", ErrorCode::BadBody, "EOF"),
            ("PUT /put\n\n{\"key\":\"a\"}", ErrorCode::BadBody, "missing field `value`"),
            ("PUT /put\n\n{\"key\":\"a\",\"value\":1}", ErrorCode::BadBody, "at value"),
            ("PUT /put\n\n[\"a\",\"b\"]", ErrorCode::BadBody, ""),
            ("PUT /put\n\n{\"key\":\"\",\"value\":\"x\"}", ErrorCode::KeyEmpty, ""),
            ("POST /set/a", ErrorCode::BadKey, "/set/KEY/VALUE"),
            ("POST /set/a/b/c", ErrorCode::BadKey, "%2F"),
            ("POST /set/a/%f", ErrorCode::BadKey, "the value"),
            ("POST /set//b", ErrorCode::KeyEmpty, ""),
            ("GET /put", ErrorCode::MethodNotAllowed, "PUT"),
            ("POST /get?key=a\n\nx", ErrorCode::MethodNotAllowed, "GET"),
            ("POST /get/key=a\n\nx", ErrorCode::MethodNotAllowed, "GET"),
            ("GET /delete?key=a", ErrorCode::MethodNotAllowed, "DELETE"),
            ("GET /set/a/b", ErrorCode::MethodNotAllowed, "POST"),
            ("GET /a", ErrorCode::NotFound, "/get/key=KEY"),
        ],
    )
    .await;
}

#[tokio::test]
async fn keyval_posts_pairs_all_at_once() {
    let (api, server) = Server::start_speaking(Dialect::Keyval, HttpOptions::default()).await;
    server.check("POST /key\n\n{\"user1\":\"batman\",\"user2\":\"robin\"}", "200").await;
    check_each(
        &server,
        &[
            ("GET /key/user1", 200, "{\"user1\":\"batman\"}"),
            ("GET /key/user2", 200, "{\"user2\":\"robin\"}"),
            ("GET /key/nobody", 200, "{\"nobody\":\"\"}"),
            ("POST /key\n\n{\"a\\\"b\":\"1\",\"a\\\"b\":\"2\"}", 200, ""),
            ("GET /key/a%22b", 200, "{\"a\\\"b\":\"2\"}"),
            ("POST /key\n\n{}", 200, ""),
            ("DELETE /key/user2", 200, ""),
            ("DELETE /key/user2", 200, ""),
            ("GET /key/user2", 200, "{\"user2\":\"\"}"),
        ],
    )
    .await;
    assert_eq!(server.ask("GET /key/user1").await.header("content-type"), Some("application/json"));
    assert_eq!(api.ask("GET /v1/kv/user1").await.header("quorate-create-revision"), Some("1"));
    api.ask("PUT /v1/kv/image\n\nx").await;
    let mut connection = api.connect().await;
    connection.send(b"PUT /v1/kv/image HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\n\xff\xfe").await;
    assert_eq!(connection.answer(false).await.expect("an answer").status, 200);
    check_refusals(
        &server,
        &[
            ("POST /key", ErrorCode::BadBody, "EOF"),
            ("POST /key\n\n{\"user3\":3}", ErrorCode::BadBody, "user3"),
            ("POST /key\n\n{\"user3\":\"x\"}{}", ErrorCode::BadBody, "trailing"),
            ("POST /key\n\n{\"user3\":\"x\",\"\":\"y\"}", ErrorCode::KeyEmpty, "in the body"),
            ("GET /key", ErrorCode::KeyEmpty, "/key/"),
            ("GET /key/", ErrorCode::KeyEmpty, "/key/"),
            ("DELETE /key/", ErrorCode::KeyEmpty, ""),
            ("GET /key/image", ErrorCode::BadKey, "not text"),
            ("GET /key/%FF", ErrorCode::BadKey, "keys of this dialect"),
            ("PUT /key\n\n{}", ErrorCode::MethodNotAllowed, "POST"),
            ("POST /key/user1\n\nx", ErrorCode::MethodNotAllowed, "GET"),
            ("GET /user1", ErrorCode::NotFound, "/key/KEY"),
            ("GET /join", ErrorCode::MethodNotAllowed, "POST"),
        ],
    )
    .await;
    check_each(&server, &[("GET /key/user3", 200, "{\"user3\":\"\"}")]).await;
    let many: Vec<_> = (0..200).map(|number| format!("\"{number}\":\"\"")).collect();
    let answer = server.ask(&format!("POST /key\n\n{{{}}}", many.join(","))).await;
    assert_refused(&answer, ErrorCode::TooManyOperations, "operations");
}

#[tokio::test]
async fn keyval_joins_a_member_by_the_number_at_the_end_of_its_name() {
    let server = Server::speaking(Dialect::Keyval).await;
    let join = |addr: &str, id: &str| format!("POST /join\n\n{{\"addr\":\"{addr}\",\"id\":\"{id}\"}}");
    assert_eq!(server.ask(&join("192.168.0.4:12000", "node4")).await.status, 200);
    assert_eq!(server.store.state().member_changes, [MemberChange::Add { member: 4, learner: false }]);
    assert_eq!(server.ask(&join("10.0.0.1:7901", "node1")).await.status, 200, "it has joined already");
    for (request, code) in [
        (join("192.168.0.4:12000", "node"), ErrorCode::BadBody),
        (join("192.168.0.4:12000", "node0"), ErrorCode::BadBody),
        (join("192.168.0.4", "node4"), ErrorCode::BadBody),
        ("POST /join\n\n{\"addr\":\"a:1\"}".to_owned(), ErrorCode::BadBody),
        ("POST /join\n\n{\"addr\":\"a:1\",\"id\":\"1\",\"x\":\"y\"}".to_owned(), ErrorCode::BadBody),
        ("POST /join".to_owned(), ErrorCode::BadBody),
        (join("a:1", &"n".repeat(5000)), ErrorCode::BodyTooLarge),
    ] {
        assert_refused(&server.ask(&request).await, code, "");
    }
    assert_eq!(server.store.state().member_changes.len(), 1, "what is refused changes nothing");
}

#[tokio::test]
async fn all_dialects_share_the_keys_of_the_api() {
    for (dialect, write, read) in [
        (Dialect::ClusterKv, "POST /k\n\nv", "GET /k"),
        (Dialect::Simplekv, "PUT /k\n\nv", "GET /k"),
        (Dialect::KvDb, "PUT /k\n\nv", "GET /k"),
        (Dialect::Memberlist, "POST /set/k/v", "GET /get?key=k"),
        (Dialect::Keyval, "POST /key\n\n{\"k\":\"v\"}", "GET /key/k"),
    ] {
        let (api, server) = Server::start_speaking(dialect, HttpOptions::default()).await;
        server.ask(write).await;
        assert_eq!(api.ask("GET /v1/kv/k").await.text(), "v", "{dialect:?}");
        api.ask("PUT /v1/kv/k\n\nw").await;
        assert!(server.ask(read).await.text().contains('w'), "{dialect:?}");
    }
}

#[tokio::test]
async fn no_path_of_the_api_means_anything_in_a_dialect() {
    let (api, server) = Server::start_speaking(Dialect::Simplekv, HttpOptions::default()).await;
    check_refusals(&server, &[("GET /metrics", ErrorCode::KeyNotFound, "")]).await;
    check_each(&server, &[("PUT /healthz\n\nmine", 201, ""), ("GET /healthz", 200, "mine")]).await;
    let metrics = api.ask("GET /metrics").await;
    for line in [
        "quorate_http_requests_total{route=\"simplekv\",method=\"put\",status=\"201\"} 1\n",
        "quorate_http_requests_total{route=\"simplekv\",method=\"get\",status=\"404\"} 1\n",
    ] {
        assert!(metrics.text().contains(line), "{line}");
    }
}

#[tokio::test]
async fn limits_of_the_node_hold_in_every_dialect() {
    let long = "k".repeat(1025);
    for (dialect, put, get, hanging) in [
        (Dialect::ClusterKv, "POST /k\n\n12345".to_owned(), format!("GET /{long}"), "GET /k?timeout=50ms"),
        (Dialect::Simplekv, "PUT /k\n\n12345".to_owned(), format!("GET /{long}"), "GET /?timeout=50ms"),
        (Dialect::KvDb, "PUT /k\n\n12345".to_owned(), format!("GET /{long}"), "GET /k?timeout=50ms"),
        (
            Dialect::Memberlist,
            "POST /set/k/12345".to_owned(),
            format!("GET /get?key={long}"),
            "GET /get?key=k&timeout=50ms",
        ),
        (
            Dialect::Keyval,
            "POST /key\n\n{\"k\":\"12345\"}".to_owned(),
            format!("GET /key/{long}"),
            "GET /key/k?timeout=50ms",
        ),
    ] {
        let server = Server::speaking(dialect).await;
        {
            let mut state = server.store.state();
            state.value_bytes_max = 4;
            let limit = quorate_kv::Limit::ValueBytes;
            state.outcomes.push_back(quorate_kv::Outcome::LimitExceeded { limit, maximum: 4 });
        }
        assert_refused(&server.ask(&put).await, ErrorCode::ValueTooLarge, "limit of 4 bytes");
        assert_refused(&server.ask(&get).await, ErrorCode::KeyTooLong, "1024");
        {
            let mut state = server.store.state();
            state.value_bytes_max = 100;
            state.outcomes.clear();
            let retry_after = Duration::from_millis(1200);
            state.write_errors.push_back(WriteError::Unavailable { reason: "seen".to_owned(), retry_after });
            state.read_errors.push_back(ReadError::ShuttingDown);
        }
        let answer = server.ask(&put).await;
        assert_refused(&answer, ErrorCode::Unavailable, "seen");
        assert_eq!(answer.header("retry-after"), Some("2"), "{dialect:?}");
        assert_refused(&server.ask(hanging).await, ErrorCode::ShuttingDown, "");
        server.store.state().hangs = true;
        assert_refused(&server.ask(hanging).await, ErrorCode::Unavailable, "deadline");
    }
}

#[tokio::test]
async fn requests_are_counted_over_the_api_and_the_dialect_together() {
    let options = HttpOptions { requests_in_flight_max: 1, ..HttpOptions::default() };
    let (api, server) = Server::start_speaking(Dialect::KvDb, options).await;
    server.store.state().hangs = true;
    let mut slow = server.connect().await;
    slow.send(&crate::harness::full_request("PUT /k?timeout=10s\n\nv")).await;
    server.store.writes_begun.acquire().await.expect("is never closed").forget();
    assert_refused(&api.ask("GET /v1/kv/k").await, ErrorCode::Overloaded, "in flight");
    assert_refused(&server.ask("GET /healthz").await, ErrorCode::Overloaded, "in flight");
    assert_eq!(api.ask("GET /healthz").await.status, 200);
}

#[tokio::test]
async fn shutdown_ends_the_dialect_too() {
    let (api, server) = Server::start_speaking(Dialect::KvDb, HttpOptions::default()).await;
    assert_eq!(server.ask("PUT /k\n\nv").await.status, 204);
    server.shutdown.cancel();
    let ended = async {
        server.serving.await.expect("serving ends in order");
        api.serving.await.expect("serving ends in order");
    };
    let waited = TokioEnvironment::new().timeout(Duration::from_secs(10), ended).await;
    waited.expect("both listeners are closed");
}

#[tokio::test]
async fn options_and_wrong_methods_say_what_there_is() {
    for (dialect, path, allow) in [
        (Dialect::ClusterKv, "/k", "GET, HEAD, POST, OPTIONS"),
        (Dialect::Simplekv, "/k", "GET, HEAD, PUT, DELETE, OPTIONS"),
        (Dialect::KvDb, "/k", "GET, HEAD, PUT, POST, DELETE, OPTIONS"),
        (Dialect::Memberlist, "/set/k/v", "POST, OPTIONS"),
        (Dialect::Keyval, "/key/k", "GET, HEAD, DELETE, OPTIONS"),
    ] {
        let server = Server::speaking(dialect).await;
        for (method, status) in [("OPTIONS", 204), ("TRACE", 405)] {
            let answer = server.ask(&format!("{method} {path}")).await;
            assert_eq!((answer.status, answer.header("allow")), (status, Some(allow)), "{dialect:?}");
        }
    }
}
