//! `cargo xtask docs-test`: runs the commands of the documents as a reader would, on real processes.
//!
//! A page is a session at some terminals. What stands in a block with the language `console` is typed and seen:
//!
//! - A line that begins with `$ ` is typed, together with the lines that it goes on in (behind a `\`).
//! - Other lines have to be in the command's output, in this order; `…` stands for anything.
//! - A line `^C` interrupts what runs in that terminal, which has to end in order; `^\` quits it at once, as a
//!   failing machine would.
//! - A word behind `console` names a terminal of its own, in which a command may go on running: the session goes
//!   on as soon as the lines below it have been seen. Without a name a command has to end, with success.
//! - A block of a terminal that begins with output is what that terminal shows by now.
//! - A line `$ export NAME=VALUE` holds for every terminal from there on.
//!
//! Each page has an empty folder of its own, but for those that [`listed`] puts elsewhere, and, where the system allows,
//! a network of its own, so that it can name ports without asking who else uses them.

mod isolation;
mod listed;
mod page;
mod terminal;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::cargo::{cargo, run as run_command};
use crate::error::Error;
use crate::sim;
use crate::workspace::Workspace;

use listed::{PAGES, Place, check_that_every_page_is_run, place_of};
use page::{Action, Page};
use terminal::Terminals;

/// Options of `cargo xtask docs-test`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Pages to run, such as docs/clusters.md; if none is named, all but those that need the simulator.
    pages: Vec<PathBuf>,
    /// The `quorate` to run, instead of a debug build of this tree.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Stay in this network: set by the command itself when it has made one.
    #[arg(long, hide = true)]
    in_this_network: bool,
}

impl Arguments {
    /// Every page that needs no simulator, with a build of this tree.
    pub fn of_the_store() -> Self {
        Self { pages: Vec::new(), binary: None, in_this_network: false }
    }

    /// Every page that needs the simulator.
    pub fn of_the_simulator(workspace: &Workspace) -> Self {
        Self { pages: paths(workspace, true), ..Self::of_the_store() }
    }
}

/// The pages that need the simulator, or the others.
fn paths(workspace: &Workspace, of_the_simulator: bool) -> Vec<PathBuf> {
    let wanted = PAGES.iter().filter(|page| (page.place == Place::Repository) == of_the_simulator);
    wanted.map(|page| workspace.root.join(page.path)).collect()
}

/// Runs the pages; an error names the first line that did not do what its page says.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    check_that_every_page_is_run(workspace)?;
    let named = arguments.pages.iter().map(std::path::absolute).collect::<Result<Vec<_>, _>>();
    let mut pages = named.map_err(Error::file("finding", Path::new("the pages")))?;
    if pages.is_empty() {
        pages = paths(workspace, false);
    }
    let binary = match &arguments.binary {
        Some(binary) => std::path::absolute(binary).map_err(Error::file("finding", binary))?,
        None => workspace.target.join("debug").join("quorate"),
    };
    if !arguments.in_this_network {
        build(workspace, &pages, arguments.binary.is_none())?;
        if isolation::run_in_a_network_of_its_own(&binary, &pages)? {
            return Ok(());
        }
    }
    for page in &pages {
        run_page(workspace, page, &binary)?;
    }
    Ok(())
}

/// Builds what the pages need, and the store if `builds_store`.
fn build(workspace: &Workspace, pages: &[PathBuf], builds_store: bool) -> Result<(), Error> {
    let is_needed = |place| pages.iter().any(|page| place_of(workspace, page) == place);
    let mut programs = Vec::new();
    if builds_store && (is_needed(Place::EmptyFolder) || is_needed(Place::WithExamples)) {
        programs.push("quorate");
    }
    if is_needed(Place::WithExamples) {
        programs.extend(["quorate-lock", "quorate-counter", "quorate-watch"]);
    }
    if is_needed(Place::Repository) {
        sim::build(workspace)?;
        programs.push("quorate-jepsen");
    }
    if programs.is_empty() {
        return Ok(());
    }
    // With the features that `cargo xtask test` builds the workspace with, so that little is built twice.
    let mut command = cargo(workspace);
    command.args(["build", "--workspace", "--features", "quorate-jepsen/cli"]);
    run_command(command.args(programs.iter().flat_map(|program| ["--bin", program])))
}

fn run_page(workspace: &Workspace, path: &Path, binary: &Path) -> Result<(), Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file("reading", path))?;
    let page = Page::parse(&text).map_err(Error::malformed(path.display().to_string()))?;
    let folder = tempfile::tempdir().map_err(Error::file("making a folder for", path))?;
    let mut programs = vec![binary.parent().unwrap_or(Path::new("/")).to_owned()];
    let place = place_of(workspace, path);
    if place != Place::EmptyFolder {
        programs.push(workspace.target.join("debug"));
    }
    if place == Place::WithExamples {
        let examples = folder.path().join("examples");
        let link = std::os::unix::fs::symlink(workspace.root.join("examples"), &examples);
        link.map_err(Error::file("linking", &examples))?;
    }
    let work = if place == Place::Repository { workspace.root.as_path() } else { folder.path() };
    let mut terminals = Terminals::new(folder.path(), work, &programs)?;
    let started = Instant::now();
    for step in &page.steps {
        println!("{}:{}: {}", path.display(), step.line, step.action);
        let done = match &step.action {
            Action::Interrupt => terminals.interrupt(&step.terminal),
            Action::Quit => terminals.quit(&step.terminal),
            Action::See => terminals.see(&step.terminal, &step.expected),
            Action::Export(name, value) => {
                terminals.export(name, value);
                Ok(())
            }
            Action::Run(command) => terminals.run(&step.terminal, command, &step.expected),
        };
        if let Err(error) = done {
            let place = format!("{}:{}: {}", path.display(), step.line, step.action);
            return Err(Error::ChecksFailed(format!("{place}\n{error}\n{}", terminals.transcript())));
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{}: {} steps did what it says, in {seconds:.1} s", path.display(), page.steps.len());
    Ok(())
}
