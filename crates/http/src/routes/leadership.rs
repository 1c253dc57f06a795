//! `/v1/cluster/leader`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use quorate_api::{ErrorCode, TransferAnswer, TransferBody};
use quorate_environment::Environment;

use super::request::{JsonBody, small_json_request};
use super::writing::json;
use crate::application::Application;
use crate::failure::Failure;
use crate::store::Store;

/// Hands leadership over.
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
    let if_empty = Some(TransferBody::default());
    let (times, JsonBody { content, held: _held }) =
        small_json_request(application, request, if_empty).await?;
    let transfer = application.store.transfer_leadership(&times.context, content.to);
    match application.environment.timeout_at(times.deadline, transfer).await {
        Ok(transferred) => Ok(json(&TransferAnswer { leader: transferred? })),
        Err(_) => Err(Failure::new(
            ErrorCode::OutcomeUnknown,
            "the outcome is not known: leadership was not handed over before the request's deadline",
        )),
    }
}
