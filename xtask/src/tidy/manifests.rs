//! Lints on `Cargo.toml`: the import table, versions, what every crate has in common.

use toml::{Table, Value};

use crate::tidy::bans::is_vague;
use crate::tidy::finding::{Finding, Rule};
use crate::tidy::imports::{RUNTIME_FEATURES, place, reaches};

/// Crates of which only one exact version is right.
const PINNED: [&str; 2] = ["openraft", "madsim"];

/// A dependency as a manifest states it.
struct Dependency<'a> {
    /// The name of the package, whatever it is called here.
    package: &'a str,
    /// The name in the manifest, to find its line.
    key: &'a str,
    value: &'a Value,
    /// Whether only tests use it.
    of_tests: bool,
    /// The condition of the target, if it is one of some targets only.
    condition: Option<&'a str>,
}

struct Manifest<'a> {
    path: &'a str,
    text: &'a str,
    found: Vec<Finding>,
}

impl Manifest<'_> {
    fn add(&mut self, key: &str, rule: Rule, what: impl Into<String>) {
        let names_key = |line: &str| {
            let line = line.trim_start().trim_start_matches('[').trim_start_matches('"');
            line.strip_prefix(key).is_some_and(|rest| {
                !rest.starts_with(|next: char| next.is_alphanumeric() || next == '-' || next == '_')
            })
        };
        let line = self.text.lines().position(names_key).map_or(1, |index| index + 1);
        self.found.push(Finding { path: self.path.to_owned(), line, rule, what: what.into() });
    }
}

/// Lints one manifest. `path` is from the root of the repository.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut manifest = Manifest { path, text, found: Vec::new() };
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(reason) => {
            manifest.add("[", Rule::Manifest, format!("not a manifest: {reason}"));
            return manifest.found;
        }
    };
    if path == "Cargo.toml" {
        check_workspace(&table, &mut manifest);
    } else {
        check_package(&table, &mut manifest);
    }
    manifest.found
}

fn check_workspace(table: &Table, manifest: &mut Manifest<'_>) {
    let dependencies = table.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    for (name, value) in dependencies.and_then(Value::as_table).into_iter().flatten() {
        let version = value.as_str().or_else(|| value.get("version").and_then(Value::as_str));
        let pinned = PINNED.iter().any(|pinned| name.starts_with(pinned));
        if pinned && !version.is_some_and(|version| version.starts_with('=')) {
            manifest.add(name, Rule::Pin, format!("`{name}` may change its version"));
        }
    }
}

fn check_package(table: &Table, manifest: &mut Manifest<'_>) {
    let package = table.get("package");
    let name = package.and_then(|package| package.get("name")).and_then(Value::as_str).unwrap_or_default();
    let inherits = |value: Option<&Value>| {
        value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
    };
    if !inherits(package.and_then(|package| package.get("license"))) {
        manifest.add("license", Rule::Manifest, "`license.workspace = true` is missing");
    }
    if !inherits(table.get("lints")) {
        manifest.add("lints", Rule::Manifest, "`[lints] workspace = true` is missing");
    }
    check_name(name, manifest);
    if place(name).is_none() {
        manifest.add("name", Rule::ImportTable, format!("`{name}` has no place in the import table"));
        return;
    }
    for dependency in dependencies(table) {
        check_dependency(name, &dependency, manifest);
    }
}

fn check_name(name: &str, manifest: &mut Manifest<'_>) {
    let folder = manifest.path.trim_end_matches("/Cargo.toml");
    let folder = folder.rsplit('/').next().unwrap_or(folder);
    if name != folder && name != format!("quorate-{folder}") {
        manifest.add("name", Rule::CrateName, format!("`{name}` lies in a folder called `{folder}`"));
    }
    if is_vague(folder) || is_vague(name) {
        manifest.add("name", Rule::VagueName, format!("a crate called `{name}`"));
    }
}

fn check_dependency(name: &str, dependency: &Dependency<'_>, manifest: &mut Manifest<'_>) {
    let place = place(name).expect("the caller has looked it up");
    let Dependency { package, key, value, of_tests, condition } = *dependency;
    // A crate may turn on features of its own for its tests, and then names itself by its path.
    let is_own = of_tests && package == name;
    if value.get("workspace").and_then(Value::as_bool) != Some(true) && !is_own {
        manifest.add(key, Rule::WorkspaceVersion, format!("`{package}` does not come from the workspace"));
    }
    let is_simulated_world = condition.is_some_and(|condition| condition.contains("madsim"));
    if package.starts_with("madsim") && !(name == "quorate-sim" && is_simulated_world) {
        manifest.add(key, Rule::Simulator, format!("`{name}` imports `{package}`"));
    }
    if super::imports::place(package).is_some() {
        let allowed = if of_tests {
            // Its own crate with other features, or what it could reach anyhow; the environment is what
            // every test of something asynchronous runs in.
            is_own || package == "quorate-environment" || reaches(name, package)
        } else {
            place.ours.contains(&package)
        };
        if !allowed {
            manifest.add(key, Rule::ImportTable, format!("`{name}` imports `{package}`"));
        }
    }
    if !of_tests && place.not.contains(&package) {
        manifest.add(key, Rule::ForeignImport, format!("`{name}` imports `{package}`"));
    }
    if !of_tests && !place.runtime && package == "tokio" {
        let features = value.get("features").and_then(Value::as_array).into_iter().flatten();
        for feature in features.filter_map(Value::as_str).filter(|feature| RUNTIME_FEATURES.contains(feature))
        {
            manifest.add(key, Rule::OutsideWorld, format!("`{name}` imports tokio with `{feature}`"));
        }
    }
}

/// Every dependency that a manifest states, those of some targets and of tests included.
fn dependencies(table: &Table) -> Vec<Dependency<'_>> {
    let mut found = dependencies_below(table, None);
    for (condition, below) in table.get("target").and_then(Value::as_table).into_iter().flatten() {
        if let Some(below) = below.as_table() {
            found.extend(dependencies_below(below, Some(condition)));
        }
    }
    found
}

fn dependencies_below<'a>(table: &'a Table, condition: Option<&'a str>) -> Vec<Dependency<'a>> {
    let sections = [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)];
    let mut found = Vec::new();
    for (section, of_tests) in sections {
        for (key, value) in table.get(section).and_then(Value::as_table).into_iter().flatten() {
            let package = value.get("package").and_then(Value::as_str).unwrap_or(key);
            found.push(Dependency { package, key, value, of_tests, condition });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON: &str = "license.workspace = true\n[lints]\nworkspace = true\n";

    /// Lints the manifest of the crate in `folder` with these dependencies; the rules that it breaks.
    fn rules_broken(folder: &str, dependencies: &str) -> Vec<Rule> {
        let name = folder.rsplit('/').next().expect("a folder");
        let name =
            if matches!(name, "quorate" | "xtask") { name.to_owned() } else { format!("quorate-{name}") };
        let text = format!("[package]\nname = \"{name}\"\n{COMMON}{dependencies}");
        check(&format!("{folder}/Cargo.toml"), &text).into_iter().map(|finding| finding.rule).collect()
    }

    #[track_caller]
    fn check_imports(folder: &str, section: &str, package: &str, expected: &[Rule]) {
        let dependencies = format!("[{section}]\n{package} = {{ workspace = true }}\n");
        assert_eq!(rules_broken(folder, &dependencies), expected, "{folder} [{section}] {package}");
    }

    #[test]
    fn imports_among_ours_follow_the_table() {
        check_imports("crates/storage", "dependencies", "quorate-kv", &[]);
        check_imports("crates/storage", "dependencies", "quorate-peer", &[Rule::ImportTable]);
        check_imports("crates/kv", "dependencies", "quorate-environment", &[Rule::ImportTable]);
        check_imports(
            "crates/kv",
            "target.'cfg(unix)'.dependencies",
            "quorate-environment",
            &[Rule::ImportTable],
        );
        check_imports("crates/quorate", "dependencies", "quorate-jepsen", &[Rule::ImportTable]);
        check_imports("sim", "dependencies", "quorate-jepsen", &[]);
        check_imports("crates/nowhere", "dependencies", "bytes", &[Rule::ImportTable]);
    }

    #[test]
    fn tests_reach_everything_below_them() {
        check_imports("crates/http", "dev-dependencies", "quorate-storage", &[]);
        check_imports("crates/kv", "dev-dependencies", "quorate-environment", &[]);
        check_imports("crates/kv", "dev-dependencies", "quorate-kv", &[]);
        let own = "[dev-dependencies]\nquorate-kv = { path = \".\", features = [\"testing\"] }\n";
        assert_eq!(rules_broken("crates/kv", own), []);
        check_imports("crates/storage", "dev-dependencies", "quorate-http", &[Rule::ImportTable]);
    }

    #[test]
    fn a_renamed_import_is_the_same_import() {
        let renamed = "[dependencies]\nfriend = { workspace = true, package = \"quorate-http\" }\n";
        assert_eq!(rules_broken("crates/kv", renamed), [Rule::ImportTable]);
    }

    #[test]
    fn foreign_crates_stay_out_of_layers_that_must_not_know_them() {
        for (folder, package) in [
            ("crates/kv", "tokio"),
            ("crates/kv", "openraft"),
            ("crates/kv", "heed"),
            ("crates/kv", "rand"),
            ("crates/storage", "axum"),
            ("crates/storage", "hyper"),
            ("crates/peer", "heed"),
            ("crates/peer", "axum"),
            ("crates/http", "heed"),
            ("crates/http", "openraft"),
        ] {
            check_imports(folder, "dependencies", package, &[Rule::ForeignImport]);
            check_imports(folder, "dev-dependencies", package, &[]);
        }
    }

    #[test]
    fn only_some_crates_have_tokios_runtime() {
        let tokio = "[dependencies]\ntokio = { workspace = true, features = [\"sync\", \"net\"] }\n";
        assert_eq!(rules_broken("crates/peer", tokio), [Rule::OutsideWorld]);
        assert_eq!(rules_broken("sim", tokio), [Rule::OutsideWorld]);
        assert_eq!(rules_broken("crates/client", tokio), [Rule::OutsideWorld]);
        assert_eq!(rules_broken("crates/quorate", tokio), []);
    }

    #[test]
    fn madsim_is_imported_by_the_simulator_under_its_condition() {
        check_imports("sim", "target.'cfg(madsim)'.dependencies", "madsim", &[]);
        check_imports("sim", "dependencies", "madsim", &[Rule::Simulator]);
        check_imports("crates/peer", "target.'cfg(madsim)'.dependencies", "madsim", &[Rule::Simulator]);
    }

    #[test]
    fn versions_licence_and_lints_come_from_the_workspace() {
        assert_eq!(rules_broken("crates/kv", "[dependencies]\nbytes = \"1\"\n"), [Rule::WorkspaceVersion]);
        let bare = check("crates/kv/Cargo.toml", "[package]\nname = \"quorate-kv\"\nlicense = \"MIT\"\n");
        assert_eq!(bare.iter().map(|finding| finding.rule).collect::<Vec<_>>(), [Rule::Manifest; 2]);
        assert_eq!(bare[0].line, 3);
    }

    #[test]
    fn a_crate_is_named_as_its_folder() {
        let text = format!("[package]\nname = \"quorate-kv\"\n{COMMON}");
        assert_eq!(check("crates/state/Cargo.toml", &text)[0].rule, Rule::CrateName);
        assert!(rules_broken("crates/util", "").contains(&Rule::VagueName));
    }

    #[test]
    fn what_must_not_move_is_pinned() {
        let text = "[workspace.dependencies]\nbytes = \"1\"\nmadsim = \"=0.2.34\"\nopenraft-rt = { version = \"0.10\" }\n";
        let findings = check("Cargo.toml", text);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].line, findings[0].rule), (4, Rule::Pin));
    }
}
