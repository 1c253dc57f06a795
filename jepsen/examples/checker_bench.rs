//! What `cargo xtask bench checker` runs: one measurement, in a process of its own.
//!
//! Prints one line: the verdict, the milliseconds of the best and of the median round, the most memory that
//! the process had in MiB, and for `parse` the megabytes of the text.
//!
//! - `check RECIPE THREADS ROUNDS` makes a history and checks it. Making it is not in the time, but in the
//!   memory.
//! - `parse RECIPE ROUNDS` makes a history and reads it from EDN in memory.
//! - `samples FOLDER ROUNDS` checks the published histories, and shows the slowest of the best rounds.
//! - `write RECIPE FILE` writes a history for the comparison with Porcupine: a line an operation, of key,
//!   client, kind, two values, invocation and completion.
//!
//! RECIPE is `OPERATIONS CLIENTS KEYS unique|REPEATED UNKNOWN_PERCENT REFUSED_PERCENT valid|stale`.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use quorate_jepsen::edn::EdnWriter;
use quorate_jepsen::export::{KeyPlace, register_events};
use quorate_jepsen::generate::{Recipe, Values, generate};
use quorate_jepsen::import::{ImportOptions, import};
use quorate_jepsen::judge::{Conclusion, judge};
use quorate_jepsen::register::{Ending, RegisterHistory, RegisterVerdict, Request, Spending, check};
use quorate_jepsen::transactions::Guarantee;

/// Words of a recipe.
const RECIPE: usize = 7;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let rest = &words[1..];
    let number = |index: usize| -> usize { rest[index].parse().expect("a whole number") };
    match words[0].as_str() {
        "check" => check_rounds(&generate(&recipe(rest)), number(RECIPE), number(RECIPE + 1)),
        "parse" => parse_rounds(&generate(&recipe(rest)), number(RECIPE)),
        "samples" => samples(Path::new(&rest[0]), number(1)),
        "write" => write(&generate(&recipe(rest)), Path::new(&rest[RECIPE])).expect("the file is written"),
        other => panic!("`{other}` is not check, parse, samples or write"),
    }
}

fn recipe(words: &[String]) -> Recipe {
    let number = |index: usize| -> usize { words[index].parse().expect("a whole number") };
    let share = |index: usize| -> f64 { words[index].parse().expect("a percentage") };
    Recipe {
        operations: number(0),
        clients: number(1),
        keys: number(2),
        values: match words[3].as_str() {
            "unique" => Values::Unique,
            count => Values::Repeated(count.parse().expect("`unique` or a number of values")),
        },
        unknown_percent: share(4),
        refused_percent: share(5),
        has_stale_read: words[6] == "stale",
        seed: 1,
        ..Recipe::default()
    }
}

/// Runs `round` some times and prints its verdict with what it took.
fn print_rounds(rounds: usize, suffix: &str, mut round: impl FnMut() -> &'static str) {
    let mut milliseconds = Vec::new();
    let mut verdict = "";
    for _ in 0..rounds {
        let began = Instant::now();
        verdict = round();
        milliseconds.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    milliseconds.sort_by(f64::total_cmp);
    let median = milliseconds[milliseconds.len() / 2];
    println!("{verdict} {:.3} {median:.3} {}{suffix}", milliseconds[0], most_memory_mib());
}

fn check_rounds(history: &RegisterHistory, threads: usize, rounds: usize) {
    let spending = Spending { threads, ..Spending::default() };
    print_rounds(rounds, "", || match check(history, &spending) {
        RegisterVerdict::Linearizable { .. } => "linearizable",
        RegisterVerdict::NotLinearizable { .. } => "not-linearizable",
        RegisterVerdict::Unknown { .. } => "unknown",
    });
}

fn parse_rounds(history: &RegisterHistory, rounds: usize) {
    let mut text = Vec::new();
    let mut writer = EdnWriter::new(&mut text);
    register_events(history, KeyPlace::Pair, &mut |event| writer.write(event)).expect("memory takes it");
    let megabytes = format!(" {:.3}", text.len() as f64 / 1e6);
    print_rounds(rounds, &megabytes, || {
        let read = import(text.as_slice(), &ImportOptions::default()).expect("we wrote it ourselves");
        assert_eq!(read.history.len(), history.len());
        "read"
    });
}

fn samples(folder: &Path, rounds: usize) {
    let mut slowest = 0.0_f64;
    let mut checked = 0;
    for (folder, ending) in [(folder.join("etcd"), "log"), (folder.join("kv"), "txt")] {
        for entry in std::fs::read_dir(&folder).expect("the folder of the published histories") {
            let path = entry.expect("its entries").path();
            let text = std::fs::read(&path).expect("a history");
            if text.is_empty() || path.extension().is_none_or(|found| found != ending) {
                continue;
            }
            let read = import(text.as_slice(), &ImportOptions::default()).expect("a published history");
            let mut best = f64::INFINITY;
            for _ in 0..rounds {
                let began = Instant::now();
                let judgement = judge(&read.history, Guarantee::default(), &Spending::default());
                best = best.min(began.elapsed().as_secs_f64() * 1000.0);
                let conclusion = judgement.expect("no transactions").conclusion();
                assert!(conclusion != Conclusion::Unknown, "{}: no verdict", path.display());
            }
            slowest = slowest.max(best);
            checked += 1;
        }
    }
    println!("decided:{checked} {slowest:.3} {slowest:.3} {}", most_memory_mib());
}

fn write(history: &RegisterHistory, path: &Path) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for operation in history.operations() {
        let text =
            |value| history.value_text(value).map_or("-1".into(), String::from_utf8_lossy).into_owned();
        let (kind, first, second) = match (operation.request, operation.ending) {
            (_, Ending::Failed) | (Request::Read, Ending::Unknown) => continue,
            (_, Ending::Value(value)) => ("read", text(value), "-1".to_owned()),
            (Request::Write(value), _) => ("write", text(value), "-1".to_owned()),
            (Request::CompareAndSet { expected, new }, Ending::Refused) => {
                ("refused", text(expected), text(new))
            }
            (Request::CompareAndSet { expected, new }, Ending::Unknown) => {
                ("maybe-cas", text(expected), text(new))
            }
            (Request::CompareAndSet { expected, new }, _) => ("cas", text(expected), text(new)),
            (Request::Read, _) => continue,
        };
        let completed = operation.deadline().map_or(i64::MAX, |completed| completed as i64);
        let (key, process, invoked) = (operation.key.index(), operation.process, operation.invoked);
        writeln!(file, "{key} {process} {kind} {first} {second} {invoked} {completed}")?;
    }
    file.flush()
}

/// The most memory that this process had, in MiB, as Linux tells it.
fn most_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number of KiB") / 1024
}
