//! Is a seed the same run twice? Two processes, byte-identical traces.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::sim::contract::{Outcome, Report};
use crate::sim::failure;
use crate::sim::parallel::for_each_seed;
use crate::sim::progress::Progress;
use crate::sim::simulator::{Job, Origin, Simulator, Trace};

/// What two runs of one seed showed.
#[derive(Debug, PartialEq)]
enum Comparison {
    /// The same trace of so many lines.
    Same { lines: u64 },
    /// Where the two part.
    Different { what: String },
    /// A run did not pass, so there is something else to look at first.
    NotPassed { description: String },
}

/// Runs each seed twice and compares; the number of seeds that passed and that failed.
pub fn check(
    simulator: &Simulator,
    seeds: RangeInclusive<u64>,
    mutant: Option<&str>,
    jobs: usize,
    limit: Duration,
) -> Result<(u64, u64), Error> {
    let mut progress = Progress::new("determinism", (seeds.end() - seeds.start()).saturating_add(1));
    let (mut same, mut different, mut lines_total) = (0, 0, 0);
    let mut first_error = None;
    for_each_seed(
        seeds,
        jobs,
        |seed| compare_runs(simulator, seed, mutant, limit),
        |seed, comparison| {
            let comparison = match comparison {
                Ok(comparison) => comparison,
                Err(error) => {
                    first_error.get_or_insert(error);
                    return ControlFlow::Break(());
                }
            };
            match &comparison {
                Comparison::Same { lines } => {
                    same += 1;
                    lines_total += lines;
                }
                Comparison::Different { what } => {
                    different += 1;
                    progress.print(&format!("seed {seed} IS NOT DETERMINISTIC: {what}"));
                }
                Comparison::NotPassed { description } => {
                    different += 1;
                    progress.print(description);
                }
            }
            progress.step(matches!(comparison, Comparison::Same { .. }));
            ControlFlow::Continue(())
        },
    );
    let elapsed = progress.finish();
    if let Some(error) = first_error {
        return Err(error);
    }
    println!(
        "each seed in two processes, {lines_total} lines of trace compared in {:.1} s",
        elapsed.as_secs_f64()
    );
    println!("determinism: {same} passed, {different} failed");
    Ok((same, different))
}

fn compare_runs(
    simulator: &Simulator,
    seed: u64,
    mutant: Option<&str>,
    limit: Duration,
) -> Result<Comparison, Error> {
    let temporary = std::env::temp_dir();
    let folder = tempfile::tempdir().map_err(Error::file("making a folder in", &temporary))?;
    let mut reports: Vec<Report> = Vec::new();
    let traces = [folder.path().join("first.trace"), folder.path().join("second.trace")];
    for trace in &traces {
        let job = Job {
            origin: Origin::Seed(seed),
            mutant: mutant.map(str::to_owned),
            trace: Trace::File(trace.clone()),
            output: None,
        };
        match simulator.simulate(&job, limit)? {
            Outcome::Passed(report) => reports.push(report),
            outcome => {
                return Ok(Comparison::NotPassed { description: failure::describe(&job, &outcome, None) });
            }
        }
    }
    let lines = match compare_files(&traces[0], &traces[1])? {
        Ok(lines) => lines,
        Err(what) => return Ok(Comparison::Different { what }),
    };
    // Memory is the machine's affair; all else that a run reports follows from its seed.
    for report in &mut reports {
        report.resident_kib_max = 0;
    }
    if reports[0] != reports[1] {
        let what = format!("equal traces, but the reports differ\n  {:?}\n  {:?}", reports[0], reports[1]);
        return Ok(Comparison::Different { what });
    }
    Ok(Comparison::Same { lines })
}

/// The number of equal lines, or where two files part.
fn compare_files(first: &Path, second: &Path) -> Result<Result<u64, String>, Error> {
    let open = |path: &Path| File::open(path).map(BufReader::new).map_err(Error::file("opening", path));
    let (mut first_lines, mut second_lines) = (open(first)?, open(second)?);
    let (mut first_line, mut second_line) = (Vec::new(), Vec::new());
    let mut number = 0;
    loop {
        first_line.clear();
        second_line.clear();
        first_lines.read_until(b'\n', &mut first_line).map_err(Error::file("reading", first))?;
        second_lines.read_until(b'\n', &mut second_line).map_err(Error::file("reading", second))?;
        if first_line != second_line {
            return Ok(Err(format!(
                "the traces part at line {}\n  {}\n  {}",
                number + 1,
                show(&first_line),
                show(&second_line)
            )));
        }
        if first_line.is_empty() {
            return Ok(Ok(number));
        }
        number += 1;
    }
}

fn show(line: &[u8]) -> String {
    if line.is_empty() {
        "(no more lines)".to_owned()
    } else {
        String::from_utf8_lossy(line).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_comparison(first: &str, second: &str, expected: Result<u64, &str>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (first_path, second_path) = (folder.path().join("first"), folder.path().join("second"));
        std::fs::write(&first_path, first).expect("writing");
        std::fs::write(&second_path, second).expect("writing");
        let compared = compare_files(&first_path, &second_path).expect("reading");
        assert_eq!(compared, expected.map_err(str::to_owned));
    }

    #[test]
    fn traces_are_compared_line_by_line() {
        check_comparison("a\nb\n", "a\nb\n", Ok(2));
        check_comparison("", "", Ok(0));
        check_comparison("a\nb\nc\n", "a\nx\nc\n", Err("the traces part at line 2\n  b\n  x"));
        check_comparison("a\nb\n", "a\n", Err("the traces part at line 2\n  b\n  (no more lines)"));
        check_comparison("a\n", "a", Err("the traces part at line 1\n  a\n  a"));
    }
}
