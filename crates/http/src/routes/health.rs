//! `/healthz` and `/readyz`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use quorate_api::ErrorCode;
use quorate_environment::Environment;
use quorate_replica::{Role, Status};

use crate::application::Application;
use crate::failure::Failure;
use crate::store::Store;

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
        return Failure::new(ErrorCode::Unavailable, "this node's replica has stopped").into_response();
    }
    super::text(TEXT, "ok\n")
}

/// Whether the node can serve linearizable requests: a load balancer should use it while this says 200.
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
    let status = application.store.status();
    if status.ready {
        return super::text(TEXT, "ready\n");
    }
    Failure::new(ErrorCode::Unavailable, reason(&status)).into_response()
}

fn reason(status: &Status) -> &'static str {
    match (status.role, status.leader) {
        (Role::Forming, _) => "the cluster is being formed: not all initial members have been seen",
        (Role::Stopped, _) => "this node's replica has stopped",
        (_, None) => "no leader is known",
        (_, Some(_)) => {
            "the leader has not confirmed lately that it has a quorum, or this node lags behind it"
        }
    }
}
