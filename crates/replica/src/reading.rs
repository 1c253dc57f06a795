//! Reads of a replica.
//!
//! **A linearizable read** waits for a ReadIndex round ([`crate::read_index`]), for this replica to have
//! applied that index, and then reads locally, on whatever node it arrived. **A lease read** is the same, but
//! the leader may answer from its lease instead of running a round ([`crate::lease`]). **A stale read** is
//! answered at once, with the age of the state ([`crate::freshness`]); one with a bound waits until the state is
//! that fresh, and fails if it does not become so in time.
//!
//! What is too long for one read is read in pages: [`Replica::view`] waits once and gives a revision, and
//! each page reads at that revision, whatever has happened since. A page is short and holds nothing when it
//! is done, so that neither a slow client nor a long range keeps anything from being applied.

use std::time::Duration;

use quorate_environment::mutant::{self, Mutant};
use quorate_environment::{Environment, Moment};
use quorate_kv::{Budget, ChangesPage, KeyValue, RangePage, RangeQuery, Settings, UnavailableRevision};
use tracing::Instrument;

use crate::context::RequestContext;
use crate::errors::ReadError;
use crate::read_index::{NoReadIndex, ReadIndex};
use crate::replica::{RETRY_AFTER, Replica};
use crate::rounds::Confirmation;

/// How fresh a read has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// Reflects every write that was acknowledged before the read began.
    #[default]
    Linearizable,
    /// The same as long as clocks keep to the bound that the leader was started with, and cheaper.
    Lease,
    /// Whatever this node has, with its age.
    Stale {
        /// How old the state may have been when the read began.
        age_max: Option<Duration>,
    },
}

impl Consistency {
    /// Whatever this node has, however old.
    pub const STALE: Self = Consistency::Stale { age_max: None };

    /// Whether the answer need not reflect every write that was acknowledged before.
    pub const fn is_stale(self) -> bool {
        matches!(self, Consistency::Stale { .. })
    }
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadAnswer {
    /// The key's newest version, or `None` if it does not exist.
    pub found: Option<KeyValue>,
    /// The store's revision that the answer reflects.
    pub revision: u64,
    /// For a stale read: how long ago the node's state was known to be current.
    pub age: Option<Duration>,
}

/// What a read of this node shows from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The newest revision that this node has: to be read at, so that all of an answer shows one state.
    pub revision: u64,
    /// For a stale view: how long ago the node's state was known to be current.
    pub age: Option<Duration>,
}

/// What a read at a revision found, or why there is none to be read.
pub type AtRevision<T> = Result<Result<T, UnavailableRevision>, ReadError>;

impl<E: Environment> Replica<E> {
    /// Reads a key.
    pub async fn get(
        &self,
        context: &RequestContext,
        key: &[u8],
        consistency: Consistency,
    ) -> Result<ReadAnswer, ReadError> {
        self.await_freshness(context, consistency).await?;
        let (found, revision) = self.inner().reader.get(key).map_err(|error| self.read_failed(error))?;
        Ok(ReadAnswer { found, revision, age: self.age(consistency) })
    }

    /// Waits until this node's state is as fresh as asked for, and says what revision it has reached.
    pub async fn view(&self, context: &RequestContext, consistency: Consistency) -> Result<View, ReadError> {
        self.await_freshness(context, consistency).await?;
        let revision = self.inner().reader.revision().map_err(|error| self.read_failed(error))?;
        Ok(View { revision, age: self.age(consistency) })
    }

    /// Reads a key as it was at a revision, from this node's state as it is.
    pub fn get_at(&self, key: &[u8], revision: u64) -> AtRevision<Option<KeyValue>> {
        self.inner().reader.get_at(key, revision).map_err(|error| self.read_failed(error))
    }

    /// Reads a page of a range, from this node's state as it is. Nothing is applied meanwhile, so `budget`
    /// should be small.
    pub fn range_page(&self, query: &RangeQuery, budget: Budget) -> AtRevision<RangePage> {
        self.inner().reader.range(query, budget).map_err(|error| self.read_failed(error))
    }

    /// Reads a page of the history, from this node's state as it is. Nothing is applied meanwhile, so
    /// `budget` should be small.
    pub fn changes_page(&self, from_revision: u64, budget: Budget) -> AtRevision<ChangesPage> {
        self.inner().reader.changes(from_revision, budget).map_err(|error| self.read_failed(error))
    }

    /// The replicated settings, from this node's state as it is.
    pub fn settings(&self) -> Result<Settings, ReadError> {
        self.inner().reader.settings().map_err(|error| self.read_failed(error))
    }

    /// The longest value that a put may carry now, in bytes.
    pub fn value_bytes_max(&self) -> u64 {
        // A storage that is closed refuses nothing for its length; the request is refused for what it is.
        self.inner().reader.value_bytes_max().unwrap_or(u64::MAX)
    }

    /// For a stale read: how old the local state may be.
    fn age(&self, consistency: Consistency) -> Option<Duration> {
        let now = self.inner().environment.now();
        if consistency.is_stale() { self.inner().freshness.age(now) } else { None }
    }

    /// What a read is answered that the storage could not do. What it found broken ends the node.
    fn read_failed(&self, error: quorate_storage::ReadError) -> ReadError {
        match error {
            quorate_storage::ReadError::Closed => ReadError::ShuttingDown,
            // The storage has told why; whoever runs the node is about to end it.
            quorate_storage::ReadError::Damaged { reason } => ReadError::Damaged { reason },
            quorate_storage::ReadError::Failed { reason } => {
                self.inner().breakdown.report(&reason);
                ReadError::Damaged { reason }
            }
        }
    }

    /// Waits until the local state may be read with this consistency.
    async fn await_freshness(
        &self,
        context: &RequestContext,
        consistency: Consistency,
    ) -> Result<(), ReadError> {
        let refusal = |error| self.damage().map_or(error, |reason| ReadError::Damaged { reason });
        if self.inner().shutdown.is_cancelled() || self.damage().is_some() {
            return Err(refusal(ReadError::ShuttingDown));
        }
        let is_fresh = match consistency {
            Consistency::Linearizable if mutant::active(Mutant::StaleRead) => Ok(()),
            Consistency::Linearizable => self.catch_up(context.deadline).await,
            Consistency::Lease => self.catch_up_by(Confirmation::Lease, context.deadline).await,
            Consistency::Stale { age_max } => self.await_age(age_max, context.deadline).await,
        };
        is_fresh.map_err(refusal)
    }

    /// Waits until the local state includes every write acknowledged before this call.
    pub(crate) async fn catch_up(&self, deadline: Moment) -> Result<(), ReadError> {
        self.catch_up_by(Confirmation::Quorum, deadline).await
    }

    async fn catch_up_by(&self, confirmation: Confirmation, deadline: Moment) -> Result<(), ReadError> {
        let unavailable = |reason: String| ReadError::Unavailable { reason, retry_after: RETRY_AFTER };
        let round = self.read_index(confirmation, deadline);
        let round = round.instrument(tracing::debug_span!("read_index")).await;
        let ReadIndex { index, began } = round.map_err(|error| match error {
            NoReadIndex::TooManyWait => ReadError::Overloaded { retry_after: RETRY_AFTER },
            NoReadIndex::NoRound(reason) => unavailable(reason),
        })?;
        self.await_applied(index, deadline).await.map_err(unavailable)?;
        self.inner().freshness.note(began);
        Ok(())
    }

    /// The index that local state must have applied for a read that begins now.
    pub(crate) async fn read_index(
        &self,
        confirmation: Confirmation,
        deadline: Moment,
    ) -> Result<ReadIndex, NoReadIndex> {
        match confirmation {
            Confirmation::Quorum => self.inner().read_indexer.read_index(deadline).await,
            Confirmation::Lease => self.inner().lease_indexer.read_index(deadline).await,
        }
    }

    /// Waits until the state is not older than a stale read allows, as of now. After a restart the state may be
    /// older than what this node has served before, so it has to catch up in any case: see
    /// [`crate::freshness`].
    async fn await_age(&self, age_max: Option<Duration>, deadline: Moment) -> Result<(), ReadError> {
        let age = self.age(Consistency::STALE);
        if age.is_some_and(|age| age_max.is_none_or(|age_max| age <= age_max)) {
            return Ok(());
        }
        match self.catch_up(deadline).await {
            Err(ReadError::Unavailable { .. }) if age_max.is_some() => {
                Err(ReadError::TooStale { age: self.age(Consistency::STALE) })
            }
            caught_up => caught_up,
        }
    }

    async fn await_applied(&self, index: u64, deadline: Moment) -> Result<(), String> {
        let mut progress = self.inner().raft.watch_apply_progress();
        if progress.get().is_some_and(|applied| applied.index() >= index) {
            return Ok(());
        }
        let applied =
            progress.wait_until(|applied| applied.as_ref().is_some_and(|applied| applied.index() >= index));
        match self.inner().environment.timeout_at(deadline, applied).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err("raft has stopped".to_owned()),
            Err(_) => Err(format!("this node has not applied index {index} yet")),
        }
    }

    /// Waits until this node can serve linearizable requests.
    pub async fn ready(&self, deadline: Moment) -> Result<(), ReadError> {
        self.catch_up(deadline).await
    }
}
