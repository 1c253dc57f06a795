//! Application calls: answers, deadlines, what a failure says, what is bounded.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use quorate_consensus::{GroupId, Member, NodeId};
use quorate_environment::{Environment, TokioEnvironment};
use quorate_peer::limits::{
    DIAL_BACKOFF_FIRST, FRAME_PAYLOAD_BYTES_MAX, OUTBOX_BYTES_MAX, SESSION_REQUESTS_MAX, SILENCE_MAX,
};
use quorate_peer::{CallDeadlines, CallError, DialError, Gatekeeper, NotSent, Peers, Refusal, Unknown};
use support::{Identity, PATIENCE, TestNode, eventually, peers_of, request};

type Node = TestNode<TokioEnvironment>;

async fn start(environment: &TokioEnvironment, member: u64) -> (Node, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    (TestNode::start(environment, member, "127.0.0.1:0", directory.path().to_owned()).await, directory)
}

async fn call(
    peers: &Peers<TokioEnvironment>,
    node: &Node,
    kind: u8,
    payload: &[u8],
    patience: Duration,
) -> Result<bytes::Bytes, CallError> {
    let deadline = peers.environment().now() + patience;
    peers.call(node.id(), &node.member(), GroupId::FIRST, kind, payload, deadline).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once_get_their_own_answers() {
    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    let calls = (0..2_000_u32).map(|number| {
        let (peers, node) = (&peers, &node);
        async move {
            // Some small, some larger than a read.
            let payload = number.to_le_bytes().repeat(if number % 100 == 0 { 50_000 } else { 1 });
            let answer = call(peers, node, request::ECHO, &payload, PATIENCE).await.expect("an echo");
            assert_eq!(answer, payload);
        }
    });
    join_all(calls).await;
    node.stop().await;
}

#[tokio::test]
async fn a_slow_call_does_not_hold_up_others() {
    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    node.handler.gate.forget_permits(usize::MAX);
    let slow = call(&peers, &node, request::GATED, b"slow", PATIENCE);
    let others = async {
        for _ in 0..100 {
            call(&peers, &node, request::ECHO, b"fast", PATIENCE).await.expect("an echo");
        }
        node.handler.gate.add_permits(1);
    };
    let (slow, ()) = futures::join!(slow, others);
    assert_eq!(slow.expect("let through at last"), "slow");
}

#[tokio::test]
async fn the_deadline_travels_with_the_request() {
    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    let answer =
        call(&peers, &node, request::REMAINING, b"", Duration::from_secs(7)).await.expect("an answer");
    let remaining_ms = u64::from_le_bytes(answer[..].try_into().expect("eight bytes"));
    assert!((3_000..=7_000).contains(&remaining_ms), "{remaining_ms} ms left of 7 s");
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_with_an_unknown_outcome() {
    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    node.handler.gate.forget_permits(usize::MAX);
    // What it takes to connect is not to be limited.
    call(&peers, &node, request::ECHO, b"", PATIENCE).await.expect("an echo");
    let error =
        call(&peers, &node, request::GATED, b"", Duration::from_millis(100)).await.expect_err("gated");
    assert_eq!(error, CallError::Unknown(Unknown::Deadline));
    assert!(!error.is_certainly_not_begun());
    // The connection is still good.
    call(&peers, &node, request::ECHO, b"", PATIENCE).await.expect("an echo");
}

#[tokio::test]
async fn an_answer_that_the_peer_gives_at_its_deadline_arrives() {
    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    // What it takes to connect is not to be limited.
    call(&peers, &node, request::ECHO, b"", PATIENCE).await.expect("an echo");
    let now = environment.now();
    let deadlines = CallDeadlines { peer: now + Duration::from_millis(100), caller: now + PATIENCE };
    let member = node.member();
    let call = peers.call(node.id(), &member, GroupId::FIRST, request::AT_DEADLINE, b"late", deadlines);
    assert_eq!(call.await.expect("an answer"), "late");
    // The time that is left travels in whole milliseconds.
    assert!(environment.now() + Duration::from_millis(1) >= deadlines.peer);
}

#[tokio::test]
async fn a_refusal_of_the_application_is_certain() {
    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    let error = call(&peers, &node, request::REFUSE, b"", PATIENCE).await.expect_err("it is refused");
    assert_eq!(error, CallError::Refused { refusal: Refusal::Malformed });
    assert!(error.is_certainly_not_begun());
}

#[tokio::test]
async fn a_node_that_is_removed_while_it_is_connected_is_a_guest_from_then_on() {
    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    call(&peers, &node, request::ECHO, b"", PATIENCE).await.expect("an echo");
    let dialing = Identity::new(1).introduction().node;
    node.identity.1.lock().expect("no test panics with it").insert(dialing);
    let error = call(&peers, &node, request::ECHO, b"", PATIENCE).await.expect_err("it is a guest");
    assert_eq!(error, CallError::Refused { refusal: Refusal::NotAllowed });
    assert_eq!(node.handler.calls_of(request::ECHO), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_a_stopping_node_has_given_still_go_out() {
    // A stopping node does not wait for ever until they have, and a machine at its limits may need longer once.
    let lost = answers_lost_by_a_stopping_node().await;
    if lost > 0 {
        let lost_again = answers_lost_by_a_stopping_node().await;
        assert_eq!(lost_again, 0, "answers were given, but not sent; before that {lost}");
    }
}

/// How many answers of a node do not arrive that it has given right before it stops.
async fn answers_lost_by_a_stopping_node() -> usize {
    // More than the kernel takes at once.
    const CALLS: usize = 12;
    const CALL_BYTES: usize = 1 << 20;

    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    node.handler.gate.forget_permits(usize::MAX);
    let payload = vec![7; CALL_BYTES];
    let (id, member, handler) = (node.id(), node.member(), node.handler.clone());
    let deadline = environment.now() + PATIENCE;
    let calls =
        (0..CALLS).map(|_| peers.call(id, &member, GroupId::FIRST, request::GATED, &payload, deadline));
    let stop = async {
        eventually(&environment, "all arrive", || handler.calls_of(request::GATED) == CALLS).await;
        handler.gate.add_permits(CALLS);
        eventually(&environment, "all are answered", || handler.gated_done() == CALLS).await;
        node.stop().await;
    };
    let (answers, ()) = futures::join!(join_all(calls), stop);
    answers.iter().filter(|answer| answer.is_err()).count()
}

#[tokio::test]
async fn a_failure_of_the_application_is_reported_as_such() {
    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    let error = call(&peers, &node, request::FAIL, b"", PATIENCE).await.expect_err("it fails");
    assert_eq!(error, CallError::Failed { message: "as was asked".to_owned() });
}

#[tokio::test]
async fn a_node_that_is_not_there_is_reported_at_once_and_for_certain() {
    let environment = TokioEnvironment::new();
    let peers = peers_of(&environment, 1);
    // Nothing listens on the discard port of loopback here.
    let member = Member::new("127.0.0.1:9", "");
    let begun = environment.now();
    for _ in 0..2 {
        let deadline = environment.now() + PATIENCE;
        let error = peers
            .call(NodeId::new(2, 5), &member, GroupId::FIRST, request::ECHO, b"", deadline)
            .await
            .expect_err("nobody there");
        assert!(error.is_certainly_not_begun());
        assert!(matches!(error, CallError::NotSent(NotSent::Unreachable(_))), "{error}");
    }
    assert!(environment.now().saturating_since(begun) < PATIENCE / 2, "it waited for the deadline");
}

#[tokio::test]
async fn an_unreachable_node_is_not_dialed_in_a_busy_loop() {
    let environment = TokioEnvironment::new();
    let peers = peers_of(&environment, 1);
    let member = Member::new("127.0.0.1:9", "");
    let deadline = environment.now() + PATIENCE;
    let (mut dialed, mut backed_off) = (Vec::new(), 0);
    while dialed.len() < 4 {
        let begun = environment.now();
        assert!(begun < deadline, "{} dials in {PATIENCE:?}", dialed.len());
        let called =
            peers.call(NodeId::new(2, 5), &member, GroupId::FIRST, request::ECHO, b"", begun + PATIENCE);
        match called.await {
            Err(CallError::NotSent(NotSent::Unreachable(DialError::BackingOff { .. }))) => backed_off += 1,
            Err(CallError::NotSent(NotSent::Unreachable(_))) => dialed.push((begun, environment.now())),
            other => panic!("{other:?}"),
        }
        tokio::task::yield_now().await;
    }
    // Each pause is twice as long as the one before it, and jitter takes no more than half of it.
    let mut pause_min = DIAL_BACKOFF_FIRST / 2;
    for ((begun, _), (_, next_ended)) in dialed.iter().zip(&dialed[1..]) {
        let apart = next_ended.saturating_since(*begun);
        assert!(apart >= pause_min, "{apart:?} between two dials, at least {pause_min:?} were to be");
        pause_min *= 2;
    }
    assert!(backed_off > dialed.len());
}

#[tokio::test]
async fn a_restarted_node_is_found_again() {
    let environment = TokioEnvironment::new();
    let (node, directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    call(&peers, &node, request::ECHO, b"", PATIENCE).await.expect("an echo");
    let address = node.address.clone();
    node.stop().await;
    let node = TestNode::start(&environment, 2, &address, directory.path().to_owned()).await;
    let deadline = environment.now() + PATIENCE;
    while let Err(error) = call(&peers, &node, request::ECHO, b"", PATIENCE).await {
        assert!(environment.now() < deadline, "{error}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_call_whose_connection_breaks_after_delivery_is_unknown() {
    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    node.handler.gate.forget_permits(usize::MAX);
    let (id, member, handler) = (node.id(), node.member(), node.handler.clone());
    let deadline = environment.now() + PATIENCE;
    let pending = peers.call(id, &member, GroupId::FIRST, request::GATED, b"", deadline);
    let stop = async {
        eventually(&environment, "the request arrives", || handler.calls_of(request::GATED) == 1).await;
        node.stop().await;
    };
    let (result, ()) = futures::join!(pending, stop);
    let error = result.expect_err("the node stopped");
    assert!(matches!(error, CallError::Unknown(Unknown::ConnectionLost(_))), "{error}");
}

#[tokio::test]
async fn closing_ends_connections_and_refuses_calls() {
    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    node.handler.gate.forget_permits(usize::MAX);
    let pending = call(&peers, &node, request::GATED, b"", PATIENCE);
    let close = async {
        eventually(&environment, "the request arrives", || node.handler.calls_of(request::GATED) == 1).await;
        peers.close();
    };
    let (result, ()) = futures::join!(pending, close);
    assert!(matches!(result, Err(CallError::Unknown(Unknown::ConnectionLost(_)))), "{result:?}");
    let error = call(&peers, &node, request::ECHO, b"", PATIENCE).await.expect_err("closed");
    assert_eq!(error, CallError::NotSent(NotSent::ShuttingDown));
}

#[tokio::test]
async fn a_request_larger_than_a_frame_is_not_sent() {
    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    let largest = vec![7; FRAME_PAYLOAD_BYTES_MAX - 5];
    let answer = call(&peers, &node, request::ECHO, &largest, PATIENCE).await.expect("the largest passes");
    assert_eq!(answer.len(), largest.len());
    let too_large = vec![7; FRAME_PAYLOAD_BYTES_MAX];
    let error = call(&peers, &node, request::ECHO, &too_large, PATIENCE).await.expect_err("too large");
    assert!(matches!(error, CallError::NotSent(NotSent::TooLarge { .. })), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_too_much_in_work_refuses_more() {
    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    node.handler.gate.forget_permits(usize::MAX);
    let gated =
        join_all((0..SESSION_REQUESTS_MAX).map(|_| call(&peers, &node, request::GATED, b"", PATIENCE)));
    let more = async {
        let all_arrived = || node.handler.calls_of(request::GATED) == SESSION_REQUESTS_MAX;
        eventually(&environment, "all requests are in work", all_arrived).await;
        let error = call(&peers, &node, request::ECHO, b"", PATIENCE).await.expect_err("too much");
        assert_eq!(error, CallError::Refused { refusal: Refusal::Overloaded });
        node.handler.gate.add_permits(SESSION_REQUESTS_MAX);
    };
    let (gated, ()) = futures::join!(gated, more);
    assert!(gated.iter().all(Result::is_ok));
    call(&peers, &node, request::ECHO, b"", PATIENCE).await.expect("there is room again");
}

/// A listener that accepts, and does with each connection what `behave` says.
async fn raw_listener<F>(behave: impl Fn(tokio::net::TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(behave(stream));
        }
    });
    address
}

/// Shakes hands as node 2, then does nothing, for ever.
async fn welcome_and_stall(mut stream: tokio::net::TcpStream) {
    use quorate_peer::frame::{Frame, FrameKind};
    use quorate_peer::{Gatekeeper, Welcome};
    use tokio::io::AsyncWriteExt;

    let welcome = Welcome::new(support::Identity::new(2).introduction());
    let frame = Frame {
        kind: FrameKind::Welcome,
        flags: 0,
        group: GroupId::FIRST,
        request_id: 0,
        payload: welcome.encode(),
    };
    stream.write_all(&frame.encode()).await.expect("the welcome goes out");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_peer_that_never_shakes_hands_costs_no_more_than_the_deadline() {
    let environment = TokioEnvironment::new();
    let address = raw_listener(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let peers = peers_of(&environment, 1);
    let member = Member::new(address, "");
    let deadline = environment.now() + Duration::from_millis(100);
    let error = peers
        .call(NodeId::new(2, 1_002), &member, GroupId::FIRST, request::ECHO, b"", deadline)
        .await
        .expect_err("no handshake");
    assert_eq!(error, CallError::NotSent(NotSent::Deadline));
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_given_up() {
    let environment = TokioEnvironment::new();
    let address = raw_listener(welcome_and_stall).await;
    let peers = peers_of(&environment, 1);
    let member = Member::new(address, "");
    let begun = environment.now();
    let error = peers
        .call(NodeId::new(2, 1_002), &member, GroupId::FIRST, request::ECHO, b"", begun + PATIENCE)
        .await
        .expect_err("silence");
    assert!(matches!(error, CallError::Unknown(Unknown::ConnectionLost(_))), "{error}");
    assert!(environment.now().saturating_since(begun) >= SILENCE_MAX);
}

#[tokio::test]
async fn a_silent_connection_is_given_up_though_every_caller_gives_up_sooner() {
    let environment = TokioEnvironment::new();
    let dials = Arc::new(AtomicUsize::new(0));
    let counted = dials.clone();
    let address = raw_listener(move |stream| {
        counted.fetch_add(1, Ordering::Relaxed);
        welcome_and_stall(stream)
    })
    .await;
    let peers = peers_of(&environment, 1);
    let member = Member::new(address, "");
    let begun = environment.now();
    let waited = || environment.now().saturating_since(begun);
    while dials.load(Ordering::Relaxed) < 2 {
        assert!(waited() < PATIENCE, "the silence is not noticed");
        let deadline = environment.now() + Duration::from_millis(30);
        let call = peers.call(NodeId::new(2, 1_002), &member, GroupId::FIRST, request::ECHO, b"", deadline);
        call.await.expect_err("silence");
        environment.sleep(Duration::from_millis(20)).await;
    }
    assert!(waited() >= SILENCE_MAX);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_read_makes_callers_wait_not_memory_grow() {
    const CALLS: usize = 120;
    const CALL_BYTES: usize = 1 << 20;
    /// More than the kernel takes for a loopback connection.
    const SOCKET_BYTES: usize = 32 << 20;

    let environment = TokioEnvironment::new();
    let address = raw_listener(welcome_and_stall).await;
    let peers = peers_of(&environment, 1);
    let member = Member::new(address, "");
    let payload = vec![1; CALL_BYTES];
    let deadline = environment.now() + Duration::from_millis(700);
    let calls = (0..CALLS).map(|_| {
        peers.call(NodeId::new(2, 1_002), &member, GroupId::FIRST, request::ECHO, &payload, deadline)
    });
    let results = join_all(calls).await;
    let waited =
        results.iter().filter(|result| **result == Err(CallError::NotSent(NotSent::Deadline))).count();
    let queued =
        results.iter().filter(|result| **result == Err(CallError::Unknown(Unknown::Deadline))).count();
    assert_eq!(waited + queued, CALLS, "{results:?}");
    assert!(queued * CALL_BYTES <= OUTBOX_BYTES_MAX + SOCKET_BYTES, "{queued} MiB were taken in");
    assert!(waited > 0);
}

#[tokio::test]
async fn the_round_trip_to_a_peer_is_measured_while_there_is_a_connection() {
    let environment = TokioEnvironment::new();
    let (node, _directory) = start(&environment, 2).await;
    let peers = peers_of(&environment, 1);
    assert_eq!(peers.round_trip(node.id()), None, "there is no connection");
    node.handler.gate.forget_permits(usize::MAX);
    let slow = call(&peers, &node, request::GATED, b"slow", PATIENCE);
    let measuring = async {
        eventually(&environment, "a measurement", || peers.round_trip(node.id()).is_some()).await;
        node.handler.gate.add_permits(1);
    };
    let (slow, ()) = futures::join!(slow, measuring);
    assert_eq!(slow.expect("let through at last"), "slow");
    assert!(peers.round_trip(node.id()).is_some_and(|it| it < PATIENCE));
    peers.close();
    assert_eq!(peers.round_trip(node.id()), None, "the connection was closed");
}
