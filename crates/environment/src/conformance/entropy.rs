//! Random bytes.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::environment::Environment;

pub(super) fn run<E: Environment>(environment: &E) {
    every_byte_is_filled(environment);
    draws_differ(environment);
    jitter_stays_in_bounds(environment);
}

fn every_byte_is_filled<E: Environment>(environment: &E) {
    // Each length leaves another remainder to an implementation that fills word by word. The chance
    // that a byte is zero in all 32 draws is 2^-256.
    for length in 0..=70 {
        let mut seen = vec![0_u8; length];
        for _ in 0..32 {
            let mut bytes = vec![0_u8; length];
            environment.fill_random(&mut bytes);
            for (seen, byte) in seen.iter_mut().zip(bytes) {
                *seen |= byte;
            }
        }
        let missed = seen.iter().position(|byte| *byte == 0);
        assert_eq!(missed, None, "a byte of {length} was never filled");
    }
}

fn draws_differ<E: Environment>(environment: &E) {
    let draws: BTreeSet<[u8; 16]> = (0..1_000)
        .map(|_| {
            let mut bytes = [0; 16];
            environment.fill_random(&mut bytes);
            bytes
        })
        .collect();
    assert_eq!(draws.len(), 1_000, "128 random bits were drawn twice");
}

fn jitter_stays_in_bounds<E: Environment>(environment: &E) {
    let duration = Duration::from_millis(100);
    for _ in 0..1_000 {
        let jittered = environment.jitter(duration);
        assert!(
            (duration / 2..=duration * 3 / 2).contains(&jittered),
            "{duration:?} with jitter became {jittered:?}"
        );
    }
}
