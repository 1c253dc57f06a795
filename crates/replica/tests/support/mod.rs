//! Clusters on this machine.

use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use quorate_environment::{Environment, TokioEnvironment};
use quorate_replica::{RepairPolicy, Replica, ReplicaOptions, StartError};
use quorate_storage::{OpenError, StorageOptions};

#[allow(dead_code, reason = "each test program uses a part of this")]
pub mod readers;
#[allow(dead_code, reason = "each test program uses a part of this")]
pub mod troubled_environment;
#[allow(dead_code, reason = "each test program uses a part of this")]
pub mod writers;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An address that nobody listens at, outside of the ports that the kernel gives to outgoing connections.
pub fn free_address() -> String {
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

/// How the members of a cluster are started, with their directories below `root`.
pub fn options(root: &Path, members: u64) -> Vec<ReplicaOptions> {
    let initial_cluster: Vec<_> = (1..=members).map(|member| (member, free_address())).collect();
    let member_options = |(member, address): &(u64, String)| ReplicaOptions {
        member: *member,
        data_directory: root.join(member.to_string()),
        peer_listen: address.clone(),
        client_url: format!("http://node{member}:1"),
        peer_address: None,
        initial_cluster: initial_cluster.clone(),
        join: Vec::new(),
        force_new: false,
        stays_learner: false,
        proposal_bytes_in_flight_max: 16 << 20,
        heartbeat_interval_ms: 100,
        clock_drift_max_ppm: None,
        avoid_leading: false,
        repair: RepairPolicy::Manual,
        storage: StorageOptions { log_segment_bytes: 1 << 20, ..StorageOptions::default() },
    };
    initial_cluster.iter().map(member_options).collect()
}

/// How a node is started that joins the cluster of the member at `of`, with its directory below `root`.
#[allow(dead_code, reason = "each test program uses a part of this")]
pub fn joining_options(root: &Path, member: u64, of: &str) -> ReplicaOptions {
    let address = free_address();
    let mut options = options(root, 1).remove(0);
    options.member = member;
    options.data_directory = root.join(member.to_string());
    options.peer_listen = address;
    options.client_url = format!("http://node{member}:1");
    options.initial_cluster = Vec::new();
    options.join = vec![of.to_owned()];
    options
}

/// Starts the members of a cluster and waits until it has formed.
pub async fn start_all(
    environment: TokioEnvironment,
    options: &[ReplicaOptions],
) -> Vec<Replica<TokioEnvironment>> {
    let mut replicas = Vec::new();
    for options in options {
        replicas.push(Replica::start(environment, options.clone()).await.expect("a new replica starts"));
    }
    for replica in &replicas {
        replica.ready(environment.now() + PATIENCE).await.expect("the cluster forms");
    }
    replicas
}

/// Starts a node as soon as its last run has let go of its directory and its address.
#[allow(dead_code, reason = "each test program uses a part of this")]
pub async fn start_again(options: &ReplicaOptions) -> Result<Replica<TokioEnvironment>, StartError> {
    let environment = TokioEnvironment::new();
    let deadline = environment.now() + PATIENCE;
    loop {
        match Replica::start(environment, options.clone()).await {
            Err(StartError::Storage(OpenError::InUse { .. }) | StartError::Listen { .. })
                if environment.now() < deadline =>
            {
                environment.sleep(Duration::from_millis(5)).await;
            }
            started => return started,
        }
    }
}

/// Starts a cluster of so many members, with their directories below `root`, and waits until it has formed.
#[allow(dead_code, reason = "each test program uses a part of this")]
pub async fn start(
    environment: TokioEnvironment,
    root: &Path,
    members: u64,
) -> Vec<Replica<TokioEnvironment>> {
    start_all(environment, &options(root, members)).await
}
