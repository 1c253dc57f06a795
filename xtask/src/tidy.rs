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

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::error::Error;
use crate::workspace::Workspace;

use finding::{Finding, Rule};

/// Lints the repository; an error if any rule is broken.
pub fn run(workspace: &Workspace) -> Result<(), Error> {
    let paths = files(&workspace.root)?;
    let mut findings = layout::check_top_level(paths.iter().map(String::as_str));
    for path in &paths {
        if layout::is_text(path) {
            let file = workspace.root.join(path);
            let text = std::fs::read_to_string(&file).map_err(Error::file("reading", &file))?;
            findings.extend(check_file(path, &text));
        }
    }
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
    if path.ends_with(".rs") {
        findings.extend(bans::check(path, text));
    }
    if path == "Cargo.toml" || path.ends_with("/Cargo.toml") {
        findings.extend(manifests::check(path, text));
    }
    findings
}

/// Every file of the repository, from its root, that is not ignored by git. New files count before they
/// are added, deleted ones no longer.
fn files(root: &Path) -> Result<Vec<String>, Error> {
    let program = "git ls-files";
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|source| Error::Start { program: program.to_owned(), source })?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(Error::Failed { program: program.to_owned(), status: output.status });
    }
    let mut paths: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .split_terminator('\0')
        .filter(|path| root.join(path).is_file())
        .map(str::to_owned)
        .collect();
    paths.sort();
    Ok(paths)
}
