//! `cargo xtask jepsen stop`: a run that is told to stop leaves nothing behind.
//!
//! A run is started as a user would start it. As soon as its cluster serves, it gets a signal, and then everything that
//! it had made has to be gone: processes, whatever namespaces they are in, loop devices with the file systems on them,
//! and what nodes have stored.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::runner::build_runner;
use crate::cargo::{cargo, run as run_command};
use crate::error::Error;
use crate::process::{send_signal, wait_within};
use crate::workspace::Workspace;

/// What the runner ends with when it is told to stop.
const STOPPED: i32 = 4;
/// What it says when its cluster serves.
const SERVES: &str = " serve after ";
/// What it says when it has no namespaces of its own.
const SHARED: &str = "left out: nodes share one machine";
/// How long a run may take to end.
const END_LIMIT: Duration = Duration::from_secs(30);
/// How long the system may take to take down what its end has left without an owner.
const GONE_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);

/// The signals, the last one of which nobody can heed.
const SIGNALS: [(&str, Signal); 4] =
    [("SIGINT", Signal::INT), ("SIGTERM", Signal::TERM), ("SIGHUP", Signal::HUP), ("SIGKILL", Signal::KILL)];

/// Builds what is needed, and tries all signals.
pub fn build_and_check(workspace: &Workspace) -> Result<(), Error> {
    build_runner(workspace)?;
    run_command(cargo(workspace).args(["build", "--quiet", "--package", "quorate"]))?;
    check(workspace)
}

/// Tries all signals, on the programs that were built before.
pub fn check(workspace: &Workspace) -> Result<(), Error> {
    for (name, signal) in SIGNALS {
        let mut run = Run::start(workspace)?;
        let serves_after = run.began.elapsed();
        if signal == Signal::KILL && !run.is_isolated {
            println!("{name}: not tried: without namespaces nobody cleans up after it");
            run.end(Signal::TERM)?;
            continue;
        }
        let told = Instant::now();
        let ended = run.end(signal)?;
        let as_it_should =
            if signal == Signal::KILL { ended.signal() == Some(9) } else { ended.code() == Some(STOPPED) };
        if !as_it_should {
            return Err(Error::ChecksFailed(format!("after {name} the run ended with {ended}")));
        }
        run.await_nothing_left(name)?;
        println!(
            "{name}: served after {:.1} s, ended with {ended}, nothing left {:.1} s after it",
            serves_after.as_secs_f64(),
            told.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// A run whose cluster serves.
struct Run {
    process: Child,
    /// What it says. Kept open: it may have more to say.
    said: Lines<BufReader<ChildStdout>>,
    began: Instant,
    output: PathBuf,
    is_isolated: bool,
    /// What it consists of: numbers of processes, and when they started. A number may be given away again.
    processes: BTreeSet<(u32, String)>,
    /// The namespaces that its processes are in, and we are not.
    namespaces: BTreeSet<PathBuf>,
}

/// A process of this machine.
#[derive(Debug)]
struct Process {
    number: u32,
    parent: u32,
    /// When it started, by the system's count.
    started: String,
}

impl Run {
    fn start(workspace: &Workspace) -> Result<Self, Error> {
        let output = workspace.target.join("jepsen-stop");
        let this_program =
            std::env::current_exe().map_err(Error::file("finding", Path::new("this program")))?;
        // What the shell that started us lets us ignore is not to be ignored here.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT,TERM,HUP").arg(this_program);
        command.args(["jepsen", "run", "--nodes", "3", "--seconds", "600", "--program"]);
        command.arg(workspace.target.join("debug/quorate")).arg("--output").arg(&output);
        command.current_dir(&workspace.root).stdin(Stdio::null()).stdout(Stdio::piped());
        let starting = |source| Error::Start { program: "a run".to_owned(), source };
        let began = Instant::now();
        let mut process = command.spawn().map_err(starting)?;
        let said = process.stdout.take().expect("its output is piped");
        let mut run = Self {
            process,
            said: BufReader::new(said).lines(),
            began,
            output,
            is_isolated: true,
            processes: BTreeSet::new(),
            namespaces: BTreeSet::new(),
        };
        let mut lines = String::new();
        while let Some(line) = run.said.next() {
            let line = line.map_err(Error::file("reading", Path::new("what a run says")))?;
            run.is_isolated &= !line.starts_with(SHARED);
            if line.contains(SERVES) {
                run.look_around()?;
                return Ok(run);
            }
            lines.push_str(&format!("\n{line}"));
        }
        Err(Error::ChecksFailed(format!("a run ended before its cluster served:{lines}")))
    }

    /// Learns what it consists of.
    fn look_around(&mut self) -> Result<(), Error> {
        let all = all_processes()?;
        let mut family = BTreeSet::from([self.process.id()]);
        loop {
            let size = family.len();
            family.extend(
                all.iter()
                    .filter(|process| family.contains(&process.parent))
                    .map(|child| child.number)
                    .collect::<Vec<_>>(),
            );
            if family.len() == size {
                break;
            }
        }
        let members = all.into_iter().filter(|process| family.contains(&process.number));
        self.processes = members.map(|member| (member.number, member.started)).collect();
        let ours = namespaces_of("self");
        let all_namespaces = family.iter().flat_map(|number| namespaces_of(&number.to_string()));
        self.namespaces = all_namespaces.filter(|namespace| !ours.contains(namespace)).collect();
        // Nodes besides the process itself, or nothing would be looked for.
        if self.processes.len() < 4 || self.is_isolated == self.namespaces.is_empty() {
            let seen = format!("{:?} in {:?}", self.processes, self.namespaces);
            return Err(Error::ChecksFailed(format!("this is not what a run consists of: {seen}")));
        }
        Ok(())
    }

    /// Sends a signal, and waits until the process has ended that was started.
    fn end(&mut self, signal: Signal) -> Result<ExitStatus, Error> {
        send_signal(&self.process, signal)?;
        let waiting = |source| Error::Process { action: "waiting for", process: "a run".to_owned(), source };
        let ended = wait_within(&mut self.process, END_LIMIT).map_err(waiting)?;
        ended
            .ok_or_else(|| Error::ChecksFailed(format!("a run had not ended {END_LIMIT:?} after {signal:?}")))
    }

    fn await_nothing_left(&self, signal: &str) -> Result<(), Error> {
        let deadline = Instant::now() + GONE_LIMIT;
        loop {
            let left = self.left()?;
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let left = left.join("\n");
                return Err(Error::ChecksFailed(format!("left {GONE_LIMIT:?} after {signal}:\n{left}")));
            }
            std::thread::sleep(POLL);
        }
    }

    /// What is still there, each in a sentence.
    fn left(&self) -> Result<Vec<String>, Error> {
        let mut left = Vec::new();
        for process in all_processes()? {
            let shares = || {
                namespaces_of(&process.number.to_string())
                    .iter()
                    .any(|namespace| self.namespaces.contains(namespace))
            };
            if self.processes.contains(&(process.number, process.started.clone())) || shares() {
                left.push(format!("process {}", process.number));
            }
        }
        for device in entries(Path::new("/sys/block"))? {
            let file = fs::read_to_string(device.join("loop/backing_file")).unwrap_or_default();
            if file.starts_with(&*self.output.to_string_lossy()) {
                left.push(format!("loop device {} of {}", device.display(), file.trim_end()));
            }
        }
        for entry in entries(&self.output)? {
            if entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"data-")) {
                left.push(entry.display().to_string());
            }
        }
        Ok(left)
    }
}

impl Drop for Run {
    /// Ends a run that did not do what it should. One that has ended is left alone.
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            // Why it is in the way was told already; it may have ended just now.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// All processes that there are. One that ends meanwhile is not among them.
fn all_processes() -> Result<Vec<Process>, Error> {
    let numbers = entries(Path::new("/proc"))?;
    let numbers = numbers.iter().filter_map(|path| path.file_name().and_then(OsStr::to_str)?.parse().ok());
    Ok(numbers.filter_map(process).collect())
}

fn process(number: u32) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // Behind the name, which may have anything in it but ends with the last parenthesis.
    let fields: Vec<_> = text.rsplit_once(") ")?.1.split(' ').collect();
    Some(Process { number, parent: fields.get(1)?.parse().ok()?, started: (*fields.get(19)?).to_owned() })
}

/// The namespaces that a process is in, as far as it is there.
fn namespaces_of(process: &str) -> Vec<PathBuf> {
    let namespace = |kind| fs::read_link(format!("/proc/{process}/ns/{kind}")).ok();
    ["net", "mnt", "pid"].into_iter().filter_map(namespace).collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let reading = || Error::file("reading", folder);
    let entries = fs::read_dir(folder).map_err(reading())?;
    entries.map(|entry| Ok(entry.map_err(reading())?.path())).collect()
}
