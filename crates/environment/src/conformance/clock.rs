//! Clocks, sleeps and timeouts.

use std::future::{pending, ready};
use std::time::Duration;

use openraft_rt::{AsyncRuntime, Instant};

use super::check;
use crate::environment::{Elapsed, Environment};
use crate::time::{Moment, WallTime};

const SHORT: Duration = Duration::from_millis(20);

/// A time that passed before this was written.
const YEAR_2020: WallTime = WallTime::from_unix_milliseconds(1_577_836_800_000);

pub(super) async fn run<E: Environment>(environment: &E) {
    clock_never_goes_back(environment);
    wall_clock_is_plausible(environment);
    check(environment, "a sleep never ends early", sleep_never_ends_early(environment)).await;
    check(environment, "a moment that has passed ends a sleep", past_ends_sleep(environment)).await;
    check(environment, "a timeout prefers a ready future", timeout_prefers_ready(environment)).await;
    check(environment, "a timeout elapses", timeout_elapses(environment)).await;
    check(environment, "a timeout lets a future finish", timeout_lets_finish(environment)).await;
    check(environment, "the longest timeout never comes", longest_timeout(environment)).await;
    check(environment, "openraft's clock is the environment's", runtime_shares_clock(environment)).await;
}

fn clock_never_goes_back<E: Environment>(environment: &E) {
    let mut earlier = environment.now();
    for _ in 0..10_000 {
        let now = environment.now();
        assert!(now >= earlier, "the monotonic clock went back from {earlier:?} to {now:?}");
        earlier = now;
    }
}

fn wall_clock_is_plausible<E: Environment>(environment: &E) {
    let now = environment.wall_now();
    assert!(now > YEAR_2020, "the wall clock says {now}");
}

async fn sleep_never_ends_early<E: Environment>(environment: &E) {
    let durations = [0, 1, 999, 1_000, 1_001, 10_500, 25_000].map(Duration::from_micros);
    for duration in durations {
        let before = environment.now();
        environment.sleep(duration).await;
        let slept = environment.now().saturating_since(before);
        assert!(slept >= duration, "a sleep of {duration:?} ended after {slept:?}");
    }

    let moment = environment.now() + SHORT;
    environment.sleep_until(moment).await;
    let now = environment.now();
    assert!(now >= moment, "a sleep until {moment:?} ended at {now:?}");
}

async fn past_ends_sleep<E: Environment>(environment: &E) {
    environment.sleep_until(Moment::default()).await;
    environment.sleep_until(environment.now()).await;
}

async fn timeout_prefers_ready<E: Environment>(environment: &E) {
    let past = environment.timeout_at(Moment::default(), ready("done")).await;
    assert_eq!(past, Ok("done"), "a ready future lost against a deadline that has passed");
    let none_left = environment.timeout(Duration::ZERO, ready("done")).await;
    assert_eq!(none_left, Ok("done"), "a ready future lost against a timeout of zero");
}

async fn timeout_elapses<E: Environment>(environment: &E) {
    let before = environment.now();
    assert_eq!(environment.timeout(SHORT, pending::<()>()).await, Err(Elapsed));
    let waited = environment.now().saturating_since(before);
    assert!(waited >= SHORT, "a timeout of {SHORT:?} elapsed after {waited:?}");

    let past = environment.timeout_at(Moment::default(), pending::<()>()).await;
    assert_eq!(past, Err(Elapsed), "a deadline that has passed did not elapse");
}

async fn timeout_lets_finish<E: Environment>(environment: &E) {
    let work = async {
        environment.sleep(SHORT).await;
        "done"
    };
    assert_eq!(environment.timeout(super::TIME_LIMIT, work).await, Ok("done"));
}

async fn longest_timeout<E: Environment>(environment: &E) {
    let finished = environment.timeout(Duration::MAX, environment.sleep(SHORT)).await;
    assert_eq!(finished, Ok(()), "a timeout of the longest duration elapsed");
}

async fn runtime_shares_clock<E: Environment>(environment: &E) {
    type RuntimeInstant<E> = <<E as Environment>::Runtime as AsyncRuntime>::Instant;

    let before = environment.now();
    E::Runtime::sleep(SHORT).await;
    let ours = environment.now().saturating_since(before);
    assert!(ours >= SHORT, "the runtime slept {SHORT:?}, the environment's clock saw {ours:?}");

    let before = RuntimeInstant::<E>::now();
    environment.sleep(SHORT).await;
    let theirs = before.elapsed();
    assert!(theirs >= SHORT, "the environment slept {SHORT:?}, the runtime's clock saw {theirs:?}");
}
