//! The end of some runs: a majority of the nodes is lost, and a new cluster is made of what one of the others has.
//!
//! It goes as badly as it may. Those who will survive are cut off first, so that they miss what the others go on
//! to acknowledge. Then all are killed, the survivor with the most complete log is made a cluster of its own, by the code
//! behind `quorate recover`, and some of the others join it with empty disks. The rest turn up again, as they were: with
//! their log, their votes, the old members' addresses, and perhaps enough of them to lead and serve the old cluster again.
//!
//! The history that oracles look at goes with the survivors: from the moment in which they are cut off, nothing counts
//! that the lost nodes do ([`Recorder::disregard`]), and what only they acknowledge goes to a recorder of its own. So
//! everything that was ever demanded is demanded of the new cluster too: it has all that was acknowledged before
//! that moment, at the same indexes, and nothing else. What is left of the old one has no part in it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use madsim::time::{Instant, sleep};
use quorate_replica::{MemberRole, MembersView};

use crate::cluster::Cluster;
use crate::environment::SimulatedEnvironment;
use crate::operator;
use crate::oracles::Violation;
use crate::plan::dice::Dice;
use crate::plan::{RecoveryPlan, VOTERS_MIN};
use crate::recorder::Recorder;
use crate::workload::{Client, client_machine};

/// The property of nodes of a cluster that was recovered without them.
pub const LEFTOVERS_STAY_ALONE: &str = "what is left of an old cluster has no part in the new one";
/// The property of what is told of a survivor.
pub const SURVIVORS_TELL_WHAT_THEY_HAVE: &str = "a survivor has at least what it has applied";
/// The property of a recovered cluster.
pub const RECOVERED_CLUSTERS_GROW: &str = "others join a recovered cluster in time";

/// Tells the cut between survivors and lost nodes from those of faults.
const CUT: usize = 2_000_000;
/// The client that writes what will be lost.
const LATE_CLIENT: u64 = 180;
const LATE_WRITES: u64 = 3;
const LATE_PATIENCE: Duration = Duration::from_secs(1);
/// How long the lost nodes may take to serve without the survivors.
const LATE_LIMIT: Duration = Duration::from_secs(15);
/// How long the survivors may take to apply all that has been applied.
const EVEN_LIMIT: Duration = Duration::from_secs(10);
const JOIN_LIMIT: Duration = Duration::from_secs(25);
/// How long the leftovers are left to themselves: several elections.
const LEFTOVER_TIME: Duration = Duration::from_secs(4);
const INTERVAL: Duration = Duration::from_millis(50);

/// Who becomes what.
#[derive(Debug)]
struct Parts {
    /// A minority of the voters.
    survivors: Vec<u64>,
    /// All others.
    lost: Vec<u64>,
    /// Those of the lost who turn up again. The disks of the others are lost too, and they join the new cluster.
    leftovers: Vec<u64>,
}

/// What a recovery has made.
#[derive(Debug)]
pub struct Recovered {
    /// The members of the new cluster.
    pub members: Vec<u64>,
    /// Keys that nobody of the new cluster can know.
    pub lost_keys: Vec<Vec<u8>>,
    leftovers: Vec<u64>,
}

/// A recovery.
pub struct Recovery<'a> {
    cluster: &'a Cluster,
    recorder: &'a Arc<Recorder>,
    dice: Dice,
    /// With which the run's bound on clocks is watched aside.
    drift_ppm_max: u64,
}

impl std::fmt::Debug for Recovery<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Recovery").finish_non_exhaustive()
    }
}

impl<'a> Recovery<'a> {
    /// The recovery that `plan` asks for.
    pub fn new(
        plan: RecoveryPlan,
        cluster: &'a Cluster,
        recorder: &'a Arc<Recorder>,
        drift_ppm_max: u64,
    ) -> Self {
        Self { cluster, recorder, dice: Dice::new(plan.choice, 0), drift_ppm_max }
    }

    /// Does it all. `None` if there is a violation, or if too few vote for a minority to survive.
    pub async fn run(mut self) -> Option<Recovered> {
        let view = self.view(|_| true).await?;
        let Parts { survivors, lost, leftovers } = self.choose(&view)?;
        self.say(format_args!("{survivors:?} survive, {lost:?} are lost, {leftovers:?} will turn up again"));
        self.cut_off(&survivors, &lost).await?;
        let lost_keys = self.write_late(&lost).await?;
        for member in survivors.iter().chain(&lost) {
            self.cluster.kill(*member).await;
        }
        self.cluster.mend(CUT);
        let survivor = self.recover(&survivors).await?;
        self.cluster.boot_recovered(survivor);
        let joining = survivors.iter().chain(&lost).copied();
        let joining = joining.filter(|member| *member != survivor && !leftovers.contains(member));
        let mut members = vec![survivor];
        for member in joining {
            self.cluster.wipe(member);
            self.cluster.boot_to_join_at(member, &[survivor], false);
            members.push(member);
        }
        members.sort_unstable();
        self.await_members(&members).await?;
        self.say(format_args!("the new cluster has the members {members:?}"));
        for member in &leftovers {
            self.cluster.boot(*member);
        }
        sleep(LEFTOVER_TIME).await;
        self.recorder.met("clusters recovered");
        Some(Recovered { members, lost_keys, leftovers })
    }

    fn say(&self, what: std::fmt::Arguments<'_>) {
        self.recorder.say(format_args!("=="), what);
    }

    fn convict<T>(&self, property: &'static str, evidence: String) -> Option<T> {
        self.recorder.convict(Violation::new(property, evidence));
        None
    }

    /// The members as soon as the leader tells them as `wanted`. `None` if it does not, or on a violation.
    async fn view(&self, wanted: impl Fn(&MembersView) -> bool) -> Option<MembersView> {
        let deadline = Instant::now() + JOIN_LIMIT;
        while Instant::now() < deadline && !self.recorder.has_violation() {
            if let Some(view) = operator::members(self.cluster, self.recorder).await.filter(&wanted) {
                return Some(view);
            }
            sleep(INTERVAL).await;
        }
        None
    }

    fn choose(&mut self, view: &MembersView) -> Option<Parts> {
        let is_voter = |member: &u64| {
            view.members.iter().any(|known| known.member == *member && known.role == MemberRole::Voter)
        };
        let mut members: Vec<u64> = view.members.iter().map(|known| known.member).collect();
        self.dice.shuffle(&mut members);
        members.sort_by_key(|member| !is_voter(member));
        let voters = members.iter().filter(|member| is_voter(member)).count() as u64;
        if voters < VOTERS_MIN {
            self.say(format_args!("of {voters} voters no minority can survive"));
            return None;
        }
        let lost = members.split_off(self.dice.range(1..=(voters - 1) / 2) as usize);
        // The voters are the first of them. Mostly these are too few to elect a leader, and ask all around.
        let most = if self.dice.chance(70) { voters / 2 } else { lost.len() as u64 };
        let leftovers = lost[..self.dice.range(1..=most) as usize].to_vec();
        Some(Parts { survivors: members, lost, leftovers })
    }

    /// Cuts the survivors off, from each other too, in a moment in which they have applied all that anybody has.
    async fn cut_off(&self, survivors: &[u64], lost: &[u64]) -> Option<()> {
        let deadline = Instant::now() + EVEN_LIMIT;
        while !survivors.iter().all(|member| self.recorder.has_applied_all(*member)) {
            if self.recorder.has_violation() {
                return None;
            }
            if Instant::now() >= deadline {
                let evidence = format!("{survivors:?} after {EVEN_LIMIT:?}: {:?}", self.recorder.statuses());
                return self.convict(crate::run::STATES_CONVERGE, evidence);
            }
            sleep(INTERVAL).await;
        }
        lost.iter().for_each(|member| self.recorder.disregard(*member));
        let links =
            |member: &u64| [self.cluster.links_from(*member), self.cluster.links_to(*member)].concat();
        self.cluster.cut(CUT, survivors.iter().flat_map(links).collect());
        Some(())
    }

    /// Has the nodes that will be lost acknowledge writes that nobody else hears of. The keys.
    async fn write_late(&self, lost: &[u64]) -> Option<Vec<Vec<u8>>> {
        let aside = Arc::new(Recorder::new(None, self.drift_ppm_max));
        let environment = SimulatedEnvironment::new(self.cluster.network().clone());
        let mut client = Client::new(environment, aside.clone(), LATE_CLIENT, LATE_PATIENCE, LATE_PATIENCE);
        let (deadline, lost) = (Instant::now() + LATE_LIMIT, lost.to_vec());
        let written = client_machine(LATE_CLIENT).spawn(async move {
            let mut keys = Vec::new();
            for member in lost.iter().cycle() {
                let key = format!("late-{}", keys.len()).into_bytes();
                if client.put(*member, &key).await {
                    keys.push(key);
                }
                if keys.len() as u64 == LATE_WRITES || Instant::now() >= deadline {
                    break;
                }
                sleep(INTERVAL).await;
            }
            keys
        });
        let keys = written.await.expect("nobody kills clients");
        if let Some(violation) = aside.summary().violation {
            self.recorder.convict(violation);
            return None;
        }
        if (keys.len() as u64) < LATE_WRITES {
            let evidence = format!("the others did {} writes in {LATE_LIMIT:?}", keys.len());
            return self.convict(crate::run::SERVICE_RETURNS, evidence);
        }
        Some(keys)
    }

    /// Makes a cluster of the survivor with the most complete log, which is given.
    async fn recover(&self, survivors: &[u64]) -> Option<u64> {
        let applied = self.recorder.last_applied();
        let mut ends = Vec::new();
        for member in survivors {
            let last = self.cluster.inspect(*member).await.last;
            if last.is_none_or(|(_, index)| index < applied) {
                let evidence =
                    format!("n{member} tells that its log ends at {last:?}, and it has applied {applied}");
                return self.convict(SURVIVORS_TELL_WHAT_THEY_HAVE, evidence);
            }
            ends.push((last, *member));
        }
        let (last, survivor) = ends.into_iter().max().expect("somebody survives");
        let recovered = self.cluster.recover(survivor).await;
        self.say(format_args!(
            "n{survivor}, whose log ends at {last:?}, is cluster {}",
            recovered.cluster_id
        ));
        Some(survivor)
    }

    /// Waits until these are the members, and no others.
    async fn await_members(&self, members: &[u64]) -> Option<()> {
        let wanted: BTreeSet<u64> = members.iter().copied().collect();
        let is_settled = |view: &MembersView| {
            let found: BTreeSet<u64> = view.members.iter().map(|known| known.member).collect();
            found == wanted && members.iter().all(|member| view.is_settled(*member))
        };
        if self.view(is_settled).await.is_some() {
            return Some(());
        }
        if self.recorder.has_violation() {
            return None;
        }
        let view = operator::members(self.cluster, self.recorder).await;
        self.convict(RECOVERED_CLUSTERS_GROW, format!("{members:?} after {JOIN_LIMIT:?}: {view:?}"))
    }
}

impl Recovered {
    /// Whether the leftovers have kept to themselves.
    pub async fn judge(&self, cluster: &Cluster, recorder: &Recorder) {
        let convict = |evidence| recorder.convict(Violation::new(LEFTOVERS_STAY_ALONE, evidence));
        for member in &self.leftovers {
            if cluster.has_left(*member) {
                convict(format!("n{member} has been told by the new cluster that it is no member"));
            }
        }
        if let Some(view) = operator::members(cluster, recorder).await {
            let found: Vec<u64> = view.members.iter().map(|known| known.member).collect();
            if found != self.members {
                convict(format!("the members were {:?}, and are {found:?}", self.members));
            }
        }
    }
}
