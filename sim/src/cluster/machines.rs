//! Machines that come, move, lose their disk and go.

use std::sync::atomic::Ordering;
use std::time::Duration;

use quorate_storage::{Inspection, Recovered};

use super::node::NodeSetup;
use super::orders::{Obeyed, Order};
use super::{Cluster, NodeState, peer_address, remove_lock_files};
use crate::power_loss;

impl Cluster {
    /// Takes a machine on which nothing runs.
    pub fn claim_idle(&self, member: u64) -> bool {
        self.take(member, NodeState::Idle)
    }

    /// Gives a machine back on which nothing runs.
    pub fn release_idle(&self, member: u64) {
        self.lock_states().insert(member, NodeState::Idle);
    }

    /// Whether the node on a machine has been removed, and has ended.
    pub fn has_left(&self, member: u64) -> bool {
        self.nodes[&member].setup.has_left.load(Ordering::Relaxed)
    }

    /// Whether a node runs on a machine, or would if no fault had it in its hands.
    pub fn is_in_use(&self, member: u64) -> bool {
        let setup = &self.nodes[&member].setup;
        !setup.is_idle.load(Ordering::Relaxed) && !setup.has_left.load(Ordering::Relaxed)
    }

    /// Wipes the disk of a machine on which nothing runs.
    pub fn wipe(&self, member: u64) {
        let setup = &self.nodes[&member].setup;
        let directory = setup.directory();
        power_loss::forget(directory);
        std::fs::remove_dir_all(directory).expect("the directory of a dead node can be removed");
        std::fs::create_dir(directory).expect("its parent is there");
        power_loss::enable(directory, power_loss::all_but_lock_files);
        setup.has_left.store(false, Ordering::Relaxed);
        self.recorder.wiped(member);
    }

    /// Starts a node with an empty disk, to join the others.
    pub fn boot_to_join(&self, member: u64, stays_learner: bool) {
        let others: Vec<u64> =
            self.members().filter(|other| *other != member && self.is_in_use(*other)).collect();
        self.boot_to_join_at(member, &others, stays_learner);
    }

    /// Starts a node with an empty disk, to join the cluster of which these are members.
    pub fn boot_to_join_at(&self, member: u64, at: &[u64], stays_learner: bool) {
        let join: Vec<String> = at.iter().map(|other| self.peer_listen(*other)).collect();
        let mut options = self.nodes[&member].setup.options();
        options.initial_cluster = Vec::new();
        options.join = join;
        options.stays_learner = stays_learner;
        drop(options);
        self.boot(member);
    }

    /// Gives a node that is down another address for peers, and tells it.
    pub fn change_address(&self, member: u64) -> String {
        let setup = &self.nodes[&member].setup;
        let moves = setup.moves.fetch_add(1, Ordering::Relaxed) + 1;
        let mut options = setup.options();
        options.peer_listen = peer_address(member, moves);
        options.peer_address = Some(options.peer_listen.clone());
        options.peer_listen.clone()
    }

    /// Whether any of `others` is where a node was told to look for others when it was started.
    pub fn was_told_of(&self, member: u64, others: &[u64]) -> bool {
        let told = self.nodes[&member].setup.options().clone();
        let initial = told.initial_cluster.iter().map(|(_, address)| address);
        let places: Vec<&String> = initial.chain(&told.join).collect();
        others.iter().any(|other| places.contains(&&self.peer_listen(*other)))
    }

    /// Starts a node again, and tells it where `others` are now.
    pub async fn tell_of(&self, member: u64, others: &[u64]) {
        let join = others.iter().map(|other| self.peer_listen(*other)).collect();
        {
            let mut options = self.nodes[&member].setup.options();
            options.initial_cluster = Vec::new();
            options.join = join;
        }
        self.start_again(member).await;
    }

    /// What a node has that is down, as `quorate recover --inspect` tells.
    pub async fn inspect(&self, member: u64) -> Inspection {
        let setup = self.dead(member);
        let storage = setup.options().storage.clone();
        let inspected =
            quorate_storage::inspect(setup.environment.clone(), setup.directory(), &storage).await;
        inspected.expect("the directory of a node that was a member can be read")
    }

    /// Makes a new cluster of a node that is down, as `quorate recover --force` does.
    pub async fn recover(&self, member: u64) -> Recovered {
        let setup = self.dead(member);
        let storage = setup.options().storage.clone();
        let recovered =
            quorate_storage::recover(setup.environment.clone(), setup.directory(), &storage).await;
        recovered.expect("a cluster can be made of a node that was a member")
    }

    /// Starts a node of which a new cluster was made.
    pub fn boot_recovered(&self, member: u64) {
        let mut options = self.nodes[&member].setup.options();
        options.initial_cluster = vec![(member, options.peer_listen.clone())];
        options.join = Vec::new();
        drop(options);
        self.boot(member);
    }

    /// A node that is down, as a machine finds it on which nothing has run since.
    fn dead(&self, member: u64) -> &NodeSetup {
        let setup = &self.nodes[&member].setup;
        remove_lock_files(setup.directory()).expect("the data directory can be listed");
        setup
    }

    fn peer_listen(&self, member: u64) -> String {
        self.nodes[&member].setup.options().peer_listen.clone()
    }

    /// From now on a node may stop by itself because its number is another node's, or may not.
    pub fn expect_refusal(&self, member: u64, expected: bool) {
        self.nodes[&member].setup.refusal_expected.store(expected, Ordering::Relaxed);
    }

    /// Has a node do what an operator orders. `None` if it does not run, or ends before it has answered.
    pub async fn order(&self, member: u64, order: Order, timeout: Duration) -> Option<Obeyed> {
        self.nodes[&member].setup.orders.give(order, timeout).await
    }
}
