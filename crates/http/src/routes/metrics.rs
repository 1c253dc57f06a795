//! `/metrics`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use quorate_environment::Environment;

use crate::application::Application;
use crate::metrics_text;
use crate::store::Store;

/// Prometheus text.
pub(crate) async fn answer<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    if let Some(response) = super::unless_read(&request) {
        return response;
    }
    super::text(metrics_text::CONTENT_TYPE, metrics_text::render(&application))
}
