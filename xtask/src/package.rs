//! `cargo xtask package`: a Debian package of the product.
//!
//! What goes into it, and where, stands in `[package.metadata.deb]` of `crates/quorate/Cargo.toml`, which cargo-deb
//! reads. Here is made what that takes besides the files of the repository: the program, and what the program says
//! about itself. Times in the package are those of the newest commit, so that the same commit makes the same package.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cargo::{cargo, describe, run as run_command};
use crate::error::Error;
use crate::workspace::Workspace;

/// Options of `cargo xtask package`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Take the release build that is there.
    #[arg(long)]
    no_build: bool,
}

/// Shells, and the file's name under which each looks for completions.
const COMPLETIONS: [(&str, &str); 3] = [("bash", "quorate"), ("zsh", "_quorate"), ("fish", "quorate.fish")];

/// Builds the program and the package, and says where the package is.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let has_tool =
        cargo(workspace).args(["deb", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !has_tool.is_ok_and(|status| status.success()) {
        let remedy = "cargo install cargo-deb --locked".to_owned();
        return Err(Error::Missing { what: "cargo-deb".to_owned(), remedy });
    }
    if !arguments.no_build {
        run_command(cargo(workspace).args(["build", "--release", "--locked", "--package", "quorate"]))?;
    }
    let release = workspace.target.join("release");
    write_pages(&release.join("quorate"), &release.join("package"))?;
    write_changelog(workspace, &release.join("package"))?;
    let time = commit(workspace, "%at")?;
    run_command(
        cargo(workspace)
            .args(["deb", "--package", "quorate", "--no-build", "--strip", "--locked"])
            .env("SOURCE_DATE_EPOCH", time),
    )
}

/// Manual pages and completions, as the program makes them.
fn write_pages(program: &Path, folder: &Path) -> Result<(), Error> {
    let [manual, completions] = ["man", "completions"].map(|name| folder.join(name));
    for folder in [&manual, &completions] {
        // A page of a command that is no more must not get into the package.
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(Error::file("removing", folder))?;
        }
        fs::create_dir_all(folder).map_err(Error::file("making", folder))?;
    }
    run_command(Command::new(program).args(["man", "--directory"]).arg(&manual))?;
    compress(&["--recursive"], &manual)?;
    for (shell, name) in COMPLETIONS {
        let path = completions.join(name);
        let file = fs::File::create(&path).map_err(Error::file("making", &path))?;
        run_command(Command::new(program).args(["completions", shell]).stdout(file))?;
    }
    Ok(())
}

/// The changelog in the form that Debian wants: it refers to ours.
fn write_changelog(workspace: &Workspace, folder: &Path) -> Result<(), Error> {
    let version = env!("CARGO_PKG_VERSION");
    let text = format!(
        "quorate ({version}-1) unstable; urgency=medium\n\n  * What has changed is told in changelog.gz, next to this file.\n\n \
         -- The maintainers of Quorate <maintainers@quorate.invalid>  {}\n",
        commit(workspace, "%aD")?
    );
    let path = folder.join("changelog.Debian");
    fs::write(&path, text).map_err(Error::file("writing", &path))?;
    compress(&["--force"], &path)
}

/// Replaces a file, or all in a folder, by what Debian wants in its place.
fn compress(options: &[&str], path: &Path) -> Result<(), Error> {
    run_command(Command::new("gzip").args(["--best", "--no-name"]).args(options).arg(path))
}

/// Something about the newest commit, in a format of `git log`.
fn commit(workspace: &Workspace, format: &str) -> Result<String, Error> {
    let mut command = Command::new("git");
    command.args(["log", "-1", &format!("--format={format}")]).current_dir(&workspace.root);
    let program = describe(&command);
    let output = command.output().map_err(|source| Error::Start { program: program.clone(), source })?;
    if !output.status.success() {
        return Err(Error::Failed { program, status: output.status });
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
