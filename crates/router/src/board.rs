//! What is known of the nodes, and which of them is asked first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quorate_api::{ClusterStatus, Role};
use quorate_client::{Connections, Directory, Endpoint, Heard};
use quorate_environment::Environment;

use crate::need::Destination;

/// A node, and the connections to it.
pub(crate) type Node<E> = Arc<Connections<E>>;

/// How much the newest round trip counts for, against those before it.
const ROUND_TRIP_WEIGHT: u32 = 4;

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Health {
    /// It answers, and has a part in the cluster.
    Up,
    /// It has not been asked yet.
    Unknown,
    /// It does not answer, or has no part in the cluster.
    Down,
}

/// What is known of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) health: Health,
    /// Whether it can serve linearizable requests, as far as it knows.
    pub(crate) is_ready: bool,
    /// How long it takes to answer, on average of late.
    pub(crate) round_trip: Option<Duration>,
}

const NOTHING: Report = Report { health: Health::Unknown, is_ready: false, round_trip: None };

#[derive(Clone, Debug, PartialEq, Eq)]
struct Leader {
    term: u64,
    /// None if nobody is known to lead in this term.
    endpoint: Option<Endpoint>,
}

/// See the module. It has no clock: others say what they have seen.
#[derive(Debug)]
pub(crate) struct Board<E> {
    directory: Directory<E>,
    /// By host and port.
    reports: BTreeMap<String, Report>,
    leader: Leader,
}

impl<E: Environment> Board<E> {
    /// Of nodes of which nothing is known.
    pub(crate) fn new(environment: E, endpoints: Vec<Endpoint>) -> Self {
        Self {
            directory: Directory::new(environment, endpoints),
            reports: BTreeMap::new(),
            leader: Leader { term: 0, endpoint: None },
        }
    }

    /// Every node, to be asked how it is.
    pub(crate) fn all(&self) -> Vec<Node<E>> {
        self.directory.all()
    }

    pub(crate) fn report(&self, node: &Node<E>) -> Report {
        self.reports.get(node.endpoint().authority()).copied().unwrap_or(NOTHING)
    }

    pub(crate) fn is_leader(&self, node: &Node<E>) -> bool {
        self.leader.endpoint.as_ref() == Some(node.endpoint())
    }

    /// Whether a linearizable request could be passed on now.
    pub(crate) fn is_ready(&self) -> bool {
        self.directory.round(false).iter().any(|node| {
            let report = self.report(node);
            report.health == Health::Up && report.is_ready
        })
    }

    /// A node has said how it is, and took so long for that.
    pub(crate) fn answered(&mut self, node: &Node<E>, status: &ClusterStatus, round_trip: Duration) {
        let heard = self.directory.hear(node, status);
        let is_of_cluster = matches!(heard, Heard::Taken | Heard::Outdated);
        let is_up = is_of_cluster && !matches!(status.role, Role::Stopped | Role::Forming);
        let before = self.report(node).round_trip;
        let round_trip = match before {
            Some(before) => (before * (ROUND_TRIP_WEIGHT - 1) + round_trip) / ROUND_TRIP_WEIGHT,
            None => round_trip,
        };
        let health = if is_up { Health::Up } else { Health::Down };
        let report = Report { health, is_ready: status.ready, round_trip: Some(round_trip) };
        self.reports.insert(node.endpoint().authority().to_owned(), report);
        if is_of_cluster {
            self.learn_leader(status);
        }
        if heard == Heard::Taken {
            let nodes = self.directory.all();
            let is_there =
                |authority: &str| nodes.iter().any(|node| node.endpoint().authority() == authority);
            self.reports.retain(|authority, _| is_there(authority));
        }
    }

    fn learn_leader(&mut self, status: &ClusterStatus) {
        let endpoint = status.leader_client_url.as_deref().and_then(|url| Endpoint::parse(url).ok());
        let is_news =
            status.term > self.leader.term || (status.term == self.leader.term && endpoint.is_some());
        if is_news {
            self.leader = Leader { term: status.term, endpoint };
        }
    }

    /// A node could not be reached, did not answer, or is about to stop.
    pub(crate) fn failed(&mut self, node: &Node<E>) {
        let report = Report { health: Health::Down, is_ready: false, ..self.report(node) };
        self.reports.insert(node.endpoint().authority().to_owned(), report);
        if self.is_leader(node) {
            self.leader.endpoint = None;
        }
    }

    /// The nodes to pass a request to, the best first. In the first round nodes that are down are left out, if
    /// there are others.
    pub(crate) fn order(&self, destination: Destination, is_first: bool) -> Vec<Node<E>> {
        let mut nodes = self.directory.round(is_first);
        let is_down = |node: &Node<E>| self.report(node).health == Health::Down;
        if is_first && !nodes.iter().all(is_down) {
            nodes.retain(|node| !is_down(node));
        }
        nodes.sort_by_key(|node| {
            let Report { health, is_ready, round_trip } = self.report(node);
            let for_leader = destination == Destination::Leader;
            let is_leader = for_leader && self.is_leader(node);
            (!is_leader, health, for_leader && !is_ready, round_trip.unwrap_or(Duration::MAX))
        });
        nodes
    }
}

#[cfg(test)]
mod tests {
    use quorate_environment::TokioEnvironment;

    use super::*;

    fn status(term: u64, leader: Option<&str>, members: &[&str]) -> ClusterStatus {
        let mut status: ClusterStatus =
            serde_json::from_str(include_str!("../../client/tests/client/cluster.json"))
                .expect("is a status");
        let template = status.members[0].clone();
        let url = |authority: &str| format!("http://{authority}");
        status.term = term;
        status.leader_client_url = leader.map(url);
        let member = |authority: &&str| quorate_api::ClusterMember {
            client_url: Some(url(authority)),
            ..template.clone()
        };
        status.members = members.iter().map(member).collect();
        status
    }

    const MEMBERS: [&str; 3] = ["a:1", "b:1", "c:1"];

    /// A board of three members, of which the second leads; they answer in 3, 2 and 1 milliseconds.
    fn board() -> Board<TokioEnvironment> {
        let endpoints = vec![Endpoint::parse(MEMBERS[0]).expect("is an endpoint")];
        let mut board = Board::new(TokioEnvironment::new(), endpoints);
        for (authority, milliseconds) in MEMBERS.into_iter().zip([3, 2, 1]) {
            let node = node(&board, authority);
            let took = Duration::from_millis(milliseconds);
            board.answered(&node, &status(1, Some("b:1"), &MEMBERS), took);
        }
        board
    }

    fn node(board: &Board<TokioEnvironment>, authority: &str) -> Node<TokioEnvironment> {
        let mut nodes = board.all().into_iter();
        nodes.find(|node| node.endpoint().authority() == authority).expect("is on the board")
    }

    #[track_caller]
    fn check(board: &Board<TokioEnvironment>, destination: Destination, is_first: bool, expected: &[&str]) {
        let order = board.order(destination, is_first);
        let found: Vec<&str> = order.iter().map(|node| node.endpoint().authority()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_leader_comes_first_or_the_nearest() {
        let board = board();
        check(&board, Destination::Leader, true, &["b:1", "c:1", "a:1"]);
        check(&board, Destination::Nearest, true, &["c:1", "b:1", "a:1"]);
        assert!(board.is_ready());
    }

    #[test]
    fn a_node_that_failed_is_left_out_at_first_until_it_answers() {
        let mut board = board();
        let leader = node(&board, "b:1");
        board.failed(&leader);
        check(&board, Destination::Leader, true, &["c:1", "a:1"]);
        check(&board, Destination::Leader, false, &["c:1", "a:1", "b:1"]);
        // The others go on saying that it leads until they know better.
        board.answered(&node(&board, "a:1"), &status(1, Some("b:1"), &MEMBERS), Duration::ZERO);
        check(&board, Destination::Leader, true, &["c:1", "a:1"]);
        board.answered(&node(&board, "a:1"), &status(2, Some("a:1"), &MEMBERS), Duration::ZERO);
        board.answered(&leader, &status(1, Some("b:1"), &MEMBERS), Duration::ZERO);
        check(&board, Destination::Leader, true, &["a:1", "c:1", "b:1"]);
    }

    #[test]
    fn if_all_are_down_they_are_tried_all_the_same() {
        let mut board = board();
        for node in board.all() {
            board.failed(&node);
        }
        assert_eq!(board.order(Destination::Leader, true).len(), 3);
        assert!(!board.is_ready());
    }

    #[test]
    fn a_newer_term_without_a_leader_makes_the_old_one_forgotten() {
        let mut board = board();
        board.answered(&node(&board, "a:1"), &status(2, None, &MEMBERS), Duration::from_millis(3));
        check(&board, Destination::Leader, true, &["c:1", "b:1", "a:1"]);
        board.answered(&node(&board, "c:1"), &status(1, Some("b:1"), &MEMBERS), Duration::from_millis(1));
        check(&board, Destination::Leader, true, &["c:1", "b:1", "a:1"]);
    }

    #[test]
    fn members_that_come_and_go_are_followed() {
        let mut board = board();
        let members = ["b:1", "c:1", "d:1"];
        board.answered(&node(&board, "b:1"), &status(1, Some("b:1"), &members), Duration::from_millis(2));
        check(&board, Destination::Nearest, true, &["c:1", "b:1"]);
        board.answered(&node(&board, "d:1"), &status(1, Some("b:1"), &members), Duration::ZERO);
        check(&board, Destination::Nearest, true, &["d:1", "c:1", "b:1"]);
    }

    #[test]
    fn one_slow_answer_does_not_make_a_node_far() {
        let mut board = board();
        board.answered(&node(&board, "c:1"), &status(1, Some("b:1"), &MEMBERS), Duration::from_millis(4));
        check(&board, Destination::Nearest, true, &["c:1", "b:1", "a:1"]);
    }
}
