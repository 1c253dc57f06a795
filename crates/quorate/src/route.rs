//! `quorate route`: a proxy in front of a cluster.

use quorate_client::{ClientError, Endpoint};
use quorate_environment::{Environment, Listener, TokioEnvironment};
use quorate_http::HttpOptions;
use quorate_router::RouterOptions;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use crate::arguments::RouteArguments;
use crate::error::CommandError;
use crate::node::NodeError;
use crate::signals::StopSignals;

/// Passes requests on until it is asked to stop; then those in flight are finished.
pub async fn run(arguments: RouteArguments) -> Result<(), CommandError> {
    let stop = StopSignals::catch().map_err(CommandError::Signals)?;
    let options = options(&arguments)?;
    let environment = TokioEnvironment::new();
    let address = arguments.listen;
    let listen_error = |source| NodeError::Listen { address: address.clone(), source };
    let listener = environment.listen(&address).await.map_err(listen_error)?;
    let bound = listener.local_address().map_err(listen_error)?;
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(quorate_router::serve(environment, listener, options, shutdown.clone()));
    let line = format!("quorate router listens for clients at http://{bound}\n");
    tokio::io::stdout().write_all(line.as_bytes()).await?;
    stop.requested().await;
    tracing::info!("stopping");
    shutdown.cancel();
    if let Err(error) = serving.await {
        tracing::error!(%error, "the router did not stop cleanly");
    }
    Ok(())
}

fn options(arguments: &RouteArguments) -> Result<RouterOptions, CommandError> {
    let endpoints = arguments.cluster.iter().map(|url| Endpoint::parse(url)).collect::<Result<Vec<_>, _>>();
    let cluster = endpoints.map_err(|error| match error {
        ClientError::Settings(reason) => CommandError::Cluster { reason },
        error => CommandError::Client(error),
    })?;
    let http = HttpOptions {
        connections_max: arguments.connections_max,
        requests_in_flight_max: arguments.requests_max,
        body_bytes_in_flight_max: arguments.body_bytes_max,
        ..HttpOptions::default()
    };
    Ok(RouterOptions { cluster, http })
}
