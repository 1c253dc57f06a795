//! The nodes of a client, and what keeps them in step with the members of the cluster.
//!
//! Nothing runs in the background of its own accord: requests that end notice that it is time to ask who the
//! members are, and start one task that does. It is time after the first answer, a while after the last time,
//! and when a node could not be reached.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_api::{CLUSTER_PATH, ClusterStatus};
use quorate_environment::{Environment, Moment};

use crate::call::Call;
use crate::connections::Connections;
use crate::directory::Directory;
use crate::endpoint::Endpoint;
use crate::exchange::exchange;
use crate::roster::Heard;

/// How long a list of members is good for.
const MEMBERS_AGE_MAX: Duration = Duration::from_secs(10);

/// How long to wait before asking again, if it did not help.
const MEMBERS_AGE_MIN: Duration = Duration::from_millis(250);

/// How long a node may take to say who the members are.
const MEMBERS_TIMEOUT: Duration = Duration::from_secs(1);

/// The nodes that requests go to.
#[derive(Debug)]
pub(crate) struct Nodes<E> {
    pub(crate) environment: E,
    pub(crate) answer_bytes_max: usize,
    directory: Mutex<Directory<E>>,
    /// None if the client stays with the nodes that it was given.
    following: Option<Mutex<Following>>,
}

/// When the members were asked for.
#[derive(Debug, Default)]
struct Following {
    is_asking: bool,
    /// When the last time ended, if there was one.
    asked: Option<Moment>,
    /// Whether a node has failed since it began.
    has_failed: bool,
}

impl Following {
    /// Whether to ask now. If so, it is noted that somebody does.
    fn begin(&mut self, now: Moment) -> bool {
        let age_max = if self.has_failed { MEMBERS_AGE_MIN } else { MEMBERS_AGE_MAX };
        let is_due = self.asked.is_none_or(|asked| now.saturating_since(asked) >= age_max);
        let begins = is_due && !self.is_asking;
        if begins {
            self.is_asking = true;
            self.has_failed = false;
        }
        begins
    }

    fn end(&mut self, now: Moment) {
        self.is_asking = false;
        self.asked = Some(now);
    }
}

impl<E: Environment> Nodes<E> {
    /// At least one endpoint.
    pub(crate) fn new(
        environment: E,
        endpoints: Vec<Endpoint>,
        answer_bytes_max: usize,
        follows_members: bool,
    ) -> Self {
        assert!(!endpoints.is_empty(), "a client needs at least one endpoint");
        let directory = Mutex::new(Directory::new(environment.clone(), endpoints));
        let following = follows_members.then(Mutex::default);
        Self { environment, answer_bytes_max, directory, following }
    }

    pub(crate) fn directory(&self) -> MutexGuard<'_, Directory<E>> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node has answered.
    pub(crate) fn answered(self: &Arc<Self>, node: &Arc<Connections<E>>) {
        self.directory().prefer(node);
        self.follow_if_due(false);
    }

    /// A node could not be reached, or did not answer.
    pub(crate) fn failed(self: &Arc<Self>) {
        self.follow_if_due(true);
    }

    fn follow_if_due(self: &Arc<Self>, has_failed: bool) {
        let Some(following) = &self.following else { return };
        let mut following = following.lock().unwrap_or_else(PoisonError::into_inner);
        following.has_failed |= has_failed;
        if following.begin(self.environment.now()) {
            let nodes = Arc::clone(self);
            self.environment.spawn("client members", async move { nodes.follow().await });
        }
    }

    /// Asks one node after the other who the members are, until one can be believed, and then those of which
    /// nothing is known whether they are of the cluster.
    async fn follow(&self) {
        let nodes = self.directory().all();
        for node in nodes {
            let Some(status) = self.ask(&node).await else { continue };
            if self.directory().hear(&node, &status) == Heard::Taken {
                break;
            }
        }
        let unknown = self.directory().unknown();
        let asking = unknown.iter().map(|node| async {
            if let Some(status) = self.ask(node).await {
                self.directory().hear(node, &status);
            }
        });
        futures::future::join_all(asking).await;
        if let Some(following) = &self.following {
            following.lock().unwrap_or_else(PoisonError::into_inner).end(self.environment.now());
        }
    }

    async fn ask(&self, node: &Connections<E>) -> Option<ClusterStatus> {
        let call = Call::get(CLUSTER_PATH, String::new()).without_timeout();
        let answered = exchange(node, &call, None, MEMBERS_TIMEOUT, self.answer_bytes_max).await;
        match answered.ok()?.json() {
            Ok(status) => Some(status),
            Err(error) => {
                tracing::debug!(%error, "a node did not say who the members are");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Moment {
        Moment::from_origin(Duration::from_millis(milliseconds))
    }

    #[test]
    fn members_are_asked_for_at_first_and_when_what_is_known_is_old() {
        let mut following = Following::default();
        assert!(following.begin(at(0)));
        assert!(!following.begin(at(20_000)), "somebody is asking");
        following.end(at(20_000));
        assert!(!following.begin(at(29_999)));
        assert!(following.begin(at(30_000)));
    }

    #[test]
    fn members_are_asked_for_sooner_when_a_node_has_failed() {
        let mut following = Following::default();
        assert!(following.begin(at(0)));
        following.has_failed = true;
        following.end(at(100));
        assert!(!following.begin(at(349)));
        assert!(following.begin(at(350)), "it has failed since the asking began");
        following.end(at(400));
        assert!(!following.begin(at(1_000)));
    }
}
