//! `/v1/sessions` and `/v1/sessions/{id}`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{HeaderValue, LOCATION};
use http::{Method, StatusCode};
use quorate_api::{ErrorCode, OpenSessionBody, SESSIONS_PATH, SessionAnswer, query};
use quorate_environment::Environment;
use quorate_kv::{Command, Outcome, SESSION_TTL_MS_DEFAULT};

use super::request::{self, JsonBody, Times, no_body, small_json_request};
use super::writing::{json, write};
use crate::application::Application;
use crate::failure::Failure;
use crate::store::Store;

pub(super) const METHODS_OF_ONE: &str = "POST, DELETE, OPTIONS";

/// Opens sessions.
pub(crate) async fn answer<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    if let Some(response) = super::unless_post(&request) {
        return response;
    }
    open(&application, request).await.unwrap_or_else(Failure::into_response)
}

/// Keeps a session alive, or ends it.
pub(crate) async fn answer_of_one<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    let answered = match *request.method() {
        Method::POST => keep(&application, request).await,
        Method::DELETE => close(&application, request).await,
        Method::OPTIONS => Ok(super::options(METHODS_OF_ONE)),
        _ => Err(Failure::method_not_allowed(METHODS_OF_ONE)),
    };
    answered.unwrap_or_else(Failure::into_response)
}

async fn open<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    let if_empty = Some(OpenSessionBody::default());
    let (times, JsonBody { content, held: _held }) =
        small_json_request(application, request, if_empty).await?;
    let command = Command::OpenSession { ttl_ms: content.ttl_ms.unwrap_or(SESSION_TTL_MS_DEFAULT) };
    let written = write(application, &times, command, None).await?;
    let Outcome::SessionOpened { session, ttl_ms } = written.outcome else {
        return Err(written.into_failure());
    };
    let mut response = json(&SessionAnswer { session, ttl_ms });
    *response.status_mut() = StatusCode::CREATED;
    let location = HeaderValue::from_str(&format!("{SESSIONS_PATH}/{session}"));
    response.headers_mut().insert(LOCATION, location.expect("a path of digits is a valid header value"));
    Ok(response)
}

async fn keep<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    no_body(&request)?;
    let session = session(&request)?;
    let times = Times::new(request::arrival(&request), request::timeout_only(request.uri())?);
    let written = write(application, &times, Command::KeepSession { session }, None).await?;
    match written.outcome {
        Outcome::SessionKept { ttl_ms } => Ok(json(&SessionAnswer { session, ttl_ms })),
        _ => Err(written.into_failure()),
    }
}

async fn close<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    no_body(&request)?;
    let session = session(&request)?;
    let times = Times::new(request::arrival(&request), request::timeout_only(request.uri())?);
    let written = write(application, &times, Command::CloseSession { session }, None).await?;
    if written.outcome != Outcome::SessionClosed {
        return Err(written.into_failure());
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// The session in the path, of a request that is about it alone.
fn session(request: &Request) -> Result<u64, Failure> {
    request::no_conditions(request.headers())?;
    request::no_session(request.headers())?;
    let name = request.uri().path().rsplit('/').next().unwrap_or_default();
    query::number("", name).map_err(|_| {
        Failure::new(ErrorCode::NotFound, format!("there is no such session: {name:?} is not a number"))
    })
}
