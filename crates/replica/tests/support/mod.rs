//! Clusters on this machine.

use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use quorate_environment::{Environment, TokioEnvironment};
use quorate_replica::{Replica, ReplicaOptions};
use quorate_storage::StorageOptions;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An address that nobody listens at, outside of the ports that the kernel gives to outgoing connections.
fn free_address() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let offset =
            (std::process::id() as u16 % 900).wrapping_mul(20) + NEXT.fetch_add(1, Ordering::Relaxed);
        let address = format!("127.0.0.1:{}", 12_000 + offset % 20_000);
        if std::net::TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

/// Starts a cluster of so many members, with their directories below `root`, and waits until it has formed.
pub async fn start(
    environment: TokioEnvironment,
    root: &Path,
    members: u64,
) -> Vec<Replica<TokioEnvironment>> {
    let initial_cluster: Vec<_> = (1..=members).map(|member| (member, free_address())).collect();
    let mut replicas = Vec::new();
    for (member, address) in &initial_cluster {
        let options = ReplicaOptions {
            member: *member,
            data_directory: root.join(member.to_string()),
            peer_listen: address.clone(),
            client_url: format!("http://node{member}:1"),
            initial_cluster: initial_cluster.clone(),
            proposal_bytes_in_flight_max: 16 << 20,
            heartbeat_interval_ms: 100,
            storage: StorageOptions { log_segment_bytes: 1 << 20, ..StorageOptions::default() },
        };
        replicas.push(Replica::start(environment, options).await.expect("a new replica starts"));
    }
    for replica in &replicas {
        replica.ready(environment.now() + PATIENCE).await.expect("the cluster forms");
    }
    replicas
}
