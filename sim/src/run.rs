//! A run: form a cluster, let things go wrong while clients work, heal, demand service, compare.
//!
//! Safety is watched all the time. Liveness is demanded only when the faults are over: within bounded
//! virtual time every node that is not broken for ever serves writes and reads again, and all of them
//! come to the same state.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::time::{Instant, sleep};
use quorate_jepsen::checker::Limits;
use quorate_replica::MembersView;

use crate::cluster::Cluster;
use crate::environment::SimulatedEnvironment;
use crate::environment::simulation::simulate;
use crate::mutants;
use crate::nemesis;
use crate::operator::{self, Operator};
use crate::oracles::Violation;
use crate::oracles::agreement::{Agreement, Found};
use crate::oracles::linearizability::{self, Search};
use crate::oracles::vacuity::Observed;
use crate::panics;
use crate::plan::Plan;
use crate::power_loss;
use crate::recorder::{NodeStatus, Recorder};
use crate::recovery::Recovery;
use crate::workload::{Client, Ended, StoreClient, Workload, client_machine, key_name};

/// The property of a new cluster.
pub const CLUSTERS_FORM: &str = "a new cluster is ready in time";
/// The property of a healed cluster's nodes.
pub const SERVICE_RETURNS: &str = "every node serves again in time after healing";
/// The property of a healed cluster's states.
pub const STATES_CONVERGE: &str = "all nodes come to one state in time after healing";
/// The property of a healed cluster's members.
pub const MEMBERS_SETTLE: &str = "what was asked of the members is done in time after healing";
/// The property of a healed cluster's former members.
pub const REMOVED_NODES_STOP: &str = "a removed node stops in time";
/// The property of all code: its assertions hold.
pub const INVARIANT_BROKEN: &str = "invariant broken";

/// Virtual time after which a simulation counts as stuck.
const TIME_LIMIT: Duration = Duration::from_secs(900);
const FORMATION_LIMIT: Duration = Duration::from_secs(15);
/// A client's connection through a healed link may still wait for a repetition of what was lost.
const SERVICE_LIMIT: Duration = Duration::from_secs(10);
/// A node that was removed while it was down, or cut off, has to find out. A member may have to catch up.
const SETTLING_LIMIT: Duration = Duration::from_secs(25);
/// So long before that an operator helps a removed node for which no member is where it looks.
const HELP_BEFORE: Duration = Duration::from_secs(15);
const CONVERGENCE_LIMIT: Duration = Duration::from_secs(10);
/// How long clients may take to come to the least number of operations once all is well.
const OPERATIONS_LIMIT: Duration = Duration::from_secs(120);
/// What was proposed in the last moment is committed by then.
const LAST_REPLICATION: Duration = Duration::from_millis(500);
const WATCH_INTERVAL: Duration = Duration::from_millis(50);
/// The clients that look whether nodes serve have numbers above those that work.
const PROBE: u64 = 100;
/// Those that look whether a recovered cluster does have numbers above.
const PROBE_OF_RECOVERED: u64 = 120;
/// The client that restores settings then.
const KEEPER: u64 = PROBE + 99;
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

/// Why a run in which nothing wrong was seen proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotChecked(String);

impl NotChecked {
    /// What was not checked, and why.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Runs `plan` with data directories below `directory`. Whatever is found is in the recorder. An error if
/// nothing was found, but not everything was looked at either.
pub fn run(plan: &Plan, directory: &Path, recorder: &Arc<Recorder>) -> Result<(), NotChecked> {
    let simulation = || {
        simulate(plan.seed, TIME_LIMIT, || async {
            // `None`: a violation has ended the run.
            let _ = Run { plan, recorder, members: Mutex::default() }.scenario(directory).await;
        });
    };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(simulation)) {
        let evidence = panics::last_message().unwrap_or_else(|| panics::describe(panic.as_ref()));
        recorder.convict_afterwards(Violation::new(INVARIANT_BROKEN, evidence));
    }
    if recorder.has_violation() {
        return Ok(());
    }
    // Whoever judges must not have the bug that is judged.
    mutants::activate(None);
    recorder.judge_elections();
    recorder.judge_store().map_err(|missing| NotChecked::new(missing.to_string()))?;
    if recorder.has_violation() {
        return Ok(());
    }
    match linearizability::check(&recorder.history(), &Limits::default()) {
        Err(violation) => {
            recorder.convict_afterwards(violation);
            Ok(())
        }
        Ok(Search::GivenUp { why }) => Err(NotChecked::new(why)),
        Ok(Search::Completed) => match observed(recorder).silent() {
            Some(silence) => Err(NotChecked::new(silence)),
            None => Ok(()),
        },
    }
}

fn observed(recorder: &Recorder) -> Observed {
    let summary = recorder.summary();
    Observed {
        terms: summary.terms,
        entries: summary.entries,
        stands: summary.stands,
        disk_operations: power_loss::operations(),
    }
}

struct Run<'a> {
    plan: &'a Plan,
    recorder: &'a Arc<Recorder>,
    /// The members in the end.
    members: Mutex<Option<Vec<u64>>>,
}

impl Run<'_> {
    /// Ends early with `None` if there is a violation.
    async fn scenario(&self, directory: &Path) -> Option<()> {
        let cluster =
            Cluster::start(self.plan, directory, self.recorder).expect("the scratch folder can be used");
        let cluster = Arc::new(cluster);
        let result = self.phases(&cluster).await;
        cluster.end().await;
        result
    }

    async fn phases(&self, cluster: &Arc<Cluster>) -> Option<()> {
        self.form().await?;
        let mut workload = Workload::start(self.plan, cluster, self.recorder);
        self.suffer(cluster).await?;
        workload.calm().await;
        self.settle(cluster).await?;
        self.restore_settings(cluster).await?;
        let mut keys: Vec<Vec<u8>> = (0..self.plan.workload.keys).map(key_name).collect();
        keys.extend(self.serve(cluster, PROBE).await?);
        self.complete_operations().await?;
        workload.finish().await;
        self.quiesce().await;
        self.converge().await?;
        self.compare(cluster, PROBE, &keys).await?;
        self.recover(cluster, keys).await
    }

    fn say(&self, what: std::fmt::Arguments<'_>) {
        self.recorder.say(format_args!("=="), what);
    }

    fn convict(&self, property: &'static str, evidence: String) -> Option<()> {
        self.recorder.convict(Violation::new(property, evidence));
        None
    }

    /// Waits until `done` says so; false if that takes longer than `limit`. `None` on a violation.
    async fn wait(&self, limit: Duration, mut done: impl FnMut() -> bool) -> Option<bool> {
        let deadline = Instant::now() + limit;
        loop {
            if self.recorder.has_violation() {
                return None;
            }
            if done() {
                return Some(true);
            }
            if Instant::now() >= deadline {
                return Some(false);
            }
            sleep(WATCH_INTERVAL).await;
        }
    }

    /// The members that are not broken for ever.
    fn sound_members(&self) -> Vec<u64> {
        if let Some(members) = &*self.members.lock().expect("nothing panics under this lock") {
            return members.clone();
        }
        let is_sound =
            |member: &u64| !self.plan.broken_for_ever.iter().any(|broken| broken.member == *member);
        (1..=self.plan.members).filter(is_sound).collect()
    }

    async fn form(&self) -> Option<()> {
        self.say(format_args!("{} nodes form a cluster", self.plan.members));
        let all_ready = || {
            let statuses = self.recorder.statuses();
            statuses.len() as u64 == self.plan.members && statuses.values().all(|status| status.ready)
        };
        if self.wait(FORMATION_LIMIT, all_ready).await? {
            return Some(());
        }
        self.convict(CLUSTERS_FORM, format!("after {FORMATION_LIMIT:?}: {:?}", self.recorder.statuses()))
    }

    /// Things go wrong. When this returns they do no more, except for what stays broken.
    async fn suffer(&self, cluster: &Arc<Cluster>) -> Option<()> {
        self.say(format_args!("clients work, and {} faults are to come", self.plan.faults.len()));
        let mut faults = Vec::new();
        for (number, planned) in self.plan.faults.iter().enumerate() {
            let fault = nemesis::run(cluster.clone(), self.recorder.clone(), number, planned.clone());
            faults.push(madsim::task::spawn(fault));
        }
        let until = Instant::now() + Duration::from_millis(self.plan.workload.duration_ms);
        let operator = Operator::new(cluster.clone(), self.recorder.clone()).work(self.plan.clone());
        faults.push(madsim::task::spawn(operator));
        let is_over = || Instant::now() >= until && faults.iter().all(madsim::task::JoinHandle::is_finished);
        self.wait(TIME_LIMIT, is_over).await?;
        for (position, broken) in self.plan.broken_for_ever.iter().enumerate() {
            let number = self.plan.faults.len() + position;
            nemesis::break_for_ever(cluster, self.recorder, number, *broken).await;
        }
        self.say(format_args!("the rest is healed"));
        Some(())
    }

    /// All that was asked of the members is done, and whoever has been removed has gone.
    async fn settle(&self, cluster: &Arc<Cluster>) -> Option<()> {
        if self.plan.changes.is_empty() {
            return Some(());
        }
        let deadline = Instant::now() + SETTLING_LIMIT;
        loop {
            if self.recorder.has_violation() {
                return None;
            }
            let view = operator::members(cluster, self.recorder).await;
            let unsettled = match &view {
                None => Some((MEMBERS_SETTLE, "nobody says who the members are".to_owned())),
                Some(view) => self.unsettled(cluster, view),
            };
            match (unsettled, view) {
                (None, Some(view)) => {
                    let members: Vec<u64> = view.members.iter().map(|known| known.member).collect();
                    self.say(format_args!("the members are {members:?}"));
                    *self.members.lock().expect("nothing panics under this lock") = Some(members);
                    return Some(());
                }
                (Some((property, what)), view) if Instant::now() >= deadline => {
                    return self.convict(property, format!("after {SETTLING_LIMIT:?}: {what}: {view:?}"));
                }
                (Some((REMOVED_NODES_STOP, _)), Some(view)) if Instant::now() + HELP_BEFORE >= deadline => {
                    self.help_removed(cluster, &view).await;
                    sleep(WATCH_INTERVAL).await;
                }
                _ => sleep(WATCH_INTERVAL).await,
            }
        }
    }

    /// A node that was removed while it was down, and comes back when all whom it knows are elsewhere, cannot
    /// find out: nobody has a reason to look for it either. Whoever runs it then tells it where the members are.
    /// One that has been told of a place at which a member still is gets no help.
    async fn help_removed(&self, cluster: &Cluster, view: &MembersView) {
        let members: Vec<u64> = view.members.iter().map(|known| known.member).collect();
        let is_lost = |member: &u64| {
            cluster.is_in_use(*member) && !members.contains(member) && !cluster.was_told_of(*member, &members)
        };
        for member in cluster.members().filter(is_lost) {
            self.say(format_args!("n{member} is told where the members are"));
            cluster.tell_of(member, &members).await;
        }
    }

    /// What is left to do, by the leader's view of the members.
    fn unsettled(&self, cluster: &Cluster, view: &MembersView) -> Option<(&'static str, String)> {
        if view.is_joint {
            return Some((MEMBERS_SETTLE, "the voters are still being changed".to_owned()));
        }
        let statuses = self.recorder.statuses();
        for known in &view.members {
            let member = known.member;
            let name = self.recorder.node_on(member);
            let runs = known
                .node
                .is_some_and(|node| (node.member, node.incarnation) == (name.member, name.incarnation));
            if !view.is_settled(member) || !runs || !statuses.contains_key(&member) {
                return Some((MEMBERS_SETTLE, format!("member {member} is not what it is wanted to be")));
            }
        }
        let is_member = |member: u64| view.members.iter().any(|known| known.member == member);
        let left_over = cluster.members().find(|member| cluster.is_in_use(*member) && !is_member(*member))?;
        let node = self.recorder.node_on(left_over);
        match self.recorder.is_removed(node) {
            true => Some((REMOVED_NODES_STOP, format!("{node} runs"))),
            false => Some((MEMBERS_SETTLE, format!("{node} has not become a member"))),
        }
    }

    /// Whoever keeps the store undoes what keeps others from their work.
    async fn restore_settings(&self, cluster: &Cluster) -> Option<()> {
        let deadline = Instant::now() + SERVICE_LIMIT;
        let environment = SimulatedEnvironment::new(cluster.network().clone());
        let patience_ms = PROBE_PATIENCE.as_millis() as u64;
        let (recorder, members) = (self.recorder.clone(), self.sound_members());
        let mut keeper =
            StoreClient::probe(environment, recorder.clone(), KEEPER, self.plan.machines(), patience_ms);
        let restored = client_machine(KEEPER).spawn(async move {
            for member in members.iter().cycle() {
                if keeper.restore_settings(*member).await {
                    return true;
                }
                if Instant::now() >= deadline || recorder.has_violation() {
                    break;
                }
            }
            false
        });
        match restored.await.expect("nobody kills clients") {
            _ if self.recorder.has_violation() => None,
            true => Some(()),
            false => self.convict(
                SERVICE_RETURNS,
                format!("no node changes settings after {SERVICE_LIMIT:?}: {:?}", self.recorder.statuses()),
            ),
        }
    }

    /// Every sound node serves a write and a read. The keys that were written.
    async fn serve(&self, cluster: &Cluster, probe: u64) -> Option<Vec<Vec<u8>>> {
        let deadline = Instant::now() + SERVICE_LIMIT;
        let mut keys = Vec::new();
        for member in self.sound_members() {
            let key = format!("served-by-{member}").into_bytes();
            let machine = client_machine(probe + member);
            let mut client = self.probe(cluster, probe + member);
            let (recorder, probe_key) = (self.recorder.clone(), key.clone());
            let served = machine.spawn(async move {
                while Instant::now() < deadline && !recorder.has_violation() {
                    if client.put(member, &probe_key).await && client.get(member, &probe_key).await.is_some()
                    {
                        return true;
                    }
                    sleep(WATCH_INTERVAL).await;
                }
                false
            });
            let served = served.await.expect("nobody kills clients");
            if self.recorder.has_violation() {
                return None;
            }
            if !served {
                let statuses = self.recorder.statuses();
                self.convict(
                    SERVICE_RETURNS,
                    format!("n{member} does not after {SERVICE_LIMIT:?}: {statuses:?}"),
                )?;
            }
            keys.push(key);
        }
        self.say(format_args!("every sound node serves"));
        Some(keys)
    }

    fn probe(&self, cluster: &Cluster, number: u64) -> Client {
        let environment = SimulatedEnvironment::new(cluster.network().clone());
        Client::new(environment, self.recorder.clone(), number, PROBE_PATIENCE, PROBE_PATIENCE)
    }

    async fn complete_operations(&self) -> Option<()> {
        let wanted = self.plan.workload.operations_min;
        if self.wait(OPERATIONS_LIMIT, || self.recorder.answered() >= wanted).await? {
            return Some(());
        }
        let answered = self.recorder.answered();
        self.convict(
            SERVICE_RETURNS,
            format!("{answered} operations were answered after {OPERATIONS_LIMIT:?}"),
        )
    }

    /// A client that has given up may have left a request behind that a server still works on: waits
    /// until no server has the time for that.
    async fn quiesce(&self) {
        let workload = &self.plan.workload;
        let clients = workload.clients.iter().map(|client| (client.server_timeout_ms, client.patience_ms));
        let others = workload.store_clients.iter().map(|it| (it.server_timeout_ms, it.patience_ms));
        let impatience = |(server_ms, patience_ms): (u64, u64)| {
            let longest = self.plan.clocks.longest(Duration::from_millis(server_ms));
            longest.saturating_sub(Duration::from_millis(patience_ms))
        };
        let left = clients.chain(others).map(impatience).max().unwrap_or_default();
        sleep(left + LAST_REPLICATION).await;
    }

    async fn converge(&self) -> Option<()> {
        let members = self.sound_members();
        let sound_statuses = || -> BTreeMap<u64, NodeStatus> {
            let statuses = self.recorder.statuses();
            statuses.into_iter().filter(|(member, _)| members.contains(member)).collect()
        };
        let is_one_state = || {
            let statuses = sound_statuses();
            let mut states = statuses.values().map(|status| (status.applied_index, status.digest));
            let first = states.next();
            statuses.len() == members.len() && states.all(|state| Some(state) == first)
        };
        if self.wait(CONVERGENCE_LIMIT, is_one_state).await? {
            self.say(format_args!("all sound nodes have one state"));
            return Some(());
        }
        self.convict(STATES_CONVERGE, format!("after {CONVERGENCE_LIMIT:?}: {:?}", sound_statuses()))
    }

    /// Reads every key linearizably, and in each sound node's own state.
    async fn compare(&self, cluster: &Cluster, probe: u64, keys: &[Vec<u8>]) -> Option<()> {
        let members = self.sound_members();
        let machine = client_machine(probe);
        let mut client = self.probe(cluster, probe);
        let (keys, recorder) = (keys.to_vec(), self.recorder.clone());
        let compared = machine.spawn(async move {
            let mut agreement = Agreement::default();
            for (position, key) in keys.iter().enumerate() {
                let member = members[position % members.len()];
                let found = client.get(member, key).await.ok_or(member)?;
                agreement.expect(key, found);
            }
            for member in members {
                for key in &keys {
                    let Ended::Answered(found) = client.get_stale(member, key).await else {
                        return Err(member);
                    };
                    judge(&recorder, &agreement, member, key, &found);
                }
            }
            Ok(())
        });
        match compared.await.expect("nobody kills clients") {
            Ok(()) => (!self.recorder.has_violation()).then_some(()),
            Err(member) => {
                self.convict(SERVICE_RETURNS, format!("n{member} did not answer a read in the end"))
            }
        }
    }
}

impl Run<'_> {
    /// If the plan says so, a majority is lost. The cluster that is made of what is left does as the old one did.
    async fn recover(&self, cluster: &Cluster, mut keys: Vec<Vec<u8>>) -> Option<()> {
        let Some(plan) = self.plan.recovery else { return Some(()) };
        let drift_ppm_max = self.plan.clocks.drift_ppm_max;
        let recovered = Recovery::new(plan, cluster, self.recorder, drift_ppm_max).run().await?;
        *self.members.lock().expect("nothing panics under this lock") = Some(recovered.members.clone());
        keys.extend(self.serve(cluster, PROBE_OF_RECOVERED).await?);
        keys.extend_from_slice(&recovered.lost_keys);
        self.quiesce().await;
        self.converge().await?;
        self.compare(cluster, PROBE_OF_RECOVERED, &keys).await?;
        recovered.judge(cluster, self.recorder).await;
        Some(())
    }
}

fn judge(recorder: &Recorder, agreement: &Agreement, member: u64, key: &[u8], found: &Found) {
    if let Err(violation) = agreement.observe(member, key, found) {
        recorder.convict(violation);
    }
}
