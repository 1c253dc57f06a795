//! `docs/api.md`, run as it stands.

mod processes;

use std::path::Path;
use std::process::Command;

use processes::Cluster;

/// Where the document says that the node listens.
const DOCUMENTED: &str = "http://127.0.0.1:7000";

/// A command of the document, and the lines that its output has to have, in this order.
struct Example {
    line: usize,
    command: String,
    expected: Vec<String>,
}

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
    std::fs::read_to_string(path).expect("the document is there")
}

fn examples(document: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut is_console = false;
    for (index, line) in document.lines().enumerate() {
        if let Some(language) = line.strip_prefix("```") {
            is_console = language == "console";
        } else if !is_console || line.is_empty() {
        } else if let Some(command) = line.strip_prefix("$ ") {
            examples.push(Example { line: index + 1, command: command.to_owned(), expected: Vec::new() });
        } else {
            let example = examples.last_mut().expect("output stands below its command");
            example.expected.push(line.to_owned());
        }
    }
    examples
}

/// Whether `line` is what `pattern` says, in which `…` stands for anything.
fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        match rest.find(part) {
            Some(position) => rest = &rest[position + part.len()..],
            None => return false,
        }
        last = Some(part);
    }
    // What stands behind the last `…` ends the line.
    rest.is_empty() || last.is_some_and(|part| part.is_empty() || line.ends_with(part))
}

#[test]
fn every_example_does_what_the_document_says() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    let url = cluster.url(0);
    let examples = examples(&document());
    assert!(examples.len() > 30, "only {} examples", examples.len());
    for Example { line, command, expected } in examples {
        let command = command.replace(DOCUMENTED, &url);
        assert!(command.contains(&url), "line {line} asks no node of ours: {command}");
        let output = Command::new("sh").args(["-c", &command]).output().expect("the shell runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "line {line}: {}", String::from_utf8_lossy(&output.stderr));
        let mut lines = text.lines().map(|line| line.trim_end_matches('\r'));
        for pattern in &expected {
            let is_there = lines.any(|line| fits(pattern, line) || line.contains(pattern));
            assert!(is_there, "line {line}: {pattern:?} is not in the rest of\n{text}");
        }
    }
}

#[test]
fn every_operation_and_every_error_is_documented() {
    let document = document();
    for path in [
        "/v1/kv/",
        "/v1/kv?",
        "/v1/txn",
        "/v1/compact",
        "/v1/settings",
        "/v1/sessions",
        "/v1/revisions",
        "/v1/cluster",
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

#[test]
fn patterns_fit_what_they_say() {
    for (pattern, line, fit) in [
        ("ok", "ok", true),
        ("ok", "okay", false),
        ("a…", "abc", true),
        ("…c", "abc", true),
        ("a…c", "abcd", false),
        ("a…b…c", "a-b-c", true),
        ("a…b…c", "a-c", false),
    ] {
        assert_eq!(fits(pattern, line), fit, "{pattern} {line}");
    }
}
