//! What answers mean.

use http::StatusCode;
use serde::Deserialize;

use crate::client::ask::{Ask, Condition, Step, StepTold, Token, Told};
use crate::client::connection::Answer;
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
            // With a condition on what there is, nothing is a mismatch.
            Ask::Delete { condition: Condition::Always, .. } => Ok(Told::Deleted { revision: None }),
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
    use bytes::Bytes;
    use http::HeaderMap;

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
        let delete = |condition| Ask::Delete { key: "k".to_owned(), condition };
        let absent = error(404, "key_not_found");
        assert_eq!(outcome(&delete(Condition::Always), &absent), Ok(Told::Deleted { revision: None }));
        assert!(outcome(&delete(Condition::RevisionIs(7)), &absent).is_err(), "it was a mismatch");
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
