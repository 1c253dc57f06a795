//! A node that is told to begin anew, whatever its directory holds.
//!
//! That is for directories that cannot be used any more: of a node that was removed, or of a cluster that is
//! no more. It must do no harm to leave the setting on. So the data of a node is only set aside if it has been
//! removed, or if the members that it is to join are another cluster's.

use std::time::Duration;

use quorate_consensus::{ClusterId, Member};
use quorate_environment::Environment;
use quorate_peer::{Hello, Introduction, probe};
use quorate_storage::{DataDirectory, FoundNode};

use crate::options::{ReplicaOptions, StartError};

/// How long a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often all addresses are tried.
const ATTEMPTS: usize = 3;

/// Sets the data in the node's directory aside, if it is of no use any more.
pub(crate) async fn begin_anew<E: Environment>(
    environment: &E,
    options: &ReplicaOptions,
) -> Result<(), StartError> {
    let path = &options.data_directory;
    let Some(found) = DataDirectory::look(path)? else { return Ok(()) };
    let Some(cluster_id) = found.cluster_id.filter(|_| !found.is_removed) else {
        return if found.is_removed { set_aside(options, found) } else { Ok(()) };
    };
    if cluster_to_join(environment, options, found).await? == cluster_id {
        tracing::info!(node = %found.node_id, "the directory is of this cluster and of use: nothing is set aside");
        return Ok(());
    }
    set_aside(options, found)
}

fn set_aside(options: &ReplicaOptions, found: FoundNode) -> Result<(), StartError> {
    let aside = DataDirectory::set_aside(&options.data_directory)?;
    tracing::warn!(node = %found.node_id, to = %aside.display(), "the data of another node is set aside");
    Ok(())
}

/// The cluster of the members that the node is to join.
async fn cluster_to_join<E: Environment>(
    environment: &E,
    options: &ReplicaOptions,
    found: FoundNode,
) -> Result<ClusterId, StartError> {
    let member = Member::new(options.peer_listen.clone(), options.client_url.clone());
    let from = Introduction { cluster: ClusterId::NONE, node: found.node_id, member };
    for address in options.join.iter().cycle().take(options.join.len() * ATTEMPTS) {
        let hello = Hello::probe_anybody(from.clone());
        let deadline = environment.now() + PROBE_TIMEOUT;
        match probe(environment, address, &hello, deadline).await {
            Ok(welcome) if !welcome.by.cluster.is_none() => return Ok(welcome.by.cluster),
            Ok(_) => tracing::info!(address, "it is not part of a cluster yet"),
            Err(error) => tracing::info!(address, %error, "it does not say which cluster it is part of"),
        }
        environment.sleep(environment.jitter(PROBE_TIMEOUT / 2)).await;
    }
    Err(StartError::Settings(
        "the data directory holds a member's data, and no address given with --join says which cluster is to be \
         joined: without that nothing is set aside, even with --force-new"
            .to_owned(),
    ))
}
