//! Attempts at one node after another, inside one deadline.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::exchange::{Answer, Call, Failure, Transport, exchange};

/// The pause after every node has been tried once; doubles with each round.
const BACKOFF_MIN: Duration = Duration::from_millis(25);

/// The longest pause between rounds.
const BACKOFF_MAX: Duration = Duration::from_millis(800);

/// The nodes, and which of them answered last.
#[derive(Debug)]
pub(crate) struct Nodes {
    endpoints: Vec<Endpoint>,
    preferred: AtomicUsize,
}

impl Nodes {
    /// At least one endpoint.
    pub(crate) fn new(endpoints: Vec<Endpoint>) -> Self {
        assert!(!endpoints.is_empty(), "a client needs at least one endpoint");
        Self { endpoints, preferred: AtomicUsize::new(0) }
    }

    /// Makes the call at the node that answered last, and where that fails without harm at the others in
    /// turn, until one answers or `timeout` has passed.
    pub(crate) async fn attempt(
        &self,
        transport: &Transport,
        call: &Call,
        timeout: Duration,
        answer_bytes_max: usize,
    ) -> Result<Answer, ClientError> {
        let deadline = Instant::now() + timeout;
        let count = self.endpoints.len();
        let first = self.preferred.load(Ordering::Relaxed);
        let mut last_failure = None;
        for attempt in 0.. {
            let (round, turn) = (attempt / count, attempt % count);
            if round > 0 && turn == 0 {
                tokio::time::sleep_until((Instant::now() + backoff(round)).min(deadline)).await;
            }
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining < Duration::from_millis(1) {
                break;
            }
            let node = (first + attempt) % count;
            // Each node of the round gets an equal share of the time, or one that hangs takes it all.
            let budget = remaining / (count - turn) as u32;
            match exchange(transport, &self.endpoints[node], call, budget, answer_bytes_max).await {
                Ok(answer) => {
                    self.preferred.store(node, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(Failure::TryElsewhere(error)) => last_failure = Some(error),
                Err(Failure::Final(error)) => {
                    // It may be final because this node hangs; begin elsewhere next time.
                    if error.is_outcome_unknown() {
                        self.preferred.store((node + 1) % count, Ordering::Relaxed);
                    }
                    return Err(error);
                }
            }
        }
        Err(last_failure.unwrap_or_else(|| ClientError::Unreachable {
            reason: "the time limit is too short for a single attempt".to_owned(),
        }))
    }
}

/// The pause before a round: between half and one and a half times its length, so that many clients
/// spread.
fn backoff(round: usize) -> Duration {
    let doubled = BACKOFF_MIN * 2u32.saturating_pow(round.min(16) as u32 - 1);
    let thousandths = 500 + rand::random::<u32>() % 1001;
    doubled.min(BACKOFF_MAX) * thousandths / 1000
}
