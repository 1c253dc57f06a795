//! Documents with examples that tests run: what stands below a command, its output has to have.

// Each test binary uses the part that it needs.
#![allow(dead_code, reason = "every test file compiles this module for itself")]

use std::path::Path;

/// A command of the document, and the lines that its output has to have, in this order.
pub struct Example {
    pub line: usize,
    pub command: String,
    pub expected: Vec<String>,
}

/// The text of a document, by its path from the root of the repository.
pub fn document(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(path).expect("the document is there")
}

/// The examples of a document, in its order.
pub fn examples(document: &str) -> Vec<Example> {
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

impl Example {
    /// Checks what the command has printed.
    #[track_caller]
    pub fn check(&self, text: &str) {
        let mut lines = text.lines().map(|line| line.trim_end_matches('\r'));
        for pattern in &self.expected {
            let is_there = lines.any(|line| fits(pattern, line) || line.contains(pattern));
            assert!(is_there, "line {}: {pattern:?} is not in the rest of\n{text}", self.line);
        }
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
