//! `/v1/compact`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use quorate_api::{CompactAnswer, CompactBody};
use quorate_environment::Environment;
use quorate_kv::{Command, Outcome};

use super::request::{JsonBody, small_json_request};
use super::writing::{json, write};
use crate::application::Application;
use crate::failure::Failure;
use crate::store::Store;

/// Gives up what was before a revision.
pub(crate) async fn answer<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    if let Some(response) = super::unless_post(&request) {
        return response;
    }
    post(&application, request).await.unwrap_or_else(Failure::into_response)
}

async fn post<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    let (times, body) = small_json_request(application, request, None).await?;
    let JsonBody { content: CompactBody { revision }, held: _held } = body;
    let written = write(application, &times, Command::Compact { revision }, None).await?;
    match written.outcome {
        Outcome::Compacted { oldest } => Ok(json(&CompactAnswer { compacted: oldest })),
        _ => Err(written.into_failure()),
    }
}
