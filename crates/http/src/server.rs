//! Accepting connections, and stopping.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use quorate_environment::{Environment, Listener};
use tokio::io::AsyncWriteExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::application::{Application, Routes};
use crate::connection::{Connections, Lane};
use crate::dialects::{Dialect, Speaker};
use crate::front::Front;
use crate::metrics::ConnectionEvent;
use crate::options::HttpOptions;
use crate::service::Service;
use crate::store::Store;

/// How long to wait after the system refused to give a connection (too many open files, mostly).
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// How long a connection that is one too many may delay the next.
const REFUSAL_TIMEOUT: Duration = Duration::from_millis(10);

/// Serves `store` over HTTP to those who connect to `listener`, until `shutdown` is cancelled. Then it
/// stops accepting, lets the requests in flight finish for at most [`HttpOptions::shutdown_grace`], and
/// returns when every connection is closed.
pub async fn serve<E: Environment, S: Store>(
    environment: E,
    listener: E::Listener,
    store: S,
    options: HttpOptions,
    shutdown: CancellationToken,
) {
    NodeServer::new(environment, store, options, shutdown).serve(listener).await;
}

/// The HTTP server of a node that is reached in more than one way. Requests, bytes and metrics are counted over all
/// of its listeners, connections at each of them.
#[derive(Debug)]
pub struct NodeServer<E: Environment, S: Store> {
    application: Arc<Application<E, S>>,
}

impl<E: Environment, S: Store> NodeServer<E, S> {
    /// A server of `store` that listens nowhere yet, until `shutdown` is cancelled.
    pub fn new(environment: E, store: S, options: HttpOptions, shutdown: CancellationToken) -> Self {
        Self { application: Application::new(environment, store, options, shutdown) }
    }

    /// Serves the API to those who connect to `listener`, as [`serve`] does.
    pub fn serve(&self, listener: E::Listener) -> impl Future<Output = ()> + Send + use<E, S> {
        serve_requests(listener, Arc::new(Routes::new(Arc::clone(&self.application))))
    }

    /// Speaks `dialect` to those who connect to `listener`, as long as [`NodeServer::serve`] would.
    pub fn speak(
        &self,
        dialect: Dialect,
        listener: E::Listener,
    ) -> impl Future<Output = ()> + Send + use<E, S> {
        serve_requests(listener, Arc::new(Speaker::new(dialect, Arc::clone(&self.application))))
    }
}

/// Serves `service` as [`serve`] serves a store, until its front is shut down.
pub async fn serve_requests<S: Service>(
    mut listener: <S::Environment as Environment>::Listener,
    service: Arc<S>,
) {
    let Front { environment, options, shutdown, .. } = service.front();
    let slots = Slots::new(options);
    let abort = CancellationToken::new();
    let connections = Connections::new(Arc::clone(&service), abort.clone());
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match slots.take() {
                Some(slot) => start(environment, &connections, stream, peer, slot),
                None => refuse(service.front(), stream).await,
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept an HTTP connection; trying again");
                environment.sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
    drop(listener);
    if environment.timeout(options.shutdown_grace, slots.all_free()).await.is_err() {
        tracing::warn!(connections = slots.taken(), "cutting HTTP connections that did not finish in time");
        abort.cancel();
        slots.all_free().await;
    }
}

/// The places for connections, in two lanes.
struct Slots {
    lanes: [(Lane, Arc<Semaphore>, usize); 2],
}

/// A connection's place.
struct Slot {
    lane: Lane,
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    fn new(options: &HttpOptions) -> Self {
        let lane = |lane, count| (lane, Arc::new(Semaphore::new(count)), count);
        Self {
            lanes: [
                lane(Lane::Everything, options.connections_max),
                lane(Lane::Control, options.control_connections_max),
            ],
        }
    }

    /// A place in the first lane that has one.
    fn take(&self) -> Option<Slot> {
        self.lanes.iter().find_map(|(lane, free, _)| {
            let permit = Arc::clone(free).try_acquire_owned().ok()?;
            Some(Slot { lane: *lane, _permit: permit })
        })
    }

    fn taken(&self) -> usize {
        self.lanes.iter().map(|(_, free, count)| count - free.available_permits()).sum()
    }

    async fn all_free(&self) {
        for (_, free, count) in &self.lanes {
            let count = u32::try_from(*count).expect("the options are bounded");
            // The semaphore is never closed, so this can only mean that all permits are back.
            let _ = free.acquire_many(count).await;
        }
    }
}

fn start<S: Service>(
    environment: &S::Environment,
    connections: &Connections<S>,
    stream: <S::Environment as Environment>::Stream,
    peer: String,
    slot: Slot,
) {
    let connection = connections.run(stream, peer, slot.lane);
    environment.spawn("http connection", async move {
        connection.await;
        drop(slot);
    });
}

async fn refuse<E: Environment>(front: &Front<E>, mut stream: E::Stream) {
    front.metrics.count(ConnectionEvent::Refused);
    let refusal = async {
        stream.write_all(refusal(front.name).as_bytes()).await?;
        stream.shutdown().await
    };
    // It was refused either way; whether it heard is its own concern.
    let _ = front.environment.timeout(REFUSAL_TIMEOUT, refusal).await;
}

/// What a connection hears that is one too many for the server of this name.
fn refusal(name: &str) -> String {
    let body =
        format!("{{\"code\":\"overloaded\",\"message\":\"too many connections are open on this {name}\"}}\n");
    let length = body.len();
    format!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_api::{ErrorBody, ErrorCode};

    #[test]
    fn the_refusal_is_a_well_formed_answer() {
        let text = refusal("node");
        let (head, body) = text.split_once("\r\n\r\n").expect("has a body");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{} bytes", body.len());
        let status = format!("HTTP/1.1 {} ", ErrorCode::Overloaded.status());
        assert!(head.starts_with(&status));
        let body: ErrorBody = serde_json::from_str(body).expect("is an error body");
        assert_eq!(body.error_code(), Some(ErrorCode::Overloaded));
    }
}
