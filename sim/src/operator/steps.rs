//! The changes, one by one.

use std::time::Duration;

use madsim::time::{Instant, sleep};
use quorate_replica::{MemberChange, MemberRole, MemberView, MembersView, Wanted};

use super::{INTERVAL, Operator, PATIENCE, Skipped};
use crate::cluster::Order;
use crate::plan::Target;

/// How long a member that is struck stays down.
const STRUCK: Duration = Duration::from_secs(2);
/// How often it is looked whether a node has become a member, to strike it then.
const STRIKE_INTERVAL: Duration = Duration::from_millis(1);
/// As few voters are left.
const VOTERS_MIN: usize = 2;

fn find(view: &MembersView, member: u64) -> Option<&MemberView> {
    view.members.iter().find(|known| known.member == member)
}

fn voters(view: &MembersView) -> usize {
    view.members.iter().filter(|known| known.role == MemberRole::Voter).count()
}

impl Operator {
    pub(super) async fn join(
        &mut self,
        member: u64,
        learner: bool,
        place: bool,
        struck: bool,
    ) -> Result<(), Skipped> {
        let view = self.members().await?;
        let member = self.claim_free(member, &view)?;
        if place {
            let made = self.ask(Order::Change(MemberChange::Add { member, learner }), false).await;
            if let Err(why) = made {
                self.cluster.release_idle(member);
                return Err(why);
            }
        }
        self.boot_new(member, learner).await;
        if struck {
            self.strike(member).await;
        }
        let node = |view: &MembersView| find(view, member).is_some_and(|known| known.node.is_some());
        self.watch(|view| node(view) && view.is_settled(member)).await?;
        self.recorder.met(if learner { "learners joined" } else { "voters joined" });
        Ok(())
    }

    /// Starts a node with an empty disk on a machine that has been claimed.
    async fn boot_new(&self, member: u64, learner: bool) {
        self.cluster.kill(member).await;
        self.cluster.wipe(member);
        self.cluster.boot_to_join(member, learner);
        self.cluster.release(member);
    }

    /// Kills a node as soon as it is a member, before it has got anything.
    async fn strike(&self, member: u64) {
        let deadline = Instant::now() + PATIENCE;
        while !self.recorder.is_member(self.recorder.node_on(member)) {
            if Instant::now() >= deadline {
                return;
            }
            sleep(STRIKE_INTERVAL).await;
        }
        if self.cluster.claim(member) {
            self.recorder.met("members struck as they joined");
            self.say(format_args!("n{member} is struck"));
            self.cluster.kill(member).await;
            sleep(STRUCK).await;
            self.cluster.boot(member);
            self.cluster.release(member);
        }
    }

    pub(super) async fn promote(&mut self, position: u64) -> Result<(), Skipped> {
        let view = self.members().await?;
        let learners: Vec<u64> = view
            .members
            .iter()
            .filter(|known| known.wanted == Wanted::Learner && known.role == MemberRole::Learner)
            .map(|known| known.member)
            .collect();
        let position = position.checked_rem(learners.len() as u64).ok_or("there is no learner")?;
        let member = learners[position as usize];
        self.ask(Order::Change(MemberChange::Promote { member, force: false }), true).await?;
        self.watch(|view| view.is_settled(member)).await?;
        self.recorder.met("learners promoted");
        Ok(())
    }

    pub(super) async fn replace(&mut self, target: Target, member: u64) -> Result<(), Skipped> {
        let view = self.members().await?;
        let old = self.resolve(target, &view)?;
        let new = self.claim_free(member, &view)?;
        if let Err(why) =
            self.ask(Order::Change(MemberChange::Replace { old, new, force: false }), false).await
        {
            self.cluster.release_idle(new);
            return Err(why);
        }
        self.boot_new(new, false).await;
        self.watch(|view| find(view, old).is_none() && view.is_settled(new)).await?;
        self.recorder.met("members replaced");
        Ok(())
    }

    pub(super) async fn remove(&mut self, target: Target) -> Result<(), Skipped> {
        let view = self.members().await?;
        let member = self.resolve(target, &view)?;
        if voters(&view) <= VOTERS_MIN {
            return Err("too few voters would be left");
        }
        self.ask(Order::Change(MemberChange::Remove { member, force: false }), false).await?;
        self.watch(|view| find(view, member).is_none()).await?;
        self.recorder.met("members removed");
        if view.leader == Some(member) {
            self.recorder.met("leaders removed");
        }
        Ok(())
    }

    /// A disk is lost. The new one makes another node, which takes the old one's place.
    pub(super) async fn wipe(&mut self, target: Target) -> Result<(), Skipped> {
        let view = self.members().await?;
        let member = self.resolve(target, &view)?;
        let is_whole = view.members.iter().all(|known| view.is_settled(known.member));
        if voters(&view) <= VOTERS_MIN || !is_whole {
            return Err("too few voters would be left");
        }
        if !self.cluster.claim(member) {
            return Err("a fault has the node in its hands");
        }
        self.cluster.kill(member).await;
        self.cluster.wipe(member);
        self.cluster.expect_refusal(member, true);
        self.cluster.boot_to_join(member, false);
        self.say(format_args!("n{member} has an empty disk"));
        let replaced = self.replace_wiped(member).await;
        self.cluster.expect_refusal(member, false);
        self.cluster.release(member);
        replaced
    }

    async fn replace_wiped(&mut self, member: u64) -> Result<(), Skipped> {
        let order = Order::Change(MemberChange::Replace { old: member, new: member, force: false });
        let votes = |operator: &Self| operator.recorder.is_voter(operator.recorder.node_on(member));
        self.ask_unless(order, true, votes).await?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && !self.recorder.has_violation() {
            if self.cluster.has_stopped(member) {
                self.cluster.start_again(member).await;
            }
            let node = self.recorder.node_on(member);
            if self.recorder.is_voter(node) {
                self.watch(|view| view.is_settled(member)).await?;
                self.recorder.met("disks wiped and replaced");
                return Ok(());
            }
            sleep(INTERVAL).await;
        }
        Err("it is not done yet")
    }

    /// A node comes back at another address.
    pub(super) async fn relocate(&mut self, target: Target) -> Result<(), Skipped> {
        let view = self.members().await?;
        let member = self.resolve(target, &view)?;
        if !self.cluster.claim(member) {
            return Err("a fault has the node in its hands");
        }
        self.cluster.stop(member).await;
        let address = self.cluster.change_address(member);
        self.cluster.boot(member);
        self.cluster.release(member);
        self.watch(|view| find(view, member).is_none_or(|known| known.peer_address == address)).await?;
        self.recorder.met("addresses changed");
        Ok(())
    }

    /// Leadership is handed over.
    pub(super) async fn transfer(&mut self, to: Option<Target>) -> Result<(), Skipped> {
        let view = self.members().await?;
        let to = to.map(|to| self.resolve(to, &view)).transpose()?;
        self.ask(Order::Transfer(to), false).await?;
        self.recorder.met("leadership transfers");
        Ok(())
    }
}
