//! The way to one peer on one lane: a connection when there is one, dialing when there is not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_consensus::NodeId;
use quorate_environment::{Environment, Moment};
use tokio::sync::oneshot;

use crate::connection::Connection;
use crate::dial::dial;
use crate::error::{DialError, NotSent};
use crate::gatekeeper::Gatekeeper;
use crate::handshake::{Hello, Lane};
use crate::limits::{DIAL_BACKOFF_FIRST, DIAL_BACKOFF_MAX, DIAL_TIMEOUT, HANDSHAKE_TIMEOUT};

type DialResult<E> = Result<Arc<Connection<E>>, NotSent>;

/// The way to `peer` on one lane.
#[derive(Debug)]
pub(crate) struct Link<E: Environment> {
    environment: E,
    gatekeeper: Arc<dyn Gatekeeper>,
    peer: NodeId,
    lane: Lane,
    state: Mutex<State<E>>,
}

#[derive(Debug)]
struct State<E: Environment> {
    phase: Phase<E>,
    /// Dials that have failed since the last that worked.
    failures: u32,
    /// What was last said in the log about this peer being out of reach: it is said once, not with each
    /// retry.
    logged: Option<String>,
}

#[derive(Debug)]
enum Phase<E: Environment> {
    /// Not dialed yet, or the connection has ended.
    Down,
    /// The last dial failed; the next is not due before `next_attempt`.
    BackingOff { last: DialError, next_attempt: Moment },
    /// A task dials; these wait for it.
    Dialing { waiting: Vec<oneshot::Sender<DialResult<E>>> },
    /// There is a connection; it may have ended.
    Up { connection: Arc<Connection<E>> },
    /// No connection is made any more.
    Closed,
}

impl<E: Environment> Link<E> {
    /// A way that has not been used yet.
    pub(crate) fn new(environment: E, gatekeeper: Arc<dyn Gatekeeper>, peer: NodeId, lane: Lane) -> Self {
        let state = Mutex::new(State { phase: Phase::Down, failures: 0, logged: None });
        Self { environment, gatekeeper, peer, lane, state }
    }

    /// The connection, dialed at `address` if there is none. Fails at once while a failed dial's pause
    /// lasts: the caller has better things to do than to wait for a node that is gone.
    pub(crate) async fn connection(self: &Arc<Self>, address: &str, deadline: Moment) -> DialResult<E> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.lock();
            match &mut state.phase {
                Phase::Up { connection } if !connection.is_ended() => return Ok(connection.clone()),
                Phase::BackingOff { last, next_attempt } if self.environment.now() < *next_attempt => {
                    return Err(NotSent::Unreachable(DialError::BackingOff {
                        last: Box::new(last.clone()),
                        now: self.environment.now(),
                        next_attempt: *next_attempt,
                    }));
                }
                Phase::Dialing { waiting } => waiting.push(sender),
                Phase::Closed => return Err(NotSent::ShuttingDown),
                Phase::Up { .. } | Phase::BackingOff { .. } | Phase::Down => {
                    state.phase = Phase::Dialing { waiting: vec![sender] };
                    // A task of its own, so that a caller who gives up does not take the dial from others.
                    self.environment.spawn("peer dial", self.clone().dial(address.to_owned()));
                }
            }
        }
        match self.environment.timeout_at(deadline, receiver).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(NotSent::ShuttingDown),
            Err(_) => Err(NotSent::Deadline),
        }
    }

    /// How long the newest ping took to come back, if there is a connection and one has.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        match &self.lock().phase {
            Phase::Up { connection } if !connection.is_ended() => connection.round_trip(),
            _ => None,
        }
    }

    /// Ends the connection and makes no other.
    pub(crate) fn close(&self) {
        let phase = std::mem::replace(&mut self.lock().phase, Phase::Closed);
        if let Phase::Up { connection } = phase {
            connection.end("this node closes it");
        }
    }

    async fn dial(self: Arc<Self>, address: String) {
        let hello = Hello::new(self.gatekeeper.introduction(), self.peer, self.lane);
        let deadline = self.environment.now() + DIAL_TIMEOUT + HANDSHAKE_TIMEOUT;
        let result = dial(&self.environment, &address, &hello, deadline).await.map(|dialed| {
            self.gatekeeper.welcomed(&dialed.welcome.by);
            Connection::start(self.environment.clone(), self.peer, dialed.reader, dialed.writer)
        });
        let waiting = {
            let mut state = self.lock();
            let next = match &result {
                Ok(connection) => self.succeeded(&mut state, connection),
                Err(error) => {
                    self.gatekeeper.not_found_at(self.peer, &address);
                    self.failed(&mut state, error)
                }
            };
            match std::mem::replace(&mut state.phase, next) {
                Phase::Dialing { waiting } => waiting,
                _ => {
                    // Closed while dialing.
                    state.phase = Phase::Closed;
                    if let Ok(connection) = &result {
                        connection.end("this node closes it");
                    }
                    return;
                }
            }
        };
        for sender in waiting {
            // Some may have given up.
            let _ = sender.send(result.clone().map_err(NotSent::Unreachable));
        }
    }

    fn succeeded(&self, state: &mut State<E>, connection: &Arc<Connection<E>>) -> Phase<E> {
        state.failures = 0;
        if state.logged.take().is_some() {
            tracing::info!(peer = %self.peer, lane = %self.lane, "peer can be reached again");
        }
        Phase::Up { connection: connection.clone() }
    }

    fn failed(&self, state: &mut State<E>, error: &DialError) -> Phase<E> {
        let text = error.to_string();
        if state.logged.as_deref() != Some(&text) {
            tracing::warn!(peer = %self.peer, lane = %self.lane, reason = text, "peer cannot be reached");
            state.logged = Some(text);
        }
        let pause = self.environment.jitter(dial_backoff(state.failures));
        state.failures = state.failures.saturating_add(1);
        Phase::BackingOff { last: error.clone(), next_attempt: self.environment.now() + pause }
    }

    fn lock(&self) -> MutexGuard<'_, State<E>> {
        // No code panics while it holds this lock; if it ever does, the process ends anyway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause after `failures` earlier failures in a row, before jitter.
pub(crate) fn dial_backoff(failures: u32) -> Duration {
    DIAL_BACKOFF_FIRST.saturating_mul(1 << failures.min(16)).min(DIAL_BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_between_dials_doubles_up_to_its_limit() {
        let pauses: Vec<u128> = (0..7).map(|failures| dial_backoff(failures).as_millis()).collect();
        assert_eq!(pauses, [25, 50, 100, 200, 400, 400, 400]);
        assert_eq!(dial_backoff(u32::MAX), DIAL_BACKOFF_MAX);
    }
}
