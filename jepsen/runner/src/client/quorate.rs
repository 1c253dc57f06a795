//! Our own API, as docs/api.md describes it.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::ask::{Ask, Comparison, Condition, Consistency, Step, StepTold, Token, Told};
use super::connection::Answer;
use crate::history::SnapshotEntry;

/// Codes of errors that say that nothing was done, whatever was asked for.
const REFUSALS: [&str; 8] = [
    "request_timeout",
    "overloaded",
    "unavailable",
    "shutting_down",
    "too_many_hops",
    "too_many_sessions",
    "too_many_outcomes",
    // A node whose disk was damaged says so until it has stopped.
    "damaged",
];

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

#[derive(Deserialize)]
struct ErrorBody {
    code: String,
    #[expect(dead_code, reason = "every error has one")]
    message: String,
}

#[derive(Deserialize)]
struct Item {
    key: String,
    value: String,
    mod_revision: String,
}

#[derive(Deserialize)]
struct Page {
    revision: String,
    items: Vec<Item>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Decision {
    revision: String,
    succeeded: bool,
    results: Option<Vec<StepResult>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum StepResult {
    Put { version: String },
    Get { item: Option<Item> },
    Range { items: Vec<Item> },
}

/// What an answer says. An answer that the API does not give to this request is an error, in words.
pub fn told(ask: &Ask, token: Option<Token>, answer: &Answer) -> Result<Told, String> {
    match (ask, answer.status) {
        (Ask::Get { key, .. }, StatusCode::OK) => {
            let value = String::from_utf8(answer.body.to_vec()).map_err(|_| unexpected(ask, answer))?;
            let item = SnapshotEntry { key: key.clone(), value, revision: entity_tag(answer)? };
            Ok(Told::Item {
                item: Some(item),
                version: header_number(answer, "quorate-version")?,
                store_revision: Some(header_number(answer, "quorate-revision")?),
                age_ms: age(answer)?,
            })
        }
        (Ask::Range { .. }, StatusCode::OK) => {
            let page: Page = parse(ask, answer)?;
            Ok(Told::Page {
                revision: number(&page.revision)?,
                entries: page.items.into_iter().map(entry).collect::<Result<_, _>>()?,
                next: page.next_cursor,
                age_ms: age(answer)?,
            })
        }
        (Ask::Put { .. }, StatusCode::OK | StatusCode::CREATED) => Ok(Told::Written {
            revision: header_number(answer, "quorate-revision")?,
            version: Some(header_number(answer, "quorate-version")?),
        }),
        (Ask::Delete { .. }, StatusCode::NO_CONTENT) => {
            Ok(Told::Deleted { revision: Some(header_number(answer, "quorate-revision")?) })
        }
        (Ask::Transaction { success, failure, .. }, StatusCode::OK) => decided(ask, success, failure, answer),
        (Ask::Compact { .. }, StatusCode::OK) => Ok(Told::Done),
        (Ask::OpenSession { .. }, StatusCode::CREATED) => {
            #[derive(Deserialize)]
            struct Session {
                session: String,
            }
            let session: Session = parse(ask, answer)?;
            Ok(Told::SessionOpened { session: number(&session.session)? })
        }
        _ => refused(ask, token, answer),
    }
}

fn decided(ask: &Ask, success: &[Step], failure: &[Step], answer: &Answer) -> Result<Told, String> {
    let decision: Decision = parse(ask, answer)?;
    let steps = if decision.succeeded { success } else { failure };
    let results = match decision.results {
        Some(results) => Some(results.into_iter().map(step_told).collect::<Result<Vec<_>, _>>()?),
        None => None,
    };
    let fits = |(step, result): (&Step, &StepTold)| match step {
        Step::Get(_) => matches!(result, StepTold::Item(_)),
        Step::Put(..) => matches!(result, StepTold::Written { .. }),
        Step::List(_) => matches!(result, StepTold::List(_)),
    };
    if results
        .as_ref()
        .is_some_and(|results| results.len() != steps.len() || !steps.iter().zip(results).all(fits))
    {
        return Err(unexpected(ask, answer));
    }
    Ok(Told::Decided {
        revision: number(&decision.revision)?,
        succeeded: decision.succeeded,
        has_written: steps.iter().any(|step| matches!(step, Step::Put(..))),
        results,
    })
}

fn step_told(result: StepResult) -> Result<StepTold, String> {
    Ok(match result {
        StepResult::Put { version } => StepTold::Written { version: Some(number(&version)?) },
        StepResult::Get { item } => StepTold::Item(item.map(entry).transpose()?),
        StepResult::Range { items } => {
            StepTold::List(items.into_iter().map(entry).collect::<Result<_, _>>()?)
        }
    })
}

fn refused(ask: &Ask, token: Option<Token>, answer: &Answer) -> Result<Told, String> {
    let body: ErrorBody = serde_json::from_slice(&answer.body).map_err(|_| unexpected(ask, answer))?;
    let is_read = matches!(ask, Ask::Get { .. } | Ask::Range { .. });
    let is_past = matches!(ask, Ask::Get { revision: Some(_), .. } | Ask::Range { revision: Some(_), .. })
        || matches!(ask, Ask::Range { cursor: Some(_), .. });
    let is_conditional = matches!(ask, Ask::Put { condition, .. } | Ask::Delete { condition, .. } if *condition != Condition::Always);
    match (body.code.as_str(), answer.status.as_u16()) {
        ("key_not_found", 404) => match ask {
            Ask::Get { .. } => Ok(Told::Item {
                item: None,
                version: 0,
                store_revision: Some(header_number(answer, "quorate-revision")?),
                age_ms: age(answer)?,
            }),
            Ask::Delete { .. } => Ok(Told::Deleted { revision: None }),
            _ => Err(unexpected(ask, answer)),
        },
        ("precondition_failed", 412) if is_conditional => Ok(Told::Mismatch),
        ("compacted", 410) if is_past || matches!(ask, Ask::Compact { .. }) => {
            Ok(Told::Compacted { oldest: header_number(answer, "quorate-oldest-revision")? })
        }
        ("too_stale", 503) if is_read => Ok(Told::TooStale),
        ("session_expired", 409) if token.is_some() => Ok(Told::SessionExpired),
        ("outcome_unknown", 504) => Ok(Told::Unknown { why: body.code }),
        // Disks fill up. Even a delete is refused while the log cannot go on.
        ("disk_full" | "quota_exceeded", 507) if !is_read => Ok(Told::Refused { why: body.code }),
        (code, _) if REFUSALS.contains(&code) => Ok(Told::Refused { why: body.code }),
        _ => Err(unexpected(ask, answer)),
    }
}

fn unexpected(ask: &Ask, answer: &Answer) -> String {
    let body = String::from_utf8_lossy(&answer.body);
    let body: String = body.chars().take(500).collect();
    format!("{ask:?} was answered with {}: {body}", answer.status)
}

fn parse<'a, T: Deserialize<'a>>(ask: &Ask, answer: &'a Answer) -> Result<T, String> {
    serde_json::from_slice(&answer.body).map_err(|error| format!("{}: {error}", unexpected(ask, answer)))
}

fn entry(item: Item) -> Result<SnapshotEntry, String> {
    Ok(SnapshotEntry { key: item.key, value: item.value, revision: number(&item.mod_revision)? })
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn header_text<'a>(answer: &'a Answer, name: &str) -> Result<Option<&'a str>, String> {
    let Some(value) = answer.headers.get(name) else { return Ok(None) };
    value.to_str().map(Some).map_err(|_| format!("the header {name} is no text"))
}

fn header_number(answer: &Answer, name: &str) -> Result<u64, String> {
    number(header_text(answer, name)?.ok_or_else(|| format!("the header {name} is missing"))?)
}

fn entity_tag(answer: &Answer) -> Result<u64, String> {
    let tag = header_text(answer, "etag")?.ok_or("there is no entity tag")?;
    number(tag.trim_matches('"'))
}

/// How old the state is that an answer shows, in milliseconds, if it says so and the node knows.
fn age(answer: &Answer) -> Result<Option<u64>, String> {
    match header_text(answer, "quorate-age-ms")? {
        None | Some("unknown") => Ok(None),
        Some(age) => number(age).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use http_body_util::BodyExt;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
        let pairs = headers.iter().map(|(name, value)| {
            let value = value.parse().expect("a header");
            (http::HeaderName::from_static(name), value)
        });
        let status = StatusCode::from_u16(status).expect("a status");
        Answer { status, headers: pairs.collect::<HeaderMap>(), body: Bytes::from_static(body.as_bytes()) }
    }

    fn error(status: u16, code: &str) -> Answer {
        let body = format!("{{\"code\":\"{code}\",\"message\":\"because\"}}");
        Answer { body: body.into(), ..answer(status, &[("quorate-revision", "9")], "") }
    }

    fn outcome(ask: &Ask, answer: &Answer) -> Result<Told, String> {
        told(ask, None, answer)
    }

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

    #[test]
    fn answers_are_understood() {
        let headers =
            [("etag", "\"7\""), ("quorate-revision", "9"), ("quorate-version", "2"), ("quorate-age-ms", "5")];
        let item = Some(SnapshotEntry { key: "k".to_owned(), value: "v".to_owned(), revision: 7 });
        let found = Told::Item { item, version: 2, store_revision: Some(9), age_ms: Some(5) };
        assert_eq!(outcome(&Ask::get("k"), &answer(200, &headers, "v")), Ok(found));
        let absent = Told::Item { item: None, version: 0, store_revision: Some(9), age_ms: None };
        assert_eq!(outcome(&Ask::get("k"), &error(404, "key_not_found")), Ok(absent));
        let put = answer(201, &[("quorate-revision", "9"), ("quorate-version", "1")], "");
        assert_eq!(outcome(&Ask::put("k", "v"), &put), Ok(Told::Written { revision: 9, version: Some(1) }));
    }

    #[test]
    fn what_may_have_happened_is_never_said_to_have_failed() {
        let put = Ask::put("k", "v");
        assert!(matches!(outcome(&put, &error(504, "outcome_unknown")), Ok(Told::Unknown { .. })));
        for (status, code) in
            [(503, "unavailable"), (429, "overloaded"), (503, "shutting_down"), (507, "disk_full")]
        {
            assert!(matches!(outcome(&put, &error(status, code)), Ok(Told::Refused { .. })), "{code}");
        }
    }

    #[test]
    fn what_the_api_does_not_say_convicts() {
        let put = Ask::put("k", "v");
        assert!(outcome(&put, &error(412, "precondition_failed")).is_err(), "it had no condition");
        assert!(outcome(&put, &error(409, "session_expired")).is_err(), "it had no session");
        assert!(outcome(&put, &error(404, "key_not_found")).is_err());
        assert!(outcome(&Ask::get("k"), &error(507, "disk_full")).is_err(), "reads still work");
        assert!(
            outcome(&Ask::get("k"), &error(410, "compacted")).is_err(),
            "it is the newest that is asked for"
        );
        assert!(outcome(&Ask::get("k"), &answer(200, &[], "v")).is_err(), "nothing tells its revision");
        assert!(outcome(&put, &answer(500, &[], "oops")).is_err());
        let transaction =
            Ask::Transaction { compare: vec![], success: vec![Step::Get("k".to_owned())], failure: vec![] };
        let body = "{\"revision\":\"4\",\"succeeded\":true,\"results\":[{\"put\":{\"version\":\"1\"}}]}";
        assert!(outcome(&transaction, &answer(200, &[], body)).is_err(), "a get was answered like a put");
    }
}
