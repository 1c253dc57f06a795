//! Members come, move and go while the cluster runs.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use quorate_consensus::GroupId;
use quorate_environment::{Environment, TokioEnvironment};
use quorate_kv::{Command, Condition};
use quorate_peer::PeerHandler;
use quorate_replica::{
    Consistency, MemberChange, MemberError, MemberRole, MembersView, Replica, ReplicaOptions, RequestContext,
    Role, StartError, Wanted,
};
use quorate_storage::{DataDirectory, OpenError, recover};

mod support;

use support::{PATIENCE, joining_options, start, start_again};

type TestReplica = Replica<TokioEnvironment>;

fn context(replica: &TestReplica) -> RequestContext {
    RequestContext::new(replica.environment().now() + PATIENCE, 7)
}

async fn put(replica: &TestReplica, key: &str) {
    let command = Command::Put {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::from_static(b"value"),
        condition: Condition::Always,
    };
    replica.write(&context(replica), command).await.expect("the cluster takes writes");
}

async fn has(replica: &TestReplica, key: &str) -> bool {
    let context = context(replica);
    let read = replica.get(&context, key.as_bytes(), Consistency::Linearizable);
    read.await.expect("the node serves").found.is_some()
}

async fn change(replica: &TestReplica, change: MemberChange) -> Result<MembersView, MemberError> {
    replica.change_members(&context(replica), change).await
}

/// Waits until nothing is left to do about a member.
async fn settled(replica: &TestReplica, member: u64) -> MembersView {
    replica.await_member(&context(replica), member).await.expect("the members settle")
}

fn roles(view: &MembersView) -> Vec<(u64, MemberRole)> {
    view.members.iter().map(|member| (member.member, member.role)).collect()
}

fn leader(replicas: &[TestReplica]) -> usize {
    replicas.iter().position(|replica| replica.status().role == Role::Leader).expect("somebody leads")
}

async fn join(root: &Path, member: u64, of: &TestReplica) -> (ReplicaOptions, TestReplica) {
    let options = joining_options(root, member, &of.members().members[0].peer_address);
    let replica = Replica::start(TokioEnvironment::new(), options.clone()).await.expect("it starts");
    (options, replica)
}

async fn within<T>(what: &str, future: impl Future<Output = T> + Send) -> T
where
    T: Send,
{
    match TokioEnvironment::new().timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited too long for: {what}"),
    }
}

async fn stop(replicas: Vec<TestReplica>) {
    for replica in replicas {
        replica.shutdown().await;
    }
}

use MemberRole::{Learner, Unclaimed, Voter};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_takes_the_place_that_was_made_for_it_and_becomes_a_voter() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let replicas = start(TokioEnvironment::new(), root.path(), 3).await;
    let follower = &replicas[(leader(&replicas) + 1) % 3];
    put(follower, "before").await;
    let view = change(follower, MemberChange::Add { member: 4, learner: false }).await.expect("added");
    assert_eq!(roles(&view), [(1, Voter), (2, Voter), (3, Voter), (4, Unclaimed)]);
    change(follower, MemberChange::Add { member: 4, learner: false }).await.expect("the same again");
    let promoted = change(follower, MemberChange::Promote { member: 4, force: false }).await;
    assert_eq!(promoted, Err(MemberError::SlotUnclaimed { member: 4 }));

    let (_, joined) = join(root.path(), 4, follower).await;
    let view = settled(follower, 4).await;
    assert_eq!(roles(&view), [(1, Voter), (2, Voter), (3, Voter), (4, Voter)]);
    assert!(has(&joined, "before").await);
    put(&joined, "from the new one").await;
    let added = change(&joined, MemberChange::Add { member: 4, learner: false }).await;
    assert!(matches!(added, Err(MemberError::Exists { member: 4, .. })), "{added:?}");

    let (_, second) = join(&root.path().join("other"), 4, follower).await;
    let failure = within("the second 4 to give up", second.failed()).await;
    assert!(failure.reason.contains("replace 4 4"), "{failure}");
    second.shutdown().await;
    joined.shutdown().await;
    stop(replicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_learner_stays_one_until_it_is_promoted() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let replicas = start(TokioEnvironment::new(), root.path(), 1).await;
    put(&replicas[0], "before").await;
    let mut options = joining_options(root.path(), 2, &replicas[0].members().members[0].peer_address);
    options.stays_learner = true;
    let learner = Replica::start(TokioEnvironment::new(), options).await.expect("it starts");
    within("the learner to serve", learner.ready(context(&learner).deadline)).await.expect("it serves");
    assert!(has(&learner, "before").await);
    let view = settled(&replicas[0], 2).await;
    assert_eq!(roles(&view), [(1, Voter), (2, Learner)]);
    assert_eq!(view.members[1].wanted, Wanted::Learner);
    // The learner may serve before its leader has heard that it has anything, and is not promoted so long.
    within("the leader to hear of the learner", async {
        let is_known = |view: MembersView| {
            view.members[1].is_reachable == Some(true) && view.members[1].matched_index.is_some()
        };
        while !is_known(replicas[0].members()) {
            TokioEnvironment::new().sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    change(&learner, MemberChange::Promote { member: 2, force: false }).await.expect("promoted");
    assert_eq!(roles(&settled(&replicas[0], 2).await), [(1, Voter), (2, Voter)]);
    stop(vec![learner]).await;
    stop(replicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_removed_hands_over_and_its_directory_does_not_start_again() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut replicas = start(TokioEnvironment::new(), root.path(), 3).await;
    let leaving = replicas.remove(leader(&replicas));
    let member = leaving.status().node_id.member;
    change(&replicas[0], MemberChange::Remove { member, force: false }).await.expect("removed");
    within("the leader to go", leaving.removed()).await;
    let view = settled(&replicas[0], member).await;
    assert_eq!(view.members.len(), 2);
    assert!(view.members.iter().all(|view| view.member != member));
    put(&replicas[0], "after").await;
    let read = leaving.get(&context(&leaving), b"after", Consistency::STALE).await;
    assert!(read.is_err(), "a removed node serves nothing");
    assert!(leaving.raft(GroupId::FIRST).is_none(), "others who have not heard of it are refused");
    leaving.shutdown().await;
    drop(leaving);
    let mut options = joining_options(root.path(), member, &view.members[0].peer_address);
    options.data_directory = root.path().join(member.to_string());
    let again = within("the directory to be let go", start_again(&options)).await;
    let refused = again.expect_err("a removed node does not start");
    assert!(matches!(refused, StartError::Storage(OpenError::Removed { .. })), "{refused}");

    let unknown = change(&replicas[0], MemberChange::Remove { member, force: false }).await;
    assert_eq!(unknown, Err(MemberError::UnknownMember { member }));
    stop(replicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_member_is_replaced_and_learns_of_it_when_it_comes_back() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let all = support::options(root.path(), 3);
    let mut replicas = support::start_all(TokioEnvironment::new(), &all).await;
    let dead = replicas.remove(2);
    dead.shutdown().await;
    drop(dead);
    within("the leader to miss it", async {
        let misses = |replica: &TestReplica| replica.members().members[2].is_reachable == Some(false);
        while !replicas.iter().any(misses) {
            TokioEnvironment::new().sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let removed = change(&replicas[0], MemberChange::Remove { member: 2, force: false }).await;
    assert!(matches!(removed, Err(MemberError::QuorumAtRisk { .. })), "{removed:?}");

    let replace = MemberChange::Replace { old: 3, new: 4, force: false };
    change(&replicas[0], replace).await.expect("begun");
    change(&replicas[0], replace).await.expect("the same again");
    let (_, replacement) = join(root.path(), 4, &replicas[0]).await;
    settled(&replicas[0], 4).await;
    let view = settled(&replicas[0], 3).await;
    assert_eq!(roles(&view), [(1, Voter), (2, Voter), (4, Voter)]);
    change(&replicas[0], replace).await.expect("the same once more");

    let returned = Replica::start(TokioEnvironment::new(), all[2].clone()).await.expect("it starts");
    within("the replaced node to learn of it", returned.removed()).await;
    returned.shutdown().await;
    stop(vec![replacement]).await;
    stop(replicas).await;
}

/// Removes a node while it is down, and with it the only other one that it knows: the leader that has to do it
/// learns of both before it has begun with one, and must not wait for the one that is down. `come_back` says how it is
/// started after that, and how a member is that is started last: it is given both options as they would be
/// otherwise, and the address at which the first member was.
async fn check_learns_of_its_removal(come_back: impl FnOnce(&mut ReplicaOptions, &mut ReplicaOptions, &str)) {
    let root = tempfile::tempdir().expect("a temporary directory");
    let all = support::options(root.path(), 2);
    let mut replicas = support::start_all(TokioEnvironment::new(), &all).await;
    let (_, third) = join(root.path(), 3, &replicas[0]).await;
    within("the third to join", third.ready(context(&third).deadline)).await.expect("it serves");
    settled(&third, 3).await;
    let removed = replicas.remove(1);
    removed.shutdown().await;
    drop(removed);
    change(&third, MemberChange::Remove { member: 2, force: true }).await.expect("removed");
    change(&third, MemberChange::Remove { member: 1, force: true }).await.expect("removed");
    let first = replicas.remove(0);
    within("the first to go", first.removed()).await;
    first.shutdown().await;
    drop(first);
    within("the third to be alone", async {
        while roles(&third.members()) != [(3, Voter)] {
            TokioEnvironment::new().sleep(Duration::from_millis(20)).await;
        }
    })
    .await;

    let mut returning = all[1].clone();
    let mut last = joining_options(root.path(), 4, &third.members().members[0].peer_address);
    come_back(&mut returning, &mut last, &all[0].peer_listen);
    let last = within("the last one", start_again(&last)).await.expect("it starts");
    within("the last one to join", last.ready(context(&last).deadline)).await.expect("it serves");
    let returned = within("the removed node", start_again(&returning)).await.expect("it starts");
    within("the removed node to learn of it", returned.removed()).await;
    stop(vec![returned, third, last]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_learns_of_it_from_a_stranger_where_a_member_was() {
    check_learns_of_its_removal(|_, last, first| last.peer_listen = first.to_owned()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_learns_of_it_from_whom_it_is_told_to_join() {
    check_learns_of_its_removal(|returning, last, _| {
        returning.initial_cluster = Vec::new();
        returning.join = vec![last.peer_listen.clone()];
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_directory_takes_the_place_of_a_lost_one_under_the_same_number() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let all = support::options(root.path(), 3);
    let mut replicas = support::start_all(TokioEnvironment::new(), &all).await;
    put(&replicas[0], "before").await;
    let lost = replicas.remove(2);
    let lost_node = lost.status().node_id;
    lost.shutdown().await;
    drop(lost);
    let replace = MemberChange::Replace { old: 3, new: 3, force: false };
    change(&replicas[0], replace).await.expect("begun");
    let (_, joined) = join(&root.path().join("new"), 3, &replicas[0]).await;
    let view = settled(&replicas[0], 3).await;
    assert_eq!(roles(&view), [(1, Voter), (2, Voter), (3, Voter)]);
    assert_ne!(view.members[2].node, Some(lost_node));
    assert!(has(&joined, "before").await);
    stop(vec![joined]).await;
    stop(replicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_has_moved_is_found_through_the_log() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut all = support::options(root.path(), 3);
    let mut replicas = support::start_all(TokioEnvironment::new(), &all).await;
    let moving = replicas.remove(2);
    moving.shutdown().await;
    drop(moving);
    let moved = support::free_address();
    all[2].peer_listen = moved.clone();
    all[2].peer_address = Some(moved.clone());
    all[2].client_url = "http://moved:1".to_owned();
    let returned = within("the directory to be let go", async {
        loop {
            match Replica::start(TokioEnvironment::new(), all[2].clone()).await {
                Ok(replica) => return replica,
                Err(_) => TokioEnvironment::new().sleep(Duration::from_millis(20)).await,
            }
        }
    });
    replicas.push(returned.await);
    within("the log to have the new addresses", async {
        while replicas.iter().any(|replica| {
            let view = replica.members();
            view.members[2].peer_address != moved || view.members[2].client_url != "http://moved:1"
        }) {
            TokioEnvironment::new().sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    put(&replicas[2], "after").await;
    stop(replicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_made_from_a_survivor_and_the_others_join_it_anew() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let all = support::options(root.path(), 3);
    let replicas = support::start_all(TokioEnvironment::new(), &all).await;
    put(&replicas[0], "before").await;
    within("all to have it", async {
        while replicas
            .iter()
            .any(|replica| replica.status().applied_index < replicas[0].status().applied_index)
        {
            TokioEnvironment::new().sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let old_cluster = replicas[0].status().cluster_id;
    stop(replicas).await;
    let recovered = within("the directory to be let go", async {
        loop {
            match recover(TokioEnvironment::new(), &all[0].data_directory, &all[0].storage).await {
                Ok(recovered) => return recovered,
                Err(error) => assert!(error.to_string().contains("in use"), "{error}"),
            }
        }
    })
    .await;
    let survivor = within("the survivor", start_again(&all[0])).await.expect("it starts");
    within("the survivor to lead", survivor.ready(context(&survivor).deadline)).await.expect("it serves");
    assert_eq!(survivor.status().cluster_id, recovered.cluster_id);
    assert_ne!(recovered.cluster_id, old_cluster);
    assert!(has(&survivor, "before").await);
    assert_eq!(roles(&survivor.members()), [(1, Voter)]);

    // A leftover of the old cluster gets nowhere as it is, and cannot be talked into joining either.
    let leftover = within("the leftover", start_again(&all[1])).await.expect("it starts");
    let mut joining = all[1].clone();
    joining.initial_cluster = Vec::new();
    joining.join = vec![all[0].peer_listen.clone()];
    leftover.shutdown().await;
    drop(leftover);
    let wrong = within("the leftover", start_again(&joining)).await.expect("it starts");
    let failure = within("the leftover to give up", wrong.failed()).await;
    assert!(failure.reason.contains("--force-new"), "{failure}");
    wrong.shutdown().await;
    drop(wrong);
    joining.force_new = true;
    let joined = within("the leftover as a new node", start_again(&joining)).await.expect("it starts");
    within("the new node to serve", joined.ready(context(&joined).deadline)).await.expect("it serves");
    let view = settled(&survivor, 2).await;
    assert_eq!(roles(&view), [(1, Voter), (2, Voter)]);
    assert!(has(&joined, "before").await);
    let node = joined.status().node_id;
    joined.shutdown().await;
    drop(joined);
    // The setting may stay: what is of use is not set aside.
    let joined = within("the new node once more", start_again(&joining)).await.expect("it starts");
    assert_eq!(joined.status().node_id, node);
    let found = DataDirectory::look(&joining.data_directory).expect("readable").expect("a node");
    assert_eq!(found.cluster_id, Some(recovered.cluster_id));
    stop(vec![joined, survivor]).await;
}
