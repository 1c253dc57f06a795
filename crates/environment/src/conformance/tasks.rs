//! Spawned tasks.

use tokio::sync::{mpsc, oneshot};

use super::check;
use crate::environment::Environment;

pub(super) async fn run<E: Environment>(environment: &E) {
    check(environment, "a spawned task runs unattended", task_runs_unattended(environment)).await;
    check(environment, "spawned tasks run concurrently", tasks_run_concurrently(environment)).await;
    check(environment, "a spawned task may spawn", task_may_spawn(environment)).await;
}

async fn task_runs_unattended<E: Environment>(environment: &E) {
    let (sender, receiver) = oneshot::channel();
    environment.spawn("conformance-single", async move {
        sender.send("ran").expect("the check waits for the task");
    });
    assert_eq!(receiver.await, Ok("ran"));
}

/// Two tasks that each need the other's answer before they go on.
async fn tasks_run_concurrently<E: Environment>(environment: &E) {
    const ROUNDS: u32 = 100;
    let (to_second, mut from_first) = mpsc::unbounded_channel();
    let (to_first, mut from_second) = mpsc::unbounded_channel();
    let (done, result) = oneshot::channel();

    environment.spawn("conformance-ping", async move {
        for round in 0..ROUNDS {
            to_second.send(round).expect("the second task listens");
            assert_eq!(from_second.recv().await, Some(round), "the second task answers each round");
        }
        done.send(ROUNDS).expect("the check waits for the tasks");
    });
    environment.spawn("conformance-pong", async move {
        while let Some(round) = from_first.recv().await {
            to_first.send(round).expect("the first task listens");
        }
    });
    assert_eq!(result.await, Ok(ROUNDS), "the tasks played all rounds");
}

async fn task_may_spawn<E: Environment>(environment: &E) {
    let (sender, receiver) = oneshot::channel();
    let inner = environment.clone();
    environment.spawn("conformance-outer", async move {
        inner.spawn("conformance-inner", async move {
            sender.send("ran").expect("the check waits for the inner task");
        });
    });
    assert_eq!(receiver.await, Ok("ran"));
}
