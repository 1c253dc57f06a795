//! Porcupine on the same histories, through a small Go program that is written to a temporary folder.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::cargo::run as run_command;
use crate::error::Error;

/// The Go program: reads the file that `checker_bench write` wrote, and prints the result and the
/// milliseconds of checking.
const PROGRAM: &str = include_str!("porcupine.go.txt");

/// A built comparison.
pub struct Porcupine {
    folder: TempDir,
    seconds: u64,
}

/// What Porcupine said of one history.
pub struct Result {
    verdict: String,
    milliseconds: f64,
}

impl Porcupine {
    /// Builds it with `go` against the Porcupine in `source`.
    pub fn build(go: &Path, source: &Path, seconds: u64) -> std::result::Result<Self, Error> {
        let folder = tempfile::tempdir().map_err(Error::file("creating", "a temporary folder".as_ref()))?;
        let source = source.canonicalize().map_err(Error::file("finding", source))?;
        let module = format!(
            "module compare\n\ngo 1.18\n\nrequire github.com/anishathalye/porcupine v0.0.0\n\n\
             replace github.com/anishathalye/porcupine => {}\n",
            source.display()
        );
        for (name, text) in [("go.mod", module.as_str()), ("main.go", PROGRAM)] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).map_err(Error::file("writing", &path))?;
        }
        let mut build = Command::new(go);
        build.current_dir(folder.path()).args(["build", "-mod=mod", "-o", "compare", "."]);
        run_command(&mut build)?;
        Ok(Self { folder, seconds })
    }

    /// Checks the history of a recipe, which `checker_bench` writes.
    pub fn check(&self, checker_bench: &Path, recipe: &[String]) -> std::result::Result<Result, Error> {
        let file = self.folder.path().join("history.txt");
        run_command(Command::new(checker_bench).arg("write").args(recipe).arg(&file))?;
        let began = Instant::now();
        let output = Command::new(self.folder.path().join("compare"))
            .arg(&file)
            .arg(self.seconds.to_string())
            .stderr(Stdio::null())
            .output()
            .map_err(|source| Error::Start { program: "compare".to_owned(), source })?;
        let line = String::from_utf8_lossy(&output.stdout);
        let mut words = line.split_whitespace();
        let found = (words.next(), words.next().and_then(|word| word.parse().ok()));
        Ok(match found {
            (Some(verdict), Some(milliseconds)) => Result { verdict: verdict.to_owned(), milliseconds },
            // Without memory it is killed.
            _ => Result {
                verdict: output.status.to_string(),
                milliseconds: began.elapsed().as_secs_f64() * 1000.0,
            },
        })
    }
}

impl Result {
    /// The result in words, next to our time.
    pub fn compared_with(&self, ours: f64) -> String {
        let ratio = self.milliseconds / ours;
        format!("Porcupine {} after {:.0} ms, {ratio:.1} times ours", self.verdict, self.milliseconds)
    }
}
