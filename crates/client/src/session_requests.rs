//! Sessions that the caller holds. The client's own writes have theirs: see [`crate::sessions`].

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use quorate_api::{OpenSessionBody, SESSIONS_PATH, SessionAnswer};
use quorate_environment::Environment;

use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;

impl<E: Environment> Client<E> {
    /// Opens a session that is the caller's: for other programs, which the caller tells its number. Without
    /// `ttl` the store decides how long it may be silent. The client's own writes need none of this.
    ///
    /// If answers are lost, more than one may be opened; those that nobody knows of expire.
    pub async fn open_session(&self, ttl: Option<Duration>) -> Result<SessionAnswer, ClientError> {
        self.ask(&open_session(ttl)).await?.json()
    }

    /// Gives a sign of life for a session.
    /// [`ErrorCode::SessionExpired`](quorate_api::ErrorCode::SessionExpired) if there is no such session any more.
    pub async fn keep_session(&self, session: u64) -> Result<SessionAnswer, ClientError> {
        self.ask(&keep_session(session)).await?.json()
    }

    /// Ends a session, and with it whatever the store keeps of its writes.
    /// [`ErrorCode::SessionExpired`](quorate_api::ErrorCode::SessionExpired) if there is no such session any
    /// more, be it because an earlier attempt has closed it, whose answer was lost.
    pub async fn close_session(&self, session: u64) -> Result<(), ClientError> {
        let path = format!("{SESSIONS_PATH}/{session}");
        self.ask(&Call::new(Method::DELETE, path, String::new(), Bytes::new()).repeatable()).await?;
        Ok(())
    }
}

/// Opening a session that nobody will use does no harm: it expires.
pub(crate) fn open_session(ttl: Option<Duration>) -> Call {
    let ttl_ms = ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    let body = serde_json::to_vec(&OpenSessionBody { ttl_ms }).expect("numbers can be written as JSON");
    Call::new(Method::POST, SESSIONS_PATH, String::new(), body.into()).repeatable()
}

pub(crate) fn keep_session(session: u64) -> Call {
    let path = format!("{SESSIONS_PATH}/{session}");
    Call::new(Method::POST, path, String::new(), Bytes::new()).repeatable()
}
