//! Who belongs to the cluster, as far as its nodes have said.

use quorate_api::ClusterStatus;

use crate::endpoint::Endpoint;

/// The members of one cluster and where clients reach them. What a node says is taken only if it is of that
/// cluster, and knows at least as much of its log as those did who were believed before: a node that was cut
/// off, or has just been removed, would lead us back to members of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    cluster_id: Option<String>,
    applied_index: u64,
    members: Vec<Endpoint>,
}

/// What became of something that a node said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was believed.
    Taken,
    /// The node has no cluster yet, so it has no say.
    NoCluster,
    /// It is older than what is known.
    Outdated,
    /// The node belongs to another cluster.
    OtherCluster {
        /// The one that the roster is of.
        ours: String,
        /// The node's.
        theirs: String,
    },
}

impl Roster {
    /// Judges what a node says, and takes it over if it can be believed. The first node that has a cluster
    /// decides which one it is.
    pub fn hear(&mut self, status: &ClusterStatus) -> Heard {
        let Some(theirs) = &status.cluster_id else { return Heard::NoCluster };
        match &self.cluster_id {
            Some(ours) if ours != theirs => {
                return Heard::OtherCluster { ours: ours.clone(), theirs: theirs.clone() };
            }
            Some(_) if status.applied_index < self.applied_index => return Heard::Outdated,
            _ => {}
        }
        self.cluster_id = Some(theirs.clone());
        self.applied_index = status.applied_index;
        self.members.clear();
        for url in status.members.iter().filter_map(|member| member.client_url.as_deref()) {
            match Endpoint::parse(url) {
                Ok(endpoint) if !self.members.contains(&endpoint) => self.members.push(endpoint),
                Ok(_) => {}
                // Such as https, which something in front of the node may speak.
                Err(error) => tracing::debug!(%error, "a member says that it is where no client can go"),
            }
        }
        Heard::Taken
    }

    /// Where clients reach the members, each once. Empty as long as nobody has said so.
    pub fn members(&self) -> &[Endpoint] {
        &self.members
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(cluster_id: Option<&str>, applied_index: u64, urls: &[&str]) -> ClusterStatus {
        let mut status: ClusterStatus =
            serde_json::from_str(include_str!("../tests/client/cluster.json")).expect("is a status");
        let member = status.members[0].clone();
        status.cluster_id = cluster_id.map(str::to_owned);
        status.applied_index = applied_index;
        status.members = urls
            .iter()
            .map(|url| quorate_api::ClusterMember { client_url: Some((*url).to_owned()), ..member.clone() })
            .collect();
        status
    }

    #[track_caller]
    fn check(roster: &Roster, expected: &[&str]) {
        let members: Vec<String> = roster.members().iter().map(Endpoint::to_string).collect();
        assert_eq!(members, expected);
    }

    #[test]
    fn the_newest_list_counts() {
        let mut roster = Roster::default();
        assert_eq!(roster.hear(&status(Some("a"), 5, &["http://a:1", "http://b:1"])), Heard::Taken);
        assert_eq!(roster.hear(&status(Some("a"), 5, &["http://b:1", "http://c:1"])), Heard::Taken);
        check(&roster, &["http://b:1", "http://c:1"]);
        assert_eq!(roster.hear(&status(Some("a"), 4, &["http://a:1"])), Heard::Outdated);
        assert_eq!(roster.hear(&status(None, 9, &["http://a:1"])), Heard::NoCluster);
        check(&roster, &["http://b:1", "http://c:1"]);
    }

    #[test]
    fn another_cluster_is_never_followed() {
        let mut roster = Roster::default();
        roster.hear(&status(Some("a"), 5, &["http://a:1"]));
        let other = Heard::OtherCluster { ours: "a".to_owned(), theirs: "b".to_owned() };
        assert_eq!(roster.hear(&status(Some("b"), 9, &["http://b:1"])), other);
        check(&roster, &["http://a:1"]);
    }

    #[test]
    fn members_that_no_client_can_reach_are_left_out() {
        let mut roster = Roster::default();
        let mut status = status(Some("a"), 5, &["https://a:1", "http://b:1", "http://b:1/", "http://c:1"]);
        status.members[3].client_url = None;
        assert_eq!(roster.hear(&status), Heard::Taken);
        check(&roster, &["http://b:1"]);
    }
}
