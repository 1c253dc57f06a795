//! How a client asks a node, and what becomes of its request.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ask::{Ask, Token, Told};
use super::connection::{Connections, NoAnswer};
use super::revelation::revealed;
use super::{Client, etcd, quorate};
use crate::arguments::Target;
use crate::history::{Outcome, Sample};
use crate::property::Property;

/// What a client waits at least after a request that was not answered, so that it does not besiege a node that is down.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);

impl Client {
    /// Asks a node, waits for its answer, and rests a little if there is none.
    pub async fn ask(&mut self, node: u8, ask: &Ask) -> Told {
        self.ask_in_session(node, ask, None, None).await
    }

    /// Asks a node for something that only reads. What there is at the end matters: a client that is to come to an end
    /// asks until it is answered, or the run is over.
    pub async fn ask_patiently(&mut self, node: u8, ask: &Ask) -> Told {
        loop {
            let told = self.ask(node, ask).await;
            if told.outcome() == Outcome::Ok || !self.is_stopped() {
                return told;
            }
            if self.is_over() {
                self.note_unanswered(format!("{ask:?} at node {node} ({told})"));
                return told;
            }
            sleep(PAUSE_AFTER_FAILURE).await;
        }
    }

    /// Asks a node for a write that may be repeated. `first_began` is when it was asked for the first time.
    pub async fn ask_in_session(
        &mut self,
        node: u8,
        ask: &Ask,
        token: Option<Token>,
        first_began: Option<u64>,
    ) -> Told {
        let connections = std::mem::take(&mut self.connections);
        let (connections, told) = self.exchange(connections, node, ask, token, first_began).await;
        self.connections = connections;
        if told.outcome() != Outcome::Ok && !self.is_stopped() {
            sleep(PAUSE_AFTER_FAILURE).await;
        }
        told
    }

    /// Asks two nodes at once for the same write, as a proxy might that has no patience. Gives the answer that says
    /// more.
    pub async fn ask_two(&mut self, nodes: (u8, u8), ask: &Ask, token: Token, first_began: u64) -> Told {
        let (connections, others) =
            (std::mem::take(&mut self.connections), std::mem::take(&mut self.other_connections));
        let ((connections, told), (others, other)) = tokio::join!(
            self.exchange(connections, nodes.0, ask, Some(token), Some(first_began)),
            self.exchange(others, nodes.1, ask, Some(token), Some(first_began)),
        );
        (self.connections, self.other_connections) = (connections, others);
        weightier(told, other)
    }

    /// One request, over connections that are given back.
    async fn exchange(
        &self,
        mut connections: Connections,
        node: u8,
        ask: &Ask,
        token: Option<Token>,
        first_began: Option<u64>,
    ) -> (Connections, Told) {
        if self.is_over() {
            return (connections, Told::Refused { why: "the run is over".to_owned() });
        }
        let recorder = self.recorder();
        let patience = self.patience();
        let deadline = Instant::now() + patience;
        let request = match self.surroundings.target {
            Target::Quorate => quorate::request(ask, token, patience),
            Target::Etcd => etcd::request(ask),
        };
        let began = recorder.now();
        let address = self.surroundings.addresses[usize::from(node) - 1];
        let exchanged = connections.exchange(node, address, request, deadline).await;
        let told = match exchanged {
            Ok(answer) => {
                let told = match self.surroundings.target {
                    Target::Quorate => quorate::told(ask, token, &answer),
                    Target::Etcd => etcd::told(ask, &answer),
                };
                told.unwrap_or_else(|what| {
                    recorder.convict(
                        Property::AnswersFit,
                        format!("node {node} gave an answer that is none: {what}"),
                    );
                    Told::Unknown { why: what }
                })
            }
            Err(NoAnswer::NotSent(why)) => Told::Refused { why },
            Err(NoAnswer::Lost(why)) => Told::Unknown { why },
        };
        let ended = recorder.now();
        let outcome = told.outcome();
        recorder.sample(Sample { began, ended, node, is_write: ask.is_write(), outcome });
        if let Some(revealed) = revealed(ask, &told, (first_began.unwrap_or(began), ended), node) {
            recorder.reveal(revealed);
        }
        (connections, told)
    }
}

/// Which of two answers to the same write says more: that it was done, or else that nobody knows. That a session has
/// expired only says that one of the two requests did not do it.
fn weightier(told: Told, other: Told) -> Told {
    let weight = |told: &Told| match (told, told.outcome()) {
        (Told::SessionExpired, _) => 1,
        (_, Outcome::Ok) => 3,
        (_, Outcome::Unknown) => 2,
        (_, Outcome::Failed) => 0,
    };
    if weight(&other) > weight(&told) { other } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_answers_the_one_counts_by_which_the_write_may_have_been_done() {
        let written = Told::Written { revision: 7, version: Some(1) };
        let unknown = Told::Unknown { why: "lost".to_owned() };
        let refused = Told::Refused { why: "no leader".to_owned() };
        // Each outweighs all behind it, whichever node gives it.
        let by_weight = [written, unknown, Told::SessionExpired, refused];
        for (place, heavy) in by_weight.iter().enumerate() {
            for light in &by_weight[place..] {
                assert_eq!(weightier(heavy.clone(), light.clone()), *heavy);
                assert_eq!(weightier(light.clone(), heavy.clone()), *heavy);
            }
        }
    }
}
