//! `check`: histories in, verdicts out.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use quorate_jepsen::event::{Problem, ReadError};
use quorate_jepsen::import::{Import, import};
use quorate_jepsen::judge::{Conclusion, judge};
use quorate_jepsen::picture::{Picture, write_html};

use crate::BAD_INPUT;
use crate::arguments::CheckArguments;
use crate::limits::Watch;
use crate::report::{Checked, Report};

/// Checks every file and says what came of it.
pub fn run(arguments: &CheckArguments) -> ExitCode {
    if arguments.html.is_some() && arguments.files.len() > 1 {
        eprintln!("quorate-jepsen: --html draws one history; give one file");
        return ExitCode::from(BAD_INPUT);
    }
    let mut worst = 0;
    for path in &arguments.files {
        let report = check_file(path, arguments);
        let code = report.exit_code();
        worst = if severity(code) > severity(worst) { code } else { worst };
        if let Err(error) = report.print(arguments.json, &mut io::stdout().lock()) {
            eprintln!("quorate-jepsen: writing the verdict: {error}");
            return ExitCode::from(BAD_INPUT);
        }
    }
    ExitCode::from(worst)
}

/// Which of two exit codes hides the other.
fn severity(code: u8) -> u8 {
    match code {
        0 => 0,
        2 => 1,
        1 => 2,
        _ => 3,
    }
}

fn check_file(path: &Path, arguments: &CheckArguments) -> Report {
    let name = path.display().to_string();
    match try_check(path, arguments) {
        Ok(checked) => Report::Checked(name, Box::new(checked)),
        Err(error) => Report::BadInput(name, error),
    }
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The file cannot be read as a history.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// The history breaks the rules that make it checkable.
    #[error("{0}; expected every value to be written once to a key, and one kind of writes a key")]
    Workload(#[from] quorate_jepsen::transactions::WorkloadError),
    /// The picture cannot be written. It counts as bad input, so that no verdict is mistaken for it.
    #[error("the picture {} cannot be written: {error}", path.display())]
    Picture {
        /// Where it was to be.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

fn try_check(path: &Path, arguments: &CheckArguments) -> Result<Checked, CheckError> {
    let started = Instant::now();
    let unreadable = |error: io::Error| ReadError { line: 1, problem: Problem::from(error) };
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(unreadable)?)
    };
    let Import { format, history } = import(input, &arguments.import_options())?;
    let reading: Duration = started.elapsed();
    let threads =
        arguments.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let watch = Watch::start(arguments.limit_ms, arguments.limit_mib);
    let is_up = || watch.is_up();
    let judgement = judge(&history, arguments.guarantee(), &watch.spending(&is_up, threads))?;
    let checking = watch.elapsed();
    let conclusion = judgement.conclusion();
    if let Some(page) = &arguments.html {
        let picture = Picture::of_judgement(&path.display().to_string(), &history, &judgement);
        draw(&picture, page).map_err(|error| CheckError::Picture { path: page.clone(), error })?;
    }
    Ok(Checked {
        format,
        model: history.model(),
        guarantee: arguments.guarantee(),
        operations: history.len(),
        conclusion,
        explanation: judgement.to_string(),
        lines: judgement.lines(),
        limit: watch.reached().filter(|_| conclusion == Conclusion::Unknown),
        reading,
        checking,
    })
}

fn draw(picture: &Picture, page: &Path) -> io::Result<()> {
    let mut output = BufWriter::new(File::create(page)?);
    write_html(picture, &mut output)?;
    output.flush()
}
