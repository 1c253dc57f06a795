//! The finished site: whether what its pages refer to is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::Error;

/// What carries an address on a page.
const ATTRIBUTES: [&str; 2] = ["href=\"", "src=\""];

/// A finished page.
#[derive(Debug, Default)]
struct BuiltPage {
    references: BTreeSet<String>,
    places: BTreeSet<String>,
}

/// Checks every page below `site`; an error tells what leads nowhere.
pub fn check(site: &Path) -> Result<(), Error> {
    let mut files = BTreeMap::new();
    read_folder(site, "", &mut files)?;
    let flaws = flaws(&files);
    for flaw in &flaws {
        println!("{flaw}");
    }
    if !flaws.is_empty() {
        return Err(Error::ChecksFailed(format!("{} links of the site lead nowhere", flaws.len())));
    }
    let references: usize = files.values().flatten().map(|page| page.references.len()).sum();
    println!("{} files, {references} references between them, and every one leads somewhere", files.len());
    Ok(())
}

/// Adds every file below `folder`, which is `prefix` from the site's root.
fn read_folder(
    folder: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, Option<BuiltPage>>,
) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).map_err(Error::file("reading", folder))? {
        let file = entry.map_err(Error::file("reading", folder))?.path();
        let name = file.file_name().expect("an entry of a folder has a name").to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if file.is_dir() {
            read_folder(&file, &format!("{path}/"), files)?;
        } else {
            let page = if path.ends_with(".html") {
                let text = std::fs::read_to_string(&file).map_err(Error::file("reading", &file))?;
                Some(BuiltPage::read(&text))
            } else {
                None
            };
            files.insert(path, page);
        }
    }
    Ok(())
}

impl BuiltPage {
    fn read(text: &str) -> Self {
        let values = |attribute: &str| {
            let mut values = BTreeSet::new();
            for (at, _) in text.match_indices(attribute) {
                let value = &text[at + attribute.len()..];
                values.extend(value.split_once('"').map(|(value, _)| value.to_owned()));
            }
            values
        };
        let references = ATTRIBUTES.iter().flat_map(|attribute| values(attribute));
        Self { references: references.collect(), places: values("id=\"") }
    }
}

/// What leads nowhere.
fn flaws(files: &BTreeMap<String, Option<BuiltPage>>) -> Vec<String> {
    let mut flaws = Vec::new();
    for (path, page) in files {
        let references = page.iter().flat_map(|page| &page.references);
        for reference in references.filter(|reference| is_local(reference)) {
            let (file, place) = reference.split_once('#').unwrap_or((reference, ""));
            let to = if file.is_empty() { path.clone() } else { resolved(path, file) };
            let is_there = match files.get(&to) {
                None => false,
                Some(_) if place.is_empty() => true,
                Some(page) => page.as_ref().is_some_and(|page| page.places.contains(place)),
            };
            if !is_there {
                flaws.push(format!("{path}: {reference} leads nowhere"));
            }
        }
    }
    flaws
}

fn is_local(reference: &str) -> bool {
    !reference.contains("://") && !reference.starts_with("data:") && !reference.starts_with("javascript:")
}

/// The file that `reference` on the page at `path` means.
fn resolved(path: &str, reference: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in reference.split('/').filter(|part| *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_that_lead_nowhere_are_found() {
        let index = "<a href=\"docs/a.html#b\"></a><a href=\"docs/a.html#c\"></a><img src=\"x.svg\">\
                     <a href=\"https://example.org/\"></a><a href=\"#\"></a>";
        let page = "<h1 id=\"b\"></h1><a href=\"../index.html\"></a><a href=\"index.html\"></a>";
        let files = BTreeMap::from([
            ("index.html".to_owned(), Some(BuiltPage::read(index))),
            ("docs/a.html".to_owned(), Some(BuiltPage::read(page))),
            ("y.svg".to_owned(), None),
        ]);
        let expected = [
            "docs/a.html: index.html leads nowhere",
            "index.html: docs/a.html#c leads nowhere",
            "index.html: x.svg leads nowhere",
        ];
        assert_eq!(flaws(&files), expected);
    }
}
