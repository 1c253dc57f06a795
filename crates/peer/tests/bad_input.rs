//! Who does not speak the protocol is cut off; who speaks it but does not belong here is told so.
//! Nobody else notices.

mod support;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use quorate_consensus::{ClusterId, GroupId, NodeId};
use quorate_environment::{Environment, TokioEnvironment};
use quorate_peer::frame::{Frame, FrameKind, PREFACE, flag};
use quorate_peer::limits::{FRAME_PAYLOAD_BYTES_MAX, HANDSHAKE_PAYLOAD_BYTES_MAX, PROTOCOL_VERSION};
use quorate_peer::{
    CallError, DialError, Gatekeeper, Hello, Introduction, Lane, NotSent, Peers, Refusal, Reject, RejectCode,
    Welcome, probe,
};
use support::{Identity, PATIENCE, TestNode, peers_of, request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

type Node = TestNode<TokioEnvironment>;

async fn start(member: u64) -> (Node, Peers<TokioEnvironment>, tempfile::TempDir) {
    let environment = TokioEnvironment::new();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let node = TestNode::start(&environment, member, "127.0.0.1:0", directory.path().to_owned()).await;
    (node, peers_of(&environment, 1), directory)
}

async fn echo(peers: &Peers<TokioEnvironment>, node: &Node) -> Result<Bytes, CallError> {
    let deadline = peers.environment().now() + PATIENCE;
    peers.call(node.id(), &node.member(), GroupId::FIRST, request::ECHO, b"hello", deadline).await
}

fn frame(kind: FrameKind, payload: Bytes) -> Frame {
    Frame { kind, flags: 0, group: GroupId::FIRST, request_id: 1, payload }
}

fn hello_to(node: &Node) -> Hello {
    Hello::new(Identity::new(3).introduction(), node.id(), Lane::Control)
}

/// Sends `bytes` to `node` and reads until the node closes the connection.
async fn send_until_closed(node: &Node, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(&node.address).await.expect("the node listens");
    stream.write_all(bytes).await.expect("the bytes go out");
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // A reset is an end too: the node closed with bytes of ours unread.
    let _ = closed.expect("the node closes the connection");
    answer
}

/// Bytes after a good handshake: the node must close that connection and go on with another.
async fn check_cut_off_after_handshake(bytes: &[u8]) {
    let (node, peers, _directory) = start(2).await;
    echo(&peers, &node).await.expect("an echo before");
    let greeting =
        [&PREFACE[..], &frame(FrameKind::Hello, hello_to(&node).encode()).encode(), bytes].concat();
    let answer = send_until_closed(&node, &greeting).await;
    let mut answer = BytesMut::from(&answer[..]);
    if !answer.is_empty() {
        let welcome =
            Frame::decode(&mut answer, FRAME_PAYLOAD_BYTES_MAX).expect("a frame").expect("complete");
        assert_eq!(welcome.kind, FrameKind::Welcome);
    }
    echo(&peers, &node).await.expect("an echo after");
    node.stop().await;
}

/// Bytes instead of a handshake.
async fn check_cut_off(bytes: &[u8]) {
    let (node, peers, _directory) = start(2).await;
    echo(&peers, &node).await.expect("an echo before");
    assert_eq!(send_until_closed(&node, bytes).await, b"", "strangers get no answer");
    echo(&peers, &node).await.expect("an echo after");
    node.stop().await;
}

#[tokio::test]
async fn http_on_the_peer_port_is_cut_off() {
    check_cut_off(b"GET /v1/cluster HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
}

#[tokio::test]
async fn garbage_after_the_preface_is_cut_off() {
    check_cut_off(&[&PREFACE[..], &[0xff; 200]].concat()).await;
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_cut_off() {
    check_cut_off(b"").await;
}

#[tokio::test]
async fn a_handshake_that_stays_incomplete_is_cut_off() {
    let (node, _peers, _directory) = start(2).await;
    let greeting = [&PREFACE[..], &frame(FrameKind::Hello, hello_to(&node).encode()).encode()].concat();
    assert_eq!(send_until_closed(&node, &greeting[..greeting.len() - 1]).await, b"");
}

#[tokio::test]
async fn a_hello_larger_than_a_stranger_may_send_is_cut_off() {
    let payload = vec![0; HANDSHAKE_PAYLOAD_BYTES_MAX + 1].into();
    check_cut_off(&[&PREFACE[..], &frame(FrameKind::Hello, payload).encode()].concat()).await;
}

#[tokio::test]
async fn a_request_before_the_handshake_is_cut_off() {
    check_cut_off(&[&PREFACE[..], &frame(FrameKind::Request, Bytes::new()).encode()].concat()).await;
}

#[tokio::test]
async fn a_malformed_hello_is_cut_off() {
    let mut payload = PROTOCOL_VERSION.to_le_bytes().to_vec();
    payload.extend([9; 30]);
    check_cut_off(&[&PREFACE[..], &frame(FrameKind::Hello, payload.into()).encode()].concat()).await;
}

#[tokio::test]
async fn garbage_after_the_handshake_is_cut_off() {
    check_cut_off_after_handshake(&[0x5a; 4_096]).await;
}

#[tokio::test]
async fn an_oversize_frame_is_cut_off() {
    let mut header = frame(FrameKind::Request, Bytes::new()).encode().to_vec();
    header[..4].copy_from_slice(&(FRAME_PAYLOAD_BYTES_MAX as u32 + 1).to_le_bytes());
    check_cut_off_after_handshake(&header).await;
}

#[tokio::test]
async fn a_flipped_bit_is_cut_off() {
    let mut bytes =
        frame(FrameKind::Request, Bytes::from_static(b"\x10\x27\0\0\x01payload")).encode().to_vec();
    *bytes.last_mut().expect("not empty") ^= 1;
    check_cut_off_after_handshake(&bytes).await;
}

#[tokio::test]
async fn a_frame_that_only_answers_carry_is_cut_off() {
    check_cut_off_after_handshake(&frame(FrameKind::Response, Bytes::new()).encode()).await;
}

#[tokio::test]
async fn a_malformed_append_is_cut_off() {
    let mut append = frame(FrameKind::StreamAppend, Bytes::from_static(&[1, 2, 3]));
    append.flags = flag::FIRST;
    check_cut_off_after_handshake(&append.encode()).await;
}

#[tokio::test]
async fn a_malformed_snapshot_header_is_cut_off() {
    check_cut_off_after_handshake(&frame(FrameKind::SnapshotBegin, Bytes::from_static(&[1, 2, 3])).encode())
        .await;
}

#[tokio::test]
async fn a_malformed_vote_is_refused() {
    let (node, _peers, _directory) = start(2).await;
    let mut stream = TcpStream::connect(&node.address).await.expect("the node listens");
    let vote = frame(FrameKind::Vote, Bytes::from_static(&[0xff, 0, 0, 0, 1, 2, 3]));
    let hello = frame(FrameKind::Hello, hello_to(&node).encode());
    stream.write_all(&[&PREFACE[..], &hello.encode(), &vote.encode()].concat()).await.expect("it goes out");
    let mut received = BytesMut::new();
    let mut frames = Vec::new();
    while frames.len() < 2 {
        let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut received)).await;
        assert!(read.expect("in time").expect("an answer") > 0, "the node closed the connection");
        while let Some(frame) = Frame::decode(&mut received, FRAME_PAYLOAD_BYTES_MAX).expect("a frame") {
            frames.push(frame);
        }
    }
    assert_eq!(frames[0].kind, FrameKind::Welcome);
    assert_eq!((frames[1].kind, &frames[1].payload[..]), (FrameKind::Error, &[Refusal::Malformed as u8][..]));
}

/// Dials `node` with a changed hello and returns the refusal.
async fn rejection(change: impl FnOnce(&mut Hello)) -> Reject {
    let (node, peers, _directory) = start(2).await;
    let mut hello = hello_to(&node);
    change(&mut hello);
    let environment = peers.environment();
    let dialed = probe(environment, &node.address, &hello, environment.now() + PATIENCE).await;
    let error = dialed.expect_err("it is refused");
    let reject = error.reject().unwrap_or_else(|| panic!("not refused but {error}")).clone();
    assert_eq!(reject.by, node.identity.introduction(), "the refusal says who refuses");
    echo(&peers, &node).await.expect("others are welcome");
    reject
}

#[tokio::test]
async fn another_protocol_version_is_refused() {
    assert_eq!(rejection(|hello| hello.protocol_version += 1).await.code, RejectCode::ProtocolVersion);
}

#[tokio::test]
async fn another_cluster_is_refused() {
    let reject = rejection(|hello| hello.from.cluster = ClusterId([8; 16])).await;
    assert_eq!(reject.code, RejectCode::WrongCluster);
}

#[tokio::test]
async fn a_dial_for_another_member_is_refused() {
    assert_eq!(rejection(|hello| hello.to.member = 9).await.code, RejectCode::WrongMember);
}

#[tokio::test]
async fn a_dial_for_another_incarnation_is_refused() {
    assert_eq!(rejection(|hello| hello.to.incarnation = 9).await.code, RejectCode::WrongIncarnation);
}

#[tokio::test]
async fn a_node_without_a_cluster_may_talk_to_any() {
    let (node, peers, _directory) = start(2).await;
    let mut hello = hello_to(&node);
    hello.from.cluster = ClusterId::NONE;
    let environment = peers.environment();
    let welcome = probe(environment, &node.address, &hello, environment.now() + PATIENCE).await;
    assert_eq!(welcome, Ok(Welcome::new(node.identity.introduction())));
}

#[tokio::test]
async fn a_probe_learns_the_incarnation() {
    let (node, peers, _directory) = start(2).await;
    let hello = Hello::probe(Identity::new(3).introduction(), 2);
    let environment = peers.environment();
    let welcome = probe(environment, &node.address, &hello, environment.now() + PATIENCE).await;
    assert_eq!(welcome.expect("welcome").by.node, NodeId::new(2, 1_002));
}

#[tokio::test]
async fn a_probed_connection_carries_no_requests() {
    let (node, _peers, _directory) = start(2).await;
    let hello = Hello::probe(Identity::new(3).introduction(), 2).encode();
    let request = frame(FrameKind::Request, Bytes::from_static(b"\x10\x27\0\0\x01payload"));
    let hello = frame(FrameKind::Hello, hello);
    send_until_closed(&node, &[&PREFACE[..], &hello.encode(), &request.encode()].concat()).await;
    assert_eq!(node.handler.calls_of(request::ECHO), 0);
}

#[tokio::test]
async fn calls_to_a_node_that_refuses_say_why_and_were_not_sent() {
    let (node, peers, _directory) = start(2).await;
    node.identity.0.lock().expect("no panic").cluster = ClusterId([9; 16]);
    let error = echo(&peers, &node).await.expect_err("another cluster");
    assert!(error.is_certainly_not_begun());
    let CallError::NotSent(NotSent::Unreachable(dial @ DialError::Rejected { .. })) = &error else {
        panic!("{error}")
    };
    assert_eq!(dial.reject().map(|reject| reject.code), Some(RejectCode::WrongCluster));
}

/// Lets everyone in, whoever they look for.
#[derive(Debug)]
struct Impostor(Introduction);

impl Gatekeeper for Impostor {
    fn introduction(&self) -> Introduction {
        self.0.clone()
    }

    fn welcome(&self, _hello: &Hello) -> Result<Welcome, Reject> {
        Ok(Welcome::new(self.introduction()))
    }
}

#[tokio::test]
async fn the_dialing_side_checks_who_has_answered() {
    let environment = TokioEnvironment::new();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let listener = environment.listen("127.0.0.1:0").await.expect("a free port");
    let address = quorate_environment::Listener::local_address(&listener).expect("an address");
    let impostor = std::sync::Arc::new(Impostor(Identity::new(5).introduction()));
    let handler = support::TestHandler::new(environment);
    let shutdown = tokio_util::sync::CancellationToken::new();
    let serving = quorate_peer::serve(
        environment,
        listener,
        impostor,
        handler,
        directory.path().to_owned(),
        shutdown.clone(),
    );
    let checking = async {
        let deadline = environment.now() + Duration::from_secs(5);
        let hello = Hello::new(Identity::new(1).introduction(), NodeId::new(2, 1_002), Lane::Control);
        let error = probe(&environment, &address, &hello, deadline).await.expect_err("an impostor");
        assert_eq!(error.reject().map(|reject| reject.code), Some(RejectCode::WrongMember));
        shutdown.cancel();
    };
    futures::join!(serving, checking);
}
