//! What Rust code must not say, and where.

use crate::tidy::finding::{Finding, Rule};
use crate::tidy::source::{Source, names};

/// The longest file that one can still read.
const LINES_MAX: usize = 800;
/// What excuses a hash table: the reason follows it.
const HASH_ORDER_EXCUSE: &str = "// order is never observed: ";

/// Tokio's runtime: bytes, time and tasks of the real world.
const RUNTIME: [&str; 9] = [
    "tokio::spawn",
    "tokio::time",
    "tokio::net",
    "tokio::task",
    "tokio::runtime",
    "tokio::fs",
    "tokio::signal",
    "tokio::process",
    "spawn_blocking",
];
/// The standard library's and rand's: clocks, threads and entropy of the real world.
const REAL_WORLD: [&str; 10] = [
    "Instant::now",
    "SystemTime::now",
    "thread_rng",
    "rand::rng",
    "SysRng",
    "OsRng",
    "getrandom",
    "thread::spawn",
    "thread::Builder",
    "thread::sleep",
];
/// Who may name both: the real environment, the composition root and what runs outside of any node.
const REAL_WORLD_PLACES: [&str; 4] =
    ["crates/environment/src/tokio_environment", "crates/quorate/", "jepsen/", "xtask/"];
const HASH_TABLES: [&str; 2] = ["HashMap", "HashSet"];
const UNFINISHED_MACROS: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];
const UNFINISHED_REMARKS: [&str; 2] = ["TODO", "FIXME"];
const VAGUE_NAMES: [&str; 5] = ["common", "core", "types", "util", "utils"];

/// Lints one Rust file. `path` is from the root of the repository.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let source = Source::read(text);
    let mut findings = Findings { path, found: Vec::new() };
    check_shape(text, &mut findings);
    check_world(path, &source, &mut findings);
    check_choices(path, &source, &mut findings);
    check_hash_tables(path, &source, &mut findings);
    check_unfinished(&source, &mut findings);
    check_names(path, &source, &mut findings);
    // A path that is imported and named in the same line is one finding.
    findings.found.sort();
    findings.found.dedup();
    findings.found
}

struct Findings<'a> {
    path: &'a str,
    found: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, line: usize, rule: Rule, what: impl Into<String>) {
        self.found.push(Finding { path: self.path.to_owned(), line, rule, what: what.into() });
    }
}

fn check_shape(text: &str, findings: &mut Findings<'_>) {
    if !text.starts_with("//!") {
        findings.add(1, Rule::Opening, "the file does not open with `//!`");
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        findings.add(LINES_MAX + 1, Rule::Length, format!("the file has {lines} lines"));
    }
}

/// Bans `patterns` wherever `applies` to the line, be they written out or imported in a group.
fn ban(
    source: &Source,
    patterns: &[&str],
    rule: Rule,
    applies: impl Fn(usize) -> bool,
    findings: &mut Findings<'_>,
) {
    for pattern in patterns {
        for (index, code) in source.code.iter().enumerate() {
            if applies(index + 1) && names(code, pattern) {
                findings.add(index + 1, rule, format!("`{pattern}`"));
            }
        }
        for (line, import) in &source.imports {
            let inside =
                import.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
            if applies(*line) && inside {
                findings.add(*line, rule, format!("`{pattern}`"));
            }
        }
    }
}

/// Whether the whole file is a test, an example or a benchmark: they run in the real world.
fn is_outside_the_product(path: &str) -> bool {
    let in_folder = ["/tests/", "/examples/", "/benches/"].iter().any(|folder| path.contains(folder));
    in_folder || path.ends_with("/tests.rs")
}

fn check_world(path: &str, source: &Source, findings: &mut Findings<'_>) {
    let may_name_the_world =
        is_outside_the_product(path) || REAL_WORLD_PLACES.iter().any(|place| path.starts_with(place));
    if (path.starts_with("crates/") || path.starts_with("sim/")) && !may_name_the_world {
        ban(source, &RUNTIME, Rule::OutsideWorld, |line| !source.is_test(line), findings);
    }
    if path.starts_with("crates/") && !may_name_the_world {
        ban(source, &REAL_WORLD, Rule::OutsideWorld, |line| !source.is_test(line), findings);
    }
    if !path.starts_with("sim/") {
        // `cfg(madsim)` would fork the product as well as the crate's name does.
        ban(source, &["madsim"], Rule::Simulator, |_| true, findings);
    }
}

fn check_choices(path: &str, source: &Source, findings: &mut Findings<'_>) {
    if (path.starts_with("crates/") || path.starts_with("sim/")) && !is_outside_the_product(path) {
        ban(source, &["tokio::sync::watch"], Rule::RandomChoice, |line| !source.is_test(line), findings);
    }
    for (index, code) in source.code.iter().enumerate() {
        for (at, found) in code.match_indices("select!") {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|character| character.is_alphanumeric() || character == '_') {
                continue;
            }
            let rest = code[at + found.len()..].to_owned() + "\n" + &source.code[index + 1..].join("\n");
            let body = rest.trim_start().trim_start_matches(['{', '(', '[']).trim_start();
            if !body.starts_with("biased") {
                findings.add(index + 1, Rule::RandomChoice, "`select!` without `biased`");
            }
        }
    }
}

fn check_hash_tables(path: &str, source: &Source, findings: &mut Findings<'_>) {
    if !path.starts_with("crates/") {
        return;
    }
    let excused = |line: usize| {
        let comment = |index: usize| {
            source.comments.get(index).is_some_and(|text| {
                text.split_once(HASH_ORDER_EXCUSE).is_some_and(|(_, reason)| !reason.trim().is_empty())
            })
        };
        comment(line - 1) || (line >= 2 && comment(line - 2))
    };
    ban(source, &HASH_TABLES, Rule::HashOrder, |line| !excused(line), findings);
    for (line, import) in &source.imports {
        let last = import.rsplit("::").next().unwrap_or(import);
        if HASH_TABLES.contains(&last) && !excused(*line) {
            findings.add(*line, Rule::HashOrder, format!("`{last}`"));
        }
    }
}

fn check_unfinished(source: &Source, findings: &mut Findings<'_>) {
    for (index, code) in source.code.iter().enumerate() {
        for found in UNFINISHED_MACROS.iter().filter(|found| is_at_word_start(code, found)) {
            findings.add(index + 1, Rule::Unfinished, format!("`{found}`"));
        }
    }
    for (index, comment) in source.comments.iter().enumerate() {
        for found in remarks(comment) {
            findings.add(index + 1, Rule::Unfinished, format!("`{found}`"));
        }
    }
}

/// The remarks of unfinished work in a line of text.
pub fn remarks(text: &str) -> impl Iterator<Item = &'static str> + '_ {
    UNFINISHED_REMARKS.into_iter().filter(|remark| names(text, remark))
}

fn is_at_word_start(code: &str, found: &str) -> bool {
    code.match_indices(found).any(|(at, _)| {
        !code[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

fn check_names(path: &str, source: &Source, findings: &mut Findings<'_>) {
    let in_path = path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
    for name in in_path.filter(|name| is_vague(name)) {
        findings.add(1, Rule::VagueName, format!("a file or folder called `{name}`"));
    }
    for (index, code) in source.code.iter().enumerate() {
        let mut words = code.split(|character: char| !(character.is_alphanumeric() || character == '_'));
        while let Some(word) = words.next() {
            if word == "mod"
                && let Some(name) = words.next().filter(|name| is_vague(name))
            {
                findings.add(index + 1, Rule::VagueName, format!("a module called `{name}`"));
            }
        }
    }
}

/// Whether a crate or module of this name could hold anything.
pub fn is_vague(name: &str) -> bool {
    VAGUE_NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lints `code` below an opening line; the lines that break `rule`.
    fn lines_that_break(rule: Rule, path: &str, code: &str) -> Vec<usize> {
        let findings = check(path, &format!("//! Opening.\n{code}"));
        findings.iter().filter(|finding| finding.rule == rule).map(|finding| finding.line).collect()
    }

    #[track_caller]
    fn check_broken(rule: Rule, path: &str, code: &str) {
        assert_eq!(lines_that_break(rule, path, code), [2], "{code} in {path}");
    }

    #[track_caller]
    fn check_kept(rule: Rule, path: &str, code: &str) {
        assert_eq!(lines_that_break(rule, path, code), [0; 0], "{code} in {path}");
    }

    const LIBRARY: &str = "crates/replica/src/replica.rs";

    #[test]
    fn the_real_world_is_named_only_where_it_may_be() {
        let named = RUNTIME.iter().chain(&REAL_WORLD);
        for pattern in named {
            check_broken(Rule::OutsideWorld, LIBRARY, &format!("let x = {pattern}();"));
            for place in REAL_WORLD_PLACES {
                check_kept(Rule::OutsideWorld, &format!("{place}/x.rs"), pattern);
            }
            check_kept(Rule::OutsideWorld, "crates/replica/tests/end_to_end.rs", pattern);
            check_kept(Rule::OutsideWorld, "crates/http/examples/cost_per_request.rs", pattern);
        }
        check_broken(Rule::OutsideWorld, LIBRARY, "use tokio::{io::AsyncRead, time};");
        check_broken(Rule::OutsideWorld, LIBRARY, "use tokio::{io::AsyncRead, net::{TcpStream}};");
        check_kept(Rule::OutsideWorld, LIBRARY, "use tokio::{io::AsyncRead, sync::mpsc};");
        check_kept(Rule::OutsideWorld, LIBRARY, "// It may not name tokio::time.");
        check_kept(Rule::OutsideWorld, LIBRARY, "#[cfg(test)]\nmod tests {\n    use tokio::time;\n}");
    }

    #[test]
    fn the_simulator_has_threads_but_no_tokio_runtime() {
        check_broken(Rule::OutsideWorld, "sim/src/network.rs", "tokio::spawn(f)");
        check_kept(Rule::OutsideWorld, "sim/src/main.rs", "std::thread::spawn(f)");
    }

    #[test]
    fn only_the_simulator_names_madsim() {
        check_broken(Rule::Simulator, LIBRARY, "use madsim::time;");
        check_broken(Rule::Simulator, LIBRARY, "#[cfg(madsim)]");
        check_kept(Rule::Simulator, "sim/src/main.rs", "use madsim::time;");
    }

    #[test]
    fn a_hash_table_needs_an_excuse() {
        check_broken(Rule::HashOrder, LIBRARY, "let x: HashMap<u8, u8>;");
        check_broken(Rule::HashOrder, LIBRARY, "use std::collections::{BTreeMap, HashSet};");
        check_broken(Rule::HashOrder, LIBRARY, "let x: HashMap<u8, u8>; // order is never observed: ");
        check_kept(
            Rule::HashOrder,
            LIBRARY,
            "let x: HashMap<u8, u8>; // order is never observed: only looked up",
        );
        check_kept(
            Rule::HashOrder,
            LIBRARY,
            "// order is never observed: only looked up\nlet x: HashMap<u8, u8>;",
        );
        check_kept(Rule::HashOrder, "xtask/src/main.rs", "let x: HashMap<u8, u8>;");
    }

    #[test]
    fn a_choice_is_biased() {
        check_broken(Rule::RandomChoice, LIBRARY, "tokio::select! { a = b => c }");
        check_broken(Rule::RandomChoice, LIBRARY, "select! {\n    a = b => c\n}");
        check_kept(Rule::RandomChoice, LIBRARY, "tokio::select! {\n    biased;\n    a = b => c\n}");
        check_kept(Rule::RandomChoice, LIBRARY, "futures::select_biased! { a = b => c }");
        check_broken(Rule::RandomChoice, LIBRARY, "use tokio::sync::watch;");
        check_broken(Rule::RandomChoice, LIBRARY, "use tokio::sync::{mpsc, watch};");
        check_broken(Rule::RandomChoice, LIBRARY, "let x = tokio::sync::watch::channel(0);");
        check_kept(Rule::RandomChoice, LIBRARY, "use crate::watch::channel;");
        check_kept(Rule::RandomChoice, "crates/replica/tests/end_to_end.rs", "use tokio::sync::watch;");
    }

    #[test]
    fn a_file_opens_with_what_it_is_for_and_is_not_too_long() {
        let finding = &check(LIBRARY, "use a;\n//! Late.\n")[0];
        assert_eq!((finding.line, finding.rule), (1, Rule::Opening));
        let long = format!("//! Opening.\n{}", "\n".repeat(LINES_MAX));
        let finding = &check(LIBRARY, &long)[0];
        assert_eq!((finding.line, finding.rule), (LINES_MAX + 1, Rule::Length));
        assert!(check(LIBRARY, &long[..long.len() - 1]).is_empty());
    }

    #[test]
    fn unfinished_work_is_refused_and_words_in_strings_are_not() {
        for code in [
            "todo!()",
            "unimplemented!()",
            "dbg!(x);",
            "#[ignore]",
            "#[ignore = \"slow\"]",
            "// TODO: x",
            "/* FIXME */",
        ] {
            check_broken(Rule::Unfinished, LIBRARY, code);
        }
        check_kept(Rule::Unfinished, LIBRARY, "let x = \"TODO\"; // Mastodon's TODOS");
    }

    #[test]
    fn a_module_has_a_name_that_says_something() {
        for name in VAGUE_NAMES {
            check_broken(Rule::VagueName, LIBRARY, &format!("pub mod {name};"));
            assert_eq!(lines_that_break(Rule::VagueName, &format!("crates/kv/src/{name}.rs"), ""), [1]);
            assert_eq!(lines_that_break(Rule::VagueName, &format!("crates/kv/src/{name}/x.rs"), ""), [1]);
        }
        check_kept(Rule::VagueName, LIBRARY, "mod raft_types; // a mod core in a comment");
    }
}
