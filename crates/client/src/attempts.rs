//! Attempts at one node after another, inside one deadline.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quorate_api::ErrorCode;
use quorate_environment::{Environment, Moment};

use crate::call::Call;
use crate::connections::Connections;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::exchange::{Answer, Failure, exchange};
use crate::sessions::Ticket;

/// The pause after every node has been tried once; doubles with each round.
const BACKOFF_MIN: Duration = Duration::from_millis(25);

/// The longest pause between rounds.
const BACKOFF_MAX: Duration = Duration::from_millis(800);

/// The shortest time that an attempt is made with.
const ATTEMPT_MIN: Duration = Duration::from_millis(1);

/// The nodes, and which of them answered last.
#[derive(Debug)]
pub(crate) struct Nodes<E> {
    environment: E,
    nodes: Vec<Connections<E>>,
    preferred: AtomicUsize,
    answer_bytes_max: usize,
}

impl<E: Environment> Nodes<E> {
    /// At least one endpoint.
    pub(crate) fn new(environment: E, endpoints: Vec<Endpoint>, answer_bytes_max: usize) -> Self {
        assert!(!endpoints.is_empty(), "a client needs at least one endpoint");
        let nodes = endpoints.into_iter().map(|endpoint| Connections::new(environment.clone(), endpoint));
        let nodes = nodes.collect();
        Self { environment, nodes, preferred: AtomicUsize::new(0), answer_bytes_max }
    }

    /// Makes the call at the node that answered last, and where that fails without harm at the others in
    /// turn, until one answers or the deadline has passed. An attempt of whose outcome nobody said anything is
    /// repeated if the call is repeatable, or has a number by which the store knows it again.
    pub(crate) async fn attempt(
        &self,
        call: &Call,
        ticket: Option<&Ticket>,
        deadline: Moment,
    ) -> Result<Answer, ClientError> {
        let count = self.nodes.len();
        let first = self.preferred.load(Ordering::Relaxed);
        let mut seen = Seen::default();
        for attempt in 0.. {
            let (round, turn) = (attempt / count, attempt % count);
            if round > 0 && turn == 0 {
                let pause = self.environment.jitter(backoff(round));
                self.environment.sleep_until((self.environment.now() + pause).min(deadline)).await;
            }
            let remaining = deadline.saturating_since(self.environment.now());
            if remaining < ATTEMPT_MIN {
                break;
            }
            let node = (first + attempt) % count;
            // Each node of the round gets an equal share of the time, or one that hangs takes it all.
            let budget = remaining / (count - turn) as u32;
            match exchange(&self.nodes[node], call, ticket, budget, self.answer_bytes_max).await {
                Ok(answer) => {
                    self.preferred.store(node, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(Failure::NotDone(error)) if ticket.is_some() && seen.is_over_for_this_number(&error) => {
                    return Err(error);
                }
                Err(Failure::NotDone(error)) => seen.failure = Some(error),
                Err(Failure::InDoubt { reason }) => {
                    // It may be because this node hangs; begin elsewhere next time.
                    self.preferred.store((node + 1) % count, Ordering::Relaxed);
                    if call.is_repeatable() {
                        seen.failure = Some(ClientError::Unreachable { reason });
                    } else if ticket.is_some() {
                        seen.doubt = Some(reason);
                    } else {
                        return Err(ClientError::OutcomeUnknown { reason });
                    }
                }
                Err(Failure::Final { error, is_outcome: true }) => return Err(error),
                Err(Failure::Final { error, is_outcome: false }) => return Err(seen.or_in_doubt(error)),
            }
        }
        Err(seen.when_time_is_up())
    }
}

/// What earlier attempts have met.
#[derive(Debug, Default)]
struct Seen {
    /// The last definite failure.
    failure: Option<ClientError>,
    /// The last attempt that may have been done.
    doubt: Option<String>,
}

impl Seen {
    /// Whether the write had better take another number. A session that holds too many outcomes may hold them
    /// above this number, and cannot forget them as long as this one is being tried.
    fn is_over_for_this_number(&self, error: &ClientError) -> bool {
        self.doubt.is_none() && error.code() == Some(ErrorCode::TooManyOutcomes)
    }

    /// The error of a later attempt says nothing about those in doubt.
    fn or_in_doubt(self, error: ClientError) -> ClientError {
        match self.doubt {
            None => error,
            Some(reason) if error.code() == Some(ErrorCode::SessionExpired) => {
                let reason = format!("{reason}; and the session has expired since");
                ClientError::OutcomeUnknown { reason }
            }
            Some(reason) => ClientError::OutcomeUnknown { reason: format!("{reason}; and then: {error}") },
        }
    }

    fn when_time_is_up(self) -> ClientError {
        let too_short = || ClientError::Unreachable {
            reason: "the time limit is too short for a single attempt".to_owned(),
        };
        match self.doubt {
            Some(reason) => ClientError::OutcomeUnknown { reason },
            None => self.failure.unwrap_or_else(too_short),
        }
    }
}

/// The pause before a round, which jitter makes shorter or longer, so that many clients spread.
fn backoff(round: usize) -> Duration {
    let doubled = BACKOFF_MIN * 2u32.saturating_pow(round.min(16) as u32 - 1);
    doubled.min(BACKOFF_MAX)
}
