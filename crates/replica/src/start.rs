//! Puts a replica together.

use std::sync::Arc;
use std::time::Duration;

use openraft::SnapshotPolicy;
use quorate_consensus::{GroupId, Member, NodeId};
use quorate_environment::{Environment, Fact};
use quorate_peer::{PeerNetworkFactory, Peers, serve};
use quorate_storage::{DataDirectory, OpenError, Storage};
use tokio_util::sync::CancellationToken;

use crate::bytes_in_flight::BytesInFlight;
use crate::follower_reports::FollowerReports;
use crate::formation::Formation;
use crate::freshness::Freshness;
use crate::gate::Gate;
use crate::housekeeping::{greet_members, keep_fresh, keep_log_short, keep_snapshot_sound};
use crate::leadership_keeper::keep_leadership;
use crate::lease::{LeaseRounds, reliable_for};
use crate::membership::{
    Joiner, begin_anew, keep_announced, keep_membership, keep_standing, watch_membership,
};
use crate::options::{RepairPolicy, ReplicaOptions, StartError};
use crate::proposer::Proposer;
use crate::raft::Raft;
use crate::read_index::ReadIndexer;
use crate::repair::Repairer;
use crate::replica::{Breakdown, Inner, Replica};
use crate::rounds::Rounds;
use crate::transfer::Transfers;
use crate::upkeep::{UpkeepCounters, keep_store};
use crate::vote_guard::{GuardedRaft, keep_from_standing, stand_again};

/// Entries in one replication message at most; their bytes are bounded by the log reader.
const REPLICATION_ENTRIES_MAX: u64 = 256;
/// How far a follower may fall behind, in entries, before it is sent a snapshot. By entries this never
/// happens: it is sent one when what it needs has been purged, and purging goes by bytes.
const LAG_ENTRIES_MAX: u64 = u64::MAX / 2;

/// See [`Replica::start`].
pub(crate) async fn start<E: Environment>(
    environment: E,
    options: ReplicaOptions,
) -> Result<Replica<E>, StartError> {
    let group = GroupId::FIRST;
    let own_peer_address = own_peer_address(&options)?;
    if options.force_new {
        begin_anew(&environment, &options).await?;
    }
    let directory = Arc::new(DataDirectory::open(&environment, &options.data_directory, options.member)?);
    let NodeId { member, incarnation } = directory.node_id();
    environment.witness(|| Some(Fact::Opened { member, incarnation }));
    let member = Member::new(own_peer_address, options.client_url.clone());
    let breakdown = Breakdown::default();
    let configured = options.initial_cluster.iter().cloned().collect();
    let gate = Arc::new(Gate::new(directory.clone(), member, configured, breakdown.clone()));
    let shutdown = CancellationToken::new();
    let peers = Peers::new(environment.clone(), gate.clone());
    let repairer = Repairer {
        environment: &environment,
        options: &options,
        group,
        directory: &directory,
        gate: &gate,
        peers: &peers,
    };
    let storage = Arc::new(open_storage(&repairer).await?);
    // Not before: a node that is being repaired has nothing to say.
    let listener = environment
        .listen(&options.peer_listen)
        .await
        .map_err(|source| StartError::Listen { address: options.peer_listen.clone(), source })?;
    let network = PeerNetworkFactory::new(peers.clone(), group);
    let snapshot_rejected = network.snapshot_rejected();
    let raft = start_raft::<E>(&options, &directory, &storage, network).await?;
    let rounds = Arc::new(Rounds {
        environment: environment.clone(),
        group,
        raft: raft.clone(),
        peers: peers.clone(),
        storage: storage.clone(),
        avoids_leading: options.avoid_leading,
        round_timeout: options.read_index_timeout(),
        lease: options.clock_drift_max_ppm.map(|drift| reliable_for(options.election_timeout_max(), drift)),
    });
    let read_indexer = ReadIndexer::start(environment.clone(), rounds.clone(), shutdown.clone());
    let lease_rounds = LeaseRounds { rounds, read_indexer: read_indexer.clone() };
    let lease = options.election_timeout_max();
    let promised_until = keep_from_standing(&environment, &raft, directory.node_id(), lease).await;
    let guarded_raft = GuardedRaft { environment: environment.clone(), raft: raft.clone(), promised_until };
    let replica = Replica::from_inner(Inner {
        group,
        directory: directory.clone(),
        gate: gate.clone(),
        reader: storage.reader(),
        storage,
        proposer: Proposer::start(environment.clone(), raft.clone(), shutdown.clone()),
        read_indexer,
        lease_indexer: ReadIndexer::start(environment.clone(), lease_rounds, shutdown.clone()),
        guarded_raft,
        raft: raft.clone(),
        peers,
        freshness: Freshness::default(),
        bytes_in_flight: BytesInFlight::new(options.proposal_bytes_in_flight_max),
        follower_reports: FollowerReports::default(),
        transfers: Transfers::default(),
        upkeep: UpkeepCounters::default(),
        leaving: CancellationToken::new(),
        shutdown: shutdown.clone(),
        breakdown,
        departed: CancellationToken::new(),
        environment: environment.clone(),
        options: options.clone(),
    });
    let received = directory.received_path();
    let server =
        serve(environment.clone(), listener, gate.clone(), replica.clone(), received, shutdown.clone());
    environment.spawn("peer server", server);
    let spread = options.election_timeout_min() / 2;
    let standing = stand_again(environment.clone(), raft.clone(), promised_until, spread, shutdown.clone());
    environment.spawn("standing for election", standing);
    if options.join.is_empty() {
        let initial_cluster = options.initial_cluster.clone();
        let formation =
            Formation { environment: environment.clone(), directory, gate, raft, initial_cluster };
        environment.spawn("formation", formation.run(shutdown.clone()));
    } else {
        let (addresses, stays_learner) = (options.join, options.stays_learner);
        let joiner = Joiner { replica: replica.clone(), addresses, stays_learner };
        environment.spawn("joining", joiner.run(shutdown.clone()));
    }
    environment.spawn("membership watch", watch_membership(replica.clone(), shutdown.clone()));
    environment.spawn("membership", keep_membership(replica.clone(), shutdown.clone()));
    environment.spawn("announcement", keep_announced(replica.clone(), shutdown.clone()));
    environment.spawn("standing", keep_standing(replica.clone(), shutdown.clone()));
    environment.spawn("raft watch", replica.clone().watch_raft());
    environment.spawn("damage watch", replica.clone().leave_when_damaged(shutdown.clone()));
    environment.spawn("freshness", keep_fresh(replica.clone(), shutdown.clone()));
    environment.spawn("greetings", greet_members(replica.clone(), shutdown.clone()));
    environment.spawn("log housekeeping", keep_log_short(replica.clone(), shutdown.clone()));
    environment.spawn("store upkeep", keep_store(replica.clone(), shutdown.clone()));
    environment.spawn("leadership", keep_leadership(replica.clone(), shutdown.clone()));
    environment.spawn("snapshot check", keep_snapshot_sound(replica.clone(), snapshot_rejected, shutdown));
    Ok(replica)
}

/// Opens the storage, which may have to be repaired first.
async fn open_storage<E: Environment>(repairer: &Repairer<'_, E>) -> Result<Storage<E>, StartError> {
    let Repairer { environment, options, group, directory, .. } = repairer;
    let open = || Storage::open((*environment).clone(), directory, *group, options.storage.clone());
    let storage = match open() {
        Err(error) if error.is_repairable() && is_repair_wanted(&error, options.repair) => {
            repairer.run(&error).await?;
            open()?
        }
        opened => opened?,
    };
    storage.reconcile(directory.node_id()).await.map_err(|error| not_started(&storage, &error))?;
    Ok(storage)
}

fn is_repair_wanted(error: &OpenError, policy: RepairPolicy) -> bool {
    policy == RepairPolicy::Automatic || matches!(error, OpenError::NeedsRepair { is_requested: true, .. })
}

fn own_peer_address(options: &ReplicaOptions) -> Result<String, StartError> {
    let listed = options.initial_cluster.iter().find(|(member, _)| *member == options.member);
    let listed = listed.map(|(_, address)| address.clone());
    if listed.is_none() && options.join.is_empty() {
        let reason = format!("member {} is not in the list of initial members", options.member);
        return Err(StartError::Settings(reason));
    }
    Ok(options.peer_address.clone().or(listed).unwrap_or_else(|| options.peer_listen.clone()))
}

async fn start_raft<E: Environment>(
    options: &ReplicaOptions,
    directory: &DataDirectory,
    storage: &Storage<E>,
    network: PeerNetworkFactory<E>,
) -> Result<Raft<E>, StartError> {
    let config = raft_config(options)?;
    openraft::Raft::new(
        directory.node_id(),
        Arc::new(config),
        network,
        storage.log_store(),
        storage.state_store(),
    )
    .await
    .map_err(|error| not_started(storage, &error))
}

/// Why Raft did not start: the storage knows better, if a record is damaged.
fn not_started<E: Environment>(storage: &Storage<E>, error: &impl std::fmt::Display) -> StartError {
    match storage.damage() {
        Some(damage) => StartError::Damaged(damage.to_string()),
        None => StartError::Raft(error.to_string()),
    }
}

fn raft_config(options: &ReplicaOptions) -> Result<openraft::Config, StartError> {
    let milliseconds = |duration: Duration| duration.as_millis() as u64;
    let config = openraft::Config {
        cluster_name: "quorate".to_owned(),
        heartbeat_interval: options.heartbeat_interval_ms,
        election_timeout_min: milliseconds(options.election_timeout_min()),
        election_timeout_max: milliseconds(options.election_timeout_max()),
        install_snapshot_timeout: 60_000,
        max_payload_entries: REPLICATION_ENTRIES_MAX,
        replication_lag_threshold: LAG_ENTRIES_MAX,
        // Both go by bytes: see `housekeeping`.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        // A leader that no quorum answers is silent for as long as the others need to elect another: if they still
        // hear it, they would not.
        quorum_loss_probe_interval: Some(milliseconds(options.election_timeout_max() * 2)),
        enable_pre_vote: Some(true),
        // A leader that restarts must win an election like any other node: see openraft #1511.
        enable_leader_restore: Some(false),
        ..openraft::Config::default()
    };
    config.validate().map_err(|error| StartError::Settings(format!("raft's settings: {error}")))
}
