//! Telling a person about a seed that failed, so that they can go after it.

use std::fmt::Write as _;
use std::path::Path;

use crate::error::Error;
use crate::sim::contract::Outcome;
use crate::sim::simulator::{Job, Origin};

/// What one types to see `job` again with its trace.
pub fn replay_command(job: &Job) -> String {
    let mut command = "cargo xtask sim".to_owned();
    match &job.origin {
        Origin::Seed(seed) => write!(command, " --seed {seed}"),
        Origin::Plan(path) => write!(command, " --plan {}", path.display()),
    }
    .expect("writing to a string does not fail");
    if let Some(mutant) = &job.mutant {
        command.push_str(" --mutant ");
        command.push_str(mutant);
    }
    command.push_str(" --trace");
    command
}

/// Completes the failure's folder: the report, or what is left of a broken harness.
///
/// The simulator has written plan and history itself, if it came that far.
pub fn record(job: &Job, outcome: &Outcome) -> Result<(), Error> {
    let Some(folder) = &job.output else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(Error::file("making", folder))?;
    let (name, text) = match outcome {
        Outcome::Passed(report) | Outcome::Violated(report) => {
            let text = serde_json::to_string_pretty(report).map_err(Error::malformed("the report"))?;
            ("report.json", text)
        }
        Outcome::Broken { what, stderr_tail } => ("harness.txt", format!("{what}\n\n{stderr_tail}")),
    };
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(Error::file("writing", &path))
}

/// The failure in words. `folder` is where plan and history are, as one would type it.
pub fn describe(job: &Job, outcome: &Outcome, folder: Option<&Path>) -> String {
    let subject = match &job.origin {
        Origin::Seed(seed) => format!("seed {seed}"),
        Origin::Plan(path) => format!("plan {}", path.display()),
    };
    let mut text = match outcome {
        Outcome::Passed(_) => format!("{subject} passed"),
        Outcome::Violated(report) => format!(
            "{subject} FAILED: {}\n  evidence: {}",
            report.property.as_deref().unwrap_or("(the report names no property)"),
            indent(report.evidence.as_deref().unwrap_or("(the report gives none)")),
        ),
        Outcome::Broken { what, stderr_tail } => {
            format!("{subject}: THE HARNESS BROKE: {what}\n  stderr:   {}", indent(stderr_tail.trim_end()))
        }
    };
    write!(text, "\n  replay:   {}", replay_command(job)).expect("writing to a string does not fail");
    if let Some(folder) = folder {
        write!(text, "\n  written:  {}/", folder.display()).expect("writing to a string does not fail");
        for name in file_names(folder) {
            write!(text, " {name}").expect("writing to a string does not fail");
        }
    }
    text
}

fn indent(text: &str) -> String {
    text.replace('\n', "\n            ")
}

/// The files in a folder that may not exist.
fn file_names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
