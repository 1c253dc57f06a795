//! Reading and deleting ranges of keys.

use bytes::Bytes;
use futures::Stream;
use http::Method;
use quorate_api::{
    Consistency, CountAnswer, DeleteRangeAnswer, Item, Order, RANGE_PATH, RangeAnswer, RangeParameters,
};
use quorate_environment::Environment;
use quorate_environment::TokioEnvironment;

use crate::answers::{RangeDeleted, RangePage};
use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;
use crate::freshness::Freshness;
use crate::keys::Keys;

/// How many keys a page has if nothing is said.
const PAGE_KEYS_DEFAULT: u64 = 1_000;

/// What to read of a range, made by [`Client::range`]: page by page, all at one revision, whatever is written
/// meanwhile.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before a page, the stream or the count is asked for"]
pub struct Range<E = TokioEnvironment> {
    client: Client<E>,
    parameters: RangeParameters,
    /// How many keys are still wanted, or all.
    wanted: Option<u64>,
    page_keys: u64,
    /// Whether the last page has come.
    ended: bool,
}

impl<E: Environment> Client<E> {
    /// Reads a range of keys: every one, with its value, at the newest revision, if nothing else is said.
    pub fn range(&self, keys: Keys) -> Range<E> {
        Range {
            client: self.clone(),
            parameters: keys.parameters(),
            wanted: None,
            page_keys: PAGE_KEYS_DEFAULT,
            ended: false,
        }
    }

    /// Deletes the keys of a range. It is done in chunks, each of them at once and in a revision of its own;
    /// other writes may come between them. If a chunk fails after others were done, the error is
    /// [`ClientError::PartlyDone`]. Each chunk may take as long as any request.
    pub async fn delete_range(&self, keys: Keys) -> Result<RangeDeleted, ClientError> {
        let call = Call::new(Method::DELETE, RANGE_PATH, keys.wire.to_query(), Bytes::new());
        let mut deleted = 0;
        loop {
            let chunk = self.write(&call).await.and_then(|answer| answer.json_of_write());
            let chunk: DeleteRangeAnswer = chunk.map_err(|cause| match deleted {
                0 => cause,
                deleted => ClientError::PartlyDone { deleted, cause: Box::new(cause) },
            })?;
            deleted += chunk.deleted;
            if chunk.more != Some(true) {
                return Ok(RangeDeleted { deleted, revision: chunk.revision });
            }
        }
    }
}

impl<E: Environment> Range<E> {
    /// At most so many keys.
    pub fn limit(mut self, keys: u64) -> Self {
        self.wanted = Some(keys);
        self.ended = keys == 0;
        self
    }

    /// In this order.
    pub fn order(mut self, order: Order) -> Self {
        self.parameters.order = order;
        self
    }

    /// The greatest key first.
    pub fn descending(self) -> Self {
        self.order(Order::Descending)
    }

    /// Without values.
    pub fn keys_only(mut self) -> Self {
        self.parameters.keys_only = true;
        self
    }

    /// As it was at a revision of the store. [`ClientError::Compacted`] if that is too long ago.
    pub fn at(mut self, revision: u64) -> Self {
        self.parameters.revision = Some(revision);
        self
    }

    /// Whatever the node has that is asked first, however old, and all later pages of the same revision.
    pub fn stale(self) -> Self {
        self.freshness(Consistency::Stale)
    }

    /// As fresh as this: linearizable by default.
    pub fn freshness(mut self, freshness: impl Into<Freshness>) -> Self {
        (self.parameters.consistency, self.parameters.max_staleness) = freshness.into().parameters();
        self
    }

    /// How many keys are read with one request, 1,000 by default, at least 1. If they turn out to be longer
    /// than the longest answer that the client accepts, it goes on with fewer.
    pub fn page_keys(mut self, keys: u64) -> Self {
        self.page_keys = keys.max(1);
        self
    }

    /// The next page, or `None` behind the last one.
    pub async fn next_page(&mut self) -> Result<Option<RangePage>, ClientError> {
        if self.ended {
            return Ok(None);
        }
        let RangeAnswer { revision, items, next_cursor } = self.ask_page().await?;
        let found = items.len() as u64;
        self.wanted = self.wanted.map(|wanted| wanted.saturating_sub(found));
        self.ended = next_cursor.is_none() || self.wanted == Some(0);
        self.parameters.cursor = next_cursor;
        // The cursor has it.
        self.parameters.revision = None;
        Ok(Some(RangePage { revision, items }))
    }

    async fn ask_page(&mut self) -> Result<RangeAnswer, ClientError> {
        loop {
            let limit = self.wanted.map_or(self.page_keys, |wanted| wanted.min(self.page_keys));
            self.parameters.limit = Some(limit);
            let asked = self.client.ask(&Call::get(RANGE_PATH, self.parameters.to_query())).await;
            match asked {
                Err(ClientError::AnswerTooLong { .. }) if limit > 1 => self.page_keys = limit / 2,
                answer => return answer?.json(),
            }
        }
    }

    /// The keys, one by one. After an error there are no more.
    ///
    /// ```no_run
    /// use futures::TryStreamExt;
    /// use quorate_client::{Client, Keys};
    ///
    /// # async fn example(client: Client) -> Result<(), quorate_client::ClientError> {
    /// let mut fruit = std::pin::pin!(client.range(Keys::prefix("fruit/")).keys_only().stream());
    /// while let Some(item) = fruit.try_next().await? {
    ///     println!("{:?} since revision {}", item.key, item.create_revision);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(self) -> impl Stream<Item = Result<Item, ClientError>> + Send {
        let start = (self, Vec::new().into_iter());
        futures::stream::try_unfold(
            start,
            async |(mut range, mut items): (Self, std::vec::IntoIter<Item>)| {
                loop {
                    if let Some(item) = items.next() {
                        return Ok(Some((item, (range, items))));
                    }
                    match range.next_page().await? {
                        Some(page) => items = page.items.into_iter(),
                        None => return Ok(None),
                    }
                }
            },
        )
    }

    /// All the keys, in memory.
    pub async fn collect(mut self) -> Result<Vec<Item>, ClientError> {
        let mut items = Vec::new();
        while let Some(page) = self.next_page().await? {
            items.extend(page.items);
        }
        Ok(items)
    }

    /// Only how many keys there are; no more are counted than the limit.
    pub async fn count(mut self) -> Result<u64, ClientError> {
        if self.ended {
            return Ok(0);
        }
        self.parameters.limit = self.wanted;
        self.parameters.keys_only = false;
        self.parameters.count_only = true;
        let answer = self.client.ask(&Call::get(RANGE_PATH, self.parameters.to_query())).await?;
        Ok(answer.json::<CountAnswer>()?.count)
    }
}
