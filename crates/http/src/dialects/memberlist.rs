//! The dialect of the memberlist store: `PUT /put`, `GET /get`, `DELETE /delete` and `POST /set/{key}/{value}`.

use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{Method, StatusCode};
use quorate_api::key::decode_key;
use quorate_api::query::{self, Parameters};
use quorate_api::{ErrorCode, parse_body};
use quorate_environment::Environment;
use serde::Deserialize;

use super::{Asked, empty, no_such_path, other_method};
use crate::application::Application;
use crate::failure::Failure;
use crate::routes::kv_request::{checked_key, decoded_key};
use crate::routes::request::{no_body, timeout_only};
use crate::routes::transaction::BODY_BYTES_MAX;
use crate::store::Store;

const PATHS: &str = "/put, /get?key=KEY, /get/key=KEY, /delete?key=KEY and /set/KEY/VALUE";
/// The query parameter that names the key.
const KEY: &str = "key";
const EMPTY_KEY: &str = "the key is empty";

/// What `PUT /put` takes. The original passed over other fields, too.
#[derive(Deserialize)]
struct Pair {
    key: String,
    value: String,
}

pub(super) async fn answer<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    match request.uri().path() {
        "/put" => match *request.method() {
            Method::PUT => put(application, request).await,
            _ => other_method(&request, "PUT, OPTIONS"),
        },
        "/get" => match *request.method() {
            Method::GET | Method::HEAD => {
                let (key, timeout) = key_and_timeout(&request)?;
                Asked::reading(application, &request, timeout)?.raw_value(&key).await
            }
            _ => other_method(&request, "GET, HEAD, OPTIONS"),
        },
        "/delete" => match *request.method() {
            Method::DELETE => {
                no_body(&request)?;
                let (key, timeout) = key_and_timeout(&request)?;
                Asked::writing(application, &request, timeout)?.delete_existing(key).await?;
                Ok(empty(StatusCode::OK))
            }
            _ => other_method(&request, "DELETE, OPTIONS"),
        },
        path => match (path.strip_prefix("/get/key="), path.strip_prefix("/set/")) {
            (Some(encoded), _) => match *request.method() {
                Method::GET | Method::HEAD => {
                    let asked = Asked::reading(application, &request, timeout_only(request.uri())?)?;
                    asked.raw_value(&decoded_key(encoded, EMPTY_KEY)?).await
                }
                _ => other_method(&request, "GET, HEAD, OPTIONS"),
            },
            (None, Some(pair)) => match *request.method() {
                Method::POST => {
                    no_body(&request)?;
                    let asked = Asked::writing(application, &request, timeout_only(request.uri())?)?;
                    let (key, value) = key_and_value(pair)?;
                    asked.put(key, value).await?;
                    Ok(empty(StatusCode::OK))
                }
                _ => other_method(&request, "POST, OPTIONS"),
            },
            (None, None) => no_such_path(PATHS),
        },
    }
}

async fn put<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    let asked = Asked::writing(application, &request, timeout_only(request.uri())?)?;
    let received = asked.body(request.into_body(), BODY_BYTES_MAX).await?;
    let Pair { key, value } =
        parse_body(&received.bytes).map_err(|bad| Failure::new(ErrorCode::BadBody, bad.to_string()))?;
    asked.put(checked_key(key.into_bytes(), EMPTY_KEY)?, Bytes::from(value)).await?;
    Ok(empty(StatusCode::OK))
}

/// Key and value in the path of `/set/`.
fn key_and_value(pair: &str) -> Result<(Bytes, Bytes), Failure> {
    let Some((key, value)) = pair.split_once('/').filter(|(_, value)| !value.contains('/')) else {
        let message = "the path is not /set/KEY/VALUE; a slash in a key or a value is written %2F";
        return Err(Failure::new(ErrorCode::BadKey, message));
    };
    let value = decode_key(value.as_bytes()).map_err(|bad| {
        Failure::new(ErrorCode::BadKey, format!("the value is not properly percent-encoded: {bad}"))
    })?;
    Ok((decoded_key(key, EMPTY_KEY)?, Bytes::from(value)))
}

/// What the query says: it is that of a form, in which a plus is a space.
fn key_and_timeout(request: &Request) -> Result<(Bytes, Option<Duration>), Failure> {
    let (mut key, mut timeout) = (None, None);
    for (name, value) in Parameters::of(request.uri().query().unwrap_or_default()) {
        match name {
            KEY => query::once(name, &mut key, decoded_key(&value.replace('+', "%20"), EMPTY_KEY)?)?,
            query::TIMEOUT => query::once(name, &mut timeout, query::timeout(value)?)?,
            _ => return Err(query::unknown(name).into()),
        }
    }
    let key = key.ok_or_else(|| Failure::new(ErrorCode::KeyEmpty, "the query has no key: ?key=KEY"))?;
    Ok((key, timeout))
}
