//! Programs of the system that the harness uses.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::error::HarnessError;

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
