//! Three `quorate serve` processes: what survives what.

mod processes;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use processes::{Cluster, await_ready, eventually, get, put, request};

#[test]
fn any_node_answers_any_request() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    for (index, url) in cluster.urls().iter().enumerate() {
        let key = format!("from%2F{index}");
        assert_eq!(put(url, &key, &[index as u8, 0, 255]).expect("the node answers").status, 201);
        for reader in cluster.urls() {
            let answer = get(&reader, &key).expect("the node answers");
            assert_eq!(
                (answer.status, answer.body),
                (200, vec![index as u8, 0, 255]),
                "{key} read at {reader}"
            );
        }
    }
}

#[test]
fn every_acknowledged_write_survives_kill_9_of_any_node_under_load() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut cluster = Cluster::start(directory.path());
    let acknowledged = Mutex::new(BTreeMap::new());
    let stop = AtomicBool::new(false);
    let urls = cluster.urls();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (urls, acknowledged, stop) = (&urls, &acknowledged, &stop);
            scope.spawn(move || write_until(stop, writer, urls, acknowledged));
        }
        for victim in [cluster.leader(0), 0, 1, 2] {
            let before = acknowledged.lock().expect("no writer panicked").len();
            cluster.kill(victim);
            eventually("writes to go on without the killed node", || {
                (acknowledged.lock().expect("no writer panicked").len() > before + 20).then_some(())
            });
            cluster.start_node(victim);
            await_ready(&cluster.url(victim));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let acknowledged = acknowledged.into_inner().expect("no writer panicked");
    assert!(acknowledged.len() > 80, "the writers got through: {}", acknowledged.len());
    for (key, value) in &acknowledged {
        for url in &urls {
            let answer = get(url, key).expect("the node answers");
            assert_eq!((answer.status, answer.text()), (200, value.as_str()), "{key} at {url}");
        }
    }
}

/// Writes one key after the other, each to the next node, and notes what was acknowledged.
fn write_until(
    stop: &AtomicBool,
    writer: usize,
    urls: &[String],
    acknowledged: &Mutex<BTreeMap<String, String>>,
) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (key, value) = (format!("w{writer}-{number}"), format!("value {writer} {number}"));
        // A node that is down refuses the connection; a write that fails is simply not acknowledged.
        if let Ok(answer) = put(&urls[number % urls.len()], &key, value.as_bytes())
            && answer.status == 201
        {
            acknowledged.lock().expect("no writer panicked").insert(key, value);
        }
    }
}

#[test]
fn without_a_quorum_requests_are_refused_inside_their_deadline() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut cluster = Cluster::start(directory.path());
    let leader = cluster.leader(0);
    for follower in (0..3).filter(|index| *index != leader) {
        cluster.kill(follower);
    }
    let url = cluster.url(leader);
    for (method, body) in [("PUT", &b"v"[..]), ("GET", b"")] {
        // The first write may have been proposed before the leader noticed, and is then unknown.
        let answer = eventually("a definite refusal", || {
            let started = Instant::now();
            let answer = request(&url, method, "/v1/kv/k?timeout=1s", &[], body).expect("the node answers");
            assert!(started.elapsed() < Duration::from_secs(4), "{method} took {:?}", started.elapsed());
            assert!([503, 504].contains(&answer.status), "{method}: {answer:?}");
            (answer.status == 503).then_some(answer)
        });
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }
}

#[test]
fn sigterm_hands_leadership_over_and_exits_with_0() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut cluster = Cluster::start(directory.path());
    let leader = cluster.leader(0);
    assert_eq!(cluster.terminate(leader).code(), Some(0));
    let other = (leader + 1) % 3;
    assert_eq!(put(&cluster.url(other), "k", b"v").expect("the node answers").status, 201);
    assert_ne!(cluster.leader(other), leader);
}

#[test]
fn garbage_on_the_peer_port_does_no_harm() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &[255; 4096], b"QUORATE\n\xff\xff\xff\xff\xff\xff\xff\xff"]
    {
        let mut stream = TcpStream::connect(cluster.peer_address(0)).expect("the peer port accepts");
        stream.set_read_timeout(Some(processes::PATIENCE)).expect("a time limit can be set");
        // The node may close before everything is written; that is its right.
        let _ = stream.write_all(garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
    }
    for url in cluster.urls() {
        assert!(put(&url, "after", b"garbage").expect("the node answers").status < 300);
    }
}

#[test]
fn a_directory_that_is_in_use_or_another_members_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut cluster = Cluster::start(directory.path());
    let ports = processes::free_ports(2);
    let refusal = |cluster: &Cluster, member: usize| {
        let output = cluster.command_as(0, member, ports[0], ports[1]).output().expect("the node runs");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let text = refusal(&cluster, 1);
    assert!(text.contains("in use"), "{text}");
    cluster.kill(0);
    let text = refusal(&cluster, 2);
    assert!(text.contains("member 1"), "{text}");
}

#[test]
fn a_wiped_directory_does_not_come_back_as_the_node_that_it_was() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut cluster = Cluster::start(directory.path());
    put(&cluster.url(1), "k", b"v").expect("the node answers");
    let victim = 0;
    cluster.kill(victim);
    std::fs::remove_dir_all(cluster.data_directory(victim)).expect("the directory can be removed");
    cluster.start_node(victim);
    let status = eventually("the wiped node to answer", || {
        request(&cluster.url(victim), "GET", "/v1/cluster", &[], b"")
            .ok()
            .filter(|answer| answer.status == 200)
    });
    let status: serde_json::Value = serde_json::from_slice(&status.body).expect("the status is JSON");
    assert_eq!(status["role"], "forming", "{status}");
    let answer =
        request(&cluster.url(victim), "GET", "/v1/kv/k?timeout=1s", &[], b"").expect("the node answers");
    assert_eq!(answer.status, 503, "a node without a cluster serves nothing: {answer:?}");
    assert_eq!(get(&cluster.url(1), "k").expect("the others go on").text(), "v");
}
