//! Does to a cluster what a plan's faults say.
//!
//! Each fault runs on its own and faults overlap. A node is in the hands of at most one of them: a kill
//! of a dead node is skipped, and recorded as skipped.

use std::sync::Arc;
use std::time::Duration;

use madsim::time::sleep;

use crate::cluster::{Cluster, FAILED_FLUSHES_STOP, Link, Weather};
use crate::oracles::Violation;
use crate::plan::dice::Dice;
use crate::plan::{Broken, BrokenHow, DiskPlan, Fault, NetworkPlan, PlannedFault, Target};
use crate::recorder::{Installed, Recorder};

/// How long a fuse may burn before power is cut anyway.
const FUSE_LIMIT: Duration = Duration::from_millis(500);
const FUSE_POLL_INTERVAL: Duration = Duration::from_millis(1);
/// Machines that lost power together do not boot together.
const BOOT_SPREAD_MS_MAX: u64 = 300;
/// A node that stops on a full disk is started again after so long, as by whatever supervises it.
const SUPERVISION_INTERVAL: Duration = Duration::from_millis(200);
const SYNC_POLL_INTERVAL: Duration = Duration::from_millis(1);
/// A node that has bits flipped finds them in this time, if nothing has been written over them: it is several
/// times what its scrub takes.
const DAMAGE_FOUND_LIMIT: Duration = Duration::from_secs(5);
/// How long a node may go on after its disk has failed.
const STOP_LIMIT: Duration = Duration::from_millis(500);

/// One fault at work.
struct Attack<'a> {
    cluster: &'a Cluster,
    recorder: &'a Recorder,
    /// Tells this fault's cuts from those of others.
    number: usize,
    name: &'static str,
    duration: Duration,
}

/// Waits for the fault's time, does it, and undoes it.
pub async fn run(cluster: Arc<Cluster>, recorder: Arc<Recorder>, number: usize, planned: PlannedFault) {
    sleep(Duration::from_millis(planned.at_ms)).await;
    let duration = Duration::from_millis(planned.duration_ms);
    let name = planned.fault.name();
    let attack = Attack { cluster: &cluster, recorder: &recorder, number, name, duration };
    attack.run(&planned.fault).await;
}

/// Breaks a node that nothing will mend.
pub async fn break_for_ever(cluster: &Cluster, recorder: &Recorder, number: usize, broken: Broken) {
    let member = broken.member;
    if !cluster.claim(member) {
        return recorder.fault("broken for ever", Installed::Skipped, &format!("n{member}"));
    }
    recorder.fault("broken for ever", Installed::Yes, &format!("n{member} {:?}", broken.how));
    match broken.how {
        BrokenHow::Down => cluster.kill(member).await,
        BrokenHow::Isolated => cluster.cut(number, both_ways(cluster, member)),
        BrokenHow::Mute => cluster.cut(number, cluster.links_from(member)),
        BrokenHow::Deaf => cluster.cut(number, cluster.links_to(member)),
    }
}

fn both_ways(cluster: &Cluster, member: u64) -> Vec<Link> {
    [cluster.links_from(member), cluster.links_to(member)].concat()
}

impl Attack<'_> {
    async fn run(&self, fault: &Fault) {
        match fault {
            Fault::Isolate { target } => self.cut_off(*target, both_ways).await,
            Fault::Mute { target } => self.cut_off(*target, Cluster::links_from).await,
            Fault::Deafen { target } => self.cut_off(*target, Cluster::links_to).await,
            Fault::Split { side } => self.split(side).await,
            Fault::OneWay { from, to } => self.one_way(*from, *to).await,
            Fault::Loss { percent } => {
                self.weather(Weather::Loss { percent: *percent }, format!("{percent} percent")).await;
            }
            Fault::Delay { latency_min_us, latency_max_us } => {
                let delay = NetworkPlan { latency_min_us: *latency_min_us, latency_max_us: *latency_max_us };
                self.weather(Weather::Delay(delay), format!("{latency_min_us} to {latency_max_us} us")).await;
            }
            Fault::Kill { target } => self.kill(*target).await,
            Fault::Restart { target } => self.restart(*target).await,
            Fault::Pause { target } => self.pause(*target).await,
            Fault::PowerLoss { targets, operations, survival } => {
                self.lose_power(targets, *operations, *survival).await;
            }
            Fault::SlowDisk { target, shortest_us, longest_us } => {
                self.slow_disk(*target, *shortest_us, *longest_us).await;
            }
            Fault::DiskFull { target } => self.fill_disk(*target).await,
            Fault::FlippedBits { target, bits, choice } => self.flip_bits(*target, *bits, *choice).await,
            Fault::FailedSync { target } => self.fail_sync(*target).await,
            Fault::ClockDrift { target, drift_ppm } => self.let_clock_drift(*target, *drift_ppm).await,
            Fault::WallClockJump { target, by_ms } => self.set_wall_clock(*target, *by_ms).await,
        }
    }

    /// The member that a target is now.
    fn resolve(&self, target: Target) -> Option<u64> {
        let leader = self.recorder.leader();
        match target {
            Target::Member(member) => Some(member),
            Target::Leader => leader,
            Target::Follower(position) => {
                let followers: Vec<u64> =
                    self.cluster.members().filter(|member| Some(*member) != leader).collect();
                let count = followers.len() as u64;
                (count > 0).then(|| followers[(position % count) as usize])
            }
        }
    }

    fn skip(&self, why: &str) {
        self.recorder.fault(self.name, Installed::Skipped, why);
    }

    fn begin(&self, details: &str) {
        let details = format!("{details}, for {} ms", self.duration.as_millis());
        self.recorder.fault(self.name, Installed::Yes, &details);
    }

    fn end(&self, details: &str) {
        self.recorder.fault_ends(self.name, details);
    }

    /// The member that a target is, if it runs and no other fault has it. It is in our hands then.
    fn claim(&self, target: Target) -> Option<u64> {
        let Some(member) = self.resolve(target) else {
            self.skip(&format!("{target} does not exist"));
            return None;
        };
        if !self.cluster.claim(member) {
            self.skip(&format!("n{member} is in the hands of another fault"));
            return None;
        }
        Some(member)
    }

    async fn cut_off(&self, target: Target, links: impl Fn(&Cluster, u64) -> Vec<Link>) {
        let Some(member) = self.resolve(target) else {
            return self.skip(&format!("{target} does not exist"));
        };
        self.cut(links(self.cluster, member), &format!("n{member}")).await;
    }

    async fn split(&self, side: &[u64]) {
        let (inside, outside): (Vec<u64>, Vec<u64>) =
            self.cluster.members().partition(|member| side.contains(member));
        let mut links = Vec::new();
        for one in &inside {
            for other in &outside {
                links.extend([(*one, *other), (*other, *one)]);
            }
        }
        self.cut(links, &format!("{inside:?} from {outside:?}")).await;
    }

    async fn one_way(&self, from: Target, to: Target) {
        match (self.resolve(from), self.resolve(to)) {
            (Some(from), Some(to)) if from != to => {
                self.cut(vec![(from, to)], &format!("n{from} to n{to}")).await;
            }
            _ => self.skip("there are no two nodes to cut"),
        }
    }

    async fn cut(&self, links: Vec<Link>, details: &str) {
        if links.is_empty() {
            return self.skip("there is nothing to cut");
        }
        self.begin(details);
        self.cluster.cut(self.number, links);
        sleep(self.duration).await;
        self.cluster.mend(self.number);
        self.end(details);
    }

    async fn weather(&self, weather: Weather, details: String) {
        self.begin(&details);
        self.cluster.set_weather(self.number, weather);
        sleep(self.duration).await;
        self.cluster.mend(self.number);
        self.end(&details);
    }

    async fn kill(&self, target: Target) {
        let Some(member) = self.claim(target) else { return };
        self.begin(&format!("n{member}"));
        self.cluster.kill(member).await;
        sleep(self.duration).await;
        self.boot(member);
    }

    async fn restart(&self, target: Target) {
        let Some(member) = self.claim(target) else { return };
        self.begin(&format!("n{member}"));
        self.cluster.stop(member).await;
        sleep(self.duration).await;
        self.boot(member);
    }

    async fn pause(&self, target: Target) {
        let Some(member) = self.claim(target) else { return };
        self.begin(&format!("n{member}"));
        self.cluster.pause(member);
        sleep(self.duration).await;
        self.cluster.resume(member);
        self.cluster.release(member);
        self.end(&format!("n{member}"));
    }

    async fn slow_disk(&self, target: Target, shortest_us: u64, longest_us: u64) {
        let Some(member) = self.resolve(target) else {
            return self.skip(&format!("{target} does not exist"));
        };
        self.begin(&format!("n{member}, {shortest_us} to {longest_us} us"));
        let disk = DiskPlan { shortest_us, longest_us, draws: 1, stall_one_in: 0, stall_ms: 0 };
        self.cluster.set_disk(member, Some(&disk));
        sleep(self.duration).await;
        self.cluster.set_disk(member, None);
        self.end(&format!("n{member}"));
    }

    async fn let_clock_drift(&self, target: Target, drift_ppm: i64) {
        let Some(member) = self.resolve(target) else {
            return self.skip(&format!("{target} does not exist"));
        };
        self.begin(&format!("n{member}, {drift_ppm} ppm"));
        self.cluster.set_drift(member, Some(drift_ppm));
        sleep(self.duration).await;
        self.cluster.set_drift(member, None);
        self.end(&format!("n{member}"));
    }

    async fn set_wall_clock(&self, target: Target, by_ms: i64) {
        let Some(member) = self.resolve(target) else {
            return self.skip(&format!("{target} does not exist"));
        };
        self.begin(&format!("n{member}, by {by_ms} ms"));
        self.cluster.set_wall_clock(member, by_ms);
        sleep(self.duration).await;
        self.cluster.set_wall_clock(member, -by_ms);
        self.end(&format!("n{member}"));
    }

    async fn fill_disk(&self, target: Target) {
        let Some(member) = self.claim(target) else { return };
        self.begin(&format!("n{member}"));
        self.cluster.excuse_stops(member, true);
        self.cluster.set_disk_full(member, true);
        let mut left = self.duration;
        while !left.is_zero() {
            let time = left.min(SUPERVISION_INTERVAL);
            sleep(time).await;
            left -= time;
            self.supervise(member).await;
        }
        self.cluster.set_disk_full(member, false);
        self.end(&format!("n{member}"));
        // The last error may not have come to its end.
        sleep(STOP_LIMIT).await;
        self.supervise(member).await;
        self.cluster.excuse_stops(member, false);
        self.cluster.release(member);
    }

    /// Flips bits in the state of a node that is down, and starts it again when it has found them.
    async fn flip_bits(&self, target: Target, bits: u64, choice: u64) {
        let Some(member) = self.claim(target) else { return };
        self.cluster.kill(member).await;
        let mut dice = Dice::new(choice, 0);
        let flipped = (0..bits).map(|_| self.cluster.flip_bit(member, dice.number(), dice.number()));
        let flipped: Vec<_> = flipped.flatten().collect();
        self.begin(&format!("n{member}: {flipped:?}"));
        sleep(self.duration).await;
        self.end(&format!("n{member}"));
        self.cluster.expect_damage(member, true);
        self.cluster.boot(member);
        let mut left = DAMAGE_FOUND_LIMIT;
        while !left.is_zero() {
            sleep(SUPERVISION_INTERVAL).await;
            left -= SUPERVISION_INTERVAL;
            self.supervise(member).await;
        }
        self.cluster.expect_damage(member, false);
        self.cluster.release(member);
    }

    /// Starts a node that has stopped.
    async fn supervise(&self, member: u64) {
        if self.cluster.has_stopped(member) {
            self.cluster.start_again(member).await;
        }
    }

    async fn fail_sync(&self, target: Target) {
        let Some(member) = self.claim(target) else { return };
        self.cluster.excuse_stops(member, true);
        if self.let_sync_fail(member).await {
            self.begin(&format!("n{member}"));
            sleep(STOP_LIMIT).await;
            // It may have been removed, and have ended for that, at the same moment.
            if !self.cluster.has_stopped(member) && !self.cluster.has_left(member) {
                let evidence = format!("n{member} still runs {STOP_LIMIT:?} later");
                self.recorder.convict(Violation::new(FAILED_FLUSHES_STOP, evidence));
            }
            sleep(self.duration).await;
            self.end(&format!("n{member}"));
            self.cluster.start_again(member).await;
        } else {
            self.skip(&format!("n{member} flushed nothing"));
        }
        self.cluster.excuse_stops(member, false);
        self.cluster.release(member);
    }

    /// Lets the next sync of a node fail. False if there was none in the duration of the fault.
    async fn let_sync_fail(&self, member: u64) -> bool {
        let before = self.cluster.disk_errors(member);
        self.cluster.set_sync_fails(member, true);
        let mut waited = Duration::ZERO;
        while waited < self.duration && self.cluster.disk_errors(member) == before {
            sleep(SYNC_POLL_INTERVAL).await;
            waited += SYNC_POLL_INTERVAL;
        }
        self.cluster.set_sync_fails(member, false);
        self.cluster.disk_errors(member) > before
    }

    async fn lose_power(&self, targets: &[Target], operations: u64, survival: u64) {
        let mut members = Vec::new();
        for target in targets {
            match self.resolve(*target) {
                Some(member) if self.cluster.claim(member) => members.push(member),
                _ => {}
            }
        }
        if members.is_empty() {
            return self.skip("no node is there to lose power");
        }
        self.burn_fuse(&members, operations, survival).await;
        let mut dice = Dice::new(survival, 0);
        for member in &members {
            let unsynced = self.cluster.settle_disk(*member, dice.number()).await;
            self.recorder.say_of(*member, format_args!("had {unsynced} unsynced pages"));
        }
        sleep(self.duration).await;
        dice.shuffle(&mut members);
        for member in members {
            sleep(Duration::from_millis(dice.range(0..=BOOT_SPREAD_MS_MAX))).await;
            self.boot(member);
        }
    }

    /// Power is lost when the fuse has burnt down, or when it takes too long.
    async fn burn_fuse(&self, members: &[u64], operations: u64, survival: u64) {
        self.cluster.arm_power_loss(members, operations, survival);
        let mut waited = Duration::ZERO;
        while waited < FUSE_LIMIT {
            sleep(FUSE_POLL_INTERVAL).await;
            waited += FUSE_POLL_INTERVAL;
            if self.cluster.power_is_lost(members[0]) {
                return self.begin(&format!("{members:?}, in the middle of an operation"));
            }
        }
        self.cluster.cut_power(members);
        let details = format!("{members:?} at a quiet moment, for {} ms", self.duration.as_millis());
        self.recorder.fault(self.name, Installed::Indeterminate, &details);
    }

    fn boot(&self, member: u64) {
        self.end(&format!("n{member}"));
        self.cluster.boot(member);
        self.cluster.release(member);
    }
}
