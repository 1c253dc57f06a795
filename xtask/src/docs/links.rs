//! Links between the pages of the repository, checked without a network.
//!
//! Every link to a file has to lead to one, with the letter case that it has there, every `#place` to a heading,
//! and every page below `docs/` has to be a chapter of the site, as has every page that another one links to.

use std::collections::{BTreeMap, BTreeSet};

use super::markdown::{Link, Page};

/// The table of contents of the site.
pub const SUMMARY: &str = "docs/SUMMARY.md";

/// A link or a page that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The page, from the root of the repository.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// Where a link leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Out of the repository.
    Outside,
    /// To a file or folder of it, and maybe to a place therein.
    Inside {
        /// From the root of the repository.
        path: String,
        /// The place, without its `#`.
        place: Option<&'a str>,
    },
}

/// Where a link on the page at `path` leads. None if it leads above the root.
pub fn target<'a>(path: &str, link: &'a Link) -> Option<Target<'a>> {
    if link.target.contains("://") || link.target.starts_with("mailto:") {
        return Some(Target::Outside);
    }
    let (file, place) = match link.target.split_once('#') {
        Some((file, place)) => (file, Some(place)),
        None => (link.target.as_str(), None),
    };
    let mut parts: Vec<&str> = path.split('/').collect();
    if !file.is_empty() {
        parts.pop();
        for part in file.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if part == ".." {
                parts.pop()?;
            } else {
                parts.push(part);
            }
        }
    }
    Some(Target::Inside { path: parts.join("/"), place })
}

/// Checks all pages. `paths` are the files of the repository, `pages` the texts of those that are pages.
pub fn check(paths: &[String], pages: &BTreeMap<String, String>) -> Vec<Flaw> {
    let places = places(paths);
    let read: BTreeMap<&str, Page> =
        pages.iter().map(|(path, text)| (path.as_str(), Page::read(text))).collect();
    let mut flaws = Vec::new();
    let mut linked = BTreeSet::new();
    for (path, page) in &read {
        for link in &page.links {
            let what = match target(path, link) {
                Some(Target::Outside) => None,
                Some(Target::Inside { path: to, place }) => {
                    let flaw = flaw_of_link(&places, &read, &to, place);
                    linked.insert(to);
                    flaw
                }
                None => Some("leads out of the repository".to_owned()),
            };
            if let Some(what) = what {
                let what = format!("`{}` {what}", link.target);
                flaws.push(Flaw { path: (*path).to_owned(), line: link.line, what });
            }
        }
    }
    flaws.extend(pages_outside_of_the_site(&read, &linked));
    flaws
}

/// Every file and every folder.
fn places(paths: &[String]) -> BTreeSet<&str> {
    let mut places = BTreeSet::new();
    for path in paths {
        places.insert(path.as_str());
        places.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
    }
    places
}

fn flaw_of_link(
    places: &BTreeSet<&str>,
    pages: &BTreeMap<&str, Page>,
    to: &str,
    place: Option<&str>,
) -> Option<String> {
    if !places.contains(to) {
        return Some("leads to no file".to_owned());
    }
    let place = place?;
    match pages.get(to) {
        Some(page) if page.anchors.iter().any(|anchor| anchor == place) => None,
        Some(_) => Some(format!("leads to no heading of {to}")),
        None => Some(format!("leads to a place in {to}, which is no page")),
    }
}

/// Pages that nobody finds who reads the site.
fn pages_outside_of_the_site(pages: &BTreeMap<&str, Page>, linked: &BTreeSet<String>) -> Vec<Flaw> {
    let chapters: BTreeSet<String> = chapters(pages).into_iter().collect();
    let has_to_be_one = |path: &str| path != SUMMARY && (path.starts_with("docs/") || linked.contains(path));
    let missing = pages.keys().filter(|path| has_to_be_one(path) && !chapters.contains(**path));
    let flaw = |path: &&str| Flaw {
        path: (*path).to_owned(),
        line: 1,
        what: format!("this page is no chapter of {SUMMARY}"),
    };
    missing.map(flaw).collect()
}

/// The pages that the table of contents names, in its order.
fn chapters(pages: &BTreeMap<&str, Page>) -> Vec<String> {
    let links = pages.get(SUMMARY).map(|summary| summary.links.as_slice()).unwrap_or_default();
    let path = |link| match target(SUMMARY, link) {
        Some(Target::Inside { path, .. }) => Some(path),
        Some(Target::Outside) | None => None,
    };
    links.iter().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flaws of some pages, besides which there are `others`.
    fn flaws(pages: &[(&str, &str)], others: &[&str]) -> Vec<String> {
        let pages: BTreeMap<String, String> =
            pages.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let others = others.iter().map(|path| (*path).to_owned());
        let paths: Vec<String> = pages.keys().cloned().chain(others).collect();
        let flaw = |flaw: Flaw| format!("{}:{}: {}", flaw.path, flaw.line, flaw.what);
        check(&paths, &pages).into_iter().map(flaw).collect()
    }

    const CONTENTS: (&str, &str) = (SUMMARY, "[First](../README.md)\n[A](a.md)\n");

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        let readme = "[a](docs/a.md) [b](docs/a.md#two-words) [c](crates) [d](https://example.org/none) [e](#top)\n# Top\n";
        let page =
            "## Two words\n[up](../README.md#top) [file](../crates/kv/src/lib.rs) [here](#two-words)\n";
        let pages = [("README.md", readme), ("docs/a.md", page), CONTENTS];
        assert_eq!(flaws(&pages, &["crates/kv/src/lib.rs"]), [""; 0]);
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let page = "[a](none.md)\n[b](#none)\n[c](../../x)\n[d](A.md)\n[e](../LICENSE#one)\n";
        let found = flaws(&[("README.md", ""), ("docs/a.md", page), CONTENTS], &["LICENSE"]);
        let expected = [
            "docs/a.md:1: `none.md` leads to no file",
            "docs/a.md:2: `#none` leads to no heading of docs/a.md",
            "docs/a.md:3: `../../x` leads out of the repository",
            "docs/a.md:4: `A.md` leads to no file",
            "docs/a.md:5: `../LICENSE#one` leads to a place in LICENSE, which is no page",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_page_that_is_no_chapter_is_found() {
        let pages = [("README.md", "[x](x/README.md)"), ("docs/a.md", ""), ("x/README.md", ""), CONTENTS];
        assert_eq!(flaws(&pages, &[]), ["x/README.md:1: this page is no chapter of docs/SUMMARY.md"]);
        let pages = [("README.md", ""), ("docs/a.md", ""), ("docs/new.md", ""), ("y/alone.md", ""), CONTENTS];
        assert_eq!(flaws(&pages, &[]), ["docs/new.md:1: this page is no chapter of docs/SUMMARY.md"]);
    }
}
