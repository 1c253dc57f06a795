//! Programs of the system that the harness uses.

use std::io::Write;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::error::HarnessError;

/// Why a program does not do this here, if so: it is not there, or the system refuses. Waits for it on this thread; for
/// what is tried before a run begins.
pub fn refusal(program: &str, arguments: &str, input: &str) -> Option<String> {
    let mut command = std::process::Command::new(program);
    command.args(arguments.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Some(format!("there is no `{program}`: {error}")),
    };
    let mut stdin = child.stdin.take().expect("its input is piped");
    // One that ends early does not read; its status says what that means.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    match child.wait_with_output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let first = said.trim().lines().next().unwrap_or("it does not say why");
            Some(format!("`{program}` fails: {first}"))
        }
        Err(error) => Some(format!("`{program}`: {error}")),
    }
}

/// Runs a program whose arguments have no spaces in them.
///
/// # Errors
///
/// It could not be run, or it failed; with what it said.
pub async fn run_tool(program: &str, arguments: &str) -> Result<(), HarnessError> {
    run_tool_with_input(program, arguments, "").await
}

/// The same, with something on its standard input.
///
/// # Errors
///
/// As [`run_tool`].
pub async fn run_tool_with_input(program: &str, arguments: &str, input: &str) -> Result<(), HarnessError> {
    tool_output(program, arguments, input).await.map(|_| ())
}

/// The same, and gives what it printed.
///
/// # Errors
///
/// As [`run_tool`].
pub async fn tool_output(program: &str, arguments: &str, input: &str) -> Result<String, HarnessError> {
    let failed = |what: String| HarnessError::Program { program: format!("{program} {arguments}"), what };
    let mut command = Command::new(program);
    command.args(arguments.split_whitespace()).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let mut stdin = child.stdin.take().expect("its input is piped");
    // One that ends early does not read; its status says what that means.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(failed(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_why() {
        assert_eq!(refusal("cat", "-", "text"), None);
        let fails = refusal("cat", "/nowhere/at/all", "").expect("there is no such file");
        assert!(fails.starts_with("`cat` fails: ") && fails.contains("/nowhere/at/all"), "{fails}");
        let missing = refusal("no-such-program-anywhere", "", "").expect("it is not there");
        assert!(missing.starts_with("there is no `no-such-program-anywhere`"), "{missing}");
    }
}
