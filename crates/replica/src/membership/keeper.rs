//! The leader's work on the membership: step by step towards what is wanted.
//!
//! Every step rests on the committed membership and is only taken if that is still the newest one, so that a
//! verb which comes in between, or another leader, makes it void instead of being overwritten.

use std::time::Duration;

use openraft_rt::{AsyncRuntime, Select2};
use quorate_consensus::LogId;
use quorate_environment::{Environment, Moment};
use tokio_util::sync::CancellationToken;

use super::requests::ChangeFailure;
use super::steps::{Step, next_step};
use crate::replica::{Replica, pause};

/// How often the leader looks whether something is left to do.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long one step may take; it is not undone after that.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long nodes have to learn of a membership before one of them is let go.
const TELLING_TIME: Duration = Duration::from_millis(600);

/// Does the next step whenever there is one, while this node leads.
pub(crate) async fn keep_membership<E: Environment>(replica: Replica<E>, shutdown: CancellationToken) {
    let inner = replica.inner();
    // The newest membership, and since when this node has seen it.
    let mut newest: (Option<LogId>, Moment) = (None, inner.environment.now());
    while pause(&inner.environment, &shutdown, INTERVAL).await {
        let Some((log_id, situation)) = replica.situation() else { continue };
        let now = inner.environment.now();
        if newest.0 != log_id {
            newest = (log_id, now);
        }
        let is_told = now.saturating_since(newest.1) >= TELLING_TIME;
        let Some(step) = next_step(&situation, is_told) else { continue };
        let done = replica.take_step(step, log_id);
        if let Select2::First(()) = E::Runtime::select2(shutdown.cancelled(), done).await {
            return;
        }
    }
}

impl<E: Environment> Replica<E> {
    async fn take_step(&self, step: Step, log_id: Option<LogId>) {
        let inner = self.inner();
        match step {
            Step::HandOver { to } => {
                tracing::info!(%to, "handing leadership over: this node is to be removed");
                let deadline = inner.environment.now() + STEP_TIMEOUT;
                if let Err(error) = self.hand_over(Some(to.member), deadline).await {
                    tracing::info!(%to, %error, "leadership was not handed over");
                }
            }
            Step::Change { why, change } => {
                tracing::info!(why, "changing the members");
                let deadline = inner.environment.now() + STEP_TIMEOUT;
                match self.change_membership(change, log_id, deadline).await {
                    Ok(()) | Err(ChangeFailure::Overtaken) => {}
                    Err(failure) => {
                        tracing::info!(%failure, why, "the change of the members was not finished")
                    }
                }
            }
        }
    }
}
