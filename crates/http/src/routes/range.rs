//! `/v1/kv`: ranges of keys.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::Method;
use quorate_api::{
    CountAnswer, Cursor, DeleteRangeAnswer, DeleteRangeParameters, ErrorCode, RangeParameters, media,
};
use quorate_environment::Environment;
use quorate_kv::{Budget, Command, KeyRange, Outcome, RangeQuery};
use quorate_replica::Consistency;

use super::range_pages::RangePages;
use super::request::{self, Times, no_body};
use super::writing::{Written, json, write};
use super::{Answer, yield_now};
use crate::application::{Application, Arrival};
use crate::failure::Failure;
use crate::store::{Store, View};

pub(super) const METHODS: &str = "GET, HEAD, DELETE, OPTIONS";

/// What a piece of counting may cost.
const COUNTING: Budget = Budget { records: 2048, bytes: u64::MAX };

/// Answers a request about a range.
pub(crate) async fn answer<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    let arrival = request::arrival(&request);
    let answered = match *request.method() {
        Method::GET | Method::HEAD => get(&application, arrival, request).await,
        Method::DELETE => delete(&application, arrival, request).await,
        Method::OPTIONS => Ok(super::options(METHODS)),
        _ => Err(Failure::method_not_allowed(METHODS)),
    };
    answered.unwrap_or_else(Failure::into_response)
}

async fn get<E: Environment, S: Store>(
    application: &Application<E, S>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Failure> {
    no_body(&request)?;
    let parameters = RangeParameters::parse(request.uri().query().unwrap_or_default())?;
    let cursor =
        parameters.cursor.as_deref().map(|text| cursor(application, &parameters, text)).transpose()?;
    let times = Times::new(arrival, parameters.timeout);
    let consistency = request::consistency(parameters.consistency, parameters.max_staleness);
    let view = application.store.view(&times.context, consistency);
    let view = super::in_time(application, times.deadline, view).await?;
    let answer = Answer { age: consistency.is_stale().then_some(view.age) };
    if let Some(cursor) = &cursor {
        check_cursor_revision(cursor, view, consistency)?;
    }
    let query = pinned(&parameters, cursor, view);
    if parameters.count_only {
        let counted = count(application, &times, query).await?;
        return Ok(answer.of(counted.revision, json(&counted)));
    }
    let revision = query.revision.unwrap_or(view.revision);
    let pages = RangePages::new(application.store.clone(), parameters, query, application.group, revision);
    Ok(answer.of(revision, super::paged(application, media::JSON, pages)?))
}

/// Reads a cursor of this query.
fn cursor<E: Environment, S: Store>(
    application: &Application<E, S>,
    parameters: &RangeParameters,
    text: &str,
) -> Result<Cursor, Failure> {
    let bad = |message: String| Failure::new(ErrorCode::BadCursor, message);
    let cursor = Cursor::decode(text).map_err(|error| bad(error.to_string()))?;
    if cursor.group != application.group {
        return Err(bad(format!("the cursor belongs to group {}", cursor.group)));
    }
    if cursor.query_hash != parameters.query_hash() {
        let message = "the cursor belongs to another query: keys, order and keys_only have to stay the same";
        return Err(bad(message.to_owned()));
    }
    Ok(cursor)
}

/// A cursor was made at a revision that was there. If this node does not have it, it is behind, or the cursor
/// is of another store.
fn check_cursor_revision(cursor: &Cursor, view: View, consistency: Consistency) -> Result<(), Failure> {
    if cursor.revision <= view.revision {
        return Ok(());
    }
    Err(match consistency {
        Consistency::Linearizable | Consistency::Lease => Failure::new(
            ErrorCode::BadCursor,
            "the cursor belongs to another store: its revision is yet to come",
        ),
        Consistency::Stale { .. } => {
            Failure::new(ErrorCode::Unavailable, "this node has not reached the cursor's revision yet")
        }
    })
}

/// The query at one revision, from where it is to go on.
fn pinned(parameters: &RangeParameters, cursor: Option<Cursor>, view: View) -> RangeQuery {
    let query = parameters.range_query();
    match cursor {
        Some(cursor) => query.after(cursor.revision, &cursor.last_key),
        None => RangeQuery { revision: Some(query.revision.unwrap_or(view.revision)), ..query },
    }
}

/// Counts piece by piece, so that others are served meanwhile.
async fn count<E: Environment, S: Store>(
    application: &Application<E, S>,
    times: &Times,
    mut query: RangeQuery,
) -> Result<CountAnswer, Failure> {
    let mut counted = 0;
    loop {
        let page = application.store.range_page(&query, COUNTING)??;
        counted += page.count;
        match query.rest(&page) {
            Some(rest) => query = rest,
            None => return Ok(CountAnswer { revision: page.revision, count: counted }),
        }
        yield_now().await;
        if application.environment.now() >= times.deadline {
            let message =
                format!("{counted} keys were counted before the request's deadline, and there are more");
            return Err(Failure::new(ErrorCode::Unavailable, message));
        }
    }
}

async fn delete<E: Environment, S: Store>(
    application: &Application<E, S>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Failure> {
    no_body(&request)?;
    request::no_conditions(request.headers())?;
    let parameters = DeleteRangeParameters::parse(request.uri().query().unwrap_or_default())?;
    let session = request::session(request.headers())?;
    let times = Times::new(arrival, parameters.timeout);
    if session.is_some() {
        let command = Command::DeleteRange { range: parameters.range, keys_max: u64::MAX };
        let written = write(application, &times, command, session).await?;
        let replayed = written.replayed;
        let chunk = Chunk::of(written)?;
        let more = Some(chunk.next.is_some());
        let answer = DeleteRangeAnswer { revision: chunk.revision, deleted: chunk.deleted, more };
        let mut response = json(&answer);
        Written::mark(replayed, &mut response);
        return Ok(Answer::default().of(answer.revision, response));
    }
    let answer = delete_all(application, &times, parameters.range).await?;
    Ok(Answer::default().of(answer.revision, json(&answer)))
}

/// One chunk of a delete that was done.
struct Chunk {
    revision: u64,
    deleted: u64,
    next: Option<Bytes>,
}

impl Chunk {
    fn of(written: Written) -> Result<Self, Failure> {
        match written.outcome {
            Outcome::RangeDeleted { revision, deleted, next } => Ok(Self { revision, deleted, next }),
            _ => Err(written.into_failure()),
        }
    }
}

/// Deletes chunk by chunk, each of them atomically.
async fn delete_all<E: Environment, S: Store>(
    application: &Application<E, S>,
    times: &Times,
    mut range: KeyRange,
) -> Result<DeleteRangeAnswer, Failure> {
    let mut deleted = 0;
    loop {
        let command = Command::DeleteRange { range: range.clone(), keys_max: u64::MAX };
        let written = write(application, times, command, None).await;
        let chunk = written.and_then(Chunk::of).map_err(|failure| match deleted {
            0 => failure,
            // No definite failure any more: something was done.
            deleted => failure.after_a_part(format!("{deleted} keys were deleted, and then: ")),
        })?;
        deleted += chunk.deleted;
        match chunk.next {
            None => return Ok(DeleteRangeAnswer { revision: chunk.revision, deleted, more: None }),
            Some(next) => range = KeyRange::new(next, range.end().cloned()),
        }
    }
}
