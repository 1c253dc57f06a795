//! Transactions.

use crate::harness::{Answer, Server};

async fn transact(server: &Server, body: &str) -> Answer {
    server.ask(&format!("POST /v1/txn\n\n{body}")).await
}

#[tokio::test]
async fn a_transaction_compares_and_then_does_one_list() {
    let server = Server::start().await;
    server.ask("PUT /v1/kv/stock\n\n3").await;
    let body = r#"{
        "compare": [{"key": "stock", "value": {"equal": "3"}}, {"key": "order/1", "exists": false}],
        "success": [
            {"put": {"key": "stock", "value": "2"}},
            {"put": {"key": "order/1", "value_base64": "/w=="}},
            {"get": {"key": "order/1"}},
            {"range": {"prefix": "", "keys_only": true}}
        ],
        "failure": [{"get": {"key": "stock"}}, {"delete": {"key": "missing"}}, {"range": {"count_only": true}}]
    }"#;
    let done = transact(&server, body).await;
    assert_eq!(
        done.transcript(),
        concat!(
            "200\ncontent-type: application/json\ncache-control: no-store\nquorate-revision: 2\n\n",
            r#"{"revision":"2","succeeded":true,"results":["#,
            r#"{"put":{"create_revision":"1","version":"2"}},{"put":{"create_revision":"2","version":"1"}},"#,
            r#"{"get":{"item":{"key":"order/1","value_base64":"/w==","create_revision":"2","mod_revision":"2","version":"1"}}},"#,
            r#"{"range":{"items":[{"key":"order/1","create_revision":"2","mod_revision":"2","version":"1"},"#,
            r#"{"key":"stock","create_revision":"1","mod_revision":"2","version":"2"}],"more":false}}]}"#,
        )
    );
    let not_done = transact(&server, body).await;
    assert_eq!(
        not_done.text(),
        concat!(
            r#"{"revision":"2","succeeded":false,"results":["#,
            r#"{"get":{"item":{"key":"stock","value":"2","create_revision":"1","mod_revision":"2","version":"2"}}},"#,
            r#"{"delete":{"deleted":false}},{"range":{"count":"2"}}]}"#
        )
    );
    assert_eq!(transact(&server, "{}").await.text(), r#"{"revision":"2","succeeded":true,"results":[]}"#);
}

#[tokio::test]
async fn a_nested_transaction_chooses_for_itself() {
    let server = Server::start().await;
    let body = r#"{"success": [
        {"put": {"key": "a", "value": "1"}},
        {"txn": {
            "compare": [{"key": "a", "version": {"greater": 1}}],
            "success": [{"get": {"key": "a"}}],
            "failure": [{"delete_range": {"prefix": "b"}}]
        }}
    ]}"#;
    assert_eq!(
        transact(&server, body).await.text(),
        concat!(
            r#"{"revision":"1","succeeded":true,"results":[{"put":{"create_revision":"1","version":"1"}},"#,
            r#"{"txn":{"succeeded":false,"results":[{"delete_range":{"deleted":"0"}}]}}]}"#
        )
    );
}

#[tokio::test]
async fn a_repeated_transaction_is_done_once() {
    let server = Server::start().await;
    server.ask("POST /v1/sessions").await;
    let body = r#"{"success":[{"put":{"key":"a","value":"1"}},{"get":{"key":"a"}}]}"#;
    let request = format!("POST /v1/txn?timeout=1s\nidempotency-key: 1:1\n\n{body}");
    let first = server.ask(&request).await;
    assert_eq!(first.header("quorate-replayed"), None);
    assert!(first.text().contains("\"results\":["));
    let again = server.ask(&request.replace("?timeout=1s", "")).await;
    assert_eq!(again.header("quorate-replayed"), Some("true"));
    assert_eq!(again.text(), r#"{"revision":"1","succeeded":true,"replayed":true}"#);
}

#[tokio::test]
async fn numbers_in_json_go_through_whole() {
    let server = Server::start().await;
    let newest = u64::MAX;
    for number in [newest.to_string(), format!("\"{newest}\"")] {
        let body = format!(r#"{{"compare":[{{"key":"a","mod_revision":{{"less":{number}}}}}]}}"#);
        assert!(transact(&server, &body).await.text().contains("\"succeeded\":true"), "{body}");
    }
}
