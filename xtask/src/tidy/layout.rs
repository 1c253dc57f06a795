//! Lints on every text file, and on what lies at the top level.

use crate::tidy::bans::remarks;
use crate::tidy::finding::{Finding, Rule};

/// What may lie at the top level besides files and folders that start with a dot.
const TOP_LEVEL: [&str; 13] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "crates",
    "deploy",
    "docs",
    "examples",
    "jepsen",
    "sim",
];
/// The automation itself.
const AUTOMATION: &str = "xtask";
/// Folders that exist on one machine only. Written in halves, or this file would break its own rule.
const MACHINE_PATHS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
/// Files that people write, by their ending.
const TEXT_ENDINGS: [&str; 8] = [".rs", ".toml", ".md", ".sh", ".yml", ".yaml", ".json", ".ci/run"];
/// Data of others, kept as it came.
const FOREIGN_DATA: &str = "/tests/data/";

/// Whether the file is text that people write.
pub fn is_text(path: &str) -> bool {
    !path.contains(FOREIGN_DATA) && TEXT_ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// Whether the file belongs to the targets of a fuzzer: programs outside of the workspace, which no part of the
/// product or of the simulator knows, so that only what holds for all text holds for them.
pub fn is_of_fuzzer(path: &str) -> bool {
    matches!(path.split('/').collect::<Vec<_>>().as_slice(), ["crates", _, "fuzz", ..])
}

/// Lints one text file of any language.
pub fn check_text(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut add = |rule, what: &str| {
            found.push(Finding { path: path.to_owned(), line: index + 1, rule, what: format!("`{what}`") });
        };
        for machine_path in MACHINE_PATHS.iter().filter(|machine_path| line.contains(**machine_path)) {
            add(Rule::MachinePath, machine_path);
        }
        // In Rust only comments are searched for remarks, by those who can tell them from strings. A page
        // may speak of them in code marks.
        if !path.ends_with(".rs") {
            for remark in remarks(line).filter(|remark| !line.contains(&format!("`{remark}`"))) {
                add(Rule::Unfinished, remark);
            }
        }
    }
    found
}

/// Lints the top level, given every file of the repository.
pub fn check_top_level<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<Finding> {
    let mut names: Vec<&str> = paths.into_iter().map(|path| path.split('/').next().unwrap_or(path)).collect();
    names.sort_unstable();
    names.dedup();
    let stray = |name: &&str| !name.starts_with('.') && *name != AUTOMATION && !TOP_LEVEL.contains(name);
    let finding = |name: &str| Finding {
        path: name.to_owned(),
        line: 1,
        rule: Rule::TopLevel,
        what: format!("`{name}` at the top level"),
    };
    names.into_iter().filter(stray).map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_one_machine_are_refused() {
        for machine_path in MACHINE_PATHS {
            let text = format!("first line\ncd {machine_path}somewhere\n");
            let findings = check_text("docs/page.md", &text);
            assert_eq!(findings.len(), 1);
            assert_eq!((findings[0].line, findings[0].rule), (2, Rule::MachinePath));
        }
        assert!(check_text("docs/page.md", "a framework/library\n").is_empty());
    }

    #[test]
    fn remarks_of_unfinished_work_are_refused_in_pages_too() {
        assert_eq!(check_text("README.md", "TODO: write this\n")[0].rule, Rule::Unfinished);
        assert!(check_text("CONTRIBUTING.md", "No `TODO` stays in the code.\n").is_empty());
    }

    #[test]
    fn the_top_level_holds_a_fixed_set() {
        let findings =
            check_top_level(["Cargo.toml", ".gitignore", "xtask/src/main.rs", "notes.txt", "scripts/a.sh"]);
        let paths: Vec<&str> = findings.iter().map(|finding| finding.path.as_str()).collect();
        assert_eq!(paths, ["notes.txt", "scripts"]);
    }

    #[test]
    fn data_of_others_is_left_alone() {
        assert!(is_text("crates/kv/src/lib.rs"));
        assert!(is_text(".ci/run"));
        assert!(!is_text("jepsen/tests/data/readme.md"));
        assert!(!is_text("docs/picture.png"));
    }

    #[test]
    fn targets_of_fuzzers_are_told_from_the_rest() {
        assert!(is_of_fuzzer("crates/peer/fuzz/Cargo.toml"));
        assert!(is_of_fuzzer("crates/peer/fuzz/fuzz_targets/frames.rs"));
        assert!(!is_of_fuzzer("crates/fuzz/src/lib.rs"));
        assert!(!is_of_fuzzer("crates/peer/src/fuzz/mod.rs"));
    }
}
