//! The simulated environment keeps the contract, and is deterministic.
#![cfg(madsim)]

use std::collections::{HashSet, VecDeque};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::runtime::Handle;
use madsim::task::NodeId;
use openraft_rt::testing::Suite;
use openraft_rt::watch::{Watch, WatchReceiver, WatchSender};
use quorate_environment::{Environment, Listener, Worker, conformance};
use quorate_sim::environment::clock::{self, Clock};
use quorate_sim::environment::simulation::simulate;
use quorate_sim::environment::watch::FifoWatch;
use quorate_sim::environment::{DiskLatency, SimulatedEnvironment, SimulatedRuntime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HOUR: Duration = Duration::from_secs(3600);

/// Runs `body` on a node of its own in a simulation.
fn on_a_node<F, Fut>(seed: u64, body: F) -> Fut::Output
where
    F: FnOnce(SimulatedEnvironment) -> Fut + Send + 'static,
    Fut: Future + Send,
    Fut::Output: Send + 'static,
{
    simulate(seed, HOUR, || async {
        let node = Handle::current().create_node().name("node").ip([10, 0, 0, 1].into()).build();
        let body = async { body(SimulatedEnvironment::default()).await };
        node.spawn(body).await.expect("nobody kills the node")
    })
}

#[test]
fn the_simulation_passes_the_conformance_suite() {
    for seed in 0..20 {
        on_a_node(seed, |environment| async move { conformance::run(&environment).await });
    }
}

#[test]
fn the_simulation_passes_openrafts_runtime_suite() {
    // The suite creates its own runtimes, but on a fresh thread like every simulation.
    std::thread::spawn(Suite::<SimulatedRuntime>::test_all).join().expect("the suite passes");
}

/// A run that touches every source of chance: task order, sleeps, streams, disks, hash maps, entropy.
async fn trace(environment: SimulatedEnvironment) -> String {
    let trace = Arc::new(Mutex::new(String::new()));
    let say = |environment: &SimulatedEnvironment, trace: &Mutex<String>, what: String| {
        let line = format!("{:?} {what}\n", environment.now().since_origin());
        trace.lock().expect("no task panics").push_str(&line);
    };
    let mut listener = environment.listen("10.0.0.1:80").await.expect("the port is free");
    let (done, mut all_done) = tokio::sync::mpsc::unbounded_channel::<()>();
    for number in 0..20_u8 {
        let (environment, trace, done) = (environment.clone(), trace.clone(), done.clone());
        environment.clone().spawn("client", async move {
            environment.sleep(environment.jitter(Duration::from_millis(100))).await;
            let mut stream = environment.connect("10.0.0.1:80").await.expect("the server listens");
            stream.write_all(&[number]).await.expect("the server reads");
            let (worker, finished) = environment.spawn_worker("disk", Idle);
            worker.submit(number).expect("the worker runs");
            drop(worker);
            finished.await;
            let order: Vec<u32> = (0..8).collect::<HashSet<u32>>().into_iter().collect();
            say(&environment, &trace, format!("client {number} {order:?} {}", environment.random_u64()));
            drop(done);
        });
    }
    drop(done);
    for _ in 0..20 {
        let (mut stream, peer) = listener.accept().await.expect("clients connect");
        let number = stream.read_u8().await.expect("the client writes");
        say(&environment, &trace, format!("accepted {peer} {number}"));
    }
    assert_eq!(all_done.recv().await, None);
    let wall = environment.wall_now();
    say(&environment, &trace, format!("end {wall}"));
    Arc::into_inner(trace).expect("all tasks ended").into_inner().expect("no task panics")
}

struct Idle;

impl Worker for Idle {
    type Job = u8;

    fn run(&mut self, _jobs: Vec<u8>) {}
}

#[test]
fn one_seed_gives_one_trace_and_another_seed_another() {
    let first = on_a_node(1, trace);
    assert_eq!(first.lines().count(), 41, "{first}");
    for _ in 0..3 {
        assert_eq!(on_a_node(1, trace), first);
    }
    assert_ne!(on_a_node(2, trace), first);
}

/// Set in the child process of the next test.
const CHILD: &str = "QUORATE_TEST_CHILD";

#[test]
fn two_processes_give_one_trace() {
    const MARK: &str = "=== trace ===";
    let trace = on_a_node(3, trace);
    if std::env::var_os(CHILD).is_some() {
        return print!("{MARK}{trace}{MARK}");
    }
    let executable = std::env::current_exe().expect("a running test has an executable");
    let output = Command::new(executable)
        .args(["--exact", "two_processes_give_one_trace", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("the test executable can be started");
    let output = String::from_utf8(output.stdout).expect("a trace is text");
    assert_eq!(output.split(MARK).nth(1), Some(trace.as_str()));
}

#[test]
fn sleeps_cost_no_real_time_and_are_exact() {
    on_a_node(1, |environment| async move {
        let before = environment.now();
        environment.sleep(Duration::from_secs(600)).await;
        let slept = environment.now().saturating_since(before);
        assert!(slept < Duration::from_millis(600_001), "{slept:?}");
    });
}

/// Runs `body` on a machine with this clock. It is given the machine too.
fn with_clock<F, Fut>(clock: Clock, body: F) -> Fut::Output
where
    F: FnOnce(SimulatedEnvironment, NodeId) -> Fut + Send + 'static,
    Fut: Future + Send,
    Fut::Output: Send + 'static,
{
    on_a_node(1, move |environment| {
        let machine = madsim::plugin::node();
        clock::install(machine, clock);
        body(environment, machine)
    })
}

/// True time since the simulation began.
fn truth() -> Duration {
    madsim::time::TimeHandle::current().elapsed()
}

#[test]
fn a_machine_whose_clock_is_wrong_passes_the_conformance_suite() {
    for drift_ppm in [-100_000, 100_000] {
        let clock = Clock::new(drift_ppm, Duration::from_secs(1_000_000), -5_000);
        with_clock(clock, |environment, _| async move { conformance::run(&environment).await });
    }
}

#[test]
fn a_slow_clock_sleeps_longer_and_falls_behind() {
    with_clock(Clock::new(-500_000, HOUR, 0), |environment, _| async move {
        let wall = environment.wall_now().unix_milliseconds();
        assert!(environment.now().since_origin() >= HOUR);
        environment.sleep(Duration::from_secs(10)).await;
        assert_eq!(truth().as_secs(), 20);
        assert_eq!(environment.wall_now().unix_milliseconds() - wall, 10_000);
    });
}

#[test]
fn a_sleep_is_not_too_short_when_the_clock_becomes_slow_meanwhile() {
    with_clock(Clock::default(), |environment, machine| async move {
        let deadline = environment.now() + Duration::from_secs(10);
        let sleeper = environment.clone();
        let sleep = madsim::task::spawn(async move { sleeper.sleep_until(deadline).await });
        environment.sleep(Duration::from_secs(5)).await;
        clock::set_drift(machine, -500_000);
        sleep.await.expect("nobody kills the task");
        assert!(environment.now() >= deadline);
        assert_eq!(truth().as_secs(), 15);
    });
}

#[test]
fn a_wall_clock_that_is_set_moves_nothing_else() {
    with_clock(Clock::default(), |environment, machine| async move {
        let (now, wall) = (environment.now(), environment.wall_now().unix_milliseconds());
        clock::jump(machine, -3_000);
        assert_eq!(environment.now(), now);
        assert_eq!(environment.wall_now().unix_milliseconds(), wall - 3_000);
    });
}

struct Rounds {
    environment: SimulatedEnvironment,
    finished: Arc<Mutex<VecDeque<Duration>>>,
}

impl Worker for Rounds {
    type Job = ();

    fn run(&mut self, _jobs: Vec<()>) {
        let now = self.environment.now().since_origin();
        self.finished.lock().expect("no task panics").push_back(now);
    }
}

#[test]
fn a_round_takes_the_latency_of_the_disk() {
    on_a_node(1, |environment| async move {
        let finished = Arc::new(Mutex::new(VecDeque::new()));
        let worker = Rounds { environment: environment.clone(), finished: finished.clone() };
        let (handle, _finished) = environment.spawn_worker("disk", worker);
        let mut total = Duration::ZERO;
        let default = DiskLatency::default();
        for _ in 0..1_000 {
            let before = environment.now().since_origin();
            handle.submit(()).expect("the worker runs");
            environment.sleep(Duration::from_millis(20)).await;
            let finished = finished.lock().expect("no task panics").pop_front();
            let took = finished.expect("a round takes less than 20 ms") - before;
            assert!(took >= default.shortest && took < default.longest * 2, "a round took {took:?}");
            total += took;
        }
        // Least of three uniform draws: a quarter of the way.
        let mean = total / 1_000;
        assert!((Duration::from_micros(1_200)..Duration::from_micros(1_500)).contains(&mean), "{mean:?}");

        let stall = Duration::from_millis(200);
        environment.set_disk_latency(DiskLatency { stall_one_in: 1, stall, ..DiskLatency::NONE });
        let before = environment.now().since_origin();
        handle.submit(()).expect("the worker runs");
        environment.sleep(stall * 2).await;
        let finished = finished.lock().expect("no task panics").pop_front();
        let took = finished.expect("the round has ended") - before;
        assert!((stall..stall + Duration::from_millis(1)).contains(&took), "a stalled round took {took:?}");
    });
}

#[test]
fn a_watch_wakes_in_the_order_of_waiting() {
    let (sender, receiver) = FifoWatch::channel(0_u32);
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut receivers: Vec<_> = (0..50).map(|_| receiver.clone()).collect();
    let mut waits: Vec<_> = receivers.iter_mut().map(|receiver| Box::pin(receiver.changed())).collect();
    for (number, wait) in waits.iter_mut().enumerate() {
        assert!(by_hand::poll_once(wait.as_mut(), number, &order).is_pending());
    }
    // One gives up, one waits again from the same place.
    drop(waits.remove(7));
    assert!(by_hand::poll_once(waits[3].as_mut(), 3, &order).is_pending());

    sender.send(1).expect("receivers are left");
    let expected: Vec<usize> = (0..50).filter(|number| *number != 7).collect();
    assert_eq!(*order.lock().expect("no waker panics"), expected);
}

/// Polling by hand, with wakers that record that they were woken.
mod by_hand {
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll, Wake, Waker};

    struct Recorder {
        number: usize,
        order: Arc<Mutex<Vec<usize>>>,
    }

    impl Wake for Recorder {
        fn wake(self: Arc<Self>) {
            self.order.lock().expect("no waker panics").push(self.number);
        }
    }

    pub fn poll_once<F: Future + ?Sized>(
        future: Pin<&mut F>,
        number: usize,
        order: &Arc<Mutex<Vec<usize>>>,
    ) -> Poll<F::Output> {
        let waker = Waker::from(Arc::new(Recorder { number, order: order.clone() }));
        future.poll(&mut Context::from_waker(&waker))
    }
}
