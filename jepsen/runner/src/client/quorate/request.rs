//! Requests as the API wants them.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use serde_json::{Value as Json, json};

use crate::client::ask::{Ask, Comparison, Condition, Consistency, Step, Token};

/// The request that asks for something, to be answered by the server within this time.
pub fn request(ask: &Ask, token: Option<Token>, timeout: Duration) -> Request<Full<Bytes>> {
    let limit = format!("timeout={}ms", timeout.as_millis());
    let mut builder = Request::builder().header(header::HOST, "quorate");
    if let Some(token) = token {
        builder = builder.header("idempotency-key", format!("{}:{}", token.session, token.sequence));
        builder = builder.header("quorate-acknowledged-below", token.acknowledged_below.to_string());
    }
    let (method, path, body) = match ask {
        Ask::Get { key, revision, consistency } => {
            let parameters = read_parameters(*revision, *consistency);
            (Method::GET, format!("/v1/kv/{}?{limit}{parameters}", in_path(key)), Bytes::new())
        }
        Ask::Range { start, end, limit: items, is_descending, cursor, revision, consistency } => {
            let mut path = format!("/v1/kv?{limit}&start={}&end={}", in_path(start), in_path(end));
            if let Some(items) = items {
                path.push_str(&format!("&limit={items}"));
            }
            if *is_descending {
                path.push_str("&order=descending");
            }
            if let Some(cursor) = cursor {
                path.push_str(&format!("&cursor={}", in_path(cursor)));
            }
            // A cursor says at which revision to go on.
            path.push_str(&read_parameters(revision.filter(|_| cursor.is_none()), *consistency));
            (Method::GET, path, Bytes::new())
        }
        Ask::Put { key, value, condition } => {
            builder = conditional(builder, *condition);
            (Method::PUT, format!("/v1/kv/{}?{limit}", in_path(key)), Bytes::from(value.clone()))
        }
        Ask::Delete { key, condition } => {
            builder = conditional(builder, *condition);
            (Method::DELETE, format!("/v1/kv/{}?{limit}", in_path(key)), Bytes::new())
        }
        Ask::Transaction { compare, success, failure } => {
            let body = json!({
                "compare": compare.iter().map(comparison).collect::<Vec<_>>(),
                "success": success.iter().map(step).collect::<Vec<_>>(),
                "failure": failure.iter().map(step).collect::<Vec<_>>(),
            });
            (Method::POST, format!("/v1/txn?{limit}"), Bytes::from(body.to_string()))
        }
        Ask::Compact { revision } => {
            let body = json!({ "revision": revision.to_string() });
            (Method::POST, format!("/v1/compact?{limit}"), Bytes::from(body.to_string()))
        }
        Ask::OpenSession { ttl } => {
            let body = json!({ "ttl_ms": ttl.as_millis().to_string() });
            (Method::POST, format!("/v1/sessions?{limit}"), Bytes::from(body.to_string()))
        }
    };
    builder.method(method).uri(path).body(Full::new(body)).expect("paths are encoded and headers are ASCII")
}

fn read_parameters(revision: Option<u64>, consistency: Consistency) -> String {
    let revision = revision.map_or(String::new(), |revision| format!("&revision={revision}"));
    let consistency = match consistency {
        Consistency::Linearizable => String::new(),
        Consistency::Lease => "&consistency=lease".to_owned(),
        Consistency::Stale { age_max: None } => "&consistency=stale".to_owned(),
        Consistency::Stale { age_max: Some(age) } => {
            format!("&consistency=stale&max_staleness={}ms", age.as_millis())
        }
    };
    revision + &consistency
}

fn conditional(builder: http::request::Builder, condition: Condition) -> http::request::Builder {
    match condition {
        Condition::Always => builder,
        Condition::Absent => builder.header(header::IF_NONE_MATCH, "*"),
        Condition::RevisionIs(revision) => builder.header(header::IF_MATCH, format!("\"{revision}\"")),
    }
}

fn comparison(comparison: &Comparison) -> Json {
    match comparison {
        Comparison::Absent(key) => json!({ "key": key, "exists": false }),
        Comparison::ValueIs(key, value) => json!({ "key": key, "value": { "equal": value } }),
        Comparison::RevisionIs(key, revision) => {
            json!({ "key": key, "mod_revision": { "equal": revision.to_string() } })
        }
    }
}

fn step(step: &Step) -> Json {
    match step {
        Step::Get(key) => json!({ "get": { "key": key } }),
        Step::Put(key, value) => json!({ "put": { "key": key, "value": value } }),
        Step::List(prefix) => json!({ "range": { "prefix": prefix } }),
    }
}

/// A text where a path or a query has it. Only letters, digits and what is surely safe stay as they are.
fn in_path(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn written(ask: &Ask, token: Option<Token>) -> String {
        let request = request(ask, token, Duration::from_millis(600));
        let (parts, body) = request.into_parts();
        let body = body.collect().await.expect("it is whole").to_bytes();
        let mut text = format!("{} {}", parts.method, parts.uri);
        for (name, value) in parts.headers.iter().filter(|(name, _)| *name != header::HOST) {
            text.push_str(&format!(" {name}={}", value.to_str().expect("text")));
        }
        if !body.is_empty() {
            text.push_str(&format!(" {}", String::from_utf8_lossy(&body)));
        }
        text
    }

    #[tokio::test]
    async fn requests_are_written_as_the_api_wants_them() {
        let consistency = Consistency::Stale { age_max: Some(Duration::from_millis(50)) };
        let stale = Ask::Get { key: "a/b".to_owned(), revision: None, consistency };
        assert_eq!(
            written(&stale, None).await,
            "GET /v1/kv/a%2Fb?timeout=600ms&consistency=stale&max_staleness=50ms"
        );
        let condition = Condition::RevisionIs(7);
        let put = Ask::Put { key: "k".to_owned(), value: "v".to_owned(), condition };
        let token = Token { session: 3, sequence: 4, acknowledged_below: 2 };
        assert_eq!(
            written(&put, Some(token)).await,
            "PUT /v1/kv/k?timeout=600ms idempotency-key=3:4 quorate-acknowledged-below=2 if-match=\"7\" v"
        );
        let transaction = Ask::Transaction {
            compare: vec![Comparison::ValueIs("k".to_owned(), "1".to_owned())],
            success: vec![Step::Put("k".to_owned(), "2".to_owned())],
            failure: vec![Step::Get("k".to_owned())],
        };
        assert_eq!(
            written(&transaction, None).await,
            "POST /v1/txn?timeout=600ms {\"compare\":[{\"key\":\"k\",\"value\":{\"equal\":\"1\"}}],\
             \"failure\":[{\"get\":{\"key\":\"k\"}}],\"success\":[{\"put\":{\"key\":\"k\",\"value\":\"2\"}}]}"
        );
    }
}
