//! What a client that does everything right sees.

use std::time::Duration;

use quorate_api::key::encode_key;
use quorate_kv::Machine;

use crate::harness::Server;

#[tokio::test]
async fn a_key_is_created_changed_read_and_deleted() {
    let server = Server::start().await;
    server
        .check(
            "PUT /v1/kv/greeting\n\nhello",
            "201\netag: \"1\"\nquorate-revision: 1\nquorate-create-revision: 1\nquorate-version: 1",
        )
        .await;
    server
        .check(
            "PUT /v1/kv/greeting\n\nhello again",
            "200\netag: \"2\"\nquorate-revision: 2\nquorate-create-revision: 1\nquorate-version: 2",
        )
        .await;
    server
        .check(
            "PUT /v1/kv/other",
            "201\netag: \"3\"\nquorate-revision: 3\nquorate-create-revision: 3\nquorate-version: 1",
        )
        .await;
    server
        .check(
            "GET /v1/kv/greeting",
            "200\ncontent-type: application/octet-stream\netag: \"2\"\ncache-control: no-cache\nvary: accept\n\
             quorate-revision: 3\nquorate-create-revision: 1\nquorate-version: 2\n\nhello again",
        )
        .await;
    server.check("DELETE /v1/kv/greeting", "204\nquorate-revision: 4").await;
    let missing = "404\ncontent-type: application/json\ncache-control: no-store\nquorate-revision: 4\n\n\
                   {\"code\":\"key_not_found\",\"message\":\"there is no such key\"}";
    server.check("GET /v1/kv/greeting", missing).await;
    server.check("DELETE /v1/kv/greeting", missing).await;
}

#[tokio::test]
async fn head_answers_like_get_without_the_value() {
    let server = Server::start().await;
    server.ask("PUT /v1/kv/a\n\nvalue").await;
    let mut connection = server.connect().await;
    let head = connection.ask("HEAD /v1/kv/a").await;
    assert_eq!(head.header("content-length"), Some("5"));
    // The connection is still in step, so no body followed.
    let get = connection.ask("GET /v1/kv/a").await;
    assert_eq!(get.text(), "value");
    assert_eq!(head.transcript(), get.transcript().replace("\n\nvalue", ""));
    assert_eq!(server.ask("HEAD /v1/kv/missing").await.status, 404);
}

#[tokio::test]
async fn a_condition_on_a_key_that_does_not_exist_says_so() {
    let server = Server::start().await;
    let absent = "412\ncontent-type: application/json\ncache-control: no-store\n\n\
                  {\"code\":\"precondition_failed\",\"message\":\"the condition does not hold: there is no such key\"}";
    server.check("PUT /v1/kv/a\nif-match: *\n\nx", absent).await;
    server.check("PUT /v1/kv/a\nif-match: \"1\"\n\nx", absent).await;
    server.check("DELETE /v1/kv/a\nif-match: *", absent).await;
}

#[tokio::test]
async fn a_condition_on_a_key_that_exists_is_about_its_revision() {
    let server = Server::start().await;
    assert_eq!(server.ask("PUT /v1/kv/a\nif-none-match: *\n\nx").await.status, 201);
    let exists = "412\ncontent-type: application/json\ncache-control: no-store\netag: \"1\"\n\n\
                  {\"code\":\"precondition_failed\",\"message\":\"the condition does not hold: the key's revision is 1\"}";
    server.check("PUT /v1/kv/a\nif-none-match: *\n\nx", exists).await;
    server.check("PUT /v1/kv/a\nif-match: \"2\"\n\nx", exists).await;
    server.check("DELETE /v1/kv/a\nIf-Match: \"0\"", exists).await;
    assert_eq!(server.ask("PUT /v1/kv/a\nif-match: \"1\"\n\ny").await.status, 200);
    assert_eq!(server.ask("PUT /v1/kv/a\nif-match: *\n\nz").await.status, 200);
    assert_eq!(server.ask("DELETE /v1/kv/a\nif-match: \"3\"").await.status, 204);
}

#[tokio::test]
async fn a_read_of_what_the_client_has_is_not_sent_again() {
    let server = Server::start().await;
    server.ask("PUT /v1/kv/a\n\nvalue").await;
    let not_modified = "304\netag: \"1\"\ncache-control: no-cache\nvary: accept\nquorate-revision: 1\n\
                        quorate-create-revision: 1\nquorate-version: 1";
    server.check("GET /v1/kv/a\nif-none-match: \"1\"", not_modified).await;
    server.check("GET /v1/kv/a\nif-none-match: \"9\", W/\"1\"", not_modified).await;
    server.check("GET /v1/kv/a\nif-none-match: *", not_modified).await;
    assert_eq!(server.ask("GET /v1/kv/a\nif-none-match: \"2\"").await.text(), "value");
    assert_eq!(server.ask("GET /v1/kv/b\nif-none-match: *").await.status, 404);
}

#[tokio::test]
async fn stale_reads_tell_their_age() {
    let server = Server::start().await;
    server.ask("PUT /v1/kv/a\n\nvalue").await;
    assert_eq!(server.ask("GET /v1/kv/a").await.header("quorate-age-ms"), None);
    assert_eq!(server.ask("GET /v1/kv/a?consistency=linearizable").await.header("quorate-age-ms"), None);
    let age = |answer: crate::harness::Answer| answer.header("quorate-age-ms").map(str::to_owned);
    assert_eq!(age(server.ask("GET /v1/kv/a?consistency=stale").await).as_deref(), Some("unknown"));
    server.store.state().age = Some(Duration::from_micros(1001));
    assert_eq!(age(server.ask("GET /v1/kv/a?consistency=stale").await).as_deref(), Some("2"));
    assert_eq!(age(server.ask("GET /v1/kv/none?consistency=stale&timeout=1s").await).as_deref(), Some("2"));
}

#[tokio::test]
async fn keys_of_any_bytes_come_back() {
    let server = Server::start().await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let long = vec![0xff; 1024];
    let keys: [&[u8]; 8] =
        [b"a", b"/", b"//", b"../..", b"a?b&c=d#e", &every_byte, &long, "grüße".as_bytes()];
    for (number, key) in keys.into_iter().enumerate() {
        let path = format!("/v1/kv/{}", encode_key(key));
        let put = server.ask(&format!("PUT {path}\n\nvalue {number}")).await;
        assert_eq!(put.status, 201, "{path}");
        let found = Machine::get(&server.store.state().tables, key).expect("memory does not fail");
        assert_eq!(found.expect("the key is there").version, 1, "{path}");
        assert_eq!(server.ask(&format!("GET {path}")).await.text(), format!("value {number}"));
    }
    assert_eq!(server.store.state().key_count(), 8);
}

#[tokio::test]
async fn a_slash_in_a_key_may_be_raw_or_encoded() {
    let server = Server::start().await;
    server.ask("PUT /v1/kv/a/b//c/\n\nvalue").await;
    for path in ["a/b//c/", "a%2Fb%2F%2Fc%2F", "a%2fb//c/", "%61/b//c/"] {
        assert_eq!(server.ask(&format!("GET /v1/kv/{path}")).await.text(), "value", "{path}");
    }
    // A proxy's form of the target.
    assert_eq!(server.ask("GET http://somewhere/v1/kv/a/b//c/").await.text(), "value");
}

#[tokio::test]
async fn values_of_any_size_up_to_the_limit_come_back() {
    let server = Server::start().await;
    let limit = 1 << 20;
    for length in [0, 1, 8191, 65_536, 100_000, limit] {
        let value = "v".repeat(length);
        let put = server.ask(&format!("PUT /v1/kv/a\n\n{value}")).await;
        assert!(put.status == 200 || put.status == 201);
        assert_eq!(server.ask("GET /v1/kv/a").await.body.len(), length);
    }
}

#[tokio::test]
async fn a_chunked_value_is_put_together() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    connection
        .send(b"PUT /v1/kv/a HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        .await;
    assert_eq!(connection.answer(false).await.expect("an answer").status, 201);
    assert_eq!(connection.ask("GET /v1/kv/a").await.text(), "abcde");
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_continue() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    connection
        .send(b"PUT /v1/kv/a HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
        .await;
    assert_eq!(connection.answer(false).await.expect("an answer").status, 100);
    connection.send(b"value").await;
    assert_eq!(connection.answer(false).await.expect("an answer").status, 201);
}

#[tokio::test]
async fn options_lists_the_methods() {
    let server = Server::start().await;
    server.check("OPTIONS /v1/kv/a", "204\nallow: GET, HEAD, PUT, DELETE, OPTIONS").await;
    server.check("OPTIONS /v1/cluster", "204\nallow: GET, HEAD, OPTIONS").await;
    server.check("OPTIONS *", "204\nallow: GET, HEAD, PUT, POST, DELETE, OPTIONS").await;
}

#[tokio::test]
async fn the_store_hears_the_deadline_and_a_request_id_of_its_own() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    let first = connection.ask("PUT /v1/kv/a?timeout=60s\n\nx").await;
    let second = connection.ask("GET /v1/kv/a?timeout=1s").await;
    let contexts = std::mem::take(&mut server.store.state().contexts);
    for (answer, context) in [&first, &second].into_iter().zip(&contexts) {
        assert_eq!(answer.header("quorate-request-id"), Some(&format!("{:016x}", context.request_id)[..]));
        assert_eq!(context.hops, 0);
    }
    assert_ne!(contexts[0].request_id, contexts[1].request_id);
    assert!(contexts[0].deadline > contexts[1].deadline);
}
