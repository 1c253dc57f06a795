//! etcd's API of version 3, by its JSON gateway (`/v3/kv/...`), which every etcd has on its client port. It is the same
//! service as over gRPC, with bytes in base64 and numbers of 64 bits as strings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::ask::{Ask, Comparison, Condition, Consistency, Step, StepTold, Told, behind};
use super::connection::Answer;
use crate::history::SnapshotEntry;

/// The request that asks for something.
///
/// # Panics
///
/// For what etcd cannot do, such as sessions that make writes repeatable. No workload that suits etcd asks for that.
pub fn request(ask: &Ask) -> Request<Full<Bytes>> {
    let (path, body) = match ask {
        Ask::Get { key, revision: None, consistency: Consistency::Linearizable } => {
            ("/v3/kv/range", json!({ "key": encoded(key) }))
        }
        Ask::Range {
            start, end, limit: None, is_descending: false, cursor: None, revision: None, ..
        } => ("/v3/kv/range", json!({ "key": encoded(start), "range_end": encoded(end) })),
        Ask::Put { key, value, condition: Condition::Always } => {
            ("/v3/kv/put", json!({ "key": encoded(key), "value": encoded(value) }))
        }
        Ask::Transaction { compare, success, failure } => {
            let body = json!({
                "compare": compare.iter().map(comparison).collect::<Vec<_>>(),
                "success": success.iter().map(step).collect::<Vec<_>>(),
                "failure": failure.iter().map(step).collect::<Vec<_>>(),
            });
            ("/v3/kv/txn", body)
        }
        other => panic!("no workload asks etcd for {other:?}"),
    };
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, "etcd")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("the paths are fixed")
}

fn comparison(comparison: &Comparison) -> Json {
    match comparison {
        Comparison::Absent(key) => {
            json!({ "key": encoded(key), "target": "CREATE", "result": "EQUAL", "create_revision": "0" })
        }
        Comparison::ValueIs(key, value) => {
            json!({ "key": encoded(key), "target": "VALUE", "result": "EQUAL", "value": encoded(value) })
        }
        Comparison::RevisionIs(key, revision) => {
            let revision = revision.to_string();
            json!({ "key": encoded(key), "target": "MOD", "result": "EQUAL", "mod_revision": revision })
        }
    }
}

fn step(step: &Step) -> Json {
    match step {
        Step::Get(key) => json!({ "request_range": { "key": encoded(key) } }),
        Step::Put(key, value) => json!({ "request_put": { "key": encoded(key), "value": encoded(value) } }),
        Step::List(prefix) => {
            json!({ "request_range": { "key": encoded(prefix), "range_end": encoded(&behind(prefix)) } })
        }
    }
}

fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

#[derive(Deserialize)]
struct Header {
    revision: String,
}

/// What is empty or zero or false is left out.
#[derive(Deserialize)]
#[serde(default)]
struct Item {
    key: String,
    value: String,
    mod_revision: String,
    version: String,
}

impl Default for Item {
    fn default() -> Self {
        let zero = || "0".to_owned();
        Self { key: String::new(), value: String::new(), mod_revision: zero(), version: zero() }
    }
}

#[derive(Deserialize)]
struct RangeAnswer {
    header: Header,
    #[serde(default)]
    kvs: Vec<Item>,
}

#[derive(Deserialize)]
struct PutAnswer {
    header: Header,
}

#[derive(Deserialize)]
struct TransactionAnswer {
    header: Header,
    #[serde(default)]
    succeeded: bool,
    #[serde(default)]
    responses: Vec<StepAnswer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum StepAnswer {
    ResponseRange {
        #[serde(default)]
        kvs: Vec<Item>,
    },
    ResponsePut {},
}

/// What an answer says. Whatever is not an answer to the request leaves unknown what became of it: etcd does not
/// promise that an error means that nothing was done.
///
/// # Errors
///
/// An answer that etcd's API does not give to this request, in words.
pub fn told(ask: &Ask, answer: &Answer) -> Result<Told, String> {
    if answer.status != StatusCode::OK {
        let why = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
        return Ok(Told::Unknown { why });
    }
    match ask {
        Ask::Get { .. } => {
            let found: RangeAnswer = parse(ask, answer)?;
            let version = found.kvs.first().map_or(Ok(0), |item| number(&item.version))?;
            Ok(Told::Item {
                item: found.kvs.into_iter().next().map(entry).transpose()?,
                version,
                store_revision: Some(number(&found.header.revision)?),
                age_ms: None,
            })
        }
        Ask::Range { .. } => {
            let found: RangeAnswer = parse(ask, answer)?;
            Ok(Told::Page {
                revision: number(&found.header.revision)?,
                entries: entries(found.kvs)?,
                next: None,
                age_ms: None,
            })
        }
        Ask::Put { .. } => {
            let written: PutAnswer = parse(ask, answer)?;
            Ok(Told::Written { revision: number(&written.header.revision)?, version: None })
        }
        Ask::Transaction { success, failure, .. } => {
            let decision: TransactionAnswer = parse(ask, answer)?;
            let steps = if decision.succeeded { success } else { failure };
            if steps.len() != decision.responses.len() {
                return Err(unexpected(ask, answer));
            }
            let results = steps.iter().zip(decision.responses);
            let results = results.map(|(step, result)| match (step, result) {
                (Step::Get(_), StepAnswer::ResponseRange { kvs }) => {
                    Ok(StepTold::Item(kvs.into_iter().next().map(entry).transpose()?))
                }
                (Step::List(_), StepAnswer::ResponseRange { kvs }) => Ok(StepTold::List(entries(kvs)?)),
                (Step::Put(..), StepAnswer::ResponsePut {}) => Ok(StepTold::Written { version: None }),
                _ => Err(unexpected(ask, answer)),
            });
            Ok(Told::Decided {
                revision: number(&decision.header.revision)?,
                succeeded: decision.succeeded,
                has_written: steps.iter().any(|step| matches!(step, Step::Put(..))),
                results: Some(results.collect::<Result<_, String>>()?),
            })
        }
        Ask::Delete { .. } | Ask::Compact { .. } | Ask::OpenSession { .. } => Err(unexpected(ask, answer)),
    }
}

fn unexpected(ask: &Ask, answer: &Answer) -> String {
    let body: String = String::from_utf8_lossy(&answer.body).chars().take(500).collect();
    format!("{ask:?} was answered with {}: {body}", answer.status)
}

fn parse<'a, T: Deserialize<'a>>(ask: &Ask, answer: &'a Answer) -> Result<T, String> {
    serde_json::from_slice(&answer.body).map_err(|error| format!("{}: {error}", unexpected(ask, answer)))
}

fn entries(items: Vec<Item>) -> Result<Vec<SnapshotEntry>, String> {
    items.into_iter().map(entry).collect()
}

fn entry(item: Item) -> Result<SnapshotEntry, String> {
    Ok(SnapshotEntry {
        key: decoded(&item.key)?,
        value: decoded(&item.value)?,
        revision: number(&item.mod_revision)?,
    })
}

fn decoded(text: &str) -> Result<String, String> {
    let bytes = STANDARD.decode(text).map_err(|_| format!("{text:?} is no base64"))?;
    String::from_utf8(bytes).map_err(|_| format!("{text:?} is no text"))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn outcome(ask: &Ask, status: u16, body: &str) -> Result<Told, String> {
        let status = StatusCode::from_u16(status).expect("a status");
        told(ask, &Answer { status, headers: HeaderMap::new(), body: Bytes::from(body.to_owned()) })
    }

    const FOUND: &str = r#"{"header":{"revision":"9"},"kvs":[{"key":"Zm9v","mod_revision":"7","version":"2","value":"YmFy"}],"count":"1"}"#;

    #[test]
    fn answers_are_understood() {
        let item = Some(SnapshotEntry { key: "foo".to_owned(), value: "bar".to_owned(), revision: 7 });
        let found = Told::Item { item, version: 2, store_revision: Some(9), age_ms: None };
        assert_eq!(outcome(&Ask::get("foo"), 200, FOUND), Ok(found));
        let absent = Told::Item { item: None, version: 0, store_revision: Some(9), age_ms: None };
        assert_eq!(outcome(&Ask::get("foo"), 200, r#"{"header":{"revision":"9"}}"#), Ok(absent));
    }

    /// What is false or empty is left out of its answers.
    #[test]
    fn a_comparison_that_does_not_hold_is_an_answer() {
        let ask = Ask::Transaction {
            compare: vec![Comparison::Absent("foo".to_owned())],
            success: vec![Step::Put("foo".to_owned(), "x".to_owned())],
            failure: vec![Step::Get("foo".to_owned())],
        };
        let body =
            r#"{"header":{"revision":"3"},"responses":[{"response_range":{"header":{"revision":"3"}}}]}"#;
        let results = Some(vec![StepTold::Item(None)]);
        let decided = Told::Decided { revision: 3, succeeded: false, has_written: false, results };
        assert_eq!(outcome(&ask, 200, body), Ok(decided));
        let body = r#"{"header":{"revision":"4"},"succeeded":true,"responses":[{"response_put":{"header":{"revision":"4"}}}]}"#;
        let results = Some(vec![StepTold::Written { version: None }]);
        let decided = Told::Decided { revision: 4, succeeded: true, has_written: true, results };
        assert_eq!(outcome(&ask, 200, body), Ok(decided));
    }

    #[test]
    fn an_error_says_nothing_about_what_was_done() {
        let told =
            outcome(&Ask::put("foo", "x"), 503, r#"{"error":"etcdserver: request timed out","code":14}"#);
        assert!(matches!(told, Ok(Told::Unknown { .. })));
    }

    #[test]
    fn an_answer_to_something_else_convicts() {
        assert!(outcome(&Ask::get("foo"), 200, r#"{"kvs":[]}"#).is_err());
        assert!(outcome(&Ask::put("foo", "x"), 200, "").is_err());
    }
}
