//! Call errors in openraft's words.

use openraft::errors::{NetworkError, RPCError, Unreachable};
use openraft_rt::AsyncRuntime;
use quorate_consensus::{NodeId, RaftTypes};

use crate::error::{CallError, NotSent, Refusal};

/// What a failed call means to openraft: "unreachable" makes it pause before the next attempt, "network"
/// lets it try again at once.
pub(crate) fn rpc_error<R: AsyncRuntime + Send + Sync>(
    target: NodeId,
    error: CallError,
) -> RPCError<RaftTypes<R>> {
    let text = format!("node {target}: {error}");
    match error {
        CallError::NotSent(NotSent::ConnectionLost(_) | NotSent::Deadline)
        | CallError::Refused { refusal: Refusal::Expired }
        | CallError::Unknown(_) => RPCError::Network(NetworkError::from_string(text)),
        CallError::NotSent(_) | CallError::Refused { .. } | CallError::Failed { .. } => {
            RPCError::Unreachable(Unreachable::from_string(text))
        }
    }
}

/// A failure after which it makes sense to try again at once.
pub(crate) fn network_error<R: AsyncRuntime + Send + Sync>(
    reason: impl Into<String>,
) -> RPCError<RaftTypes<R>> {
    RPCError::Network(NetworkError::from_string(reason.into()))
}
