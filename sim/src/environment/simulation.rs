//! Starting a simulation.

use std::future::Future;
use std::panic::resume_unwind;
use std::time::Duration;

use madsim::runtime::Runtime;

/// Deep call chains (HTTP, Raft and LMDB in one poll of a debug build) need more than the default.
const STACK_BYTES: usize = 64 << 20;

/// Runs `body` as the supervisor of a simulation with `seed` and returns its result. A panic in any
/// task of the simulation is a panic here. `time_limit` is virtual; passing it is a panic.
///
/// The simulation runs on a thread of its own. The keys of std's `HashMap` and the state of tokio's
/// random numbers are drawn once a thread: on a thread that has used one before (a test harness has),
/// two runs of one seed would differ.
///
/// When `body` ends, tasks of nodes that still run are leaked, with the files they hold open: kill all
/// nodes first and let a virtual moment pass.
pub fn simulate<B, F>(seed: u64, time_limit: Duration, body: B) -> F::Output
where
    B: FnOnce() -> F + Send,
    F: Future,
    F::Output: Send,
{
    let on_own_thread = || {
        let mut runtime = Runtime::with_seed_and_config(seed, madsim::Config::default());
        runtime.set_time_limit(time_limit);
        runtime.block_on(async { body().await })
    };
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name(format!("simulation-{seed}"))
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, on_own_thread)
            .expect("the operating system gives a thread to the simulation")
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))
    })
}
