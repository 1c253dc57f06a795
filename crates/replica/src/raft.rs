//! openraft's handle with our types filled in.

use quorate_consensus::RaftTypes;
use quorate_environment::Environment;
use quorate_storage::StateStore;

/// The types of Raft in the environment `E`.
pub(crate) type Types<E> = RaftTypes<<E as Environment>::Runtime>;
/// The handle of the Raft task.
pub(crate) type Raft<E> = openraft::Raft<Types<E>, StateStore<E>>;
/// What Raft says of itself.
pub(crate) type RaftMetrics<E> = openraft::RaftMetrics<Types<E>>;
