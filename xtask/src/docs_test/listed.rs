//! The pages of the repository, and who runs the commands on them.

use std::path::Path;

use crate::docs::SUMMARY;
use crate::error::Error;
use crate::workspace::Workspace;

/// A page that is run here.
#[derive(Debug)]
pub struct Listed {
    /// From the root of the repository.
    pub path: &'static str,
    /// Where its reader is.
    pub place: Place,
}

/// Where the reader of a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a new folder, with the store on the path.
    EmptyFolder,
    /// In a new folder in which `examples/` is that of the repository; their programs are on the path, too.
    WithExamples,
    /// In the repository itself, with the simulator built and the checker of histories on the path. Such pages are
    /// run when they are named, and by `cargo xtask test` once it has built the simulator.
    Repository,
}

/// Pages that are run here.
pub const PAGES: [Listed; 13] = [
    Listed { path: "docs/quick-start.md", place: Place::EmptyFolder },
    Listed { path: "docs/clusters.md", place: Place::EmptyFolder },
    Listed { path: "docs/deployment.md", place: Place::EmptyFolder },
    Listed { path: "docs/backups.md", place: Place::EmptyFolder },
    Listed { path: "docs/dialects.md", place: Place::EmptyFolder },
    Listed { path: "docs/dialects/cluster-kv.md", place: Place::EmptyFolder },
    Listed { path: "docs/dialects/simplekv.md", place: Place::EmptyFolder },
    Listed { path: "docs/dialects/kv-db.md", place: Place::EmptyFolder },
    Listed { path: "docs/dialects/memberlist.md", place: Place::EmptyFolder },
    Listed { path: "docs/dialects/keyval.md", place: Place::EmptyFolder },
    Listed { path: "examples/README.md", place: Place::WithExamples },
    Listed { path: "docs/guarantees.md", place: Place::Repository },
    Listed { path: "docs/simulation.md", place: Place::Repository },
];

/// Pages whose examples other tests run, and which: `cargo test -p quorate --test NAME`.
const PAGES_OF_OTHER_TESTS: [(&str, &str); 3] = [
    ("docs/api.md", "api_documentation"),
    ("docs/command-line.md", "command_line_documentation"),
    ("docs/operations.md", "command_line"),
];

/// Pages on which nothing is typed.
const PAGES_TO_READ: [&str; 3] = [SUMMARY, "docs/concepts.md", "docs/faq.md"];

/// A page that nobody runs would be wrong before long.
pub fn check_that_every_page_is_run(workspace: &Workspace) -> Result<(), Error> {
    for path in pages_below(workspace, "docs")?.into_iter().chain(pages_below(workspace, "examples")?) {
        let is_run = PAGES.iter().any(|page| page.path == path)
            || PAGES_OF_OTHER_TESTS.iter().any(|(page, _)| *page == path);
        let file = workspace.root.join(&path);
        let text = std::fs::read_to_string(&file).map_err(Error::file("reading", &file))?;
        let is_to_be_read = PAGES_TO_READ.contains(&path.as_str()) && !text.contains("\n```console");
        if !is_run && !is_to_be_read {
            let reason = "its commands are run by nobody: add it to PAGES in xtask/src/docs_test";
            return Err(Error::ChecksFailed(format!("{path}: {reason}")));
        }
    }
    Ok(())
}

/// Where the reader of a page is. Nothing is known of a page that is not listed.
pub fn place_of(workspace: &Workspace, page: &Path) -> Place {
    let listed = PAGES.iter().find(|listed| workspace.root.join(listed.path) == page);
    listed.map_or(Place::EmptyFolder, |listed| listed.place)
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
