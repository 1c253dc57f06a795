//! `quorate serve`: one node of a cluster.

use tokio::io::AsyncWriteExt;

use crate::arguments::ServeArguments;
use crate::configuration;
use crate::error::CommandError;
use crate::node::Node;
use crate::signals::StopSignals;

/// Runs a node until it is asked to stop or cannot go on.
pub async fn run(arguments: ServeArguments) -> Result<(), CommandError> {
    let stop = StopSignals::catch().map_err(CommandError::Signals)?;
    let configuration = configuration::load(arguments)?;
    let member = configuration.member;
    let node = Node::start(configuration).await?;
    let line = format!("quorate node {member} listens for clients at {}\n", node.url);
    tokio::io::stdout().write_all(line.as_bytes()).await?;
    tokio::select! {
        biased;
        () = stop.requested() => {}
        error = node.failed() => return Err(error.into()),
    }
    tracing::info!("stopping");
    node.stop().await;
    Ok(())
}
