//! openraft's network: append streams, votes, snapshots.

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::{StreamExt, stream};
use openraft::errors::{RPCError, ReplicationClosed, StreamingError};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, StreamAppendResult, TransferLeaderRequest, VoteRequest,
};
use openraft::{RaftNetworkFactory, RaftNetworkV2};
use quorate_consensus::{GroupId, Member, NodeId, RaftTypes, SnapshotFile, SnapshotMeta};
use quorate_environment::{Environment, TokioEnvironment};
use quorate_peer::limits::{APPEND_WINDOW_BYTES, APPEND_WINDOW_REQUESTS, SESSION_APPEND_BYTES_MAX};
use quorate_peer::{PeerNetwork, PeerNetworkFactory, Peers, Snapshot};
use support::{PATIENCE, TestNode, append, eventually, log_id, peers_of, request, vote};

type Types = RaftTypes<<TokioEnvironment as Environment>::Runtime>;
type Request = AppendEntriesRequest<Types>;
type Answer = Result<StreamAppendResult<Types>, RPCError<Types>>;

struct World {
    environment: TokioEnvironment,
    node: TestNode<TokioEnvironment>,
    peers: Peers<TokioEnvironment>,
    network: PeerNetwork<TokioEnvironment>,
    directory: tempfile::TempDir,
}

async fn world() -> World {
    let environment = TokioEnvironment::new();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let node = TestNode::start(&environment, 2, "127.0.0.1:0", directory.path().to_owned()).await;
    let peers = peers_of(&environment, 1);
    let network =
        PeerNetworkFactory::new(peers.clone(), GroupId::FIRST).new_client(node.id(), &node.member()).await;
    World { environment, node, peers, network, directory }
}

fn option() -> RPCOption {
    RPCOption::new(PATIENCE)
}

impl World {
    /// Sends all of `requests` on one stream and collects the answers.
    async fn append_all(&mut self, requests: Vec<Request>) -> Vec<Answer> {
        let answers = self.network.stream_append(stream::iter(requests), option()).await;
        answers.expect("the stream opens").collect().await
    }

    async fn echo(&self) {
        let deadline = self.environment.now() + PATIENCE;
        let (id, member) = (self.node.id(), self.node.member());
        let echo = self.peers.call(id, &member, GroupId::FIRST, request::ECHO, b"small", deadline);
        assert_eq!(echo.await.expect("an echo"), "small");
    }

    /// A snapshot file outside of the receiver's directory.
    fn snapshot(&self, contents: &[u8]) -> (Snapshot, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("snapshot");
        std::fs::write(&path, contents).expect("a small file");
        let meta = SnapshotMeta { last_log_id: Some(log_id(9)), ..Default::default() };
        (Snapshot { meta, snapshot: SnapshotFile::keep(path) }, directory)
    }

    fn received_files(&self) -> usize {
        std::fs::read_dir(self.directory.path()).expect("the directory is there").count()
    }
}

fn confirmed(answers: &[Answer]) -> Vec<u64> {
    answers
        .iter()
        .map(|answer| match answer {
            Ok(Ok(Some(log_id))) => log_id.index(),
            other => panic!("not confirmed: {other:?}"),
        })
        .collect()
}

async fn never() -> ReplicationClosed {
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_are_answered_in_their_order() {
    let mut world = world().await;
    let requests = (1..=2_000).map(|index| append(index, (index % 7 * 1_000) as usize)).collect();
    let answers = world.append_all(requests).await;
    assert_eq!(confirmed(&answers), (1..=2_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn appends_are_pipelined_up_to_the_window() {
    let mut world = world().await;
    let raft = world.node.handler.fake_raft();
    raft.append_gate.forget_permits(usize::MAX);
    let environment = world.environment;
    let requests = (1..=2 * APPEND_WINDOW_REQUESTS as u64).map(|index| append(index, 10)).collect();
    let control = async {
        // All of a window arrives without a single answer, and not one more.
        let arrived = || raft.arrived.load(Ordering::Relaxed) == APPEND_WINDOW_REQUESTS;
        eventually(&environment, "a window of requests arrives", arrived).await;
        environment.sleep(Duration::from_millis(50)).await;
        assert!(arrived(), "more than a window is on the way");
        raft.append_gate.add_permits(tokio::sync::Semaphore::MAX_PERMITS / 2);
    };
    let (answers, ()) = futures::join!(world.append_all(requests), control);
    assert_eq!(answers.len(), 2 * APPEND_WINDOW_REQUESTS);
}

#[tokio::test]
async fn the_window_is_also_one_of_bytes() {
    const VALUE_BYTES: usize = 1 << 20;
    let mut world = world().await;
    let raft = world.node.handler.fake_raft();
    raft.append_gate.forget_permits(usize::MAX);
    let environment = world.environment;
    let requests = (1..=20).map(|index| append(index, VALUE_BYTES)).collect();
    let control = async {
        let full = APPEND_WINDOW_BYTES / VALUE_BYTES - 1;
        let arrived = || raft.arrived.load(Ordering::Relaxed);
        eventually(&environment, "a window of bytes arrives", || arrived() >= full).await;
        environment.sleep(Duration::from_millis(50)).await;
        assert_eq!(arrived(), full);
        raft.append_gate.add_permits(tokio::sync::Semaphore::MAX_PERMITS / 2);
    };
    let (answers, ()) = futures::join!(world.append_all(requests), control);
    assert_eq!(confirmed(&answers), (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_single_request_larger_than_the_window_passes() {
    let mut world = world().await;
    let answers = world.append_all(vec![append(1, APPEND_WINDOW_BYTES + 1_000), append(2, 1)]).await;
    assert_eq!(confirmed(&answers), [1, 2]);
}

/// A request without entries, as openraft sends it to tell of a commit.
fn commit_behind(index: u64) -> Request {
    AppendEntriesRequest { entries: vec![], ..append(index + 1, 0) }
}

#[tokio::test]
async fn a_confirmation_does_not_pass_for_one_of_a_later_request() {
    let mut world = world().await;
    let raft = world.node.handler.fake_raft();
    raft.append_gate.forget_permits(usize::MAX);
    let environment = world.environment;
    let input = stream::iter(vec![append(1, 1), commit_behind(1)]).chain(stream::pending());
    let answers = world.network.stream_append(Box::pin(input), option()).await.expect("the stream opens");
    let mut answers = std::pin::pin!(answers);
    let first_is_answered = async {
        eventually(&environment, "both arrive", || raft.arrived.load(Ordering::Relaxed) == 2).await;
        raft.append_gate.add_permits(1);
        environment.sleep(Duration::from_millis(50)).await;
    };
    match futures::future::select(answers.next(), std::pin::pin!(first_is_answered)).await {
        futures::future::Either::Left((answer, _)) => panic!("the second is not answered yet: {answer:?}"),
        futures::future::Either::Right(_) => raft.append_gate.add_permits(1),
    }
    assert_eq!(confirmed(&[answers.next().await.expect("an answer")]), [1]);
}

#[tokio::test]
async fn what_a_later_request_repeats_is_confirmed_once() {
    let mut world = world().await;
    let requests = vec![append(1, 1), commit_behind(1), append(2, 1), append(3, 1), commit_behind(3)];
    assert_eq!(confirmed(&world.append_all(requests).await), [1, 2, 3]);
}

#[tokio::test]
async fn a_conflict_ends_the_stream() {
    let mut world = world().await;
    *world.node.handler.fake_raft().conflict_after.lock().expect("no panic") = Some(3);
    let answers = world.append_all((1..=10).map(|index| append(index, 1)).collect()).await;
    assert_eq!(confirmed(&answers[..3]), [1, 2, 3]);
    assert!(matches!(&answers[3], Ok(Err(StreamAppendError::Conflict(_)))), "{:?}", answers[3]);
    assert_eq!(answers.len(), 4);
    // The connection goes on.
    *world.node.handler.fake_raft().conflict_after.lock().expect("no panic") = None;
    assert_eq!(confirmed(&world.append_all(vec![append(4, 1)]).await), [4]);
}

#[tokio::test]
async fn a_heartbeat_is_a_stream_of_one() {
    let mut world = world().await;
    for _ in 0..1_000 {
        let heartbeat = AppendEntriesRequest { entries: vec![], ..append(6, 0) };
        let input = Box::pin(stream::once(async { heartbeat }));
        let answers = world.network.stream_append(input, option()).await.expect("the stream opens");
        assert_eq!(confirmed(&answers.collect::<Vec<_>>().await), [5]);
    }
}

#[tokio::test]
async fn an_open_stream_does_not_hold_up_heartbeats() {
    let mut world = world().await;
    let raft = world.node.handler.fake_raft();
    raft.append_gate.forget_permits(usize::MAX);
    let mut heartbeats = world.network.clone();
    let mut answers = world
        .network
        .stream_append(Box::pin(stream::iter(vec![append(1, 1)]).chain(stream::pending())), option())
        .await
        .expect("the stream opens");
    let environment = world.environment;
    let heartbeat = async {
        eventually(&environment, "the append arrives", || raft.arrived.load(Ordering::Relaxed) == 1).await;
        let vote = heartbeats.vote(VoteRequest::new(vote(), None), option()).await.expect("an answer");
        assert!(vote.vote_granted);
        raft.append_gate.add_permits(1);
    };
    let (answer, ()) = futures::join!(answers.next(), heartbeat);
    assert_eq!(confirmed(&[answer.expect("an answer")]), [1]);
}

#[tokio::test]
async fn a_stream_whose_answer_does_not_come_times_out() {
    let mut world = world().await;
    world.node.handler.fake_raft().append_gate.forget_permits(usize::MAX);
    // What it takes to connect is not to be limited.
    world.echo().await;
    let input = stream::iter(vec![append(1, 1)]).chain(stream::pending());
    let answers =
        world.network.stream_append(Box::pin(input), RPCOption::new(Duration::from_millis(10))).await;
    let answers: Vec<Answer> = answers.expect("the stream opens").collect().await;
    assert!(matches!(&answers[..], [Err(RPCError::Timeout(_))]), "{answers:?}");
}

#[tokio::test]
async fn a_stream_fails_when_the_connection_breaks() {
    let World { environment, node, peers: _peers, mut network, directory: _directory } = world().await;
    let raft = node.handler.fake_raft();
    let input = stream::iter(vec![append(1, 1)]).chain(stream::pending());
    let mut answers = network.stream_append(Box::pin(input), option()).await.expect("the stream opens");
    assert_eq!(confirmed(&[answers.next().await.expect("an answer")]), [1]);
    let stop = async {
        eventually(&environment, "the append arrives", || raft.arrived.load(Ordering::Relaxed) == 1).await;
        node.stop().await;
    };
    let (answer, ()) = futures::join!(answers.next(), stop);
    assert!(matches!(answer, Some(Err(RPCError::Network(_)))), "{answer:?}");
    assert!(answers.next().await.is_none());
}

#[tokio::test]
async fn a_node_without_raft_is_not_ready() {
    let mut world = world().await;
    *world.node.handler.raft.lock().expect("no panic") = None;
    let answers = world.append_all(vec![append(1, 1), append(2, 1)]).await;
    assert!(matches!(&answers[..], [Err(RPCError::Unreachable(_))]), "{answers:?}");
    let vote = world.network.vote(VoteRequest::new(vote(), None), option()).await;
    assert!(matches!(vote, Err(RPCError::Unreachable(_))), "{vote:?}");
}

#[tokio::test]
async fn an_unreachable_node_is_reported_only_after_a_request_was_taken() {
    // openraft's pause between attempts passes inside of its stream of requests.
    let environment = TokioEnvironment::new();
    let member = Member::new("127.0.0.1:9", "");
    let mut factory = PeerNetworkFactory::new(peers_of(&environment, 1), GroupId::FIRST);
    let mut network = factory.new_client(NodeId::new(2, 1_002), &member).await;
    let pause = Duration::from_millis(50);
    for _ in 0..2 {
        let begun = environment.now();
        let paused = Box::pin(stream::once(async move {
            environment.sleep(pause).await;
            append(1, 1)
        }));
        let answers = network.stream_append(paused, option()).await.expect("no failure before a request");
        let answers: Vec<Answer> = answers.collect().await;
        assert!(matches!(&answers[..], [Err(RPCError::Unreachable(_))]), "{answers:?}");
        assert!(environment.now().saturating_since(begun) >= pause);
    }
}

#[tokio::test]
async fn votes_and_transfers_reach_raft() {
    let mut world = world().await;
    let request = VoteRequest::new(vote(), Some(log_id(4)));
    let granted = world.network.vote(request.clone(), option()).await.expect("an answer");
    assert!(granted.vote_granted);
    assert_eq!(granted.last_log_id, Some(log_id(4)));
    let denied = world.network.pre_vote(request, option()).await.expect("an answer");
    assert!(!denied.vote_granted, "a pre-vote is really asked");
    let transfer = TransferLeaderRequest::new(vote(), NodeId::new(2, 1_002), Some(log_id(4)));
    assert_eq!(world.network.transfer_leader(transfer, option()).await.expect("an answer"), Ok(()));
    world.network.append_entries(append(5, 1), option()).await.expect("an answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_arrives_whole_while_small_calls_go_on() {
    let world = world().await;
    let raft = world.node.handler.fake_raft();
    raft.install_gate.forget_permits(usize::MAX);
    let contents: Vec<u8> =
        (0..24_000_001_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (snapshot, _source) = world.snapshot(&contents);
    let mut network = world.network.clone();
    let sending = network.full_snapshot(vote(), snapshot, never(), option());
    let calling = async {
        // However long the transfer and the installation take, the control lane answers.
        let mut slowest = Duration::ZERO;
        for _ in 0..200 {
            let begun = world.environment.now();
            world.echo().await;
            slowest = slowest.max(world.environment.now().saturating_since(begun));
        }
        raft.install_gate.add_permits(1);
        slowest
    };
    let (response, slowest) = futures::join!(sending, calling);
    assert_eq!(response.expect("installed").vote, vote());
    assert!(slowest < Duration::from_secs(1), "a small call took {slowest:?}");
    assert!(raft.installed.lock().expect("no panic").as_slice() == [contents], "other bytes arrived");
    assert_eq!(world.received_files(), 0, "the received file is gone after its installation");
}

#[tokio::test]
async fn an_empty_snapshot_arrives() {
    let mut world = world().await;
    let (snapshot, _source) = world.snapshot(b"");
    world.network.full_snapshot(vote(), snapshot, never(), option()).await.expect("installed");
    assert_eq!(*world.node.handler.fake_raft().installed.lock().expect("no panic"), [b""]);
}

#[tokio::test]
async fn a_cancelled_snapshot_leaves_nothing_behind() {
    let world = world().await;
    let raft = world.node.handler.fake_raft();
    raft.install_gate.forget_permits(usize::MAX);
    let (snapshot, _source) = world.snapshot(&vec![5; 3_000_000]);
    let (cancel, cancelled) = tokio::sync::oneshot::channel::<()>();
    let mut network = world.network.clone();
    let cancelled = async move {
        cancelled.await.expect("the test cancels");
        ReplicationClosed::new("the test cancels")
    };
    let sending = network.full_snapshot(vote(), snapshot, cancelled, option());
    let cancelling = async {
        eventually(&world.environment, "the transfer begins", || world.received_files() == 1).await;
        cancel.send(()).expect("the transfer runs");
    };
    let (result, ()) = futures::join!(sending, cancelling);
    assert!(matches!(result, Err(StreamingError::Closed(_))), "{result:?}");
    raft.install_gate.add_permits(1);
    eventually(&world.environment, "the file is removed", || world.received_files() == 0).await;
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_stored_fails_with_a_pause() {
    let mut world = world().await;
    let (snapshot, _source) = world.snapshot(b"something");
    std::fs::remove_dir_all(world.directory.path()).expect("the directory was there");
    let result = world.network.full_snapshot(vote(), snapshot, never(), option()).await;
    assert!(matches!(result, Err(StreamingError::Unreachable(_))), "{result:?}");
    world.echo().await;
}

#[tokio::test]
async fn a_snapshot_without_room_for_it_is_refused_before_it_is_sent() {
    let mut world = world().await;
    world.node.handler.check.room_bytes.store(8, Ordering::Relaxed);
    let (snapshot, _source) = world.snapshot(b"something");
    let result = world.network.full_snapshot(vote(), snapshot, never(), option()).await;
    assert!(matches!(result, Err(StreamingError::Unreachable(_))), "{result:?}");
    assert_eq!(world.received_files(), 0);
    let (snapshot, _source) = world.snapshot(b"anything");
    world.network.full_snapshot(vote(), snapshot, never(), option()).await.expect("eight bytes fit");
}

#[tokio::test]
async fn a_damaged_snapshot_is_not_installed_and_its_sender_is_told() {
    let world = world().await;
    *world.node.handler.check.damaged.lock().expect("no panic") = Some(b"damaged".to_vec());
    let mut factory = PeerNetworkFactory::new(world.peers.clone(), GroupId::FIRST);
    let rejected = factory.snapshot_rejected();
    let mut network = factory.new_client(world.node.id(), &world.node.member()).await;
    let (snapshot, _source) = world.snapshot(b"damaged");
    let result = network.full_snapshot(vote(), snapshot, never(), option()).await;
    assert!(matches!(result, Err(StreamingError::Unreachable(_))), "{result:?}");
    world.environment.timeout(PATIENCE, rejected.notified()).await.expect("the sender is told");
    assert!(world.node.handler.fake_raft().installed.lock().expect("no panic").is_empty());
    eventually(&world.environment, "the file is removed", || world.received_files() == 0).await;
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_opened_does_not_stop_the_leader() {
    let mut world = world().await;
    let (snapshot, source) = world.snapshot(b"something");
    drop(source);
    let result = world.network.full_snapshot(vote(), snapshot, never(), option()).await;
    assert!(matches!(result, Err(StreamingError::Unreachable(_))), "{result:?}");
}

#[tokio::test]
async fn streams_that_are_too_much_together_are_refused() {
    const VALUE_BYTES: usize = APPEND_WINDOW_BYTES - 1_000;

    let world = world().await;
    let raft = world.node.handler.fake_raft();
    raft.append_gate.forget_permits(usize::MAX);
    let streams_max = SESSION_APPEND_BYTES_MAX / VALUE_BYTES;
    let streams = (0..streams_max + 1).map(|_| {
        let mut network = world.network.clone();
        async move {
            let answers = network.stream_append(stream::iter(vec![append(1, VALUE_BYTES)]), option()).await;
            answers.expect("the stream opens").collect::<Vec<_>>().await
        }
    });
    let let_through = async {
        let arrived = || raft.arrived.load(Ordering::Relaxed) == streams_max;
        eventually(&world.environment, "all but one arrive", arrived).await;
        world.environment.sleep(Duration::from_millis(50)).await;
        assert!(arrived(), "more than the limit is taken in");
        raft.append_gate.add_permits(100);
    };
    let (answers, ()) = futures::join!(futures::future::join_all(streams), let_through);
    let refused = |answers: &&Vec<Answer>| matches!(&answers[..], [Err(RPCError::Unreachable(_))]);
    assert_eq!(answers.iter().filter(refused).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answers| matches!(&answers[..], [Ok(Ok(_))])).count(), streams_max);
    // What has been answered counts no more.
    let mut network = world.network.clone();
    let answers = network.stream_append(stream::iter(vec![append(1, VALUE_BYTES)]), option()).await;
    assert_eq!(confirmed(&answers.expect("the stream opens").collect::<Vec<_>>().await), [1]);
}

#[cfg(feature = "mutants")]
#[tokio::test]
async fn the_mutant_counts_a_follower_that_has_not_confirmed() {
    use quorate_environment::mutant::{Mutant, activate};

    let mut world = world().await;
    let raft = world.node.handler.fake_raft();
    raft.append_gate.forget_permits(usize::MAX);
    raft.append_gate.add_permits(1);
    activate(Some(Mutant::CommitByMinority));
    let (requests, input) = tokio::sync::mpsc::unbounded_channel();
    let input = Box::pin(stream::unfold(input, async |mut input| Some((input.recv().await?, input))));
    let mut answers = world.network.stream_append(input, option()).await.expect("the stream opens");
    for index in 1..=3 {
        // Only the first is ever confirmed.
        requests.send(append(index, 1)).expect("the stream is open");
        assert_eq!(confirmed(&[answers.next().await.expect("an answer")]), [index]);
    }
    activate(None);
}
