//! Compares the check of registers with brute force on millions of small random histories.
//!
//! `cargo run --release -p quorate-jepsen --example disagreements -- 20` draws twenty million.

#[path = "../tests/support/registers.rs"]
mod registers;

use std::process::ExitCode;

use quorate_jepsen::register::{RegisterVerdict, Spending, check};
use registers::{Numbers, describe, is_linearizable, random_history, shapes};

fn main() -> ExitCode {
    let millions: u64 = std::env::args().nth(1).map_or(Ok(1), |text| text.parse()).expect("a whole number");
    let seed: u64 = std::env::args().nth(2).map_or(Ok(0), |text| text.parse()).expect("a whole number");
    let (mut right, mut wrong, mut disagreements) = (0_u64, 0_u64, 0_u64);
    let shapes = shapes();
    let mut numbers = Numbers(seed);
    for count in 0..millions * 1_000_000 {
        let shape = shapes[(count % shapes.len() as u64) as usize];
        let history = random_history(&mut numbers, shape);
        let expected = is_linearizable(&history);
        let verdict = check(&history, &Spending::default());
        let found = match &verdict {
            RegisterVerdict::Linearizable { .. } => Some(true),
            RegisterVerdict::NotLinearizable { .. } => Some(false),
            RegisterVerdict::Unknown { .. } => None,
        };
        if found != Some(expected) {
            disagreements += 1;
            println!("{shape:?}\n{}brute force: {expected}\n{verdict:?}", describe(&history));
        }
        *(if expected { &mut right } else { &mut wrong }) += 1;
    }
    println!("{right} linearizable and {wrong} other histories, {disagreements} disagreements");
    if disagreements == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
