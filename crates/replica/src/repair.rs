//! Repairs a node whose state is damaged, before it takes part in Raft.
//!
//! [`quorate_storage::Repair`] says what has to be kept, and why that is safe. What is left to do here is to
//! get a snapshot of another node when one is needed. Every other member is asked in turn, as often as it
//! takes: until one has answered there is nothing that this node could serve.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quorate_consensus::encoding::{Decode, Encode};
use quorate_consensus::{GroupId, Member, NodeId, SnapshotMeta};
use quorate_environment::Environment;
use quorate_peer::{Gatekeeper, Hello, Peers, probe};
use quorate_storage::{DataDirectory, OpenError, Repair};

use crate::gate::Gate;
use crate::options::{ReplicaOptions, StartError};
use crate::wire::{SnapshotReply, SnapshotRequest, kind};

/// How long a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a member may take to answer with a piece.
const PIECE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait before all members are asked again.
const ROUND_INTERVAL: Duration = Duration::from_millis(250);
/// The file of a snapshot that arrives.
const FILE_NAME: &str = "repair.snapshot";

/// What a repair works with.
pub(crate) struct Repairer<'a, E: Environment> {
    pub(crate) environment: &'a E,
    pub(crate) options: &'a ReplicaOptions,
    pub(crate) group: GroupId,
    pub(crate) directory: &'a DataDirectory,
    pub(crate) gate: &'a Arc<Gate>,
    pub(crate) peers: &'a Peers<E>,
}

impl<E: Environment> Repairer<'_, E> {
    /// Repairs a directory that could not be opened because of `error`. May be dropped at any point.
    pub(crate) async fn run(&self, error: &OpenError) -> Result<(), StartError> {
        let mut repair = Repair::begin(self.directory, self.group, &self.options.storage, error)?;
        if let Some(index) = repair.needed_index() {
            self.fetch(&mut repair, index).await?;
        }
        repair.finish()?;
        tracing::info!("the state is repaired, and catches up from the log");
        Ok(())
    }

    /// Asks the other members for a snapshot until one has given it.
    async fn fetch(&self, repair: &mut Repair, index: u64) -> Result<(), StartError> {
        let listed = self.options.initial_cluster.iter().filter(|(member, _)| *member != self.options.member);
        // A node that has joined knows where members are, but not which.
        let joined = self.options.join.iter().map(|address| (None, address));
        let others: Vec<_> = listed.map(|(member, address)| (Some(*member), address)).chain(joined).collect();
        if others.is_empty() {
            let reason = "it has to be copied from another member, and there is none";
            return Err(StartError::Repair(reason.to_owned()));
        }
        tracing::info!(index, "waiting for another member's snapshot");
        loop {
            for (member, address) in &others {
                match self.fetch_from(*member, address, repair, index).await {
                    Ok(()) => return Ok(()),
                    Err(reason) => tracing::info!(address, reason, "this member gave no snapshot"),
                }
            }
            self.environment.sleep(self.environment.jitter(ROUND_INTERVAL)).await;
        }
    }

    async fn fetch_from(
        &self,
        member: Option<u64>,
        address: &str,
        repair: &mut Repair,
        index: u64,
    ) -> Result<(), String> {
        let introduction = self.gate.introduction();
        let hello = match member {
            Some(member) => Hello::probe(introduction.clone(), member),
            None => Hello::probe_anybody(introduction.clone()),
        };
        let deadline = self.environment.now() + PROBE_TIMEOUT;
        let welcome = probe(self.environment, address, &hello, deadline).await;
        let by = welcome.map_err(|error| error.to_string())?.by;
        if by.cluster != introduction.cluster {
            return Err("it is not a part of this cluster".to_owned());
        }
        if by.node == introduction.node {
            return Err("it is this node itself".to_owned());
        }
        let path = self.directory.received_path().join(FILE_NAME);
        let peer = Member { peer_address: address.to_owned(), ..by.member };
        let meta = self.copy((by.node, &peer), index, &path).await?;
        repair.take_snapshot(&path, &meta)
    }

    /// Copies a node's snapshot into a file.
    async fn copy(&self, peer: (NodeId, &Member), index: u64, path: &Path) -> Result<SnapshotMeta, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let file = File::create(path).map_err(failed)?;
        let mut request = SnapshotRequest { index, wanted: None, offset: 0 };
        loop {
            let (meta, file_bytes, bytes) = match self.ask(peer, &request).await? {
                SnapshotReply::NotReady(reason) => return Err(reason),
                SnapshotReply::Piece { meta, file_bytes, bytes } => (meta, file_bytes, bytes),
            };
            file.write_all_at(&bytes, request.offset).map_err(failed)?;
            request.offset += bytes.len() as u64;
            request.wanted = meta.last_log_id;
            if request.offset >= file_bytes {
                return Ok(meta);
            }
            if bytes.is_empty() {
                return Err("it sends nothing".to_owned());
            }
        }
    }

    async fn ask(
        &self,
        (node, member): (NodeId, &Member),
        request: &SnapshotRequest,
    ) -> Result<SnapshotReply, String> {
        let (payload, deadline) = (request.encode(), self.environment.now() + PIECE_TIMEOUT);
        let call = self.peers.call(node, member, self.group, kind::SNAPSHOT, &payload, deadline);
        let reply = call.await.map_err(|error| error.to_string())?;
        SnapshotReply::decode(reply).map_err(|error| error.to_string())
    }
}
