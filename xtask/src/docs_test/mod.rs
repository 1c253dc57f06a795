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
//! - A line `$ export NAME=VALUE` holds for every terminal from there on.
//!
//! Each page has an empty folder of its own and, where the system allows, a network of its own, so that it can
//! name ports without asking who else uses them.

mod isolation;
mod page;
mod terminal;

use std::path::{Path, PathBuf};

use crate::cargo::{cargo, run as run_command};
use crate::docs::SUMMARY;
use crate::error::Error;
use crate::workspace::Workspace;

use page::{Action, Page};
use terminal::Terminals;

/// Pages that are run here.
const PAGES: [&str; 7] = [
    "docs/clusters.md",
    "docs/dialects.md",
    "docs/dialects/cluster-kv.md",
    "docs/dialects/simplekv.md",
    "docs/dialects/kv-db.md",
    "docs/dialects/memberlist.md",
    "docs/dialects/keyval.md",
];

/// Pages whose examples other tests run, and which: `cargo test -p quorate --test NAME`.
const PAGES_OF_OTHER_TESTS: [(&str, &str); 3] = [
    ("docs/api.md", "api_documentation"),
    ("docs/command-line.md", "command_line_documentation"),
    ("docs/operations.md", "command_line"),
];

/// Options of `cargo xtask docs-test`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Pages to run, such as docs/clusters.md; all of them if none is named.
    pages: Vec<PathBuf>,
    /// The `quorate` to run, instead of a debug build of this tree.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Stay in this network: set by the command itself when it has made one.
    #[arg(long, hide = true)]
    in_this_network: bool,
}

impl Arguments {
    /// Every page, with a build of this tree.
    pub fn of_all_pages() -> Self {
        Self { pages: Vec::new(), binary: None, in_this_network: false }
    }
}

/// Runs the pages; an error names the first line that did not do what its page says.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    check_that_every_page_is_run(workspace)?;
    let binary = match &arguments.binary {
        Some(binary) => std::path::absolute(binary).map_err(Error::file("finding", binary))?,
        None => build(workspace)?,
    };
    let pages: Vec<PathBuf> = if arguments.pages.is_empty() {
        PAGES.iter().map(|page| workspace.root.join(page)).collect()
    } else {
        arguments.pages.clone()
    };
    if !arguments.in_this_network && isolation::run_in_a_network_of_its_own(&binary, &pages)? {
        return Ok(());
    }
    for page in &pages {
        run_page(page, &binary)?;
    }
    Ok(())
}

fn build(workspace: &Workspace) -> Result<PathBuf, Error> {
    run_command(cargo(workspace).args(["build", "--package", "quorate", "--bin", "quorate"]))?;
    Ok(workspace.target.join("debug").join("quorate"))
}

/// A page that nobody runs would be wrong before long.
fn check_that_every_page_is_run(workspace: &Workspace) -> Result<(), Error> {
    for path in pages_below(workspace, "docs")? {
        let is_run = path == SUMMARY
            || PAGES.contains(&path.as_str())
            || PAGES_OF_OTHER_TESTS.iter().any(|(page, _)| *page == path);
        if !is_run {
            let reason = "its commands are run by nobody: add it to PAGES in xtask/src/docs_test";
            return Err(Error::ChecksFailed(format!("{path}: {reason}")));
        }
    }
    Ok(())
}

/// Every page in a folder and in the folders below it.
fn pages_below(workspace: &Workspace, folder: &str) -> Result<Vec<String>, Error> {
    let directory = workspace.root.join(folder);
    let reading = || Error::file("reading", &directory);
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(reading())? {
        let entry = entry.map_err(reading())?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(reading())?.is_dir() {
            pages.extend(pages_below(workspace, &path)?);
        } else if path.ends_with(".md") {
            pages.push(path);
        }
    }
    Ok(pages)
}

fn run_page(path: &Path, binary: &Path) -> Result<(), Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file("reading", path))?;
    let page = Page::parse(&text).map_err(Error::malformed(path.display().to_string()))?;
    let folder = tempfile::tempdir().map_err(Error::file("making a folder for", path))?;
    let mut terminals = Terminals::new(folder.path(), binary)?;
    for step in &page.steps {
        println!("{}:{}: {}", path.display(), step.line, step.action);
        let done = match &step.action {
            Action::Interrupt => terminals.interrupt(&step.terminal),
            Action::Quit => terminals.quit(&step.terminal),
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
    println!("{}: {} commands did what it says", path.display(), page.steps.len());
    Ok(())
}
