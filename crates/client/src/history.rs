//! What changed, revision by revision.

use futures::Stream;
use quorate_api::{Change, ChangesAnswer, ChangesParameters, Consistency, REVISIONS_PATH};
use quorate_environment::{Environment, TokioEnvironment};

use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;
use crate::freshness::Freshness;

/// The changes from a revision on, made by [`Client::history`]: page by page, in order, up to the newest
/// revision there is when the last page is asked for.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before a page or the stream is asked for"]
pub struct History<E = TokioEnvironment> {
    client: Client<E>,
    parameters: ChangesParameters,
    /// How many revisions are still wanted, or all.
    wanted: Option<u64>,
    ended: bool,
}

impl<E: Environment> Client<E> {
    /// The changes from revision `from` on; 0 for the first one there ever was. [`ClientError::Compacted`] if
    /// that is too long ago.
    pub fn history(&self, from: u64) -> History<E> {
        let parameters = ChangesParameters { from, ..ChangesParameters::default() };
        History { client: self.clone(), parameters, wanted: None, ended: false }
    }
}

impl<E: Environment> History<E> {
    /// The changes of at most so many revisions.
    pub fn limit(mut self, revisions: u64) -> Self {
        self.wanted = Some(revisions);
        self.ended = revisions == 0;
        self
    }

    /// Up to the newest revision that the asked node has, however old that is.
    pub fn stale(self) -> Self {
        self.freshness(Consistency::Stale)
    }

    /// As fresh as this: linearizable by default.
    pub fn freshness(mut self, freshness: impl Into<Freshness>) -> Self {
        (self.parameters.consistency, self.parameters.max_staleness) = freshness.into().parameters();
        self
    }

    /// The changes of the next revisions, or `None` behind the newest. Ask again later for what has come since.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Change>>, ClientError> {
        if self.ended {
            return Ok(None);
        }
        self.parameters.limit = self.wanted;
        let answer = self.client.ask(&Call::get(REVISIONS_PATH, self.parameters.to_query())).await?;
        let ChangesAnswer { revision: _, changes, next_from } = answer.json()?;
        if changes.is_empty() {
            return Ok(None);
        }
        let revisions = next_from.saturating_sub(self.parameters.from.max(changes[0].revision));
        self.parameters.from = next_from;
        self.wanted = self.wanted.map(|wanted| wanted.saturating_sub(revisions));
        self.ended = self.wanted == Some(0);
        Ok(Some(changes))
    }

    /// The first revision that no page had yet, to go on from later.
    pub fn next_from(&self) -> u64 {
        self.parameters.from
    }

    /// The changes, one by one, up to the newest. After an error there are no more.
    pub fn stream(self) -> impl Stream<Item = Result<Change, ClientError>> + Send {
        let start = (self, Vec::new().into_iter());
        futures::stream::try_unfold(
            start,
            async |(mut history, mut changes): (Self, std::vec::IntoIter<Change>)| loop {
                if let Some(change) = changes.next() {
                    return Ok(Some((change, (history, changes))));
                }
                match history.next_page().await? {
                    Some(page) => changes = page.into_iter(),
                    None => return Ok(None),
                }
            },
        )
    }
}
