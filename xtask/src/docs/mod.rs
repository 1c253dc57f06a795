//! `cargo xtask docs`: the pages of the repository as one site.
//!
//! The pages are written to be read where they lie, on a forge or in an editor, so their links are paths between
//! files. The site keeps these paths: it is made in a folder that is laid out like the repository, in which a file
//! of source code that a page links to is a page, too. Links are checked twice: between the files, which needs
//! nothing and is a part of `cargo xtask tidy`, and in the finished site.

mod built;
mod links;
mod markdown;
mod mdbook;
mod site;

use std::collections::BTreeMap;
use std::process::Command;

use crate::cargo::run as run_command;
use crate::error::Error;
use crate::tidy;
use crate::workspace::Workspace;

pub use links::{Flaw, SUMMARY, check as check_links};

/// Options of `cargo xtask docs`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Check the links between the pages and build nothing. `tidy` does this, too.
    #[arg(long)]
    check: bool,
    /// Show the site in a browser.
    #[arg(long, conflicts_with = "check")]
    open: bool,
}

/// The files of the repository.
#[derive(Debug)]
pub struct Repository {
    /// All of them, from its root.
    pub paths: Vec<String>,
    /// The text of its pages.
    pub pages: BTreeMap<String, String>,
}

impl Repository {
    fn read(workspace: &Workspace) -> Result<Self, Error> {
        let paths = tidy::files(&workspace.root)?;
        let mut pages = BTreeMap::new();
        for path in paths.iter().filter(|path| path.ends_with(".md")) {
            let file = workspace.root.join(path);
            let text = std::fs::read_to_string(&file).map_err(Error::file("reading", &file))?;
            pages.insert(path.clone(), text);
        }
        Ok(Self { paths, pages })
    }
}

/// Checks the pages, and builds the site unless that is all that was asked for.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let repository = Repository::read(workspace)?;
    check(&repository)?;
    if arguments.check {
        return Ok(());
    }
    let mdbook = mdbook::find_or_install(workspace)?;
    let start = site::build(workspace, &repository, &mdbook)?;
    println!("the site begins at {}", start.display());
    if arguments.open { run_command(Command::new("xdg-open").arg(&start)) } else { Ok(()) }
}

fn check(repository: &Repository) -> Result<(), Error> {
    let flaws = check_links(&repository.paths, &repository.pages);
    for Flaw { path, line, what } in &flaws {
        println!("{path}:{line}: {what}");
    }
    if !flaws.is_empty() {
        return Err(Error::ChecksFailed(format!("{} links or pages are wrong", flaws.len())));
    }
    println!("{} pages, and every link between them leads somewhere", repository.pages.len());
    Ok(())
}
