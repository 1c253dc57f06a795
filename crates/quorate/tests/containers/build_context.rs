//! What reaches the image's build.

use std::path::Path;
use std::process::Command;

/// The top of this repository.
fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this crate lies two folders below")
}

#[test]
fn what_is_not_ignored_is_a_whole_workspace() {
    let rules = std::fs::read_to_string(top().join(".dockerignore")).expect("can be read");
    let mut rules = rules.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(rules.next(), Some("*"), "nothing gets in unless it is named");
    let context = tempfile::tempdir().expect("a temporary directory");
    for rule in rules {
        let name = rule.strip_prefix('!').expect("the rest names what gets in");
        // Without what was built there: a copy of that would be large, and nothing needs it.
        let copied = Command::new("tar")
            .args(["--create", "--exclude=target", "--directory"])
            .args([top(), Path::new(name)])
            .stdout(std::fs::File::create(context.path().join("archive")).expect("can be made"))
            .status();
        assert!(copied.expect("tar runs").success(), "{name} is there");
        let unpacked = Command::new("tar").args(["-xf", "archive"]).current_dir(context.path()).status();
        assert!(unpacked.expect("tar runs").success());
    }
    // Every member is there, with its targets.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version=1", "--no-deps"])
        .current_dir(context.path())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // What the image is built from besides.
    for name in ["Cargo.lock", "LICENSE"] {
        assert!(context.path().join(name).exists(), "{name}");
    }
}
