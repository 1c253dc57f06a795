//! A write through the client is done once, however often it had to be sent.

mod processes;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use processes::{Cluster, eventually};
use quorate_client::{Client, ClientBuilder, TransactionBuilder, compare, operation};

#[path = "../../client/examples/tour.rs"]
#[allow(dead_code, reason = "its main function is for those who run it by hand")]
mod tour;

/// Something between client and node that passes requests on, and loses some of the answers to writes.
struct Proxy {
    url: String,
    lost: Arc<AtomicUsize>,
}

impl Proxy {
    /// In front of the node at `url`; loses the answer to the first write, and to every `period`-th behind it.
    fn start(url: &str, period: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
        let node = url.trim_start_matches("http://").to_owned();
        let proxy = Self {
            url: format!("http://{}", listener.local_addr().expect("is bound")),
            lost: Arc::new(AtomicUsize::new(0)),
        };
        let (lost, writes) = (Arc::clone(&proxy.lost), Arc::new(AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (node, lost, writes) = (node.clone(), Arc::clone(&lost), Arc::clone(&writes));
                std::thread::spawn(move || {
                    // A node that is down ends the connection, as if it had been asked itself.
                    let _ = pass(client?, TcpStream::connect(node)?, period, &lost, &writes);
                    std::io::Result::Ok(())
                });
            }
        });
        proxy
    }

    fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }
}

/// Passes one request after the other on. The connection ends where an answer is lost.
fn pass(
    mut client: TcpStream,
    mut node: TcpStream,
    period: usize,
    lost: &AtomicUsize,
    writes: &AtomicUsize,
) -> std::io::Result<()> {
    while let Some(request) = read_message(&mut client)? {
        node.write_all(&request)?;
        let Some(answer) = read_message(&mut node)? else { return Ok(()) };
        let is_write = request.windows(16).any(|window| window == b"idempotency-key:");
        if is_write && writes.fetch_add(1, Ordering::SeqCst).is_multiple_of(period) {
            lost.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        client.write_all(&answer)?;
    }
    Ok(())
}

/// Reads a head and as much of a body as it states.
fn read_message(stream: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().expect("a number"));
            if bytes.len() >= end + 4 + length {
                return Ok(Some(bytes));
            }
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

fn client(urls: impl IntoIterator<Item = String>) -> Client {
    let builder = ClientBuilder::new(urls).timeout(processes::PATIENCE);
    builder.build().expect("the endpoints are well formed")
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_done_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    let proxy = Proxy::start(&cluster.url(0), 1_000);
    let client = client([proxy.url.clone()]);
    let first = client.put("k", "v").await.expect("is done");
    assert_eq!((proxy.lost(), first.version), (1, 1));
    let second = client.put("k", "v").await.expect("is done");
    assert_eq!((second.version, second.revision), (2, first.revision + 1));
    client.close().await.expect("the session is closed");

    // The same without a session is not known, and not repeated.
    let proxy = Proxy::start(&cluster.url(0), 1);
    let plain = ClientBuilder::new([&proxy.url]).without_sessions().build().expect("well formed");
    let written = plain.put("k", "v").await.expect("nothing is lost of a write without a number");
    assert_eq!((proxy.lost(), written.version), (0, 3));
}

#[tokio::test]
async fn conditions_deletes_ranges_and_transactions_are_done_once_too() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    // Every answer to a write is lost at one node, and every second one at the other.
    let proxies = [Proxy::start(&cluster.url(0), 1), Proxy::start(&cluster.url(1), 2)];
    let client = client(proxies.iter().map(|proxy| proxy.url.clone()));
    let absent = quorate_client::Condition::Absent;
    let created = client.put_if("k", "v", absent).await.expect("its repetition is no conflict with itself");
    assert!(created.created());
    let error = client.put_if("k", "w", absent).await.expect_err("exists");
    assert_eq!(error, quorate_client::ClientError::Conflict { current: Some(created.revision) });
    let count = TransactionBuilder::new()
        .when(compare::key("count").is_absent())
        .then(operation::put("count", "1"))
        .otherwise(operation::put("count", "many"));
    assert!(client.transact(count).await.expect("is done").succeeded);
    assert!(client.delete("k").await.expect("is done").existed, "its repetition finds that it was there");
    let done = client.delete_range(quorate_client::Keys::all()).await.expect("is done");
    assert_eq!((done.deleted, done.revision), (1, 4));
    assert!(proxies.iter().map(Proxy::lost).sum::<usize>() >= 5, "answers were lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn puts_are_done_once_while_answers_are_lost_and_leaders_are_killed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut cluster = Cluster::start(directory.path());
    let proxies: Vec<_> = cluster.urls().iter().map(|url| Proxy::start(url, 3)).collect();
    let client = client(proxies.iter().map(|proxy| proxy.url.clone()));
    let killing = tokio::task::spawn_blocking(move || {
        for asked in 0..3 {
            let leader = cluster.leader(asked);
            cluster.kill(leader);
            let survivor = (leader + 1) % 3;
            eventually("another leader", || (cluster.leader(survivor) != leader).then_some(()));
            cluster.start_node(leader);
            processes::await_ready(&cluster.url(leader));
        }
        cluster
    });
    let (mut number, mut last_revision) = (0, 0);
    while !killing.is_finished() || number < 50 {
        number += 1;
        let written = client.put("count", number.to_string()).await.expect("is done");
        assert_eq!(written.version, number, "each put was done once");
        assert!(written.revision > last_revision);
        last_revision = written.revision;
    }
    let _cluster = killing.await.expect("nobody panicked");
    let lost: usize = proxies.iter().map(Proxy::lost).sum();
    assert!(lost as u64 > number / 4, "only {lost} answers to {number} puts were lost");
    let entry = client.get("count").await.expect("is read").expect("is there");
    assert_eq!((entry.version, entry.mod_revision), (number, last_revision));
}

#[tokio::test]
async fn the_tour_of_the_client_works() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    tour::tour(cluster.urls()).await.expect("the example works");
}
