//! What a router counts besides what every server does.

use std::sync::atomic::{AtomicU64, Ordering};

use quorate_environment::Environment;
use quorate_http::MetricsText;

use crate::board::{Board, Health};
use crate::need::Destination;

/// What came of passing a request to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The node's answer was passed to the client.
    Answered,
    /// The node did nothing, and another one was asked, or the same again.
    Refused,
    /// The node could not be reached.
    NotSent,
    /// It is not known what came of it.
    Lost,
}

impl Attempt {
    const ALL: [Attempt; 4] = [Attempt::Answered, Attempt::Refused, Attempt::NotSent, Attempt::Lost];

    const fn name(self) -> &'static str {
        match self {
            Attempt::Answered => "answered",
            Attempt::Refused => "refused",
            Attempt::NotSent => "not_sent",
            Attempt::Lost => "lost",
        }
    }
}

/// The counters.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    attempts: [AtomicU64; Attempt::ALL.len()],
    to_leader: AtomicU64,
    to_nearest: AtomicU64,
    unknown_outcomes: AtomicU64,
}

impl Metrics {
    pub(crate) fn attempted(&self, attempt: Attempt) {
        self.attempts[attempt as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, destination: Destination) {
        let counter = match destination {
            Destination::Leader => &self.to_leader,
            Destination::Nearest => &self.to_nearest,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unknown_outcome(&self) {
        self.unknown_outcomes.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds the router's own metrics to those of its server.
    pub(crate) fn write<E: Environment>(&self, text: &mut MetricsText, board: &Board<E>) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        text.family("quorate_router_requests_total", "counter", "Requests to pass on, by where to.");
        text.sample("{to=\"leader\"}", count(&self.to_leader));
        text.sample("{to=\"nearest\"}", count(&self.to_nearest));
        text.family(
            "quorate_router_attempts_total",
            "counter",
            "Requests passed to nodes, by what came of it.",
        );
        for attempt in Attempt::ALL {
            text.sample(
                &format!("{{result=\"{}\"}}", attempt.name()),
                count(&self.attempts[attempt as usize]),
            );
        }
        text.counter(
            "quorate_router_unknown_outcomes_total",
            "Writes that were sent and not answered.",
            count(&self.unknown_outcomes),
        );
        nodes(text, board);
    }
}

fn nodes<E: Environment>(text: &mut MetricsText, board: &Board<E>) {
    let nodes = board.all();
    let label = |node: &crate::board::Node<E>| format!("{{node=\"{}\"}}", node.endpoint());
    text.family("quorate_router_node_up", "gauge", "1 if the node answers.");
    for node in &nodes {
        text.sample(&label(node), u64::from(board.report(node).health == Health::Up));
    }
    text.family("quorate_router_node_leads", "gauge", "1 if the node is held for the leader.");
    for node in &nodes {
        text.sample(&label(node), u64::from(board.is_leader(node)));
    }
    text.family(
        "quorate_router_node_round_trip_seconds",
        "gauge",
        "How long the node takes to answer, of late.",
    );
    for node in &nodes {
        if let Some(round_trip) = board.report(node).round_trip {
            text.sample(&label(node), round_trip.as_secs_f64());
        }
    }
}
