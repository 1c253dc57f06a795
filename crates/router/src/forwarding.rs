//! Passing a request on, to one node after another if need be, inside its deadline.

use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use quorate_api::ErrorCode;
use quorate_environment::{Environment, Moment};
use quorate_http::{Arrival, receive_body, refusal};

use crate::attempt::{Outcome, Received};
use crate::board::Node;
use crate::metrics::Attempt;
use crate::need::{Kind, Need};
use crate::router::Router;

/// The longest body of a request. What a node takes is less, and it says so itself.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// The pause after every node has been tried once; doubles with each round.
const BACKOFF_MIN: Duration = Duration::from_millis(25);

/// The longest pause between rounds.
const BACKOFF_MAX: Duration = Duration::from_millis(400);

/// The shortest time that an attempt is made with.
const ATTEMPT_MIN: Duration = Duration::from_millis(1);

/// The shortest time that a write is tried again with, or a quarter of all its time if that is less: an attempt
/// that the deadline cuts off would turn a definite failure into an unknown outcome.
const WRITE_AGAIN_MIN: Duration = Duration::from_millis(100);

/// How much sooner than the client gives up it is answered: a twentieth of the time, but not more than this.
const MARGIN_MAX: Duration = Duration::from_millis(10);

/// Passes a request on and gives what the client is to be answered.
pub(crate) async fn forward<E: Environment>(router: &Router<E>, request: Request) -> Response {
    let arrival = *request.extensions().get::<Arrival>().expect("every request is given its arrival");
    let (parts, body) = request.into_parts();
    let need = Need::of(&parts);
    router.metrics.received(need.destination);
    let deadline = arrival.at + (need.timeout - MARGIN_MAX.min(need.timeout / 20));
    let (body, held) = match receive_body(&router.front, body, BODY_BYTES_MAX, deadline).await {
        Ok(received) => received,
        Err(refusal) => return refusal,
    };
    let received = Received::new(parts, body, need, arrival.request_id);
    let response = Forwarding { router, received, deadline, refused: None, doubt: None }.run().await;
    drop(held);
    response
}

/// A request on its way.
struct Forwarding<'router, E: Environment> {
    router: &'router Router<E>,
    received: Received,
    deadline: Moment,
    /// What the last node that did nothing has said.
    refused: Option<Response>,
    /// Why an earlier attempt at a write may have been done.
    doubt: Option<String>,
}

impl<E: Environment> Forwarding<'_, E> {
    async fn run(mut self) -> Response {
        let environment = self.router.environment().clone();
        let again_min = WRITE_AGAIN_MIN.min(self.deadline.saturating_since(environment.now()) / 4);
        for round in 0.. {
            if round > 0 {
                let pause = environment.jitter(backoff(round));
                environment.sleep_until((environment.now() + pause).min(self.deadline)).await;
            }
            let nodes = self.router.board().order(self.received.need.destination, round == 0);
            if nodes.is_empty() && self.deadline <= environment.now() {
                break;
            }
            for (turn, node) in nodes.iter().enumerate() {
                let remaining = self.deadline.saturating_since(environment.now());
                if remaining < self.remaining_min(again_min) {
                    return self.out_of_time();
                }
                // What can be repeated gets an equal share of the time at each node, or one that hangs takes it
                // all. What cannot has but this chance.
                let share = match self.received.need.kind {
                    Kind::Read | Kind::RepeatableWrite => remaining / (nodes.len() - turn) as u32,
                    Kind::Write => remaining,
                };
                let is_last = turn + 1 == nodes.len();
                if let Some(response) = self.attempt(node, share, is_last).await {
                    return response;
                }
            }
        }
        self.out_of_time()
    }

    /// Tries one node. None if another attempt may do better.
    async fn attempt(&mut self, node: &Node<E>, budget: Duration, is_last: bool) -> Option<Response> {
        let router = self.router;
        let in_doubt = self.doubt.is_some();
        let outcome = self.received.attempt(router.environment(), node, budget, in_doubt).await;
        match outcome {
            Outcome::Answer(response) => {
                router.metrics.attempted(Attempt::Answered);
                return Some(response);
            }
            Outcome::Refused { code, answer } => {
                router.metrics.attempted(Attempt::Refused);
                if code == ErrorCode::ShuttingDown {
                    router.failed(node);
                }
                // Nobody has room for it: the client had better come back later.
                if code == ErrorCode::Overloaded && is_last && !in_doubt {
                    return Some(answer);
                }
                // This says nothing about the attempt that may have been done, and no other would.
                if in_doubt && !code.is_retryable() {
                    return Some(self.unknown(&format!("a repetition was answered {code}")));
                }
                self.refused = Some(answer);
            }
            Outcome::NotSent { reason } => {
                router.metrics.attempted(Attempt::NotSent);
                tracing::debug!(node = %node.endpoint(), reason, "a request could not be passed on");
                router.failed(node);
            }
            Outcome::Lost { reason } => {
                router.metrics.attempted(Attempt::Lost);
                tracing::debug!(node = %node.endpoint(), reason, "a request was not answered");
                router.failed(node);
                match self.received.need.kind {
                    Kind::Read => {}
                    Kind::RepeatableWrite => self.doubt = Some(format!("{}: {reason}", node.endpoint())),
                    Kind::Write => return Some(self.unknown(&format!("{}: {reason}", node.endpoint()))),
                }
            }
        }
        None
    }

    /// The least time that another attempt is worth.
    fn remaining_min(&self, again_min: Duration) -> Duration {
        let may_become_unknown =
            self.received.need.kind != Kind::Read && self.refused.is_some() && self.doubt.is_none();
        if may_become_unknown { again_min.max(ATTEMPT_MIN) } else { ATTEMPT_MIN }
    }

    fn out_of_time(self) -> Response {
        if let Some(reason) = &self.doubt {
            return self.unknown(reason);
        }
        let nobody = || refusal(ErrorCode::Unavailable, "no node could be reached, or none answered in time");
        self.refused.unwrap_or_else(nobody)
    }

    fn unknown(&self, reason: &str) -> Response {
        self.router.metrics.unknown_outcome();
        refusal(ErrorCode::OutcomeUnknown, format!("the outcome is not known: {reason}"))
    }
}

/// The pause before a round, which jitter makes shorter or longer, so that many requests spread.
fn backoff(round: u32) -> Duration {
    let doubled = BACKOFF_MIN * 2u32.saturating_pow(round.min(16) - 1);
    doubled.min(BACKOFF_MAX)
}
