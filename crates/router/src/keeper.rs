//! Asks all nodes, over and over, how they are.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use quorate_api::{CLUSTER_PATH, ClusterStatus};
use quorate_environment::Environment;

use crate::board::Node;
use crate::router::Router;

/// How often nodes are asked.
const INTERVAL: Duration = Duration::from_millis(250);

/// How long to wait at least, also when there is a reason to ask at once.
const INTERVAL_MIN: Duration = Duration::from_millis(50);

/// How long a node may take to answer.
const TIMEOUT: Duration = Duration::from_millis(500);

/// The longest status that a node can have.
const STATUS_BYTES_MAX: usize = 1 << 20;

/// Keeps the board up to date until the router stops.
pub(crate) async fn keep<E: Environment>(router: Arc<Router<E>>) {
    let environment = router.environment().clone();
    loop {
        let nodes = router.board().all();
        futures::future::join_all(nodes.iter().map(|node| look(&router, node))).await;
        environment.sleep(INTERVAL_MIN).await;
        tokio::select! {
            biased;
            () = router.stopped() => return,
            () = router.wanted() => {}
            () = environment.sleep(environment.jitter(INTERVAL - INTERVAL_MIN)) => {}
        }
    }
}

/// Asks one node and notes what it says, or that it says nothing.
async fn look<E: Environment>(router: &Router<E>, node: &Node<E>) {
    let asked = router.environment().now();
    match ask(router.environment(), node).await {
        Ok(status) => {
            let took = router.environment().now().saturating_since(asked);
            router.board().answered(node, &status, took);
        }
        Err(reason) => {
            tracing::debug!(node = %node.endpoint(), reason, "a node does not say how it is");
            router.board().failed(node);
        }
    }
}

async fn ask<E: Environment>(environment: &E, node: &Node<E>) -> Result<ClusterStatus, String> {
    let deadline = environment.now() + TIMEOUT;
    let request = Request::get(CLUSTER_PATH)
        .header(HOST, node.endpoint().authority())
        .body(Full::<Bytes>::default())
        .expect("the path and an authority make a request");
    let (response, connection) =
        node.send(request, deadline).await.map_err(|no_answer| no_answer.into_reason())?;
    if response.status() != StatusCode::OK {
        return Err(format!("status {}", response.status()));
    }
    let receiving = Limited::new(response.into_body(), STATUS_BYTES_MAX).collect();
    let received = environment.timeout_at(deadline, receiving).await;
    let body = received.map_err(|_| "the answer did not end in time")?.map_err(|error| error.to_string())?;
    node.keep(connection);
    serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())
}
