//! `docs/api.md`, run as it stands.

mod examples;
mod processes;

use std::process::Command;

use processes::{Cluster, request};

const PATH: &str = "docs/api.md";

/// Where the document says that the node listens.
const DOCUMENTED: &str = "http://127.0.0.1:7000";

#[test]
fn every_example_does_what_the_document_says() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    let url = cluster.url(0);
    let document = examples::document(PATH);
    let examples = examples::examples(&document);
    assert!(examples.len() > 30, "only {} examples", examples.len());
    for example in examples {
        let line = example.line;
        let command = example.command.replace(DOCUMENTED, &url);
        assert!(command.contains(&url), "line {line} asks no node of ours: {command}");
        let output = Command::new("sh").args(["-c", &command]).output().expect("the shell runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "line {line}: {}", String::from_utf8_lossy(&output.stderr));
        example.check(&text);
    }
    let described = request(&url, "GET", "/openapi.json", &[], b"").expect("the node answers");
    let described: serde_json::Value = serde_json::from_slice(&described.body).expect("it is JSON");
    let paths = described["paths"].as_object().expect("it has paths");
    assert!(paths.len() > 10, "only {} paths", paths.len());
    for path in paths.keys() {
        let start = path.split('{').next().expect("a start");
        assert!(document.contains(&format!("{DOCUMENTED}{start}")), "{path} has no example");
    }
}

#[test]
fn every_operation_and_every_error_is_documented() {
    let document = examples::document(PATH);
    for path in [
        "/v1/kv/",
        "/v1/kv?",
        "/v1/txn",
        "/v1/compact",
        "/v1/settings",
        "/v1/sessions",
        "/v1/revisions",
        "/v1/cluster",
        "/v1/cluster/members",
        "/v1/cluster/leader",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/docs",
    ] {
        assert!(document.contains(&format!("{DOCUMENTED}{path}")), "{path} has no example");
    }
    let table = document.split("## Errors").nth(1).expect("a table of errors");
    for code in quorate_api::ErrorCode::ALL {
        let what = match (code.is_retryable(), code.outcome_unknown()) {
            (true, _) => "may be repeated",
            (_, true) => "unknown",
            _ => "",
        };
        let row = format!("| `{code}` | {} | {what} |", code.status());
        assert!(table.contains(&row), "{row:?} is not in the table");
    }
}
