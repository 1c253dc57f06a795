//! Where the repository lies and where cargo puts what it builds.

use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

use crate::error::Error;

/// The repository on this machine.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target directory.
    pub target: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

impl Workspace {
    /// Asks cargo, so that every way of moving the target directory is honoured.
    pub fn find() -> Result<Workspace, Error> {
        let mut command = Command::new(cargo_program());
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        // `cargo run` says where our manifest is, so that the command works below any folder.
        if let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR") {
            command.current_dir(folder);
        }
        let output = command
            .output()
            .map_err(|source| Error::Start { program: "cargo metadata".to_owned(), source })?;
        if !output.status.success() {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            return Err(Error::Failed { program: "cargo metadata".to_owned(), status: output.status });
        }
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).map_err(Error::malformed("output of cargo metadata"))?;
        Ok(Workspace { root: metadata.workspace_root, target: metadata.target_directory })
    }
}

/// The cargo that runs us, or the one on the path.
pub fn cargo_program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
