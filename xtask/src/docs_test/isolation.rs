//! A network of its own for a session.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::describe;
use crate::error::Error;

/// Turns the loopback device of a new network on, then becomes what follows.
const ENTER: &str = "ip link set lo up && exec \"$@\"";

/// Runs the pages once more in a network that only they see. False if this machine gives us none.
pub fn run_in_a_network_of_its_own(binary: &Path, pages: &[PathBuf]) -> Result<bool, Error> {
    let Some(unshare) = unshare() else {
        println!("no network namespaces here: the ports that the pages name have to be free");
        return Ok(false);
    };
    let this_program = std::env::current_exe().map_err(Error::file("finding", Path::new("this program")))?;
    let mut command = entering(unshare);
    command.arg(this_program).args(["docs-test", "--in-this-network", "--binary"]).arg(binary).args(pages);
    let program = describe(&command);
    let starting = |source| Error::Start { program: program.clone(), source };
    // Its standard error says why it failed, if it does: that is our reason then.
    let child = command.stderr(Stdio::piped()).spawn().map_err(starting)?;
    let waiting = |source| Error::Process { action: "waiting for", process: program.clone(), source };
    let output = child.wait_with_output().map_err(waiting)?;
    let reason = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(match reason.trim_end() {
            "" => Error::Failed { program, status: output.status },
            reason => Error::ChecksFailed(reason.strip_prefix("xtask: ").unwrap_or(reason).to_owned()),
        });
    }
    eprint!("{reason}");
    Ok(true)
}

/// How a network can be had: as root, or as root of a user namespace.
fn unshare() -> Option<&'static [&'static str]> {
    const WAYS: [&[&str]; 2] = [&["--net"], &["--net", "--map-root-user"]];
    WAYS.into_iter().find(|options| {
        let tried = entering(options).arg("true").stdout(Stdio::null()).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    })
}

fn entering(options: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(options).args(["sh", "-c", ENTER, "sh"]);
    command
}
