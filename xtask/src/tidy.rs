//! `cargo xtask tidy`: the repository lints itself.
//!
//! The compiler cannot see the rules that keep this project testable: which crate may know which, that
//! nothing reaches around the environment, that nothing depends on the order of a hash table. So they
//! are checked here, each with its reason, as a part of every test run.

mod bans;
mod finding;
mod imports;
mod layout;
mod manifests;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::docs;
use crate::error::Error;
use crate::workspace::Workspace;

use finding::{Finding, Rule};

/// Lints the repository; an error if any rule is broken.
pub fn run(workspace: &Workspace) -> Result<(), Error> {
    let paths = files(&workspace.root)?;
    let mut findings = layout::check_top_level(paths.iter().map(String::as_str));
    let mut pages = BTreeMap::new();
    for path in &paths {
        if layout::is_text(path) {
            let file = workspace.root.join(path);
            let text = std::fs::read_to_string(&file).map_err(Error::file("reading", &file))?;
            findings.extend(check_file(path, &text));
            if path.ends_with(".md") {
                pages.insert(path.clone(), text);
            }
        }
    }
    findings.extend(check_links(&paths, &pages));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    let broken: BTreeSet<Rule> = findings.iter().map(|finding| finding.rule).collect();
    println!(
        "tidy: {} files, {} findings; rules: {} passed, {} failed",
        paths.len(),
        findings.len(),
        Rule::ALL.len() - broken.len(),
        broken.len()
    );
    if findings.is_empty() {
        Ok(())
    } else {
        Err(Error::ChecksFailed(format!("{} places break the rules of the house", findings.len())))
    }
}

fn check_file(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = layout::check_text(path, text);
    if layout::is_of_fuzzer(path) {
        return findings;
    }
    if path.ends_with(".rs") {
        findings.extend(bans::check(path, text));
    }
    if path == "Cargo.toml" || path.ends_with("/Cargo.toml") {
        findings.extend(manifests::check(path, text));
    }
    findings
}

fn check_links(paths: &[String], pages: &BTreeMap<String, String>) -> impl Iterator<Item = Finding> {
    let flaws = docs::check_links(paths, pages).into_iter();
    flaws.map(|docs::Flaw { path, line, what }| Finding { path, line, rule: Rule::Link, what })
}

/// Folders that hold what is built or found, and not what people write.
const IGNORED_FOLDERS: [&str; 3] = [".git", "sim-failures", "target"];

/// Every file of the repository, from its root, that is not ignored by git. New files count before they
/// are added, deleted ones no longer. In a copy that git knows nothing of, every file there is.
pub fn files(root: &Path) -> Result<Vec<String>, Error> {
    let mut paths = Vec::new();
    if root.join(".git").exists() {
        let known = files_known_to_git(root)?;
        paths.extend(known.into_iter().filter(|path| root.join(path).is_file()));
    } else {
        collect_files(root, "", &mut paths)?;
    }
    paths.sort();
    Ok(paths)
}

fn files_known_to_git(root: &Path) -> Result<Vec<String>, Error> {
    let program = "git ls-files";
    let mut trusted = OsString::from("safe.directory=");
    trusted.push(root);
    let output = Command::new("git")
        // The repository may belong to another user, as it does in many containers.
        .arg("-c")
        .arg(trusted)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|source| Error::Start { program: program.to_owned(), source })?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(Error::Failed { program: program.to_owned(), status: output.status });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_terminator('\0').map(str::to_owned).collect())
}

/// Adds every file below `folder`, which is `prefix` from the root.
fn collect_files(folder: &Path, prefix: &str, paths: &mut Vec<String>) -> Result<(), Error> {
    let entries = std::fs::read_dir(folder).map_err(Error::file("reading", folder))?;
    for entry in entries {
        let entry = entry.map_err(Error::file("reading", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if !entry.path().is_dir() {
            paths.push(path);
        } else if !IGNORED_FOLDERS.contains(&name.as_str()) {
            collect_files(&entry.path(), &format!("{path}/"), paths)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_without_git_is_walked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for path in ["crates/kv/src/lib.rs", "target/debug/x.rs", ".ci/run"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("making folders");
            std::fs::write(&path, "").expect("writing");
        }
        assert_eq!(files(folder.path()).expect("walking"), [".ci/run", "crates/kv/src/lib.rs"]);
    }
}
