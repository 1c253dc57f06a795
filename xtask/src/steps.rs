//! A command made of steps: each is run, timed and counted, and the end says what came of all.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cargo::describe;
use crate::error::Error;

/// How many lines of a failure are said again at the end.
const FAILURE_LINES_MAX: usize = 40;

/// Steps that have run.
#[derive(Debug, Default)]
pub struct Steps {
    done: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    elapsed: Duration,
    tests: Option<Counts>,
    failure: Option<String>,
}

/// Tests as libtest counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
}

impl Steps {
    /// Runs one step. A failure is remembered and the next step runs all the same: one run shows all
    /// that is wrong.
    pub fn run(&mut self, name: &'static str, step: impl FnOnce() -> Result<Option<Counts>, Error>) {
        println!("\n==> {name}");
        let started = Instant::now();
        let result = step();
        let elapsed = started.elapsed();
        let (tests, failure) = match result {
            Ok(tests) => (tests, None),
            Err(error) => (None, Some(error.to_string())),
        };
        if let Some(failure) = &failure {
            println!("{name}: {failure}");
        }
        self.done.push(Step { name, elapsed, tests, failure });
    }

    /// Prints what failed once more, as who looks for it looks at the end, and how each step went; an error if any
    /// failed.
    pub fn finish(self) -> Result<(), Error> {
        for step in &self.done {
            let Some(failure) = &step.failure else { continue };
            println!("\n==> why it failed: {}", step.name);
            failure.lines().take(FAILURE_LINES_MAX).for_each(|line| println!("{line}"));
        }
        println!("\n==> summary");
        let width = self.done.iter().map(|step| step.name.len()).max().unwrap_or(0);
        for step in &self.done {
            let verdict = if step.failure.is_some() { "FAILED" } else { "ok" };
            print!("{:width$}  {verdict:6}  {:>7.1} s", step.name, step.elapsed.as_secs_f64());
            match step.tests {
                Some(Counts { passed, failed }) => println!("  {passed} tests passed, {failed} failed"),
                None => println!(),
            }
        }
        let total: Duration = self.done.iter().map(|step| step.elapsed).sum();
        let failed = self.done.iter().filter(|step| step.failure.is_some()).count();
        println!(
            "{} steps passed, {failed} failed in {:.0} s",
            self.done.len() - failed,
            total.as_secs_f64()
        );
        if failed == 0 {
            Ok(())
        } else {
            Err(Error::ChecksFailed(format!("{failed} steps failed; see above")))
        }
    }
}

/// Runs a `cargo test`, shows what it prints, and counts its tests. An error names those that failed.
pub fn run_tests(command: &mut Command) -> Result<Option<Counts>, Error> {
    let program = describe(command);
    let start_error = |source| Error::Start { program: program.clone(), source };
    let read_error = |source| Error::Process { action: "reading from", process: program.clone(), source };
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(start_error)?;
    let stdout = child.stdout.take().expect("standard output was asked for as a pipe");
    let mut counts = Counts::default();
    let mut failed = String::new();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = String::from_utf8_lossy(&line.map_err(read_error)?).into_owned();
        if let Some(more) = counts_of_line(&line) {
            counts.passed += more.passed;
            counts.failed += more.failed;
        }
        if line.starts_with("test ") && line.ends_with(" ... FAILED") {
            failed.push('\n');
            failed.push_str(&line);
        }
        writeln!(std::io::stdout().lock(), "{line}").map_err(read_error)?;
    }
    let status = child.wait().map_err(|source| Error::Process {
        action: "waiting for",
        process: program.clone(),
        source,
    })?;
    println!("{}: {} passed, {} failed", program, counts.passed, counts.failed);
    if status.success() {
        Ok(Some(counts))
    } else {
        Err(Error::ChecksFailed(format!("{program} failed: {status}{failed}")))
    }
}

/// The counts in libtest's last line, such as `test result: ok. 3 passed; 0 failed; ...`.
fn counts_of_line(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut parts = counts.split("; ");
    let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some(Counts { passed, failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_line_of_libtest_is_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(counts_of_line(line), Some(Counts { passed: 12, failed: 3 }));
        assert_eq!(counts_of_line("test result_is_read ... ok"), None);
        assert_eq!(counts_of_line("running 3 tests"), None);
    }

    #[test]
    fn a_failed_step_fails_the_whole_but_not_the_next_step() {
        let mut steps = Steps::default();
        let mut ran = false;
        steps.run("first", || Err(Error::ChecksFailed("broken".to_owned())));
        steps.run("second", || {
            ran = true;
            Ok(Some(Counts { passed: 1, failed: 0 }))
        });
        assert!(ran);
        steps.finish().expect_err("the first step failed");
    }
}
