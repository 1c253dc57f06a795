//! The simulator's command line.
//!
//! ```text
//! quorate-sim --seed S [--mutant NAME] [--trace FILE|-] [--output DIR]
//! quorate-sim --plan FILE [--mutant NAME] [--trace FILE|-] [--output DIR]
//! quorate-sim --seed S --log FILTER
//! quorate-sim --show-plan S
//! quorate-sim --list-mutants
//! ```
//!
//! `--log` writes what the nodes log to standard error, with the virtual time: `openraft=debug`, say.
//!
//! One process runs one simulation. Standard output ends with the report, a line of JSON. The exit code
//! is 0 if every property held, 1 if not, 2 if there was nothing to run, and 3 if nothing wrong was seen
//! but not everything was looked at.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use quorate_jepsen::jsonl::write_jsonl;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::mutants::{self, Mutant};
use crate::panics;
use crate::plan::{self, Plan};
use crate::recorder::Recorder;
use crate::recorder::trace::TraceSink;
use crate::report::{Report, Verdict, resident_kib_max};
use crate::run::run;

/// What the command line asks for.
#[derive(Debug, Default)]
struct Arguments {
    seed: Option<u64>,
    plan: Option<PathBuf>,
    show_plan: Option<u64>,
    mutant: Option<Mutant>,
    trace: Option<PathBuf>,
    log: Option<String>,
    output: Option<PathBuf>,
    list_mutants: bool,
}

/// Runs the program.
pub fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(execute) {
        Ok(verdict) => ExitCode::from(verdict.exit_code()),
        Err(message) => {
            // Nothing can be done if standard error is closed.
            let _ = writeln!(io::stderr(), "error: {message}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("'{text}' is not a seed"));
        match word.as_str() {
            "--seed" => arguments.seed = Some(number(value()?)?),
            "--plan" => arguments.plan = Some(value()?.into()),
            "--show-plan" => arguments.show_plan = Some(number(value()?)?),
            "--mutant" => {
                let name = value()?;
                let mutant = Mutant::from_name(&name);
                arguments.mutant = Some(mutant.ok_or_else(|| format!("there is no mutant '{name}'"))?);
            }
            "--trace" => arguments.trace = Some(value()?.into()),
            "--log" => arguments.log = Some(value()?),
            "--output" => arguments.output = Some(value()?.into()),
            "--list-mutants" => arguments.list_mutants = true,
            _ => return Err(format!("'{word}' is not an option of quorate-sim")),
        }
    }
    Ok(arguments)
}

/// Does what is asked; what it came to.
fn execute(arguments: Arguments) -> Result<Verdict, String> {
    if arguments.list_mutants {
        return print(&list_of_mutants()).map(|()| Verdict::Passed);
    }
    if let Some(seed) = arguments.show_plan {
        return print(&plan::derive(seed).to_json()).map(|()| Verdict::Passed);
    }
    let plan = match (arguments.seed, &arguments.plan) {
        (Some(seed), None) => plan::derive(seed),
        (None, Some(path)) => read_plan(path)?,
        _ => return Err("give either --seed or --plan".to_owned()),
    };
    if let Some(filter) = &arguments.log {
        start_logging(filter)?;
    }
    panics::remember();
    mutants::activate(arguments.mutant);
    let scratch = tempfile::Builder::new()
        .prefix("quorate-sim-")
        .tempdir()
        .map_err(|error| format!("cannot make a scratch folder: {error}"))?;
    let recorder =
        Arc::new(Recorder::new(trace_sink(arguments.trace.as_deref())?, plan.clocks.drift_ppm_max));
    let checked = run(&plan, scratch.path(), &recorder);
    recorder.finish_trace().map_err(|error| format!("cannot write the trace: {error}"))?;
    let report = Report::new(plan.seed, recorder.summary(), checked, resident_kib_max());
    if let (true, Some(folder)) = (report.verdict() != Verdict::Passed, &arguments.output) {
        keep(folder, &plan, &recorder)
            .map_err(|error| format!("cannot write to {}: {error}", folder.display()))?;
    }
    print(&format!("{}\n", report.to_json()))?;
    Ok(report.verdict())
}

/// A line for each mutant: its name and the properties that it may be convicted of, with tabs between.
fn list_of_mutants() -> String {
    let line = |mutant: Mutant| [&[mutant.name()], mutants::properties(mutant)].concat().join("\t") + "\n";
    Mutant::all().map(line).collect()
}

/// Shows what nodes log. Off by default: formatting costs several times what the simulation does.
fn start_logging(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::builder().parse(filter).map_err(|error| format!("'{filter}': {error}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(VirtualTime)
        .with_ansi(false)
        .with_writer(io::stderr)
        .init();
    Ok(())
}

/// Stamps log lines as the trace is.
struct VirtualTime;

impl FormatTime for VirtualTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        match madsim::time::TimeHandle::try_current() {
            Some(time) => write!(writer, "{:>11.6}", time.elapsed().as_secs_f64()),
            None => write!(writer, "{:>11}", "-"),
        }
    }
}

fn print(text: &str) -> Result<(), String> {
    let mut output = io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(|error| format!("cannot write to standard output: {error}"))
}

fn read_plan(path: &Path) -> Result<Plan, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Plan::from_json(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn trace_sink(target: Option<&Path>) -> Result<Option<TraceSink>, String> {
    match target {
        None => Ok(None),
        Some(path) if path == Path::new("-") => Ok(Some(Box::new(BufWriter::new(io::stdout())))),
        Some(path) => {
            let file =
                File::create(path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
            Ok(Some(Box::new(BufWriter::new(file))))
        }
    }
}

/// Writes what is needed to go after a failure.
fn keep(folder: &Path, plan: &Plan, recorder: &Recorder) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("plan.json"), plan.to_json())?;
    let mut history = BufWriter::new(File::create(folder.join("history.jsonl"))?);
    write_jsonl(&recorder.history(), &mut history)?;
    history.flush()
}
