//! The nodes that requests can go to, and in which order.
//!
//! Some the user has named, others the members have named. A node of the second kind is used once it has
//! answered, and has turned out to be of the same cluster: an address that is right for the other nodes may
//! lead a client nowhere, or may have passed to somebody else. A node that turns out to be of another cluster
//! is not used, whoever has named it.

use std::sync::Arc;

use quorate_api::ClusterStatus;
use quorate_environment::Environment;

use crate::connections::Connections;
use crate::endpoint::Endpoint;
use crate::roster::{Heard, Roster};

/// What is known of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing yet.
    Unknown,
    /// It has answered, and is of the cluster.
    Confirmed,
    /// It has answered, and is of another one.
    Foreign,
}

#[derive(Debug)]
struct Entry<E> {
    node: Arc<Connections<E>>,
    is_configured: bool,
    is_member: bool,
    standing: Standing,
}

impl<E> Entry<E> {
    fn is_usable(&self) -> bool {
        match self.standing {
            Standing::Unknown => self.is_configured,
            Standing::Confirmed => true,
            Standing::Foreign => false,
        }
    }
}

/// The nodes, with what is known of them.
#[derive(Debug)]
pub struct Directory<E> {
    environment: E,
    roster: Roster,
    /// The members, in the order of their numbers; behind them the others that the user has named.
    entries: Vec<Entry<E>>,
    /// The node that answered last.
    preferred: Option<Arc<Connections<E>>>,
}

impl<E: Environment> Directory<E> {
    /// Of the nodes that the user has named.
    pub fn new(environment: E, configured: Vec<Endpoint>) -> Self {
        let mut entries: Vec<Entry<E>> = Vec::new();
        for endpoint in configured {
            if entries.iter().all(|entry| *entry.node.endpoint() != endpoint) {
                let node = Arc::new(Connections::new(environment.clone(), endpoint));
                entries.push(Entry {
                    node,
                    is_configured: true,
                    is_member: false,
                    standing: Standing::Unknown,
                });
            }
        }
        Self { environment, roster: Roster::default(), entries, preferred: None }
    }

    /// The nodes of one round of attempts, that which answered last first. In its first round a request goes
    /// to members, if there are any that have answered; in later ones to all nodes that may be of the cluster.
    pub fn round(&self, is_first: bool) -> Vec<Arc<Connections<E>>> {
        let is_preferred = |node: &Arc<Connections<E>>| {
            self.preferred.as_ref().is_some_and(|preferred| Arc::ptr_eq(preferred, node))
        };
        let is_chosen = |entry: &&Entry<E>| entry.is_member && entry.is_usable();
        let only_members = is_first && self.entries.iter().any(|entry| is_chosen(&entry));
        let chosen = self.entries.iter().filter(|entry| match only_members {
            true => is_chosen(entry) || (entry.is_usable() && is_preferred(&entry.node)),
            false => entry.is_usable(),
        });
        let mut nodes: Vec<_> = chosen.map(|entry| Arc::clone(&entry.node)).collect();
        let first = nodes.iter().position(is_preferred).unwrap_or(0);
        nodes.rotate_left(first);
        nodes
    }

    /// Begins with this node from now on.
    pub fn prefer(&mut self, node: &Arc<Connections<E>>) {
        self.preferred = Some(Arc::clone(node));
    }

    /// All nodes, to ask them who the members are: that which answered last first.
    pub fn all(&self) -> Vec<Arc<Connections<E>>> {
        let mut nodes = self.round(false);
        let foreign = self.entries.iter().filter(|entry| !entry.is_usable());
        nodes.extend(foreign.map(|entry| Arc::clone(&entry.node)));
        nodes
    }

    /// Those of which it is not known whether they are of the cluster.
    pub fn unknown(&self) -> Vec<Arc<Connections<E>>> {
        let unknown = self.entries.iter().filter(|entry| entry.standing == Standing::Unknown);
        unknown.map(|entry| Arc::clone(&entry.node)).collect()
    }

    /// A node has said who the members are. Tells what became of it.
    pub fn hear(&mut self, node: &Arc<Connections<E>>, status: &ClusterStatus) -> Heard {
        let heard = self.roster.hear(status);
        let standing = match &heard {
            Heard::Taken | Heard::Outdated => Standing::Confirmed,
            Heard::NoCluster => Standing::Unknown,
            Heard::OtherCluster { ours, theirs } => {
                let endpoint = node.endpoint();
                tracing::warn!(%endpoint, ours, theirs, "a node belongs to another cluster and is not used");
                Standing::Foreign
            }
        };
        if let Some(entry) = self.entries.iter_mut().find(|entry| Arc::ptr_eq(&entry.node, node)) {
            entry.standing = standing;
        }
        if heard == Heard::Taken {
            self.follow_roster();
        }
        heard
    }

    /// Lets in whoever is new among the members, and drops whoever is no member any more and was not named by
    /// the user.
    fn follow_roster(&mut self) {
        let mut before = std::mem::take(&mut self.entries);
        for endpoint in self.roster.members() {
            let known = before.iter().position(|entry| entry.node.endpoint() == endpoint);
            self.entries.push(match known {
                Some(position) => Entry { is_member: true, ..before.remove(position) },
                None => Entry {
                    node: Arc::new(Connections::new(self.environment.clone(), endpoint.clone())),
                    is_configured: false,
                    is_member: true,
                    standing: Standing::Unknown,
                },
            });
        }
        let others = before.into_iter().filter(|entry| entry.is_configured);
        self.entries.extend(others.map(|entry| Entry { is_member: false, ..entry }));
    }
}

#[cfg(test)]
mod tests {
    use quorate_environment::TokioEnvironment;

    use super::*;

    fn directory(urls: &[&str]) -> Directory<TokioEnvironment> {
        let endpoints = urls.iter().map(|url| Endpoint::parse(url).expect("is an endpoint")).collect();
        Directory::new(TokioEnvironment::new(), endpoints)
    }

    fn status(cluster_id: &str, members: &[&str]) -> ClusterStatus {
        let mut status: ClusterStatus =
            serde_json::from_str(include_str!("../tests/client/cluster.json")).expect("is a status");
        let template = status.members[0].clone();
        status.cluster_id = Some(cluster_id.to_owned());
        let member = |url: &&str| quorate_api::ClusterMember {
            client_url: Some(format!("http://{url}")),
            ..template.clone()
        };
        status.members = members.iter().map(member).collect();
        status
    }

    fn names(nodes: &[Arc<Connections<TokioEnvironment>>]) -> Vec<&str> {
        nodes.iter().map(|node| node.endpoint().authority()).collect()
    }

    impl Directory<TokioEnvironment> {
        fn node(&self, authority: &str) -> Arc<Connections<TokioEnvironment>> {
            let entry = self.entries.iter().find(|entry| entry.node.endpoint().authority() == authority);
            Arc::clone(&entry.expect("is known").node)
        }

        fn hear_of(&mut self, authority: &str, cluster_id: &str, members: &[&str]) {
            self.hear(&self.node(authority), &status(cluster_id, members));
        }
    }

    #[test]
    fn a_member_is_used_once_it_has_answered_itself() {
        let mut directory = directory(&["a:1"]);
        directory.hear_of("a:1", "x", &["a:1", "b:1"]);
        assert_eq!((names(&directory.round(true)), names(&directory.unknown())), (vec!["a:1"], vec!["b:1"]));
        directory.hear_of("b:1", "x", &["a:1", "b:1"]);
        assert_eq!(names(&directory.round(true)), ["a:1", "b:1"]);
        assert!(directory.unknown().is_empty());
    }

    #[test]
    fn what_the_user_named_is_a_fallback_behind_the_members() {
        let mut directory = directory(&["old:1", "a:1"]);
        directory.prefer(&directory.node("a:1"));
        directory.hear_of("a:1", "x", &["a:1", "b:1"]);
        directory.hear_of("b:1", "x", &["a:1", "b:1"]);
        assert_eq!(names(&directory.round(true)), ["a:1", "b:1"]);
        assert_eq!(names(&directory.round(false)), ["a:1", "b:1", "old:1"]);
        directory.prefer(&directory.node("old:1"));
        assert_eq!(names(&directory.round(true)), ["old:1", "a:1", "b:1"], "it has answered last");
    }

    #[test]
    fn a_removed_member_is_dropped_unless_the_user_named_it() {
        let mut directory = directory(&["a:1"]);
        for members in [&["a:1", "b:1"][..], &["b:1", "c:1"]] {
            directory.hear_of("a:1", "x", members);
            for node in directory.unknown() {
                directory.hear(&node, &status("x", members));
            }
        }
        assert_eq!(names(&directory.round(true)), ["b:1", "c:1"]);
        directory.hear_of("c:1", "x", &["c:1"]);
        assert_eq!(names(&directory.round(false)), ["c:1", "a:1"]);
    }

    #[test]
    fn a_node_of_another_cluster_is_not_used_until_it_comes_back() {
        let mut directory = directory(&["a:1", "b:1"]);
        directory.hear_of("a:1", "x", &["a:1", "c:1"]);
        directory.hear_of("b:1", "y", &["b:1", "d:1"]);
        directory.hear_of("c:1", "y", &["b:1", "d:1"]);
        assert_eq!(names(&directory.round(false)), ["a:1"]);
        assert_eq!(names(&directory.all()), ["a:1", "c:1", "b:1"]);
        directory.hear_of("b:1", "x", &["a:1", "b:1"]);
        assert_eq!(names(&directory.round(true)), ["a:1", "b:1"]);
    }
}
