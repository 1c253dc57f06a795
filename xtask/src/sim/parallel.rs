//! One piece of work a seed, as many at once as asked for.

use std::ops::{ControlFlow, RangeInclusive};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};

/// Runs `work` on each of `seeds`, `jobs` at once, starting them in ascending order, and hands each
/// result to `finished` as it comes.
///
/// When `finished` breaks, no further seed is started; those that run are finished and handed over too,
/// so that whoever looks for the lowest seed with some property can have it.
pub fn for_each_seed<R: Send>(
    seeds: RangeInclusive<u64>,
    jobs: usize,
    work: impl Fn(u64) -> R + Sync,
    mut finished: impl FnMut(u64, R) -> ControlFlow<()>,
) {
    let next = Mutex::new(seeds);
    let stopped = AtomicBool::new(false);
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let send = send.clone();
            let (next, stopped, work) = (&next, &stopped, &work);
            scope.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    let seed = next.lock().expect("taking the next seed cannot panic").next();
                    let Some(seed) = seed else { break };
                    if send.send((seed, work(seed))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        for (seed, result) in receive {
            if finished(seed, result).is_break() {
                stopped.store(true, Ordering::Relaxed);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_is_worked_on_once() {
        let mut squares = Vec::new();
        for_each_seed(
            3..=50,
            4,
            |seed| seed * seed,
            |seed, square| {
                squares.push((seed, square));
                ControlFlow::Continue(())
            },
        );
        squares.sort_unstable();
        assert_eq!(squares, (3..=50).map(|seed| (seed, seed * seed)).collect::<Vec<_>>());
    }

    #[test]
    fn after_a_break_no_seed_is_started_and_those_running_are_handed_over() {
        let mut seen = Vec::new();
        for_each_seed(
            1..=1_000_000_000,
            3,
            |seed| seed,
            |seed, _| {
                seen.push(seed);
                if seed >= 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert!((1..=10).all(|seed| seen.contains(&seed)), "{seen:?}");
        assert!(seen.len() < 1_000_000, "{} seeds were started after the break", seen.len());
    }
}
