//! `/healthz` and `/readyz`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use quorate_api::ErrorCode;
use quorate_environment::Environment;
use quorate_replica::Role;

use super::request;
use crate::application::Application;
use crate::failure::Failure;
use crate::store::Store;

/// How long a node may take to show that it is ready, at most.
const READY_TIMEOUT: Duration = Duration::from_secs(1);

const TEXT: &str = "text/plain; charset=utf-8";

/// Whether the node runs: restarting it would not help while this says 200.
pub(crate) async fn healthy<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    if let Some(response) = super::unless_read(&request) {
        return response;
    }
    if application.store.status().role == Role::Stopped {
        return stopped();
    }
    super::text(TEXT, "ok\n")
}

/// Whether the node can serve linearizable requests, by doing what they need: a load balancer should use it while this says 200.
pub(crate) async fn ready<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    if let Some(response) = super::unless_read(&request) {
        return response;
    }
    if application.shutdown.is_cancelled() {
        return Failure::new(ErrorCode::ShuttingDown, "this node is shutting down").into_response();
    }
    match application.store.status().role {
        Role::Forming => {
            let message = "the cluster is being formed: not all initial members have been seen";
            return Failure::new(ErrorCode::Unavailable, message).into_response();
        }
        Role::Stopped => return stopped(),
        Role::Learner | Role::Follower | Role::Candidate | Role::Leader => {}
    }
    let timeout = match request::timeout_only(request.uri()) {
        Ok(timeout) => timeout.map_or(READY_TIMEOUT, |timeout| timeout.min(READY_TIMEOUT)),
        Err(failure) => return failure.into_response(),
    };
    let deadline = application.environment.now() + timeout;
    match application.environment.timeout_at(deadline, application.store.ready(deadline)).await {
        Ok(Ok(())) => super::text(TEXT, "ready\n"),
        Ok(Err(error)) => Failure::from(error).into_response(),
        Err(_) => {
            let message = "no leader has confirmed in time that it has a quorum";
            Failure::new(ErrorCode::Unavailable, message).into_response()
        }
    }
}

fn stopped() -> Response {
    Failure::new(ErrorCode::Unavailable, "this node's replica has stopped").into_response()
}
