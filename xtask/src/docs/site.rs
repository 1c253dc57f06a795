//! The folder that the site is made of, and the finished site.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Repository;
use super::links::{SUMMARY, Target, target};
use super::markdown::Page;
use crate::cargo::run;
use crate::error::Error;
use crate::workspace::Workspace;

/// How mdBook is set up.
const CONFIGURATION: &str = "docs/book.toml";
/// The page of a folder.
const FOLDER_PAGE: &str = "README.md";
/// The chapter above those that are source code.
const CODE_PAGE: &str = "source-code.md";

/// Makes the site; gives its first page.
pub fn build(workspace: &Workspace, repository: &Repository, mdbook: &Path) -> Result<PathBuf, Error> {
    let folder = workspace.target.join("site");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(Error::file("removing", &folder))?;
    }
    let staged = stage(workspace, repository)?;
    for (path, bytes) in &staged {
        write(&folder.join("src").join(path), bytes)?;
    }
    let configuration = workspace.root.join(CONFIGURATION);
    write(&folder.join("book.toml"), &read(&configuration)?)?;
    run(Command::new(mdbook).arg("build").arg(&folder))?;
    let site = folder.join("book");
    super::built::check(&site)?;
    Ok(site.join("index.html"))
}

/// Everything that mdBook is given, by its path.
fn stage(workspace: &Workspace, repository: &Repository) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut staged = BTreeMap::new();
    let mut code_pages = BTreeSet::new();
    for (path, text) in chapters(repository) {
        let (text, linked) = with_links_of_the_site(repository, path, text);
        for link in linked {
            let file = workspace.root.join(&link.path);
            if link.is_picture {
                staged.insert(link.path, read(&file)?);
            } else {
                let text = if file.is_dir() {
                    folder_page(repository, &link.path)
                } else {
                    code_page(&link.path, &file)?
                };
                staged.insert(link.page.clone(), text.into_bytes());
                code_pages.insert((link.path, link.page));
            }
        }
        staged.insert(path.to_owned(), text.into_bytes());
    }
    let text = "# Source code\n\nFiles and folders of the repository that pages of this site refer to.\n";
    staged.insert(CODE_PAGE.to_owned(), text.as_bytes().to_vec());
    staged.insert("SUMMARY.md".to_owned(), summary(repository, &code_pages).into_bytes());
    Ok(staged)
}

/// The pages that the table of contents names.
fn chapters(repository: &Repository) -> impl Iterator<Item = (&str, &str)> {
    let summary = Page::read(&repository.pages[SUMMARY]);
    let chapters: BTreeSet<String> = summary.links.iter().filter_map(|link| inside(SUMMARY, link)).collect();
    let pages = repository.pages.iter();
    pages.filter(move |(path, _)| chapters.contains(*path)).map(|(path, text)| (path.as_str(), text.as_str()))
}

fn inside(path: &str, link: &super::markdown::Link) -> Option<String> {
    match target(path, link)? {
        Target::Inside { path, .. } => Some(path),
        Target::Outside => None,
    }
}

/// What a page links to that is no page yet.
struct Linked {
    /// The file or folder.
    path: String,
    /// Its page in the site.
    page: String,
    is_picture: bool,
}

/// The text with links to the pages that files and folders have in the site, and what these are.
fn with_links_of_the_site(repository: &Repository, path: &str, text: &str) -> (String, Vec<Linked>) {
    let mut rewritten = String::with_capacity(text.len());
    let mut linked = Vec::new();
    let mut at = 0;
    for link in Page::read(text).links {
        let Some(to) = inside(path, &link) else { continue };
        let ending = ending_of_page(repository, &to);
        let page = format!("{to}{ending}");
        if !link.is_picture {
            let (file, place) = link.target.split_at(link.target.find('#').unwrap_or(link.target.len()));
            rewritten.push_str(&text[at..link.range.start]);
            rewritten.push_str(&address(&format!("{}{ending}", file.trim_end_matches('/'))));
            rewritten.push_str(place);
            at = link.range.end;
        }
        if !repository.pages.contains_key(&page) {
            linked.push(Linked { path: to, page, is_picture: link.is_picture });
        }
    }
    rewritten.push_str(&text[at..]);
    (rewritten, linked)
}

/// What makes the path of a page out of the path of a file or folder.
fn ending_of_page(repository: &Repository, path: &str) -> String {
    if repository.pages.contains_key(path) {
        String::new()
    } else if repository.paths.iter().any(|file| file == path) {
        ".md".to_owned()
    } else {
        format!("/{FOLDER_PAGE}")
    }
}

/// Where mdBook puts a page: the one of a folder becomes the folder's index.
fn address(page: &str) -> String {
    match page.strip_suffix(FOLDER_PAGE) {
        Some(folder) if folder.is_empty() || folder.ends_with('/') => format!("{folder}index.md"),
        _ => page.to_owned(),
    }
}

/// A file of source code as a page.
fn code_page(path: &str, file: &Path) -> Result<String, Error> {
    let text = std::fs::read_to_string(file).map_err(Error::file("reading", file))?;
    let language = match path.rsplit_once('.') {
        Some((_, "rs")) => "rust",
        Some((_, "toml")) => "toml",
        Some((_, "sh")) => "sh",
        Some((_, "yml" | "yaml")) => "yaml",
        Some((_, "json")) => "json",
        _ => "text",
    };
    // Longer than any fence within.
    Ok(format!("# {path}\n\n``````{language}\n{text}``````\n"))
}

/// What lies in a folder, as a page.
fn folder_page(repository: &Repository, path: &str) -> String {
    let inside = format!("{path}/");
    let files = repository.paths.iter().filter_map(|file| file.strip_prefix(&inside));
    let lines: Vec<String> = files.map(|file| format!("- `{file}`\n")).collect();
    format!("# {path}\n\n{}", lines.concat())
}

/// The table of contents as mdBook takes it: from the root of what it is given.
fn summary(repository: &Repository, code_pages: &BTreeSet<(String, String)>) -> String {
    let text = &repository.pages[SUMMARY];
    let mut summary = String::new();
    let mut at = 0;
    for link in Page::read(text).links {
        if let Some(path) = inside(SUMMARY, &link) {
            summary.push_str(&text[at..link.range.start]);
            summary.push_str(&path);
            at = link.range.end;
        }
    }
    summary.push_str(&text[at..]);
    summary.push_str(&format!("- [Source code]({CODE_PAGE})\n"));
    for (path, page) in code_pages {
        summary.push_str(&format!("  - [{path}]({page})\n"));
    }
    summary
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(Error::file("reading", file))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = file.parent().expect("every file of the site lies in its folder");
    std::fs::create_dir_all(folder).map_err(Error::file("making", folder))?;
    std::fs::write(file, bytes).map_err(Error::file("writing", file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> Repository {
        let readme =
            "[a](docs/a.md#h) [b](b/c.rs) [d](b) [e](x/) [f](https://example.org) ![g](docs/g.svg) [i](#i)";
        let pages = [
            ("README.md", readme),
            ("x/README.md", ""),
            ("docs/a.md", "[up](../README.md)"),
            (SUMMARY, "- [One](../README.md)\n- [Two](a.md)\n"),
        ];
        let pages: BTreeMap<String, String> =
            pages.map(|(path, text)| (path.to_owned(), text.to_owned())).into_iter().collect();
        let mut paths: Vec<String> = pages.keys().cloned().collect();
        paths.extend(["b/c.rs", "b/d/e.rs", "docs/g.svg"].map(str::to_owned));
        Repository { paths, pages }
    }

    #[test]
    fn links_to_files_and_folders_lead_to_their_pages() {
        let repository = repository();
        let (text, linked) = with_links_of_the_site(&repository, "README.md", &repository.pages["README.md"]);
        let expected = "[a](docs/a.md#h) [b](b/c.rs.md) [d](b/index.md) [e](x/index.md) \
                        [f](https://example.org) ![g](docs/g.svg) [i](#i)";
        assert_eq!(text, expected);
        let pages: Vec<_> = linked.iter().map(|link| link.page.as_str()).collect();
        assert_eq!(pages, ["b/c.rs.md", "b/README.md", "docs/g.svg.md"]);
        assert_eq!(
            with_links_of_the_site(&repository, "docs/a.md", "[up](../README.md)").0,
            "[up](../index.md)"
        );
        assert_eq!(folder_page(&repository, "b"), "# b\n\n- `c.rs`\n- `d/e.rs`\n");
    }

    #[test]
    fn the_table_of_contents_names_what_is_there() {
        let code_pages = BTreeSet::from([("b/c.rs".to_owned(), "b/c.rs.md".to_owned())]);
        let expected = "- [One](README.md)\n- [Two](docs/a.md)\n- [Source code](source-code.md)\n  - [b/c.rs](b/c.rs.md)\n";
        assert_eq!(summary(&repository(), &code_pages), expected);
        let repository = repository();
        let chapters: Vec<_> = chapters(&repository).map(|(path, _)| path).collect();
        assert_eq!(chapters, ["README.md", "docs/a.md"]);
    }
}
