//! The production environment keeps the contract.

use std::process::Command;

use openraft_rt::testing::Suite;
use quorate_environment::{Environment, TokioEnvironment, Worker, conformance};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokio_passes_the_conformance_suite() {
    conformance::run(&TokioEnvironment::new()).await;
}

#[tokio::test(flavor = "current_thread")]
async fn tokio_passes_the_conformance_suite_on_one_thread() {
    conformance::run(&TokioEnvironment::new()).await;
}

#[test]
fn tokio_passes_openrafts_runtime_suite() {
    Suite::<<TokioEnvironment as Environment>::Runtime>::test_all();
}

/// Set in the child process of the tests below.
const CHILD: &str = "QUORATE_TEST_CHILD";

/// Runs one of the tests below in a process of its own and tells whether that process was ended by
/// the panic: it neither reports a failed test nor goes on.
fn assert_panic_ends_process(test: &str) {
    let executable = std::env::current_exe().expect("a running test has an executable");
    let output = Command::new(executable)
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("the test executable can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("a broken invariant"), "the child did not panic: {errors}");
    assert_eq!(output.status.code(), None, "the child was not aborted: {errors}");
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

#[test]
fn a_panic_in_a_task_ends_the_process() {
    if !is_child() {
        return assert_panic_ends_process("a_panic_in_a_task_ends_the_process");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        TokioEnvironment::new().spawn("broken", async { panic!("a broken invariant") });
        std::future::pending::<()>().await;
    });
}

struct BrokenWorker;

impl Worker for BrokenWorker {
    type Job = ();

    fn run(&mut self, _jobs: Vec<()>) {
        panic!("a broken invariant");
    }
}

#[test]
fn a_panic_in_a_worker_ends_the_process() {
    if !is_child() {
        return assert_panic_ends_process("a_panic_in_a_worker_ends_the_process");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (handle, _finished) = TokioEnvironment::new().spawn_worker("broken", BrokenWorker);
        handle.submit(()).expect("the worker runs");
        std::future::pending::<()>().await;
    });
}
