//! The storage worker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use super::check;
use crate::environment::{Elapsed, Environment};
use crate::time::Moment;
use crate::worker::{Worker, WorkerHandle};

pub(super) async fn run<E: Environment>(environment: &E) {
    check(environment, "queued jobs share one round, in order", jobs_share_a_round(environment)).await;
    check(environment, "jobs queued before the end are handled", queued_jobs_are_handled(environment)).await;
    check(environment, "a worker lives as long as a handle", worker_lives_with_handle(environment)).await;
}

/// Records what it was given.
struct Recorder {
    record: Arc<Record>,
}

#[derive(Default)]
struct Record {
    rounds: Mutex<Vec<Vec<u32>>>,
    dropped: AtomicBool,
}

enum Job {
    /// A number to record.
    Number(u32),
    /// A number to record; then tell that it is done.
    Confirm(u32, oneshot::Sender<()>),
    /// A number to record; then queue the others. This runs inside a round, so the others are queued,
    /// all of them, before the next round can start.
    Queue(u32, WorkerHandle<Job>, Vec<u32>),
}

impl Worker for Recorder {
    type Job = Job;

    fn run(&mut self, jobs: Vec<Job>) {
        assert!(!jobs.is_empty(), "a round without jobs");
        let numbers = jobs.into_iter().map(handle).collect();
        self.record.rounds.lock().expect("no check panics with the lock").push(numbers);
    }
}

fn handle(job: Job) -> u32 {
    match job {
        Job::Number(number) => number,
        Job::Confirm(number, done) => {
            done.send(()).expect("the check waits for the confirmation");
            number
        }
        Job::Queue(number, worker, others) => {
            for other in others {
                submit(&worker, Job::Number(other));
            }
            number
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.record.dropped.store(true, Ordering::SeqCst);
    }
}

impl Record {
    fn rounds(&self) -> Vec<Vec<u32>> {
        self.rounds.lock().expect("no check panics with the lock").clone()
    }

    fn assert_dropped(&self) {
        assert!(self.dropped.load(Ordering::SeqCst), "the worker finished but was not dropped");
    }
}

fn submit(worker: &WorkerHandle<Job>, job: Job) {
    assert!(worker.submit(job).is_ok(), "a running worker refused a job");
}

fn recorder() -> (Recorder, Arc<Record>) {
    let record = Arc::new(Record::default());
    (Recorder { record: record.clone() }, record)
}

async fn jobs_share_a_round<E: Environment>(environment: &E) {
    let (worker, record) = recorder();
    let (handle, finished) = environment.spawn_worker("conformance-rounds", worker);
    submit(&handle, Job::Queue(0, handle.clone(), vec![1, 2, 3, 4, 5]));
    drop(handle);
    finished.await;
    assert_eq!(record.rounds(), [vec![0], vec![1, 2, 3, 4, 5]]);
    record.assert_dropped();
}

async fn queued_jobs_are_handled<E: Environment>(environment: &E) {
    let (worker, record) = recorder();
    let (handle, finished) = environment.spawn_worker("conformance-end", worker);
    for number in 0..1_000 {
        submit(&handle, Job::Number(number));
    }
    drop(handle);
    finished.await;
    assert_eq!(record.rounds().concat(), Vec::from_iter(0..1_000));
    record.assert_dropped();
}

async fn worker_lives_with_handle<E: Environment>(environment: &E) {
    let (worker, record) = recorder();
    let (first, mut finished) = environment.spawn_worker("conformance-handles", worker);
    let second = first.clone();
    drop(first);
    for number in 0..3 {
        let (done, confirmation) = oneshot::channel();
        submit(&second, Job::Confirm(number, done));
        confirmation.await.expect("the worker confirms the job");
    }
    let ended = environment.timeout_at(Moment::default(), &mut finished).await;
    assert_eq!(ended, Err(Elapsed), "the worker ended although a handle was left");

    drop(second);
    finished.await;
    assert_eq!(record.rounds().concat(), [0, 1, 2]);
    record.assert_dropped();
}
