//! Leadership that is handed over on purpose.

use std::time::Duration;

use quorate_environment::{Environment, TokioEnvironment};
use quorate_replica::{Consistency, Replica, RequestContext, TransferError};

mod support;

use support::readers::Readers;
use support::writers::Writers;
use support::{PATIENCE, options, start, start_all};

fn context() -> RequestContext {
    RequestContext::new(TokioEnvironment::new().now() + PATIENCE, 7)
}

/// Has leadership handed over, again while no other voter seems to answer: on a busy machine one may have been
/// silent for a moment.
async fn transfer(replica: &Replica<TokioEnvironment>, to: Option<u64>) -> Result<u64, TransferError> {
    let context = context();
    loop {
        let result = replica.transfer_leadership(&context, to).await;
        let is_passing = matches!(
            result,
            Err(TransferError::Unreachable { .. }
                | TransferError::Lagging { .. }
                | TransferError::NoSuccessor)
        );
        if !is_passing || TokioEnvironment::new().now() >= context.deadline {
            return result;
        }
        TokioEnvironment::new().sleep(Duration::from_millis(50)).await;
    }
}

fn leader_of(replica: &Replica<TokioEnvironment>) -> u64 {
    replica.status().leader.expect("somebody leads").member
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_write_fails_while_leadership_goes_from_node_to_node() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let replicas = start(TokioEnvironment::new(), root.path(), 3).await;
    let writers = Writers::start(&replicas, 16);
    // Asked of each node in turn, so of leaders and of others.
    for (replica, to) in replicas.iter().zip([2, 3, 1]) {
        writers.get_on().await;
        assert_eq!(transfer(replica, Some(to)).await, Ok(to));
    }
    for replica in &replicas {
        writers.get_on().await;
        let before = leader_of(replica);
        let after = transfer(replica, None).await.expect("another node takes over");
        assert_ne!(before, after);
    }
    writers.get_on().await;
    assert_eq!(writers.stop().await, Ok(()));
}

/// How long elections would take is far above what anything takes here, so that a wait for one shows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_waits_for_a_timeout_while_leadership_goes_from_node_to_node() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut options = options(root.path(), 3);
    options.iter_mut().for_each(|options| options.heartbeat_interval_ms = 1000);
    let timeout = options[0].election_timeout_min();
    let replicas = start_all(TokioEnvironment::new(), &options).await;
    for consistency in [Consistency::Linearizable, Consistency::Lease] {
        let readers = Readers::start(&replicas, 12, consistency);
        for replica in replicas.iter().chain(&replicas) {
            readers.get_on().await;
            transfer(replica, None).await.expect("another node takes over");
        }
        readers.get_on().await;
        let slowest = readers.stop().await.expect("no read fails");
        assert!(slowest < timeout, "{slowest:?}, {consistency:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_cannot_lead_is_refused_by_its_name_and_the_leader_leads_on() {
    let environment = TokioEnvironment::new();
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut replicas = start(environment, root.path(), 3).await;
    let leader = leader_of(&replicas[0]);
    let transfer_once = async |replica: &Replica<_>, to| replica.transfer_leadership(&context(), to).await;

    assert_eq!(transfer_once(&replicas[0], Some(leader)).await, Ok(leader), "nothing is to be done");
    assert_eq!(transfer_once(&replicas[0], Some(9)).await, Err(TransferError::UnknownMember { member: 9 }));

    let is_other = |replica: &Replica<_>| replica.status().node_id.member != leader;
    let gone = replicas.remove(replicas.iter().position(is_other).expect("there are others"));
    let member = gone.status().node_id.member;
    gone.shutdown().await;
    let unreachable = Err(TransferError::Unreachable { member });
    let deadline = environment.now() + PATIENCE;
    while transfer_once(&replicas[0], Some(member)).await != unreachable {
        // It has answered a moment ago: leadership may have gone astray, and be somewhere else now.
        assert!(environment.now() < deadline, "the leader does not notice that the member is gone");
        environment.sleep(Duration::from_millis(50)).await;
    }
    let chosen = transfer(&replicas[0], None).await.expect("one other voter is left");
    assert_ne!(chosen, member, "who is gone is not chosen");
}

#[tokio::test]
async fn nobody_else_can_lead_a_cluster_of_one() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let replicas = start_all(TokioEnvironment::new(), &options(root.path(), 1)).await;
    let refused = replicas[0].transfer_leadership(&context(), None).await;
    assert_eq!(refused, Err(TransferError::NoSuccessor));
    assert_eq!(leader_of(&replicas[0]), 1);
}
