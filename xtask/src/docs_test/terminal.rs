//! The terminals of a session: processes, what they print, and their end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::page::first_missing;
use crate::cargo::forget_our_package;
use crate::error::Error;
use crate::process::wait_within;

/// How long a command may take, or its output to appear.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// How often the output is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How many bytes of each output a failure shows.
const TRANSCRIPT_BYTES_MAX: usize = 4_000;
/// What `curl` is told before its arguments. Its meter is not for terminals that show the answer too, but it cannot
/// know that ours is one, and would write into the middle of lines. No proxy that this machine may have is in our network.
const CURL_SETTINGS: &str = "no-progress-meter\nnoproxy = \"*\"\n";

/// Every terminal of a session. Dropping it ends what runs in them.
#[derive(Debug)]
pub struct Terminals {
    /// Where their output is kept.
    folder: PathBuf,
    /// Where commands are typed.
    work: PathBuf,
    /// Where programs are looked for.
    path: OsString,
    /// What a command is given to, as its last argument.
    shell: &'static [&'static str],
    variables: Vec<(String, String)>,
    by_name: BTreeMap<String, Terminal>,
}

/// The newest command of a terminal.
#[derive(Debug)]
struct Terminal {
    child: Child,
    output: PathBuf,
    status: Option<ExitStatus>,
}

impl Terminals {
    /// Terminals in the folder `work`, which find programs in `programs` first. Their output is kept in `folder`.
    pub fn new(folder: &Path, work: &Path, programs: &[PathBuf]) -> Result<Self, Error> {
        let mut folders = programs.to_vec();
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let path = std::env::join_paths(folders).map_err(Error::malformed("the variable PATH"))?;
        let curl_settings = folder.join(".curlrc");
        std::fs::write(&curl_settings, CURL_SETTINGS).map_err(Error::file("writing", &curl_settings))?;
        let (folder, work) = (folder.to_owned(), work.to_owned());
        let shell = shell();
        Ok(Self { folder, work, path, shell, variables: Vec::new(), by_name: BTreeMap::new() })
    }

    /// Sets a variable of all commands that follow.
    pub fn export(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Runs a command in a terminal, whose last command has ended or must end now. Waits until its output has
    /// the lines that are expected and, in the terminal without a name, for its end.
    pub fn run(&mut self, name: &str, command: &str, expected: &[String]) -> Result<(), Error> {
        if let Some(terminal) = self.by_name.get_mut(name) {
            terminal.await_end()?;
        }
        let output = self.folder.join(format!(".output-of-{name}"));
        let file = File::create(&output).map_err(Error::file("making", &output))?;
        let same_file = file.try_clone().map_err(Error::file("opening", &output))?;
        let mut shell = Command::new(self.shell[0]);
        forget_our_package(&mut shell);
        let child = shell
            .args(&self.shell[1..])
            .arg(command)
            .current_dir(&self.work)
            .env("PATH", &self.path)
            .env("CURL_HOME", &self.folder)
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(same_file)
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Start { program: command.to_owned(), source })?;
        let terminal = Terminal { child, output, status: None };
        self.by_name.insert(name.to_owned(), terminal);
        let terminal = self.by_name.get_mut(name).expect("it was just put there");
        if name.is_empty() {
            let status = terminal.await_end()?;
            if !status.success() {
                return Err(Error::Failed { program: command.to_owned(), status });
            }
        }
        terminal.await_output(expected)
    }

    /// Waits until what runs in a terminal has shown these lines.
    pub fn see(&mut self, name: &str, expected: &[String]) -> Result<(), Error> {
        self.terminal(name)?.await_output(expected)
    }

    /// Interrupts what runs in a terminal, which has to end with success.
    pub fn interrupt(&mut self, name: &str) -> Result<(), Error> {
        let status = self.terminal(name)?.end(Signal::INT)?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::Failed { program: "what was interrupted".to_owned(), status })
        }
    }

    /// Quits what runs in a terminal: it has no time for anything.
    pub fn quit(&mut self, name: &str) -> Result<(), Error> {
        self.terminal(name)?.end(Signal::QUIT).map(|_| ())
    }

    fn terminal(&mut self, name: &str) -> Result<&mut Terminal, Error> {
        let missing = || Error::ChecksFailed(format!("nothing was started in terminal {name:?}"));
        self.by_name.get_mut(name).ok_or_else(missing)
    }

    /// The end of what each terminal shows.
    pub fn transcript(&self) -> String {
        let mut text = String::new();
        for (name, terminal) in &self.by_name {
            let output = terminal.text().unwrap_or_else(|error| error.to_string());
            let from = output.ceil_char_boundary(output.len().saturating_sub(TRANSCRIPT_BYTES_MAX));
            text.push_str(&format!("--- terminal {name:?}\n{}\n", &output[from..]));
        }
        text
    }
}

impl Drop for Terminals {
    fn drop(&mut self) {
        for terminal in self.by_name.values_mut() {
            // One that has ended already cannot be killed, which is what is wanted.
            let _ = terminal.signal(Signal::KILL);
            let _ = terminal.child.wait();
        }
    }
}

/// The shell of terminals, which dies with us. Scripts start what runs in the background with the keys of a terminal
/// ignored, and all below inherits that; in a terminal they count.
fn shell() -> &'static [&'static str] {
    const OUR_WAY: &[&str] =
        &["setpriv", "--pdeathsig", "KILL", "--", "env", "--default-signal=INT,QUIT", "bash", "-c"];
    let tried = Command::new(OUR_WAY[0]).args(&OUR_WAY[1..]).arg("true").stderr(Stdio::null()).status();
    // Where these do not know how, keys mostly are not ignored.
    if tried.is_ok_and(|status| status.success()) { OUR_WAY } else { &OUR_WAY[6..] }
}

impl Terminal {
    fn text(&self) -> Result<String, Error> {
        let bytes = std::fs::read(&self.output).map_err(Error::file("reading", &self.output))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        if self.status.is_some() {
            return Ok(());
        }
        kill_process_group(Pid::from_child(&self.child), signal).map_err(|code| Error::Process {
            action: "signalling",
            process: self.child.id().to_string(),
            source: code.into(),
        })
    }

    fn end(&mut self, signal: Signal) -> Result<ExitStatus, Error> {
        self.signal(signal)?;
        self.await_end()
    }

    fn await_end(&mut self) -> Result<ExitStatus, Error> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        self.wait(COMMAND_LIMIT)?;
        self.status.ok_or_else(|| Error::ChecksFailed(format!("it still runs after {COMMAND_LIMIT:?}")))
    }

    fn await_output(&mut self, expected: &[String]) -> Result<(), Error> {
        let deadline = Instant::now() + COMMAND_LIMIT;
        loop {
            // Asked before the output is read, or its last lines could be missed.
            let has_ended = self.status.is_some();
            let text = self.text()?;
            let Some(missing) = first_missing(expected, &text) else { return Ok(()) };
            if has_ended || Instant::now() >= deadline {
                return Err(Error::ChecksFailed(format!("not in the output: {missing}")));
            }
            self.wait(POLL_INTERVAL)?;
        }
    }

    fn wait(&mut self, limit: Duration) -> Result<(), Error> {
        let process = self.child.id().to_string();
        self.status = wait_within(&mut self.child, limit).map_err(|source| Error::Process {
            action: "waiting for",
            process,
            source,
        })?;
        Ok(())
    }
}
