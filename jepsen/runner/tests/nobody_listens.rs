//! A run goes to its end when nobody reads what it says: a terminal was closed, or the other end of a pipe.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

fn runner() -> io::Result<Command> {
    let mut runner = Command::new(env!("CARGO_BIN_EXE_quorate-runner"));
    let (_, output) = io::pipe()?;
    let (_, errors) = io::pipe()?;
    runner.arg("--no-isolation").stdin(Stdio::null()).stdout(output).stderr(errors);
    Ok(runner)
}

fn code(arguments: &[&str], output: &Path) -> Option<i32> {
    let mut runner = runner().expect("there are pipes");
    let status = runner.args(arguments).arg("--output").arg(output).status();
    status.expect("it starts").code()
}

#[test]
fn a_list_is_made_for_nobody() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    assert_eq!(code(&["--list"], folder.path()), Some(0));
}

#[test]
fn a_run_that_fails_says_so_by_its_code() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    assert_eq!(code(&["--program", "/bin/false"], folder.path()), Some(4));
}
