//! The client.

use std::sync::Arc;
use std::time::Duration;

use quorate_api::{ErrorCode, SessionAnswer};
use quorate_environment::{Environment, Moment, TokioEnvironment};

use crate::builder::ClientBuilder;
use crate::call::Call;
use crate::error::ClientError;
use crate::exchange::Answer;
use crate::nodes::Nodes;
use crate::session_requests::{keep_session, open_session};
use crate::sessions::{Sessions, Ticket};

/// A time to live that every cluster allows.
const SESSION_TTL_MIN: Duration = Duration::from_secs(1);

/// With how many sessions a write is tried: a cluster in which they expire at once has lost its clock.
const SESSIONS_TRIED_MAX: u32 = 3;

/// How long a write waits for its session to forget outcomes.
const OUTCOMES_PAUSE: Duration = Duration::from_millis(20);

/// With less time left a write that was refused for its session's outcomes is not tried again: an attempt that
/// the deadline cuts off would turn a definite refusal into an unknown outcome.
const OUTCOMES_TIME_LEFT_MIN: Duration = Duration::from_millis(100);

/// A client of a Quorate cluster. Cheap to clone; clones share their connections and sessions.
///
/// Any request can fail with a [`ClientError`]. A client that is dropped leaves its sessions to expire; see
/// [`Client::close`].
#[derive(Debug)]
pub struct Client<E = TokioEnvironment> {
    shared: Arc<Shared<E>>,
}

#[derive(Debug)]
struct Shared<E> {
    environment: E,
    nodes: Arc<Nodes<E>>,
    timeout: Duration,
    /// None if writes go without.
    sessions: Option<Arc<Sessions>>,
}

impl<E> Clone for Client<E> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl Client {
    /// A client of the nodes at `endpoints` (`http://HOST:PORT`), with default settings. One endpoint is
    /// enough, because that node says who the others are; with all of them the client also starts while some
    /// are down.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, ClientError> {
        ClientBuilder::new(endpoints).build()
    }
}

impl<E: Environment> Client<E> {
    pub(crate) fn of(
        environment: E,
        nodes: Nodes<E>,
        timeout: Duration,
        session_ttl: Option<Duration>,
    ) -> Self {
        let nodes = Arc::new(nodes);
        let sessions = session_ttl.map(|ttl| Arc::new(Sessions::new(ttl)));
        Self { shared: Arc::new(Shared { environment, nodes, timeout, sessions }) }
    }

    /// Closes the client's sessions, so that the store need not keep them until they expire. Writes that other
    /// clones are still making go on in a new session or, if an attempt of theirs is in doubt, their outcome is
    /// unknown. Later writes open new sessions.
    ///
    /// The error of the first session that could not be closed: it will expire. Nothing else depends on it.
    pub async fn close(&self) -> Result<(), ClientError> {
        let Some(sessions) = &self.shared.sessions else { return Ok(()) };
        let mut closed = Ok(());
        for session in sessions.take_all() {
            match self.close_session(session).await {
                Err(error) if error.code() != Some(ErrorCode::SessionExpired) => {
                    closed = closed.and(Err(error))
                }
                _ => {}
            }
        }
        closed
    }

    /// When a request that begins now has to be answered.
    pub(crate) fn deadline(&self) -> Moment {
        self.shared.environment.now() + self.shared.timeout
    }

    /// Makes a call that needs no session: it is repeatable, or cannot be made safe to repeat.
    pub(crate) async fn ask(&self, call: &Call) -> Result<Answer, ClientError> {
        self.ask_until(call, self.deadline()).await
    }

    async fn ask_until(&self, call: &Call, deadline: Moment) -> Result<Answer, ClientError> {
        self.shared.nodes.attempt(call, None, deadline).await
    }

    /// Makes a call that writes, as a part of a session.
    pub(crate) async fn write(&self, call: &Call) -> Result<Answer, ClientError> {
        let deadline = self.deadline();
        let Some(sessions) = &self.shared.sessions else { return self.ask_until(call, deadline).await };
        let mut sessions_left = SESSIONS_TRIED_MAX;
        loop {
            let ticket = self.ticket(sessions, deadline).await?;
            let session = ticket.key().session;
            let asked = self.shared.environment.now();
            let answered = self.shared.nodes.attempt(call, Some(&ticket), deadline).await;
            // In the cases in which it goes on, no attempt is in doubt: it was not done, and never will be under
            // this number.
            match &answered {
                Ok(_) => sessions.active(session, asked),
                Err(error) if error.code() == Some(ErrorCode::SessionExpired) => {
                    sessions.forget(session);
                    sessions_left -= 1;
                    if sessions_left > 0 {
                        continue;
                    }
                }
                Err(error) if error.code() == Some(ErrorCode::TooManyOutcomes) => {
                    drop(ticket);
                    let pause = self.shared.environment.jitter(OUTCOMES_PAUSE);
                    if self.shared.environment.now() + pause + OUTCOMES_TIME_LEFT_MIN < deadline {
                        self.shared.environment.sleep(pause).await;
                        continue;
                    }
                }
                Err(_) => {}
            }
            return answered;
        }
    }

    /// A number for a write; opens a session or keeps one alive if need be.
    async fn ticket(&self, sessions: &Arc<Sessions>, deadline: Moment) -> Result<Ticket, ClientError> {
        let now = || self.shared.environment.now();
        if let Some(ticket) = sessions.ticket(now()) {
            return Ok(ticket);
        }
        let opening = self.shared.environment.timeout_at(deadline, sessions.opening.lock()).await;
        let _opening = opening.map_err(|_| ClientError::Unreachable {
            reason: "no session could be opened in time".to_owned(),
        })?;
        loop {
            if let Some(ticket) = sessions.ticket(now()) {
                return Ok(ticket);
            }
            let asked = now();
            let Some(silent) = sessions.silent(asked) else {
                sessions.opened(self.open_for_writes(sessions.ttl(), deadline).await?, asked);
                continue;
            };
            match self.ask_until(&keep_session(silent), deadline).await {
                Ok(_) => sessions.active(silent, asked),
                Err(error) if error.code() == Some(ErrorCode::SessionExpired) => sessions.forget(silent),
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens a session with this time to live or, if the cluster is set to allow less, with a shorter one.
    async fn open_for_writes(
        &self,
        mut ttl: Duration,
        deadline: Moment,
    ) -> Result<SessionAnswer, ClientError> {
        loop {
            match self.ask_until(&open_session(Some(ttl)), deadline).await {
                Ok(answer) => return answer.json(),
                Err(error) if error.code() == Some(ErrorCode::BadBody) && ttl > SESSION_TTL_MIN => {
                    ttl = SESSION_TTL_MIN.max(ttl / 4);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
