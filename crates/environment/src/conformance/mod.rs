//! The contract of [`crate::Environment`] as a suite that every implementation passes.
//!
//! [`run`] panics with the broken behaviour's name; each check has a time limit, so that a broken
//! implementation fails instead of hanging. Nothing here depends on how fast the machine is: lower
//! bounds of time are checked, upper bounds are not.
//!
//! An implementation also passes `openraft_rt::testing::Suite` with its [`Environment::Runtime`]; that
//! suite creates runtimes of its own and is therefore called by the implementation's tests, not from
//! here.

mod clock;
mod entropy;
mod network;
mod tasks;
mod worker;

use std::future::Future;
use std::time::Duration;

use crate::environment::Environment;

/// More than any check needs on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Runs every check, one after the other. Call it inside the environment.
pub async fn run<E: Environment>(environment: &E) {
    clock::run(environment).await;
    entropy::run(environment);
    tasks::run(environment).await;
    worker::run(environment).await;
    network::run(environment).await;
}

/// Runs one check against the time limit.
async fn check<E: Environment>(environment: &E, behaviour: &str, test: impl Future<Output = ()> + Send) {
    tracing::debug!(behaviour, "conformance");
    if environment.timeout(TIME_LIMIT, test).await.is_err() {
        panic!("not done after {TIME_LIMIT:?}: {behaviour}");
    }
}
