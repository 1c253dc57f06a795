//! What a node writes to standard error and sends to collectors.

mod processes;

use std::fs::File;
use std::process::Stdio;

use processes::{Process, await_ready, eventually, free_dev_port, put, quorate, request};
use serde_json::Value;

/// `quorate dev` with these arguments more, its standard error in a file.
fn start_dev(directory: &std::path::Path, arguments: &[&str]) -> (Process, [String; 3]) {
    let port = free_dev_port();
    let errors = File::create(directory.join("stderr")).expect("a file for the lines");
    let child = quorate()
        .args(["dev", "--port", &port.to_string(), "--data-dir"])
        .arg(directory.join("data"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .expect("the binary runs");
    let urls = [0, 1, 2].map(|node| format!("http://127.0.0.1:{}", port + node));
    urls.iter().for_each(|url| await_ready(url));
    (Process(child), urls)
}

/// Who leads, and in which term, as this node sees it.
fn leader(url: &str) -> (Value, Value) {
    let answer = request(url, "GET", "/v1/cluster", &[], b"").expect("the node answers");
    let status: Value = serde_json::from_slice(&answer.body).expect("the status is JSON");
    (status["leader"].clone(), status["term"].clone())
}

#[test]
fn one_name_of_a_request_finds_what_every_node_did_for_it() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (mut process, urls) = start_dev(directory.path(), &["--log", "debug", "--log-format", "json"]);
    // Another leader in the middle, and no node or more than one would have done it by itself.
    let names = eventually("three writes under one leader", || {
        let before = leader(&urls[0]);
        let names = urls.each_ref().map(|url| {
            let answer = put(url, "key", b"value").expect("the node answers");
            answer.header("quorate-request-id").expect("every answer has one").to_owned()
        });
        (leader(&urls[0]) == before).then_some(names)
    });
    process.signal("-TERM");
    assert!(process.await_exit().success());
    let text = std::fs::read_to_string(directory.path().join("stderr")).expect("lines");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect();
    let spans_of = |name: &str| {
        let spans = lines.iter().flat_map(|line| line["spans"].as_array().cloned().unwrap_or_default());
        let mut found: Vec<_> = spans
            .filter(|span| span["request_id"] == name)
            .map(|span| span["name"].as_str().expect("a span has a name").to_owned())
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    let mut of_each: Vec<_> = names.iter().map(|name| spans_of(name).join(" ")).collect();
    of_each.sort_unstable();
    assert_eq!(of_each, ["forwarded_write request", "forwarded_write request", "request"]);
    let answered = lines.iter().find(|line| line["message"] == "answered").expect("requests are told of");
    assert_eq!(answered["span"]["route"], "health", "{answered}");
}

/// The names of metrics in the guide to operations: what is not one there is no name of a metric.
#[test]
fn every_metric_that_the_guide_names_is_there() {
    let guide = include_str!("../../../docs/operations.md");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (_process, urls) = start_dev(directory.path(), &[]);
    let (_router, router) = processes::start_router(&urls);
    let metrics_of = |url| request(url, "GET", "/metrics", &[], b"").expect("it answers").text().to_owned();
    let metrics = metrics_of(&urls[0]) + &metrics_of(&router);
    let is_name = |it: char| it.is_ascii_lowercase() || it == '_';
    let names: std::collections::BTreeSet<_> = guide
        .match_indices("quorate_")
        .map(|(at, _)| guide[at..].split(|it| !is_name(it)).next().unwrap_or_default())
        .filter(|name| !["quorate_replica", "quorate_http"].contains(name))
        .collect();
    assert!(names.len() > 20, "{names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !metrics.contains(**name)).collect();
    assert!(missing.is_empty(), "not in the metrics: {missing:?}");
}

#[test]
fn a_filter_that_is_none_is_a_wrong_use() {
    let output = processes::run(&["dev", "--log", "quorate=loud"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(error.contains("--log: 'quorate=loud' is not a log filter"), "{error}");
}

/// Run by `cargo test -p quorate --features otlp --test telemetry`.
#[cfg(feature = "otlp")]
#[test]
fn spans_reach_a_collector() {
    use std::io::{Read, Write};

    let collector = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", collector.local_addr().expect("an address"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (_process, urls) = start_dev(directory.path(), &["--otlp-endpoint", &endpoint]);
    assert_eq!(put(&urls[0], "key", b"value").expect("the node answers").status, 201);
    let mut received = Vec::new();
    let has =
        |received: &[u8], wanted: &str| received.windows(wanted.len()).any(|it| it == wanted.as_bytes());
    while !["POST /v1/traces", "quorate", "request_id", "propose", "flush_log"]
        .iter()
        .all(|wanted| has(&received, wanted))
    {
        let (mut stream, _) = collector.accept().expect("the exporter connects");
        stream.set_read_timeout(Some(processes::PATIENCE)).expect("a time limit");
        let mut buffer = [0; 64 << 10];
        loop {
            let bytes = stream.read(&mut buffer).expect("the exporter sends");
            received.extend_from_slice(&buffer[..bytes]);
            if bytes < buffer.len() {
                break;
            }
        }
        // It may have gone on to the next already.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
}
