//! The check of registers against brute force: every order of every subset of small random histories.
//!
//! `cargo run --release -p quorate-jepsen --example disagreements -- MILLIONS` runs the same for longer.

#[path = "support/registers.rs"]
mod registers;

use quorate_jepsen::register::{RegisterVerdict, Spending, check};
use registers::{Numbers, describe, is_linearizable, random_history, shapes};

#[test]
fn small_random_histories_get_the_verdict_of_brute_force() {
    let (mut right, mut wrong) = (0, 0);
    for (seed, shape) in (0..).zip(shapes()) {
        let mut numbers = Numbers(seed);
        for _ in 0..1_500 {
            let history = random_history(&mut numbers, shape);
            let expected = is_linearizable(&history);
            let verdict = check(&history, &Spending::default());
            let agrees = match &verdict {
                RegisterVerdict::Linearizable { .. } => expected,
                RegisterVerdict::NotLinearizable { .. } => !expected,
                RegisterVerdict::Unknown { .. } => false,
            };
            assert!(agrees, "{shape:?}\n{}{verdict:?}", describe(&history));
            *(if expected { &mut right } else { &mut wrong }) += 1;
        }
    }
    assert!(right > 10_000 && wrong > 10_000, "{right} right and {wrong} wrong histories test little");
}
