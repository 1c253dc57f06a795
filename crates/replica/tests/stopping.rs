//! A replica that stops while others rely on it.

use quorate_environment::TokioEnvironment;
use quorate_replica::{Replica, Role};

mod support;

use support::start;
use support::writers::Writers;

const WRITERS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_were_passed_on_to_a_leader_that_stops_are_answered() {
    let environment = TokioEnvironment::new();
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut replicas = start(environment, root.path(), 3).await;
    let leads = |replica: &Replica<_>| replica.status().role == Role::Leader;
    let leader = replicas.remove(replicas.iter().position(leads).expect("somebody leads"));
    let writers = Writers::start(&replicas, WRITERS);
    writers.get_on().await;
    leader.hand_over_leadership().await;
    leader.shutdown().await;
    writers.get_on().await;
    assert_eq!(writers.stop().await, Ok(()));
    for replica in replicas {
        replica.shutdown().await;
    }
}
