//! `quorate health`.

use futures::future::try_join_all;

use super::client;
use super::printing::{json, print_line};
use crate::client_arguments::{ConnectionArguments, HealthArguments, Output};
use crate::error::CommandError;

/// Waits until every endpoint has said that it is alive, or ready.
pub async fn health(arguments: HealthArguments) -> Result<(), CommandError> {
    let HealthArguments { ready, connection: ConnectionArguments { endpoints, timeout, output } } = arguments;
    // Each is asked for itself: a client of all of them would be content with the answer of one.
    let clients = endpoints
        .iter()
        .map(|endpoint| client(ConnectionArguments { endpoints: vec![endpoint.clone()], timeout, output }));
    let clients = clients.collect::<Result<Vec<_>, _>>()?;
    try_join_all(clients.iter().map(async |client| match ready {
        true => client.await_ready().await,
        false => client.await_alive().await,
    }))
    .await?;
    let state = if ready { "ready" } else { "alive" };
    if output == Some(Output::Json) {
        return print_line(json(&serde_json::json!({ "state": state, "endpoints": endpoints }))).await;
    }
    for endpoint in endpoints {
        print_line(format_args!("{endpoint} is {state}")).await?;
    }
    Ok(())
}
