//! The simulator's program: built once, copied, and run once per simulation.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::cargo::{SIMULATION_PROFILE, cargo_for_simulation, run, simulation_target};
use crate::error::Error;
use crate::process::{tail, wait_within};
use crate::sim::contract::{Outcome, interpret};
use crate::workspace::Workspace;

/// How much of a broken simulator's standard error is shown.
const STDERR_TAIL_BYTES: u64 = 4_096;
/// Scratch data goes to memory only if this much is free there; small containers have 64 MiB.
const MEMORY_FREE_BYTES_MIN: u64 = 1 << 30;
/// How long a simulator has after it closed its output and before it counts as hanging.
const EXIT_LIMIT: Duration = Duration::from_secs(10);

/// The simulator's program on this machine.
#[derive(Debug)]
pub struct Simulator {
    program: PathBuf,
    /// Arguments before all others. Tests run a script through its interpreter.
    leading: Vec<OsString>,
    /// Where each process gets its scratch folder.
    scratch: PathBuf,
    /// Keeps the copy of the program until we end.
    _copy: Option<TempDir>,
}

/// A bug that can be put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownMutant {
    /// Its name.
    pub name: String,
    /// The properties that it violates. A conviction of anything else says that the harness is wrong.
    pub properties: Vec<String>,
}

/// One simulation to run.
#[derive(Clone, Debug)]
pub struct Job {
    /// What determines the run.
    pub origin: Origin,
    /// The bug to put back.
    pub mutant: Option<String>,
    /// Where the trace goes.
    pub trace: Trace,
    /// The folder for plan and history if the run fails.
    pub output: Option<PathBuf>,
}

/// What determines a run.
#[derive(Clone, Debug)]
pub enum Origin {
    /// The plan derived from a seed.
    Seed(u64),
    /// A plan in a file.
    Plan(PathBuf),
}

/// Where a trace goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Nowhere.
    Off,
    /// To a file.
    File(PathBuf),
    /// To our standard output, as it comes.
    Shown,
}

impl Simulator {
    /// Builds the simulator and copies it, so that no later cargo command changes it under us.
    pub fn build(workspace: &Workspace) -> Result<Simulator, Error> {
        run(cargo_for_simulation(workspace).args([
            "build",
            "--quiet",
            "--package",
            "quorate-sim",
            "--bin",
            "quorate-sim",
            "--profile",
            SIMULATION_PROFILE,
        ]))?;
        let target = simulation_target(workspace);
        let built = target.join(SIMULATION_PROFILE).join("quorate-sim");
        let copy = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(&target)
            .map_err(Error::file("making a folder in", &target))?;
        let program = copy.path().join("quorate-sim");
        std::fs::copy(&built, &program).map_err(Error::file("copying", &built))?;
        Ok(Simulator { program, leading: Vec::new(), scratch: scratch_folder(), _copy: Some(copy) })
    }

    /// A simulator that somebody else has built.
    pub fn at(program: PathBuf) -> Simulator {
        Simulator { program, leading: Vec::new(), scratch: scratch_folder(), _copy: None }
    }

    /// A shell script that stands in for the simulator.
    #[cfg(test)]
    pub fn script(path: &Path) -> Simulator {
        // Through the interpreter: a script that was just written may still be open for writing in a
        // process that another test is about to start, and then cannot be executed itself.
        Simulator {
            program: "/bin/sh".into(),
            leading: vec![path.into()],
            scratch: std::env::temp_dir(),
            _copy: None,
        }
    }

    /// The bugs that can be put back.
    pub fn mutants(&self) -> Result<Vec<KnownMutant>, Error> {
        let output = self
            .command()
            .arg("--list-mutants")
            .output()
            .map_err(|source| Error::Start { program: self.program.display().to_string(), source })?;
        if !output.status.success() {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            return Err(Error::Failed {
                program: "quorate-sim --list-mutants".to_owned(),
                status: output.status,
            });
        }
        let lines = String::from_utf8_lossy(&output.stdout);
        Ok(lines.lines().filter(|line| !line.trim().is_empty()).map(known_mutant).collect())
    }

    /// Runs one simulation to its end, or kills it when `limit` has passed.
    pub fn simulate(&self, job: &Job, limit: Duration) -> Result<Outcome, Error> {
        let folder = tempfile::Builder::new()
            .prefix("quorate-sim-")
            .tempdir_in(&self.scratch)
            .map_err(Error::file("making a folder in", &self.scratch))?;
        let stderr_path = folder.path().join("stderr.txt");
        let scratch = folder.path().join("scratch");
        std::fs::create_dir(&scratch).map_err(Error::file("making", &scratch))?;
        let stderr = File::create(&stderr_path).map_err(Error::file("making", &stderr_path))?;

        let mut command = self.command();
        add_arguments(&mut command, job);
        command.env("TMPDIR", &scratch).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let started = command.spawn();
        let mut child =
            started.map_err(|source| Error::Start { program: self.program.display().to_string(), source })?;
        let stdout = child.stdout.take().expect("standard output was asked for as a pipe");
        let shown = job.trace == Trace::Shown;

        let process_error = |action| {
            let process = describe(&job.origin);
            move |source| Error::Process { action, process, source }
        };
        // A thread reads so that a full pipe cannot hold the simulator up while we watch its time.
        std::thread::scope(|scope| {
            let (send, receive) = std::sync::mpsc::channel();
            scope.spawn(move || {
                // Nobody listens any more once the time limit has passed, and nobody needs to.
                let _ = send.send(read_to_last_line(stdout, shown));
            });
            let last_line = match receive.recv_timeout(limit) {
                Ok(last_line) => Some(last_line.map_err(process_error("reading from"))?),
                Err(_) => None,
            };
            let status = match &last_line {
                Some(_) => wait_within(&mut child, EXIT_LIMIT).map_err(process_error("waiting for"))?,
                None => None,
            };
            let Some(status) = status else {
                child.kill().map_err(process_error("killing"))?;
                child.wait().map_err(process_error("waiting for"))?;
                let what =
                    format!("the simulator had not ended after {} s of wall clock time", limit.as_secs());
                return Ok(Outcome::Broken { what, stderr_tail: tail(&stderr_path, STDERR_TAIL_BYTES)? });
            };
            let stderr_tail = tail(&stderr_path, STDERR_TAIL_BYTES)?;
            if shown {
                eprint!("{stderr_tail}");
            }
            Ok(interpret(status.code(), last_line.flatten().as_deref(), &status.to_string(), stderr_tail))
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.leading);
        if std::env::var_os("RUST_BACKTRACE").is_none() {
            command.env("RUST_BACKTRACE", "1");
        }
        command
    }
}

fn known_mutant(line: &str) -> KnownMutant {
    let mut words = line.split('\t').map(str::trim).map(str::to_owned);
    let name = words.next().expect("splitting gives at least one part");
    KnownMutant { name, properties: words.collect() }
}

fn add_arguments(command: &mut Command, job: &Job) {
    match &job.origin {
        Origin::Seed(seed) => command.arg("--seed").arg(seed.to_string()),
        Origin::Plan(path) => command.arg("--plan").arg(path),
    };
    if let Some(mutant) = &job.mutant {
        command.arg("--mutant").arg(mutant);
    }
    match &job.trace {
        Trace::Off => {}
        Trace::File(path) => {
            command.arg("--trace").arg(path);
        }
        Trace::Shown => {
            command.args(["--trace", "-"]);
        }
    }
    if let Some(output) = &job.output {
        command.arg("--output").arg(output);
    }
}

fn describe(origin: &Origin) -> String {
    match origin {
        Origin::Seed(seed) => format!("the simulator of seed {seed}"),
        Origin::Plan(path) => format!("the simulator of {}", path.display()),
    }
}

/// Reads to the end and gives the last line; shows the lines before it if asked.
fn read_to_last_line(stdout: ChildStdout, shown: bool) -> std::io::Result<Option<String>> {
    let mut last: Option<String> = None;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if let Some(previous) = last.replace(line)
            && shown
        {
            writeln!(std::io::stdout().lock(), "{previous}")?;
        }
    }
    Ok(last)
}

/// Memory where there is room for it, else the ordinary place for temporary files.
fn scratch_folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = rustix::fs::statvfs(memory).map(|system| system.f_bavail.saturating_mul(system.f_frsize));
    match free {
        Ok(free) if free >= MEMORY_FREE_BYTES_MIN => memory.to_owned(),
        _ => std::env::temp_dir(),
    }
}
