//! Connections to one node, and requests on them.
//!
//! A connection carries one request at a time. When its answer has been read to the end it waits for the next
//! request, for a minute at most. [`Client`](crate::Client) takes care of all that; programs that pass requests
//! on use it directly.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use quorate_environment::{Environment, Moment};

use crate::endpoint::Endpoint;

/// The longest wait for a new connection.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(1);

/// How long an unused connection is kept: shorter than a node keeps it, so that requests do not meet a
/// connection that is just being closed.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// The connections to one node.
#[derive(Debug)]
pub struct Connections<E> {
    environment: E,
    endpoint: Endpoint,
    /// Those that wait, the one that was used last at the end.
    idle: Mutex<Vec<Idle>>,
    /// Until when the node wants no requests.
    held_until: Mutex<Moment>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Moment,
}

/// A connection that is in nobody else's use.
pub type Connection = SendRequest<Full<Bytes>>;

/// Why a request has no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// Nothing of it has left.
    NotSent(String),
    /// It has left, at least in part.
    Lost(String),
}

impl NoAnswer {
    /// What was seen.
    pub fn into_reason(self) -> String {
        match self {
            NoAnswer::NotSent(reason) | NoAnswer::Lost(reason) => reason,
        }
    }
}

impl<E: Environment> Connections<E> {
    /// None yet.
    pub fn new(environment: E, endpoint: Endpoint) -> Self {
        Self { environment, endpoint, idle: Mutex::default(), held_until: Mutex::default() }
    }

    pub(crate) fn environment(&self) -> &E {
        &self.environment
    }

    /// Where the node is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Notes that the node wants no requests until `moment`.
    pub(crate) fn hold_until(&self, moment: Moment) {
        let mut held_until = self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        *held_until = moment.max(*held_until);
    }

    /// Until when the node wants no requests.
    pub(crate) fn held_until(&self) -> Moment {
        *self.held_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the request and waits for the head of its answer until `deadline`. Give the connection back when
    /// the body has been read, see [`Connections::keep`].
    pub async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        deadline: Moment,
    ) -> Result<(Response<Incoming>, Connection), NoAnswer> {
        loop {
            let (mut connection, is_new) = match self.idle(deadline).await {
                Some(connection) => (connection, false),
                None => (self.connect(deadline).await.map_err(NoAnswer::NotSent)?, true),
            };
            let sending = connection.try_send_request(request);
            let Ok(sent) = self.environment.timeout_at(deadline, sending).await else {
                return Err(NoAnswer::Lost("no answer in time".to_owned()));
            };
            let mut failed = match sent {
                Ok(response) => return Ok((response, connection)),
                Err(failed) => failed,
            };
            // What hyper gives back it has not begun to send.
            request = match failed.take_message() {
                None => return Err(NoAnswer::Lost(with_causes(failed.error()))),
                Some(_) if is_new => return Err(NoAnswer::NotSent(with_causes(failed.error()))),
                Some(unsent) => unsent,
            };
        }
    }

    /// Keeps a connection for the next request: the answer to its last one has been read to the end.
    pub fn keep(&self, connection: Connection) {
        if connection.is_closed() {
            return;
        }
        let since = self.environment.now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|other| since.saturating_since(other.since) < IDLE_MAX);
        idle.push(Idle { connection, since });
    }

    /// A connection that waits and is still good.
    async fn idle(&self, deadline: Moment) -> Option<Connection> {
        loop {
            let Idle { mut connection, since } =
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if self.environment.now().saturating_since(since) >= IDLE_MAX {
                continue;
            }
            // Not for long: its last answer has been read to the end.
            let ready = self.environment.timeout_at(deadline, connection.ready()).await;
            if matches!(ready, Ok(Ok(()))) {
                return Some(connection);
            }
        }
    }

    /// Takes at most half of the time there is: a write that could not be sent is known not to be done, one
    /// that ran out of time is not.
    async fn connect(&self, deadline: Moment) -> Result<Connection, String> {
        let now = self.environment.now();
        let patience = CONNECT_TIMEOUT_MAX.min(deadline.saturating_since(now) / 2);
        let connecting = async {
            let stream = self.environment.connect(&self.endpoint.address()).await;
            let stream = stream.map_err(|error| format!("cannot connect: {error}"))?;
            let handshake = http1::handshake(TokioIo::new(stream)).await;
            handshake.map_err(|error| format!("cannot connect: {}", with_causes(&error)))
        };
        let connected = self.environment.timeout_at(now + patience, connecting).await;
        let (connection, driver) = connected.map_err(|_| "cannot connect in time".to_owned())??;
        self.environment.spawn("client connection", async move {
            // Whoever waits for an answer on the connection is told too.
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a connection of a client ended with an error");
            }
        });
        Ok(connection)
    }
}

/// An error and what it comes from, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
