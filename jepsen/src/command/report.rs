//! What is said of one file, to people and to programs.

use std::io::{self, Write};
use std::time::Duration;

use quorate_jepsen::import::{Format, ModelName};
use quorate_jepsen::judge::Conclusion;
use quorate_jepsen::transactions::Guarantee;
use serde_json::json;

use crate::BAD_INPUT;
use crate::check::CheckError;
use crate::limits::Reached;

/// What came of one file, with its name.
pub enum Report {
    /// A verdict.
    Checked(String, Box<Checked>),
    /// The file could not be read as a history.
    BadInput(String, CheckError),
}

/// A verdict and what belongs to it.
pub struct Checked {
    /// What the file was read as.
    pub format: Format,
    /// What it was checked against.
    pub model: ModelName,
    /// What transactions promise.
    pub guarantee: Guarantee,
    /// How many operations or transactions it holds.
    pub operations: usize,
    /// The verdict in one word.
    pub conclusion: Conclusion,
    /// The verdict in words.
    pub explanation: String,
    /// The lines that convict the history.
    pub lines: Vec<u32>,
    /// The limit of ours that was reached, if one was.
    pub limit: Option<Reached>,
    /// How long reading the file took.
    pub reading: Duration,
    /// How long checking took.
    pub checking: Duration,
}

impl Checked {
    /// What the history keeps or breaks.
    fn promise(&self) -> String {
        match self.model {
            ModelName::Transactions => self.guarantee.to_string(),
            _ => "linearizable".to_owned(),
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

impl Report {
    /// The exit code that this file alone would give.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::BadInput(..) => BAD_INPUT,
            Self::Checked(_, checked) => match checked.conclusion {
                Conclusion::Kept => 0,
                Conclusion::Broken => 1,
                Conclusion::Unknown => 2,
            },
        }
    }

    /// Prints the report, in JSON on one line or as text.
    pub fn print(&self, as_json: bool, output: &mut dyn Write) -> io::Result<()> {
        if as_json { writeln!(output, "{}", self.json()) } else { self.print_text(output) }
    }

    fn print_text(&self, output: &mut dyn Write) -> io::Result<()> {
        let (name, checked) = match self {
            Self::Checked(name, checked) => (name, checked),
            Self::BadInput(name, error) => return writeln!(output, "{name}: bad input: {error}"),
        };
        let promise = checked.promise();
        match checked.conclusion {
            Conclusion::Kept => write!(output, "{name}: {promise}")?,
            Conclusion::Broken => write!(output, "{name}: NOT {promise}")?,
            Conclusion::Unknown => write!(output, "{name}: unknown")?,
        }
        let (operations, model, format) = (checked.operations, checked.model.name(), checked.format.name());
        let (reading, checking) = (milliseconds(checked.reading), milliseconds(checked.checking));
        writeln!(
            output,
            " ({operations} operations, {model}, {format}; read in {reading} ms, checked in {checking} ms)"
        )?;
        if let Some(limit) = checked.limit {
            writeln!(output, "{limit}")?;
        }
        writeln!(output, "{}", checked.explanation)
    }

    fn json(&self) -> serde_json::Value {
        let (name, checked) = match self {
            Self::Checked(name, checked) => (name, checked),
            Self::BadInput(name, error) => {
                let line = match error {
                    CheckError::Read(error) => Some(error.line),
                    CheckError::Workload(_) | CheckError::Picture { .. } => None,
                };
                return json!({
                    "file": name,
                    "verdict": "bad input",
                    "line": line,
                    "explanation": error.to_string(),
                });
            }
        };
        json!({
            "file": name,
            "verdict": match checked.conclusion {
                Conclusion::Kept => "kept",
                Conclusion::Broken => "broken",
                Conclusion::Unknown => "unknown",
            },
            "promise": checked.promise(),
            "format": checked.format.name(),
            "model": checked.model.name(),
            "operations": checked.operations,
            "reading_ms": milliseconds(checked.reading),
            "checking_ms": milliseconds(checked.checking),
            "limit": checked.limit.map(|limit| limit.to_string()),
            "lines": checked.lines,
            "explanation": checked.explanation,
        })
    }
}
