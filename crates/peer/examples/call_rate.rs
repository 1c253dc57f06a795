//! Measures calls and appends between two nodes over loopback, in one process.
//!
//! `cargo run --release -p quorate-peer --example call_rate`

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use openraft::network::RPCOption;
use openraft::{RaftNetworkFactory, RaftNetworkV2};
use quorate_consensus::GroupId;
use quorate_environment::{Environment, TokioEnvironment};
use quorate_peer::{PeerNetworkFactory, Peers};
use support::{TestNode, append, peers_of, request};

/// How long each measurement runs.
const DURATION: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() {
    let environment = TokioEnvironment::new();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let node = Arc::new(TestNode::start(&environment, 2, "127.0.0.1:0", directory.path().to_owned()).await);
    let peers = peers_of(&environment, 1);
    for callers in [1, 16, 64, 256] {
        measure_calls(&peers, &node, callers).await;
    }
    for value_bytes in [300, 20_000] {
        measure_appends(&peers, &node, value_bytes).await;
    }
}

async fn measure_calls(
    peers: &Peers<TokioEnvironment>,
    node: &Arc<TestNode<TokioEnvironment>>,
    callers: usize,
) {
    let finished = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (peers, node, finished) = (peers.clone(), node.clone(), finished.clone());
            tokio::spawn(async move {
                let (id, member) = (node.id(), node.member());
                while begun.elapsed() < DURATION {
                    let deadline = peers.environment().now() + Duration::from_secs(5);
                    peers
                        .call(id, &member, GroupId::FIRST, request::ECHO, &[7; 300], deadline)
                        .await
                        .expect("an echo");
                    finished.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let rate = finished.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    println!("{callers:>4} callers, 300 bytes: {rate:>9.0} calls/s");
}

async fn measure_appends(
    peers: &Peers<TokioEnvironment>,
    node: &TestNode<TokioEnvironment>,
    value_bytes: usize,
) {
    let factory = PeerNetworkFactory::new(peers.clone(), GroupId::FIRST);
    let mut network = { factory }.new_client(node.id(), &node.member()).await;
    let begun = Instant::now();
    let requests = stream::iter(1..).map(move |index| append(index, value_bytes));
    let requests = requests.take_while(move |_| std::future::ready(begun.elapsed() < DURATION));
    let begun = Instant::now();
    let answers =
        network.stream_append(Box::pin(requests), RPCOption::new(DURATION)).await.expect("a stream");
    let count = answers.map(|answer| answer.expect("a connection").expect("a confirmation")).count().await;
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    let mebibytes = rate * value_bytes as f64 / f64::from(1 << 20);
    println!("append stream, {value_bytes:>6} bytes each: {rate:>9.0} requests/s, {mebibytes:>6.0} MiB/s");
}
