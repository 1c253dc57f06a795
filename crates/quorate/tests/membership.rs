//! Real processes join, are replaced, and are removed.

mod processes;

use std::path::Path;
use std::process::Stdio;

use processes::{Cluster, Process, await_ready, eventually, free_ports, get, put, quorate, request};
use serde_json::Value;

/// A process that has joined, or is about to.
struct Joined {
    process: Process,
    url: String,
}

/// The command that has a member join the cluster through node `of`.
fn joining(cluster: &Cluster, root: &Path, member: u64, of: usize) -> (std::process::Command, String) {
    let ports = free_ports(2);
    let mut command = quorate();
    command
        .args(["--log", "warn", "serve", "--id", &member.to_string()])
        .arg("--data-dir")
        .arg(root.join(format!("n{member}")))
        .args(["--listen", &format!("127.0.0.1:{}", ports[0])])
        .args(["--peer-listen", &format!("127.0.0.1:{}", ports[1])])
        .args(["--join", &cluster.peer_address(of)])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    (command, format!("http://127.0.0.1:{}", ports[0]))
}

fn join(cluster: &Cluster, root: &Path, member: u64, of: usize) -> Joined {
    let (mut command, url) = joining(cluster, root, member, of);
    Joined { process: Process(command.spawn().expect("the node starts")), url }
}

/// The members as a node tells of them, each with its role.
fn members(url: &str) -> Option<Vec<(String, String)>> {
    let answer = request(url, "GET", "/v1/cluster/members", &[], b"").ok()?;
    let answer: Value = serde_json::from_slice(&answer.body).ok()?;
    let text = |member: &Value, name: &str| member[name].as_str().map(str::to_owned);
    let members = answer["members"].as_array()?.iter();
    members.map(|member| Some((text(member, "member")?, text(member, "role")?))).collect()
}

/// Waits until the voters are these, and nobody else is a member.
fn await_voters(url: &str, voters: &[u64]) {
    let wanted: Vec<_> = voters.iter().map(|voter| (voter.to_string(), "voter".to_owned())).collect();
    eventually(&format!("the voters {voters:?}"), || (members(url)? == wanted).then_some(()));
}

/// A request about members that is answered with 200.
fn change(url: &str, method: &str, path: &str, body: &str) {
    let headers = ["content-type: application/json"];
    let path = format!("/v1/cluster/members{path}");
    let answer = request(url, method, &path, &headers, body.as_bytes()).expect("the node answers");
    assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text());
}

#[test]
fn a_cluster_outlives_its_nodes() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path();
    let mut cluster = Cluster::start(root);
    put(&cluster.url(0), "k", b"v").expect("the node answers");

    let fourth = join(&cluster, root, 4, 0);
    await_ready(&fourth.url);
    await_voters(&cluster.url(0), &[1, 2, 3, 4]);
    assert_eq!(get(&fourth.url, "k").expect("the node answers").text(), "v");

    // A dead one is replaced, under a new number; when it comes back it learns of it and ends.
    let dead = (cluster.leader(0) + 1) % 3;
    let (dead_member, alive) = (dead as u64 + 1, (dead + 1) % 3);
    cluster.kill(dead);
    change(&cluster.url(alive), "POST", &format!("/{dead_member}/replace"), r#"{"with":"5"}"#);
    let fifth = join(&cluster, root, 5, alive);
    let mut voters: Vec<u64> = (1..=5).filter(|member| *member != dead_member).collect();
    await_voters(&fifth.url, &voters);
    let mut returned = Process(cluster.command(dead).spawn().expect("the node starts"));
    assert_eq!(returned.await_exit().code(), Some(0));

    // The leader is removed: it ends by itself, and its directory does not start again.
    let leader = eventually("a leader among the first three", || {
        let answer = request(&fourth.url, "GET", "/v1/cluster", &[], b"").ok()?;
        let status: Value = serde_json::from_slice(&answer.body).ok()?;
        status["leader"]["member"].as_str()?.parse::<u64>().ok()
    });
    if leader > 3 {
        // Whoever leads can be removed; the processes of the first three are kept by the cluster.
        let mut joined = if leader == 4 { fourth } else { fifth };
        change(&cluster.url(alive), "DELETE", &format!("/{leader}"), "");
        assert_eq!(joined.process.await_exit().code(), Some(0));
    } else {
        let index = leader as usize - 1;
        change(&fourth.url, "DELETE", &format!("/{leader}"), "");
        assert_eq!(cluster.await_exit(index).code(), Some(0));
        let output = cluster.command(index).output().expect("the binary runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && text.contains("--force-new"), "{text}");
        assert_eq!(put(&fourth.url, "k", b"w").expect("the node answers").status, 200);
        voters.retain(|voter| *voter != leader);
        await_voters(&fourth.url, &voters);

        // With --force-new it comes back as somebody else.
        let other =
            (1..=3).find(|member| voters.contains(member)).expect("one of the first is left") as usize - 1;
        let (mut command, url) = joining(&cluster, root, leader, other);
        command.arg("--force-new");
        let _again = Process(command.spawn().expect("the node starts"));
        await_ready(&url);
        assert_eq!(get(&url, "k").expect("the node answers").text(), "w");
    }
}

#[test]
fn what_cannot_join_says_why_and_ends() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(&directory.path().join("one"));
    let (mut taken, _) = joining(&cluster, &directory.path().join("taken"), 2, 0);
    let output = taken.output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && text.contains("member 2 exists already"), "{text}");
}
