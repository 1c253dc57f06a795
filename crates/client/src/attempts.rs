//! Attempts at one node after another, inside one deadline.

use std::sync::Arc;
use std::time::Duration;

use quorate_api::ErrorCode;
use quorate_environment::{Environment, Moment};

use crate::call::Call;
use crate::connections::Connections;
use crate::error::ClientError;
use crate::exchange::{Answer, Failure, exchange};
use crate::nodes::Nodes;
use crate::sessions::Ticket;

/// The pause after every node has been tried once; doubles with each round.
const BACKOFF_MIN: Duration = Duration::from_millis(25);

/// The longest pause between rounds.
const BACKOFF_MAX: Duration = Duration::from_millis(800);

/// The shortest time that an attempt is made with.
const ATTEMPT_MIN: Duration = Duration::from_millis(1);

/// The shortest time that a write is tried again with, or a quarter of all its time if that is less: an attempt
/// that the deadline cuts off would turn a definite failure into an unknown outcome.
const WRITE_AGAIN_MIN: Duration = Duration::from_millis(100);

impl<E: Environment> Nodes<E> {
    /// Makes the call at the node that answered last, and where that fails without harm at the others in
    /// turn, until one answers or the deadline has passed. An attempt of whose outcome nobody said anything is
    /// repeated if the call is repeatable, or has a number by which the store knows it again. A node that asks
    /// for patience is left alone for as long as it says; if that is too long, the call fails at once.
    pub(crate) async fn attempt(
        self: &Arc<Self>,
        call: &Call,
        ticket: Option<&Ticket>,
        deadline: Moment,
    ) -> Result<Answer, ClientError> {
        let mut trial =
            Trial { nodes: self, call, ticket, deadline, seen: Seen::default(), held: Vec::new() };
        let again_min = WRITE_AGAIN_MIN.min(deadline.saturating_since(self.environment.now()) / 4);
        for round in 0.. {
            if round > 0 && !trial.pause(round).await {
                break;
            }
            let nodes = self.directory().round(round == 0);
            if nodes.is_empty() {
                let reason = "every node belongs to another cluster than the first that answered".to_owned();
                return Err(trial.seen.or_in_doubt(ClientError::Unreachable { reason }));
            }
            for (turn, node) in nodes.iter().enumerate() {
                if trial.held_until(node) > self.environment.now() {
                    continue;
                }
                let remaining = deadline.saturating_since(self.environment.now());
                if remaining < trial.remaining_min(again_min) {
                    return Err(trial.seen.when_time_is_up());
                }
                // Each node of the round gets an equal share of the time, or one that hangs takes it all.
                let budget = remaining / (nodes.len() - turn) as u32;
                let next = &nodes[(turn + 1) % nodes.len()];
                if let Some(result) = trial.attempt(node, next, budget).await {
                    return result;
                }
            }
        }
        Err(trial.seen.when_time_is_up())
    }
}

/// A call that is being tried.
struct Trial<'call, E> {
    nodes: &'call Arc<Nodes<E>>,
    call: &'call Call,
    ticket: Option<&'call Ticket>,
    deadline: Moment,
    seen: Seen,
    /// The nodes that have asked this call for patience, and until when.
    held: Vec<(Arc<Connections<E>>, Moment)>,
}

impl<E: Environment> Trial<'_, E> {
    /// Makes the call at one node. None if another attempt may do better; `next` is where that would be.
    async fn attempt(
        &mut self,
        node: &Arc<Connections<E>>,
        next: &Arc<Connections<E>>,
        budget: Duration,
    ) -> Option<Result<Answer, ClientError>> {
        let nodes = self.nodes;
        match exchange(node, self.call, self.ticket, budget, nodes.answer_bytes_max).await {
            Ok(answer) => {
                nodes.answered(node);
                return Some(Ok(answer));
            }
            Err(Failure::NotDone { error, .. })
                if self.ticket.is_some() && self.seen.is_over_for_this_number(&error) =>
            {
                return Some(Err(error));
            }
            Err(Failure::NotDone { error, retry_after }) => {
                self.hold(node, &error, retry_after);
                if matches!(error, ClientError::Unreachable { .. })
                    || error.code() == Some(ErrorCode::ShuttingDown)
                {
                    nodes.failed();
                }
                self.seen.failure = Some(error);
            }
            Err(Failure::InDoubt { reason }) => {
                // It may be because this node hangs; begin elsewhere next time.
                nodes.directory().prefer(next);
                nodes.failed();
                if self.call.is_repeatable() {
                    self.seen.failure = Some(ClientError::Unreachable { reason });
                } else if self.ticket.is_some() {
                    self.seen.doubt = Some(reason);
                } else {
                    return Some(Err(ClientError::OutcomeUnknown { reason }));
                }
            }
            Err(Failure::Final { error, is_outcome: true }) => return Some(Err(error)),
            Err(Failure::Final { error, is_outcome: false }) => {
                return Some(Err(std::mem::take(&mut self.seen).or_in_doubt(error)));
            }
        }
        None
    }

    /// Leaves a node alone for as long as it asks for. One that is overloaded is left alone by all calls; other
    /// reasons concern this one. How long a session's outcomes take to be forgotten the session knows better.
    fn hold(&mut self, node: &Arc<Connections<E>>, error: &ClientError, retry_after: Option<Duration>) {
        let Some(retry_after) = retry_after.filter(|_| error.code() != Some(ErrorCode::TooManyOutcomes))
        else {
            return;
        };
        let until = self.nodes.environment.now() + retry_after;
        if error.code() == Some(ErrorCode::Overloaded) {
            node.hold_until(until);
        }
        self.held.retain(|(other, _)| !Arc::ptr_eq(other, node));
        self.held.push((Arc::clone(node), until));
    }

    /// Until when a node is to be left alone by this call.
    fn held_until(&self, node: &Arc<Connections<E>>) -> Moment {
        let held = self.held.iter().find(|(other, _)| Arc::ptr_eq(other, node));
        held.map_or(node.held_until(), |(_, until)| node.held_until().max(*until))
    }

    /// Waits before a round, until there is a node that may be asked. False if there is none in time.
    async fn pause(&self, round: u32) -> bool {
        let environment = &self.nodes.environment;
        let now = environment.now();
        let nodes = self.nodes.directory().round(false);
        let free = nodes.iter().map(|node| self.held_until(node)).min().unwrap_or(now);
        let pause = environment.jitter(backoff(round));
        let until = now.max(free) + pause;
        if now >= self.deadline || free > self.deadline {
            return false;
        }
        environment.sleep_until(until.min(self.deadline)).await;
        true
    }

    /// The least time that another attempt is worth.
    fn remaining_min(&self, again_min: Duration) -> Duration {
        let may_become_unknown =
            !self.call.is_repeatable() && self.seen.failure.is_some() && self.seen.doubt.is_none();
        if may_become_unknown { again_min.max(ATTEMPT_MIN) } else { ATTEMPT_MIN }
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
fn backoff(round: u32) -> Duration {
    let doubled = BACKOFF_MIN * 2u32.saturating_pow(round.min(16) - 1);
    doubled.min(BACKOFF_MAX)
}
