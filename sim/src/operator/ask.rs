//! Asking nodes for a change until it is begun, and watching it.

use madsim::time::{Instant, sleep};
use quorate_replica::{MemberError, MembersView};

use super::{INTERVAL, ORDER_TIMEOUT, Operator, PATIENCE, Skipped, members};
use crate::cluster::{Disobeyed, Obeyed, Order};

impl Operator {
    /// Who the members are, as soon as a leader can say.
    pub(super) async fn members(&self) -> Result<MembersView, Skipped> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(view) = members(&self.cluster, &self.recorder).await {
                return Ok(view);
            }
            sleep(INTERVAL).await;
        }
        Err("nobody says who the members are")
    }

    /// Asks for a change until it is written down, or refused for good. With `insists` also a refusal is
    /// followed by another attempt, while patience lasts.
    pub(super) async fn ask(&mut self, order: Order, insists: bool) -> Result<MembersView, Skipped> {
        let answered = self.ask_unless(order, insists, |_| false).await?;
        Ok(answered.expect("there was no other end"))
    }

    /// The same, but an order of which nobody said what became of it is not given again when it is done. Gives
    /// nothing then.
    pub(super) async fn ask_unless(
        &mut self,
        order: Order,
        insists: bool,
        is_done: impl Fn(&Self) -> bool,
    ) -> Result<Option<MembersView>, Skipped> {
        let deadline = Instant::now() + PATIENCE;
        let mut why = "nobody answers";
        while Instant::now() < deadline {
            if is_done(self) {
                return Ok(None);
            }
            match self.ask_once(order).await {
                Some(Ok(view)) => return Ok(Some(view)),
                Some(Err(error)) => {
                    self.say(format_args!("{order:?} is answered: {error}"));
                    if is_refusal(&error) {
                        self.recorder.met("changes refused");
                        why = "it is refused";
                        if !insists {
                            break;
                        }
                    }
                }
                None => {}
            }
            sleep(INTERVAL).await;
        }
        Err(why)
    }

    /// Asks the next node, or whoever leads, in turn.
    async fn ask_once(&mut self, order: Order) -> Option<Obeyed> {
        let running: Vec<u64> = self.recorder.statuses().into_keys().collect();
        let position = self.turn.checked_rem(running.len() as u64)?;
        let leader = self.recorder.leader().filter(|_| self.turn.is_multiple_of(2));
        self.turn += 1;
        let member = leader.unwrap_or(running[position as usize]);
        let order = self.cluster.order(member, order, ORDER_TIMEOUT);
        madsim::time::timeout(ORDER_TIMEOUT * 2, order).await.ok()?
    }

    /// Watches until the leader shows what is wanted.
    pub(super) async fn watch(&self, is_done: impl Fn(&MembersView) -> bool) -> Result<(), Skipped> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && !self.recorder.has_violation() {
            if members(&self.cluster, &self.recorder).await.is_some_and(|view| is_done(&view)) {
                return Ok(());
            }
            sleep(INTERVAL).await;
        }
        Err("it is not done yet")
    }
}

/// Whether asking again is of no use, as long as nothing else changes.
fn is_refusal(error: &Disobeyed) -> bool {
    let Disobeyed::Change(error) = error else { return true };
    !matches!(
        error,
        MemberError::InProgress { .. }
            | MemberError::Unavailable { .. }
            | MemberError::OutcomeUnknown { .. }
            | MemberError::Unfinished { .. }
            | MemberError::ShuttingDown
    )
}
