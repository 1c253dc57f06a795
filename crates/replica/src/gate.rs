//! Speaks for this node in handshakes, and lets a fresh node adopt its cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use quorate_consensus::{ClusterId, Member, NodeId, StoredMembership};
use quorate_peer::{Gatekeeper, Hello, Introduction, Reject, RejectCode, Welcome, check};
use quorate_storage::{DataDirectory, OpenError};

use crate::membership::Contacts;
use crate::replica::Breakdown;

/// See [`crate::formation`] for the protocol that this is the answering half of.
#[derive(Debug)]
pub(crate) struct Gate {
    directory: Arc<DataDirectory>,
    member: Member,
    /// Where the configuration says that members are: they are looked for there too, so that a cluster whose
    /// addresses have all changed can be started again.
    configured: BTreeMap<u64, String>,
    contacts: Mutex<Contacts>,
    breakdown: Breakdown,
}

impl Gate {
    /// Speaks for the node of `directory`, reachable as `member` says.
    pub(crate) fn new(
        directory: Arc<DataDirectory>,
        member: Member,
        configured: BTreeMap<u64, String>,
        breakdown: Breakdown,
    ) -> Self {
        Self { directory, member, configured, contacts: Mutex::default(), breakdown }
    }

    /// Where clients reach `node`, which the membership says is at `url`. A node that has been started with
    /// another address knows better, and so do those that it has shaken hands with.
    pub(crate) fn client_url_of(&self, node: NodeId, url: &str) -> String {
        if node == self.directory.node_id() {
            return self.member.client_url.clone();
        }
        self.contacts().client_url(node).unwrap_or(url).to_owned()
    }

    /// Whether `node` has said where clients reach it.
    pub(crate) fn has_heard_of(&self, node: NodeId) -> bool {
        node == self.directory.node_id() || self.contacts().has_heard_of(node)
    }

    /// Notes what a node of this cluster says of itself.
    pub(crate) fn hear(&self, from: &Introduction) {
        self.contacts().hear(from.node, &from.member);
    }

    /// Notes the committed membership.
    pub(crate) fn note_membership(&self, stored: &StoredMembership) {
        self.contacts().note_membership(stored);
    }

    /// Every place at which another member is, or was once, as far as this node has heard or been told.
    pub(crate) fn places_of_others(&self) -> Vec<String> {
        let me = self.directory.node_id();
        let contacts = self.contacts();
        let others = contacts.members().filter(|(node, _)| *node != me);
        let known = others.flat_map(|(node, member)| contacts.places_of(node, &member.peer_address, None));
        let configured = self.configured.values().map(String::as_str);
        let mut places: Vec<String> = Vec::new();
        for place in known.chain(configured) {
            if place != self.member.peer_address && !places.iter().any(|known| known == place) {
                places.push(place.to_owned());
            }
        }
        places
    }

    fn place_of(&self, contacts: &Contacts, node: NodeId, address: &str) -> String {
        contacts.address_of(node, address, self.configured.get(&node.member).map(String::as_str))
    }

    fn contacts(&self) -> MutexGuard<'_, Contacts> {
        self.contacts.lock().expect("no code panics while it holds the contacts")
    }

    /// Binds the directory to a cluster, durably. If that fails the node stops, as it does with every write that
    /// does not reach the disk: it is not tried again, because the system may take the next try for a success.
    pub(crate) fn bind(&self, cluster: ClusterId) -> Result<(), String> {
        self.directory.bind_cluster(cluster).map_err(|error| {
            let reason = format!("cannot write down the cluster's ID: {error}");
            // Two clusters may have asked at once.
            if !matches!(error, OpenError::OtherCluster { .. }) {
                self.breakdown.report(&reason);
            }
            reason
        })
    }

    fn adopt(&self, cluster: ClusterId, by: &Introduction) -> Result<(), Reject> {
        let reject = |message| Reject { code: RejectCode::NotNow, message, by: by.clone() };
        self.bind(cluster).map_err(reject)?;
        tracing::info!(%cluster, node = %by.node, "this node is now part of a cluster");
        Ok(())
    }
}

impl Gatekeeper for Gate {
    fn introduction(&self) -> Introduction {
        Introduction {
            cluster: self.directory.cluster_id().unwrap_or(ClusterId::NONE),
            node: self.directory.node_id(),
            member: self.member.clone(),
        }
    }

    fn address_of(&self, node: NodeId, address: &str) -> String {
        self.place_of(&self.contacts(), node, address)
    }

    fn not_found_at(&self, node: NodeId, _address: &str) {
        self.contacts().note_miss(node);
    }

    fn is_guest(&self, hello: &Hello) -> bool {
        hello.from.cluster.is_none() || self.contacts().is_removed(hello.from.node)
    }

    fn welcomed(&self, by: &Introduction) {
        self.hear(by);
    }

    fn welcome(&self, hello: &Hello) -> Result<Welcome, Reject> {
        let by = self.introduction();
        check(hello, &by)?;
        self.hear(&hello.from);
        if hello.is_probe() {
            return Ok(Welcome::new(by));
        }
        match (hello.from.cluster.is_none(), by.cluster.is_none()) {
            // Only the founder can know this node's incarnation before the node has a cluster.
            (false, true) => self.adopt(hello.from.cluster, &by)?,
            (true, true) => {
                let message = "neither of the two nodes is part of a cluster yet".to_owned();
                return Err(Reject { code: RejectCode::NotNow, message, by });
            }
            // It comes as a guest, to be added.
            (true, false) | (false, false) => {}
        }
        Ok(Welcome::new(self.introduction()))
    }
}

#[cfg(test)]
mod tests {
    use quorate_consensus::Membership;
    use quorate_environment::TokioEnvironment;
    use quorate_peer::Lane;

    use super::*;

    const LOGGED: &str = "http://as-the-log-says:1";

    fn introduction(node: NodeId, client_url: &str) -> Introduction {
        let member = Member::new("peer:1".to_owned(), client_url.to_owned());
        Introduction { cluster: ClusterId::NONE, node, member }
    }

    #[test]
    fn what_a_member_says_of_itself_wins_over_the_log() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let directory =
            DataDirectory::open(&TokioEnvironment::new(), root.path(), 1).expect("a new directory");
        let own = Member::new("own:1", "http://own:1");
        let gate = Gate::new(Arc::new(directory), own, BTreeMap::new(), Breakdown::default());
        let me = gate.introduction().node;
        assert_eq!(gate.client_url_of(me, LOGGED), "http://own:1");

        let (second, third) = (NodeId::new(2, 7), NodeId::new(3, 7));
        assert_eq!(gate.client_url_of(second, LOGGED), LOGGED);
        gate.welcomed(&introduction(second, "http://second:1"));
        let probe = Hello::probe(introduction(third, "http://third:1"), me.member);
        gate.welcome(&probe).expect("anybody may ask");
        assert_eq!(gate.client_url_of(second, LOGGED), "http://second:1");
        assert_eq!(gate.client_url_of(third, LOGGED), "http://third:1");
        gate.welcomed(&introduction(NodeId::new(2, 8), "http://wiped:1"));
        assert_eq!(gate.client_url_of(second, LOGGED), LOGGED, "another has taken its place");
    }

    /// Found by the simulator (seed 292): the node refused the connection and went on.
    #[test]
    fn a_node_that_cannot_write_down_its_cluster_stops() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let path = root.path().join("data");
        let directory = DataDirectory::open(&TokioEnvironment::new(), &path, 1).expect("a new directory");
        let breakdown = Breakdown::default();
        let own = Member::new("own:1", "");
        let gate = Gate::new(Arc::new(directory), own, BTreeMap::new(), breakdown.clone());
        std::fs::remove_dir_all(&path).expect("the directory can be removed");
        let mut leader = introduction(NodeId::new(2, 7), "");
        leader.cluster = ClusterId([1; 16]);
        let me = gate.introduction();
        let reject =
            gate.welcome(&Hello::new(leader, me.node, Lane::Control)).expect_err("it has no place for it");
        assert_eq!((reject.code, breakdown.is_reported()), (RejectCode::NotNow, true));
    }

    #[test]
    fn others_are_wherever_anybody_has_ever_said() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let directory =
            DataDirectory::open(&TokioEnvironment::new(), root.path(), 1).expect("a new directory");
        let configured = [(1, "own:1"), (2, "second:1"), (3, "third:1")];
        let configured = configured.map(|(member, address)| (member, address.to_owned()));
        let (own, configured) = (Member::new("own:1", ""), configured.into_iter().collect());
        let gate = Gate::new(Arc::new(directory), own, configured, Breakdown::default());
        let (me, second, fourth) = (gate.introduction().node, NodeId::new(2, 7), NodeId::new(4, 7));
        let nodes = [(me, "own:0"), (second, "second:2"), (fourth, "fourth:1")];
        let nodes: BTreeMap<_, _> =
            nodes.into_iter().map(|(node, address)| (node, Member::new(address, ""))).collect();
        let membership = Membership::new(vec![nodes.keys().copied().collect()], nodes);
        gate.note_membership(&StoredMembership::new(None, membership.expect("every voter is a node")));
        let mut said = introduction(second, "");
        said.member.peer_address = "second:3".to_owned();
        gate.hear(&said);
        let places = ["second:3", "second:2", "fourth:1", "second:1", "third:1"];
        assert_eq!(gate.places_of_others(), places);
    }
}
