//! Answers that are too long to be held: written page by page, as the client reads.
//!
//! Every page is a short read of its own at the same revision, so nothing of the store is held while a client
//! takes its time, and a body never holds more than a page. A read that fails in the middle breaks the
//! connection off: without its last chunk nobody can take the answer for a whole one.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame};
use quorate_kv::{Budget, UnavailableRevision};
use quorate_replica::ReadError;
use tokio::sync::OwnedSemaphorePermit;

/// What a page may cost: well below a millisecond, and about as many bytes as hyper holds of an answer.
pub(crate) const PAGE: Budget = Budget { records: 512, bytes: 64 << 10 };

/// Why there is no next page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPage {
    /// The revision cannot be read, or no more.
    #[error(transparent)]
    Revision(#[from] UnavailableRevision),
    /// The node cannot read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The pages of an answer.
pub(crate) trait Pages: Send + 'static {
    /// Writes the next page, as it stands in the answer. True if it was the last one.
    fn write_next(&mut self, json: &mut Vec<u8>) -> Result<bool, NoPage>;
}

/// The body of an answer that has more than one page.
#[derive(Debug)]
pub(crate) struct PagedBody<P> {
    /// Written, but not sent.
    first: Option<Vec<u8>>,
    /// `None` after the last one.
    pages: Option<P>,
    /// Whether it is someone else's turn before the next page is read.
    yields: bool,
    _permit: OwnedSemaphorePermit,
}

// Nothing in it is pinned by its own address: pages are read by plain calls.
impl<P> Unpin for PagedBody<P> {}

impl<P: Pages> PagedBody<P> {
    /// A body that begins with `first` and goes on with `pages`. It keeps `permit` to its end.
    pub(crate) fn start(first: Vec<u8>, pages: P, permit: OwnedSemaphorePermit) -> Body {
        Body::new(Self { first: Some(first), pages: Some(pages), yields: false, _permit: permit })
    }

    fn next(&mut self) -> Option<Result<Bytes, NoPage>> {
        let pages = self.pages.as_mut()?;
        let mut json = Vec::new();
        match pages.write_next(&mut json) {
            Ok(is_last) => {
                if is_last {
                    self.pages = None;
                }
                Some(Ok(Bytes::from(json)))
            }
            Err(no_page) => {
                tracing::debug!(%no_page, "an answer was broken off");
                self.pages = None;
                Some(Err(no_page))
            }
        }
    }
}

impl<P: Pages> HttpBody for PagedBody<P> {
    type Data = Bytes;
    type Error = NoPage;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NoPage>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from(first)))));
        }
        // A client that reads fast must not keep the others from being served.
        self.yields = !self.yields;
        if self.yields && self.pages.is_some() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.next().map(|page| page.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.pages.is_none()
    }
}
