//! What the server needs of the store: the seam that lets it be tested without a cluster.

use std::fmt::Debug;
use std::future::Future;

use quorate_environment::{Environment, Moment};
use quorate_kv::{Command, Outcome};
use quorate_replica::{Consistency, ReadAnswer, ReadError, Replica, RequestContext, Status, WriteError};

/// A replicated store, seen from one of its nodes. See [`Replica`] for what the methods promise.
pub trait Store: Clone + Debug + Send + Sync + 'static {
    /// Runs one write to its outcome before the context's deadline. Dropping the future leaves the
    /// outcome unknown.
    fn write(
        &self,
        context: &RequestContext,
        command: Command,
    ) -> impl Future<Output = Result<Outcome, WriteError>> + Send;

    /// Reads a key.
    fn get(
        &self,
        context: &RequestContext,
        key: &[u8],
        consistency: Consistency,
    ) -> impl Future<Output = Result<ReadAnswer, ReadError>> + Send;

    /// Waits until a linearizable read could be answered here, but not past `deadline`.
    fn ready(&self, deadline: Moment) -> impl Future<Output = Result<(), ReadError>> + Send;

    /// This node's view of the cluster and of itself.
    fn status(&self) -> Status;

    /// The longest value that a put may carry now, in bytes.
    fn value_bytes_max(&self) -> u64;
}

impl<E: Environment> Store for Replica<E> {
    fn write(
        &self,
        context: &RequestContext,
        command: Command,
    ) -> impl Future<Output = Result<Outcome, WriteError>> + Send {
        Replica::write(self, context, command)
    }

    fn get(
        &self,
        context: &RequestContext,
        key: &[u8],
        consistency: Consistency,
    ) -> impl Future<Output = Result<ReadAnswer, ReadError>> + Send {
        Replica::get(self, context, key, consistency)
    }

    fn ready(&self, deadline: Moment) -> impl Future<Output = Result<(), ReadError>> + Send {
        Replica::ready(self, deadline)
    }

    fn status(&self) -> Status {
        Replica::status(self)
    }

    fn value_bytes_max(&self) -> u64 {
        Replica::value_bytes_max(self)
    }
}
