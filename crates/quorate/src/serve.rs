//! `quorate serve`: one node of a cluster.

use std::time::{Duration, Instant};

use quorate_replica::RepairPolicy;
use tokio::io::AsyncWriteExt;

use crate::arguments::ServeArguments;
use crate::configuration::{self, NodeConfiguration};
use crate::error::CommandError;
use crate::node::{Node, NodeError};
use crate::signals::StopSignals;

/// How long a node that has stopped may take to let go of its ports and its directory.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait before looking again whether it has.
const RELEASE_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What is said when a node repairs itself.
const STARTED_AGAIN: &str = "the node is started again, to repair itself";

/// Runs a node until it is asked to stop or cannot go on. One that repairs itself is started again when its
/// state turns out to be damaged.
pub async fn run(arguments: ServeArguments) -> Result<(), CommandError> {
    let mut stop = std::pin::pin!(StopSignals::catch().map_err(CommandError::Signals)?.requested());
    let configuration = configuration::load(arguments)?;
    let mut node = tokio::select! {
        biased;
        () = &mut stop => return Ok(()),
        started = start(&configuration) => started?,
    };
    loop {
        tokio::io::stdout().write_all(greeting(configuration.member, &node).as_bytes()).await?;
        let error = tokio::select! {
            biased;
            () = &mut stop => break,
            () = node.removed() => break,
            error = node.failed() => error,
        };
        if !error.is_damage() || configuration.repair != RepairPolicy::Automatic {
            return Err(error.into());
        }
        tracing::warn!(%error, "{STARTED_AGAIN}");
        node.stop().await;
        node = tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            started = start_again(&configuration) => started?,
        };
    }
    tracing::info!("stopping");
    node.stop().await;
    Ok(())
}

fn greeting(member: u64, node: &Node) -> String {
    let mut text = format!("quorate node {member} listens for clients at {}\n", node.url);
    for (dialect, url) in &node.dialects {
        text.push_str(&format!("quorate node {member} speaks {} at {url}\n", dialect.name()));
    }
    text
}

/// Starts a node. Damage that shows while the log is applied is noted by then, so that a second start repairs
/// it, if the node may do that by itself.
async fn start(configuration: &NodeConfiguration) -> Result<Node, NodeError> {
    match Node::start(configuration.clone()).await {
        Err(error) if error.is_damage() && configuration.repair == RepairPolicy::Automatic => {
            tracing::warn!(%error, "{STARTED_AGAIN}");
            start_again(configuration).await
        }
        started => started,
    }
}

/// Starts a node as soon as the one before it has let go of what it held.
async fn start_again(configuration: &NodeConfiguration) -> Result<Node, NodeError> {
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    loop {
        match Node::start(configuration.clone()).await {
            Err(error) if error.is_in_use() && Instant::now() < deadline => {
                tokio::time::sleep(RELEASE_POLL_INTERVAL).await;
            }
            started => return started,
        }
    }
}
