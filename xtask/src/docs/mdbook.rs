//! The program that makes a site of pages: mdBook, in one version.
//!
//! It is a tool and no dependency: who only changes code never builds it, and tests do not need it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::{cargo, run};
use crate::error::Error;
use crate::workspace::Workspace;

/// The version that the site is made with.
const VERSION: &str = "0.5.4";

/// The mdBook on the path if it is of our version, else the one in the target folder, which is built there if it
/// is missing.
pub fn find_or_install(workspace: &Workspace) -> Result<PathBuf, Error> {
    let folder = workspace.target.join("tools");
    let installed = folder.join("bin").join("mdbook");
    for program in [Path::new("mdbook"), &installed] {
        if is_of_our_version(program) {
            return Ok(program.to_owned());
        }
    }
    println!("mdBook {VERSION} is not here yet: building it into {} takes a few minutes", folder.display());
    let mut command = cargo(workspace);
    // Neither its server nor its watcher of files: search is what readers have of it.
    command.args(["install", "mdbook", "--version", VERSION, "--locked"]);
    command.args(["--no-default-features", "--features", "search", "--root"]).arg(&folder);
    // The lists of what cargo has built for us and of what it builds for this tool are not mixed.
    run(command.arg("--target-dir").arg(folder.join("build")))?;
    Ok(installed)
}

fn is_of_our_version(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").stderr(Stdio::null()).output();
    output.is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.trim().strip_prefix("mdbook v").is_some_and(|version| version == VERSION)
    })
}
