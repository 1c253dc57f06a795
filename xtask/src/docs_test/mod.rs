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
//! Each page has an empty folder of its own and, where the system allows, a network of its own, so that it can
//! name ports without asking who else uses them.

mod isolation;
mod page;
mod terminal;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::cargo::{cargo, run as run_command};
use crate::docs::SUMMARY;
use crate::error::Error;
use crate::workspace::Workspace;

use page::{Action, Page};
use terminal::Terminals;

/// Pages that are run here.
const PAGES: [Listed; 9] = [
    Listed { path: "docs/quick-start.md", place: Place::EmptyFolder },
    Listed { path: "docs/clusters.md", place: Place::EmptyFolder },
    Listed { path: "docs/dialects.md", place: Place::EmptyFolder },
    Listed { path: "docs/dialects/cluster-kv.md", place: Place::EmptyFolder },
    Listed { path: "docs/dialects/simplekv.md", place: Place::EmptyFolder },
    Listed { path: "docs/dialects/kv-db.md", place: Place::EmptyFolder },
    Listed { path: "docs/dialects/memberlist.md", place: Place::EmptyFolder },
    Listed { path: "docs/dialects/keyval.md", place: Place::EmptyFolder },
    Listed { path: "examples/README.md", place: Place::WithExamples },
];

/// Pages whose examples other tests run, and which: `cargo test -p quorate --test NAME`.
const PAGES_OF_OTHER_TESTS: [(&str, &str); 3] = [
    ("docs/api.md", "api_documentation"),
    ("docs/command-line.md", "command_line_documentation"),
    ("docs/operations.md", "command_line"),
];

/// A page that is run.
#[derive(Debug)]
struct Listed {
    path: &'static str,
    place: Place,
}

/// Where the reader of a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a new folder, with the store on the path.
    EmptyFolder,
    /// In a new folder in which `examples/` is that of the repository; their programs are on the path, too.
    WithExamples,
}

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
    let pages: Vec<PathBuf> = if arguments.pages.is_empty() {
        PAGES.iter().map(|page| workspace.root.join(page.path)).collect()
    } else {
        arguments
            .pages
            .iter()
            .map(std::path::absolute)
            .collect::<Result<_, _>>()
            .map_err(Error::file("finding", Path::new("the pages")))?
    };
    let binary = match &arguments.binary {
        Some(binary) => std::path::absolute(binary).map_err(Error::file("finding", binary))?,
        None => build(workspace)?,
    };
    if !arguments.in_this_network && isolation::run_in_a_network_of_its_own(&binary, &pages)? {
        return Ok(());
    }
    for page in &pages {
        run_page(workspace, page, &binary)?;
    }
    Ok(())
}

/// Where the reader of a page is. Nothing is known of a page that is not listed.
fn place_of(workspace: &Workspace, page: &Path) -> Place {
    let listed = PAGES.iter().find(|listed| workspace.root.join(listed.path) == page);
    listed.map_or(Place::EmptyFolder, |listed| listed.place)
}

fn build(workspace: &Workspace) -> Result<PathBuf, Error> {
    // At once, so that what they share is built once.
    run_command(cargo(workspace).args([
        "build",
        "--package",
        "quorate",
        "--package",
        "quorate-examples",
        "--bins",
    ]))?;
    Ok(workspace.target.join("debug").join("quorate"))
}

/// A page that nobody runs would be wrong before long.
fn check_that_every_page_is_run(workspace: &Workspace) -> Result<(), Error> {
    for path in pages_below(workspace, "docs")?.into_iter().chain(pages_below(workspace, "examples")?) {
        let is_run = path == SUMMARY
            || PAGES.iter().any(|page| page.path == path)
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

fn run_page(workspace: &Workspace, path: &Path, binary: &Path) -> Result<(), Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file("reading", path))?;
    let page = Page::parse(&text).map_err(Error::malformed(path.display().to_string()))?;
    let folder = tempfile::tempdir().map_err(Error::file("making a folder for", path))?;
    let mut programs = vec![binary.parent().unwrap_or(Path::new("/")).to_owned()];
    if place_of(workspace, path) == Place::WithExamples {
        let examples = folder.path().join("examples");
        let link = std::os::unix::fs::symlink(workspace.root.join("examples"), &examples);
        link.map_err(Error::file("linking", &examples))?;
        programs.push(workspace.target.join("debug"));
    }
    let mut terminals = Terminals::new(folder.path(), &programs)?;
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
