//! What `cargo xtask bench checker` runs: times and memory of one row of its table, in a process of its own.
//!
//! `checker_bench OPERATIONS CLIENTS KEYS unique|REPEATED UNKNOWN_PERCENT REFUSED_PERCENT valid|stale SEED
//! THREADS ROUNDS` prints one line: verdict, milliseconds of the best and of the median round, and the most
//! memory that the process had, in MiB. Making the history is not in the time. The memory includes it.

use std::time::Instant;

use quorate_jepsen::generate::{Recipe, Values, generate};
use quorate_jepsen::register::{RegisterVerdict, Spending, check};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| -> usize { arguments[index].parse().expect("a whole number") };
    let share = |index: usize| -> f64 { arguments[index].parse().expect("a percentage") };
    let values = match arguments[3].as_str() {
        "unique" => Values::Unique,
        count => Values::Repeated(count.parse().expect("`unique` or a number of values")),
    };
    let recipe = Recipe {
        operations: number(0),
        clients: number(1),
        keys: number(2),
        values,
        unknown_percent: share(4),
        refused_percent: share(5),
        has_stale_read: arguments[6] == "stale",
        seed: number(7) as u64,
        ..Recipe::default()
    };
    let history = generate(&recipe);
    let spending = Spending { threads: number(8), ..Spending::default() };
    let mut milliseconds = Vec::new();
    let mut verdict = "";
    for _ in 0..number(9) {
        let began = Instant::now();
        let found = check(&history, &spending);
        milliseconds.push(began.elapsed().as_secs_f64() * 1000.0);
        verdict = match &found {
            RegisterVerdict::Linearizable { .. } => "linearizable",
            RegisterVerdict::NotLinearizable { certificate } => {
                if std::env::var_os("CHECKER_BENCH_EXPLAINS").is_some() {
                    println!("{certificate}");
                }
                "not-linearizable"
            }
            RegisterVerdict::Unknown { .. } => "unknown",
        };
    }
    milliseconds.sort_by(f64::total_cmp);
    let median = milliseconds[milliseconds.len() / 2];
    println!("{verdict} {:.3} {median:.3} {}", milliseconds[0], most_memory_mib());
}

/// The most memory that this process had, in MiB, as Linux tells it.
fn most_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number of KiB") / 1024
}
