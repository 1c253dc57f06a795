//! Running cargo as a user would, and with the flags of the simulated world.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::workspace::{Workspace, cargo_program};

/// The rustc flag that turns the simulated world on.
const MADSIM_FLAG: &str = "--cfg madsim";

/// The cargo profile of everything built for the simulated world.
pub const SIMULATION_PROFILE: &str = "simulation";

/// Cargo in the root of the repository.
pub fn cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new(cargo_program());
    command.current_dir(&workspace.root);
    forget_our_package(&mut command);
    command
}

/// Takes away what cargo told *us* about our own package, or build scripts would see it change.
pub fn forget_our_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let ours =
            name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR");
        if ours {
            command.env_remove(name);
        }
    }
}

/// Cargo building for the simulated world, with a target directory of its own: other flags there would
/// make every plain build start over.
///
/// The flag travels in `RUSTFLAGS` and not in a `--config` option, because a user's own `RUSTFLAGS`
/// would silently switch such an option off.
pub fn cargo_for_simulation(workspace: &Workspace) -> Command {
    let mut flags = OsString::new();
    if let Some(own) = std::env::var_os("RUSTFLAGS") {
        flags.push(own);
        flags.push(" ");
    }
    flags.push(MADSIM_FLAG);
    let mut command = cargo(workspace);
    command
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", &flags)
        .env("RUSTDOCFLAGS", &flags)
        .env("CARGO_TARGET_DIR", simulation_target(workspace));
    command
}

/// The target directory of the simulated world.
pub fn simulation_target(workspace: &Workspace) -> PathBuf {
    workspace.target.join("sim")
}

/// Runs `command` with our own input and output; an error unless it succeeds.
pub fn run(command: &mut Command) -> Result<(), Error> {
    let program = describe(command);
    let status = command.status().map_err(|source| Error::Start { program: program.clone(), source })?;
    if status.success() { Ok(()) } else { Err(Error::Failed { program, status }) }
}

/// A command as one would type it.
pub fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}
