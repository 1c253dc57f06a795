//! Reading the log.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex};

use futures::Stream;
use futures::stream::{self, StreamExt};
use openraft::OptionalSend;
use openraft::errors::LeaderChanged;
use openraft::storage::{LeaderBoundedStreamError, RaftLogReader};
use openraft_rt::AsyncRuntime;
use quorate_consensus::{Entry, LeaderId, RaftTypes, Vote};

use super::view::{LogView, lock, read_entries};

/// Reads entries and the vote, those that are not on disk yet too. Bounded in bytes wherever openraft
/// allows it.
#[derive(Clone, Debug)]
pub struct LogReader {
    view: Arc<Mutex<LogView>>,
    batch_bytes_max: u64,
}

impl LogReader {
    pub(crate) fn new(view: Arc<Mutex<LogView>>, batch_bytes_max: u64) -> Self {
        Self { view, batch_bytes_max }
    }

    /// The first entries of the range, as many as fit into a batch, at least one if there is one.
    fn read_batch(&self, start: u64, end: Bound<u64>) -> io::Result<Vec<Entry>> {
        Ok(read_entries(&self.view, &(Bound::Included(start), end), Some(self.batch_bytes_max))?)
    }

    fn vote(&self) -> Option<Vote> {
        lock(&self.view).vote()
    }

    /// The entries of a range, read a batch at a time as they are wanted. `check` is asked after each
    /// batch whether it may still be passed on.
    fn batches<Error, Check>(
        &self,
        (start, end): (Option<u64>, Bound<u64>),
        check: Check,
    ) -> impl Stream<Item = Result<Entry, Error>> + Send + 'static + use<Error, Check>
    where
        Error: From<io::Error> + Send + 'static,
        Check: Fn(&Self) -> Result<(), Error> + Send + 'static,
    {
        let reader = self.clone();
        let batches = stream::unfold(start, move |next| {
            let reader = reader.clone();
            let batch = next.map(|next| {
                check(&reader)?;
                let batch = reader.read_batch(next, end)?;
                check(&reader)?;
                Ok(batch)
            });
            let step = match batch {
                None => None,
                Some(Err(error)) => Some((vec![Err(error)], None)),
                Some(Ok(batch)) => batch
                    .last()
                    .map(|entry: &Entry| entry.log_id.index().checked_add(1))
                    .map(|next| (batch.into_iter().map(Ok).collect(), next)),
            };
            std::future::ready(step)
        });
        batches.flat_map(stream::iter)
    }
}

/// The first index of a range, if there can be one, and its end.
fn bounds(range: &impl RangeBounds<u64>) -> (Option<u64>, Bound<u64>) {
    let start = match range.start_bound() {
        Bound::Included(start) => Some(*start),
        Bound::Excluded(start) => start.checked_add(1),
        Bound::Unbounded => Some(0),
    };
    (start, range.end_bound().cloned())
}

impl<R: AsyncRuntime + Send + Sync> RaftLogReader<RaftTypes<R>> for LogReader {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        Ok(read_entries(&self.view, &range, None)?)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        self.read_batch(start, Bound::Excluded(end))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.vote())
    }

    async fn leader_bounded_stream<RB>(
        &mut self,
        leader: LeaderId,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, LeaderBoundedStreamError<RaftTypes<R>>>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        self.batches(bounds(&range), move |reader| {
            let vote = reader.vote();
            match &vote {
                Some(vote) if vote.is_committed() && *vote.leader_id() == leader => Ok(()),
                _ => Err(LeaderChanged::<RaftTypes<R>>::new(leader, vote).into()),
            }
        })
    }

    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        self.batches(bounds(&range), |_| Ok(()))
    }
}
