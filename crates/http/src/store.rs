//! What the server needs of the store: the seam that lets it be tested without a cluster.

use std::fmt::Debug;
use std::future::Future;

use quorate_environment::{Environment, Moment};
use quorate_kv::{Budget, ChangesPage, Command, KeyValue, Outcome, RangePage, RangeQuery, Settings};
pub use quorate_replica::{AtRevision, View};
use quorate_replica::{
    Consistency, MemberChange, MemberError, MembersView, ReadAnswer, ReadError, Replica, RequestContext,
    Status, TransferError, WriteError,
};

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

    /// Waits until this node's state is as fresh as asked for, and says what revision it has reached.
    fn view(
        &self,
        context: &RequestContext,
        consistency: Consistency,
    ) -> impl Future<Output = Result<View, ReadError>> + Send;

    /// Reads a key as it was at a revision, from this node's state as it is.
    fn get_at(&self, key: &[u8], revision: u64) -> AtRevision<Option<KeyValue>>;

    /// Reads a page of a range, from this node's state as it is. Short: nothing is held after it.
    fn range_page(&self, query: &RangeQuery, budget: Budget) -> AtRevision<RangePage>;

    /// Reads a page of the history, from this node's state as it is. Short: nothing is held after it.
    fn changes_page(&self, from_revision: u64, budget: Budget) -> AtRevision<ChangesPage>;

    /// The replicated settings, from this node's state as it is.
    fn settings(&self) -> Result<Settings, ReadError>;

    /// Waits until a linearizable read could be answered here, but not past `deadline`.
    fn ready(&self, deadline: Moment) -> impl Future<Output = Result<(), ReadError>> + Send;

    /// Hands leadership to the member `to`, or to the one that is best suited, and says who leads then.
    fn transfer_leadership(
        &self,
        context: &RequestContext,
        to: Option<u64>,
    ) -> impl Future<Output = Result<u64, TransferError>> + Send;

    /// This node's view of the cluster and of itself.
    fn status(&self) -> Status;

    /// The longest value that a put may carry now, in bytes.
    fn value_bytes_max(&self) -> u64;

    /// The members, as this node knows them.
    fn members(&self) -> MembersView;

    /// Has the cluster agree on a change of its members before the context's deadline.
    fn change_members(
        &self,
        context: &RequestContext,
        change: MemberChange,
    ) -> impl Future<Output = Result<MembersView, MemberError>> + Send;
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

    fn transfer_leadership(
        &self,
        context: &RequestContext,
        to: Option<u64>,
    ) -> impl Future<Output = Result<u64, TransferError>> + Send {
        Replica::transfer_leadership(self, context, to)
    }

    fn status(&self) -> Status {
        Replica::status(self)
    }

    fn value_bytes_max(&self) -> u64 {
        Replica::value_bytes_max(self)
    }

    fn members(&self) -> MembersView {
        Replica::members(self)
    }

    fn change_members(
        &self,
        context: &RequestContext,
        change: MemberChange,
    ) -> impl Future<Output = Result<MembersView, MemberError>> + Send {
        Replica::change_members(self, context, change)
    }

    fn view(
        &self,
        context: &RequestContext,
        consistency: Consistency,
    ) -> impl Future<Output = Result<View, ReadError>> + Send {
        Replica::view(self, context, consistency)
    }

    fn get_at(&self, key: &[u8], revision: u64) -> AtRevision<Option<KeyValue>> {
        Replica::get_at(self, key, revision)
    }

    fn range_page(&self, query: &RangeQuery, budget: Budget) -> AtRevision<RangePage> {
        Replica::range_page(self, query, budget)
    }

    fn changes_page(&self, from_revision: u64, budget: Budget) -> AtRevision<ChangesPage> {
        Replica::changes_page(self, from_revision, budget)
    }

    fn settings(&self) -> Result<Settings, ReadError> {
        Replica::settings(self)
    }
}
