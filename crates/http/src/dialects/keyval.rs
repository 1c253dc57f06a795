//! The dialect of keyval: `POST /key`, `GET` and `DELETE /key/{key}`, and `POST /join`.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{Method, StatusCode};
use quorate_api::{ErrorCode, media, parse_body};
use quorate_environment::Environment;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Asked, empty, member_number, no_such_path, other_method};
use crate::application::Application;
use crate::body::{overloaded, value_body};
use crate::failure::Failure;
use crate::routes::kv_request::{checked_key, decoded_key};
use crate::routes::request::{no_body, timeout_only};
use crate::routes::text;
use crate::routes::transaction::BODY_BYTES_MAX;
use crate::store::Store;

const PATHS: &str = "/key, /key/KEY and /join";
const EMPTY_KEY: &str = "the key is empty: it stands behind /key/";
/// The longest body of `/join`, in bytes.
const JOIN_BYTES_MAX: u64 = 4096;
/// What a pair takes in memory besides its text, about.
const PAIR_BYTES: usize = 160;

/// What `POST /join` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Joining {
    addr: String,
    id: String,
}

pub(super) async fn answer<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    let path = request.uri().path();
    match (path, path.strip_prefix("/key/")) {
        ("/join", _) => match *request.method() {
            Method::POST => join(application, request).await,
            _ => other_method(&request, "POST, OPTIONS"),
        },
        ("/key", _) => match *request.method() {
            Method::POST => post(application, request).await,
            // The original says of these, too, that they lack a key.
            Method::GET | Method::HEAD | Method::DELETE => Err(Failure::new(ErrorCode::KeyEmpty, EMPTY_KEY)),
            _ => other_method(&request, "POST, OPTIONS"),
        },
        (_, Some(encoded)) => match *request.method() {
            Method::GET | Method::HEAD => {
                let asked = Asked::reading(application, &request, timeout_only(request.uri())?)?;
                get(&asked, &decoded_key(encoded, EMPTY_KEY)?).await
            }
            Method::DELETE => {
                no_body(&request)?;
                let asked = Asked::writing(application, &request, timeout_only(request.uri())?)?;
                // Whether there was one, the original does not say.
                asked.delete(decoded_key(encoded, EMPTY_KEY)?).await?;
                Ok(empty(StatusCode::OK))
            }
            _ => other_method(&request, "GET, HEAD, DELETE, OPTIONS"),
        },
        (_, None) => no_such_path(PATHS),
    }
}

async fn get<E: Environment, S: Store>(asked: &Asked<'_, E, S>, key: &[u8]) -> Result<Response, Failure> {
    let name = std::str::from_utf8(key)
        .map_err(|_| Failure::new(ErrorCode::BadKey, "keys of this dialect are text, and this one is not"))?;
    // A key that does not exist has the empty value in the original.
    let value = asked.read(key).await?.found.map(|found| found.value).unwrap_or_default();
    let value = std::str::from_utf8(&value).map_err(|_| {
        Failure::new(
            ErrorCode::BadKey,
            "the value is not text, which this dialect cannot say; /v1/kv/ has it",
        )
    })?;
    let json = serde_json::to_vec(&BTreeMap::from([(name, value)])).expect("text can be written as JSON");
    Ok(text(media::JSON, value_body(Bytes::from(json), &asked.application.bytes_in_flight)?))
}

async fn post<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    let asked = Asked::writing(application, &request, timeout_only(request.uri())?)?;
    let mut received = asked.body(request.into_body(), BODY_BYTES_MAX).await?;
    // Every pair has four quotation marks at least.
    let pairs_max = received.bytes.iter().filter(|byte| **byte == b'"').count() / 4;
    if !received.held.try_grow(received.bytes.len() + pairs_max * PAIR_BYTES) {
        return Err(overloaded());
    }
    let pairs: BTreeMap<String, String> = json(&received.bytes)?;
    let pairs = pairs.into_iter().map(|(key, value)| {
        Ok((checked_key(key.into_bytes(), "a key in the body is empty")?, Bytes::from(value)))
    });
    let pairs = pairs.collect::<Result<Vec<_>, Failure>>()?;
    if !pairs.is_empty() {
        asked.put_all(pairs).await?;
    }
    Ok(empty(StatusCode::OK))
}

async fn join<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    let asked = Asked::writing(application, &request, timeout_only(request.uri())?)?;
    let received = asked.body(request.into_body(), JOIN_BYTES_MAX).await?;
    let Joining { addr, id } = json(&received.bytes)?;
    member_number::check_address(&addr)?;
    let member = member_number::of_name(&id).ok_or_else(|| {
        let message = format!("{id:?} does not end in the number of a member, 1 or greater, as node2 does");
        Failure::new(ErrorCode::BadBody, message)
    })?;
    asked.add_member(member, &addr).await?;
    Ok(Response::new(Body::empty()))
}

/// Reads a body of JSON.
fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    parse_body(body).map_err(|bad| Failure::new(ErrorCode::BadBody, bad.to_string()))
}
