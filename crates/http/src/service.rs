//! What a server answers requests with.

use std::future::Future;

use axum::extract::Request;
use axum::response::Response;
use quorate_environment::Environment;

use crate::dialects::Dialect;
use crate::front::Front;

/// Answers the requests of a server's connections: see [`crate::serve_requests`].
pub trait Service: Send + Sync + 'static {
    /// The world that it lives in.
    type Environment: Environment;

    /// The server that it is a part of.
    fn front(&self) -> &Front<Self::Environment>;

    /// The dialect that is spoken here, if it is not the API: no path is about the server itself then.
    fn dialect(&self) -> Option<Dialect> {
        None
    }

    /// Answers one request, which has an [`crate::Arrival`] among its extensions. If the client goes away, the
    /// future is dropped.
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send;
}
