//! The dialect of cluster-kv: `GET` and `POST /{key}`.

use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use http::{Method, StatusCode, Uri};
use quorate_api::query::{self, Parameters};
use quorate_environment::Environment;

use super::{Asked, EMPTY_KEY_IN_PATH, empty, key_in_path, other_method};
use crate::application::Application;
use crate::failure::Failure;
use crate::routes::kv_request::decoded_key;
use crate::store::Store;

const METHODS: &str = "GET, HEAD, POST, OPTIONS";
/// How the original spells the parameter that limits the time.
const TIMEOUT: &str = "Timeout";

pub(super) async fn answer<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    match *request.method() {
        Method::GET | Method::HEAD => {
            let asked = Asked::reading(application, &request, timeout(request.uri())?)?;
            asked.raw_value(&decoded_key(key_in_path(&request), EMPTY_KEY_IN_PATH)?).await
        }
        Method::POST => {
            let asked = Asked::writing(application, &request, timeout(request.uri())?)?;
            let key = decoded_key(key_in_path(&request), EMPTY_KEY_IN_PATH)?;
            asked.put_body(key, request.into_body()).await?;
            Ok(empty(StatusCode::OK))
        }
        _ => other_method(&request, METHODS),
    }
}

/// The time limit, in either spelling.
fn timeout(uri: &Uri) -> Result<Option<Duration>, Failure> {
    let mut timeout = None;
    for (name, value) in Parameters::of(uri.query().unwrap_or_default()) {
        match name {
            query::TIMEOUT | TIMEOUT => query::once(name, &mut timeout, query::timeout(value)?)?,
            _ => return Err(query::unknown(name).into()),
        }
    }
    Ok(timeout)
}
