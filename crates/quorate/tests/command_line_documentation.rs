//! `docs/command-line.md`, run as it stands.

mod examples;
mod processes;

use std::path::Path;
use std::process::Command;

use processes::{Cluster, SILENCE_CODES, eventually};

#[test]
fn every_example_does_what_the_document_says() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(directory.path());
    let examples = examples::examples(&examples::document("docs/command-line.md"));
    assert!(examples.len() > 30, "only {} examples", examples.len());
    let binary = Path::new(env!("CARGO_BIN_EXE_quorate")).parent().expect("it lies in a folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    for example in examples {
        // What asks for another leader is refused while a member is silent for a moment.
        let (status, text) = eventually(&format!("every member to answer, at line {}", example.line), || {
            let output = Command::new("bash")
                .args(["-c", &format!("exec 2>&1\n{}", example.command)])
                .current_dir(directory.path())
                .env("PATH", &path)
                .env("QUORATE_ENDPOINTS", cluster.urls().join(","))
                .env_remove("UNSET")
                .output()
                .expect("the shell runs");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let is_silence = SILENCE_CODES.iter().any(|code| text.contains(code));
            (!is_silence).then_some((output.status, text))
        });
        assert!(status.success(), "line {}: {text}", example.line);
        example.check(&text);
    }
}
