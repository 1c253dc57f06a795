//! Does to the members of a cluster what a plan's changes say, one after the other.
//!
//! The operator is patient: a verb that was not answered, or not now, is asked for again, of whatever node
//! runs; each may be repeated. What is begun is watched until it is done, or until patience ends: that
//! everything is done in the end is demanded when all is healed ([`crate::run`]).

mod ask;
mod steps;

use std::sync::Arc;
use std::time::Duration;

use madsim::time::{Instant, sleep};
use quorate_replica::{MemberRole, MembersView};

use crate::cluster::{Cluster, Obeyed, Order};
use crate::plan::{Change, Plan, PlannedChange, Target};
use crate::recorder::Recorder;

/// How long the operator watches a change.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it looks.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long a node may take to answer before another one is asked.
const ORDER_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How long the leader is cut off.
const CUT: Duration = Duration::from_secs(2);
/// Tells the operator's cuts of links from those of faults.
const CUTS_FROM: usize = 1_000_000;

/// Why a change was not begun, or not seen to its end.
type Skipped = &'static str;

/// The operator.
pub struct Operator {
    cluster: Arc<Cluster>,
    recorder: Arc<Recorder>,
    /// Which node is asked next.
    turn: u64,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Operator").finish_non_exhaustive()
    }
}

impl Operator {
    /// The operator of a cluster.
    pub fn new(cluster: Arc<Cluster>, recorder: Arc<Recorder>) -> Self {
        Self { cluster, recorder, turn: 0 }
    }

    /// Works through the plan. What would begin after the clients have ended is left out.
    pub async fn work(mut self, plan: Plan) {
        let began = Instant::now();
        let ends = began + Duration::from_millis(plan.workload.duration_ms);
        for (number, planned) in plan.changes.into_iter().enumerate() {
            madsim::time::sleep_until(began + Duration::from_millis(planned.at_ms)).await;
            if self.recorder.has_violation() || Instant::now() >= ends {
                return;
            }
            self.carry_out(number, planned).await;
        }
    }

    async fn carry_out(&mut self, number: usize, planned: PlannedChange) {
        let name = planned.change.name();
        self.say(format_args!("begins: {:?}", planned.change));
        if let Some(after_ms) = planned.cut_after_ms {
            let cut = cut_leader(self.cluster.clone(), self.recorder.clone(), number, after_ms);
            madsim::task::spawn(cut);
        }
        let done = match planned.change {
            Change::Join { member, learner, place, struck } => {
                self.join(member, learner, place, struck).await
            }
            Change::Promote { position } => self.promote(position).await,
            Change::Replace { target, member } => self.replace(target, member).await,
            Change::Remove { target } => self.remove(target).await,
            Change::Wipe { target } => self.wipe(target).await,
            Change::Move { target } => self.relocate(target).await,
            Change::Transfer { to } => self.transfer(to).await,
        };
        match done {
            Ok(()) => self.say(format_args!("{name} is done")),
            Err(why) => self.say(format_args!("{name} is given up: {why}")),
        }
    }

    fn say(&self, what: std::fmt::Arguments<'_>) {
        self.recorder.say(format_args!("op"), what);
    }

    /// The voter that a target is.
    fn resolve(&self, target: Target, view: &MembersView) -> Result<u64, Skipped> {
        let is_voter = |member: u64| {
            view.members.iter().any(|known| known.member == member && known.role == MemberRole::Voter)
        };
        let found = match target {
            Target::Leader => view.leader,
            Target::Member(member) => Some(member),
            Target::Follower(position) => {
                let voters = view.members.iter().filter(|known| known.role == MemberRole::Voter);
                let followers: Vec<u64> =
                    voters.map(|voter| voter.member).filter(|member| Some(*member) != view.leader).collect();
                position.checked_rem(followers.len() as u64).map(|position| followers[position as usize])
            }
        };
        found.filter(|member| is_voter(*member)).ok_or("there is no such voter")
    }

    /// A machine on which nothing runs and whose number is free: that one, or the next.
    fn claim_free(&self, member: u64, view: &MembersView) -> Result<u64, Skipped> {
        let machines: Vec<u64> = self.cluster.members().collect();
        let is_free = |machine: &u64| view.members.iter().all(|known| known.member != *machine);
        let from = machines.iter().position(|machine| *machine == member).unwrap_or(0);
        let mut in_turn = machines[from..].iter().chain(&machines[..from]).copied().filter(is_free);
        in_turn.find(|machine| self.cluster.claim_idle(*machine)).ok_or("no machine is free")
    }
}

/// Cuts the leader off for a while.
async fn cut_leader(cluster: Arc<Cluster>, recorder: Arc<Recorder>, number: usize, after_ms: u64) {
    sleep(Duration::from_millis(after_ms)).await;
    let Some(leader) = recorder.leader() else { return };
    recorder.met("changes while the leader was cut off");
    recorder.say(format_args!("op"), format_args!("n{leader} is cut off"));
    cluster.cut(CUTS_FROM + number, [cluster.links_from(leader), cluster.links_to(leader)].concat());
    sleep(CUT).await;
    cluster.mend(CUTS_FROM + number);
}

/// Who the members are, as the leader knows it.
pub async fn members(cluster: &Cluster, recorder: &Recorder) -> Option<MembersView> {
    let leader = recorder.leader()?;
    let told: Option<Obeyed> =
        madsim::time::timeout(ORDER_TIMEOUT, cluster.order(leader, Order::Tell, ORDER_TIMEOUT)).await.ok()?;
    told?.ok()
}
