//! `quorate route` in front of three `quorate serve` processes: what clients notice of nodes that come and go.

mod processes;

use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use processes::{
    Answer, Cluster, Process, await_metric, await_ready, eventually, free_ports, quorate, request,
    start_router,
};

/// How many requests were answered between two events of a test.
const REQUESTS_BETWEEN: usize = 300;

/// What clients do, each request in one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Read,
    StaleRead,
    NumberedWrite,
    PlainWrite,
}

/// The answers that were not as hoped for, and how many there were in all.
#[derive(Default)]
struct Answers {
    count: usize,
    failed: Vec<(Work, std::io::Result<Answer>)>,
}

/// Does one kind of work until it is told to stop.
fn work(work: Work, router: &str, stop: &AtomicBool, answers: &Mutex<Answers>) {
    let session = request(router, "POST", "/v1/sessions", &[], b"").expect("the router answers");
    let session: serde_json::Value = serde_json::from_slice(&session.body).expect("a session");
    let session = session["session"].as_str().expect("has a number").to_owned();
    for number in 1.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let key = format!("idempotency-key: {session}:{number}");
        let seen = format!("quorate-acknowledged-below: {number}");
        let path = format!("/v1/kv/{work:?}");
        // Longer than an election takes on a machine that is very busy.
        let answer = match work {
            Work::Read => request(router, "GET", &format!("{path}?timeout=30s"), &[], b""),
            Work::StaleRead => {
                request(router, "GET", &format!("{path}?consistency=stale&timeout=30s"), &[], b"")
            }
            Work::NumberedWrite => {
                request(router, "PUT", &format!("{path}?timeout=30s"), &[&key, &seen], b"v")
            }
            Work::PlainWrite => request(router, "PUT", &format!("{path}?timeout=30s"), &[], b"v"),
        };
        let is_read = matches!(work, Work::Read | Work::StaleRead);
        let is_fine = answer
            .as_ref()
            .is_ok_and(|answer| [200, 201].contains(&answer.status) || (is_read && answer.status == 404));
        let mut answers = answers.lock().expect("no client panicked");
        answers.count += 1;
        if !is_fine {
            answers.failed.push((work, answer));
        }
    }
}

/// Lets clients work while `events` happen; it is given what waits until enough requests were answered.
fn under_load(router: &str, events: impl FnOnce(&dyn Fn())) -> Answers {
    let (stop, answers) = (AtomicBool::new(false), Mutex::new(Answers::default()));
    std::thread::scope(|scope| {
        for kind in [Work::Read, Work::StaleRead, Work::NumberedWrite, Work::PlainWrite] {
            for _ in 0..2 {
                let (stop, answers) = (&stop, &answers);
                scope.spawn(move || work(kind, router, stop, answers));
            }
        }
        let count = || answers.lock().expect("no client panicked").count;
        let await_requests = || {
            let before = count();
            eventually("requests to be answered", || (count() >= before + REQUESTS_BETWEEN).then_some(()));
        };
        await_requests();
        events(&await_requests);
        stop.store(true, Ordering::Relaxed);
    });
    answers.into_inner().expect("no client panicked")
}

#[test]
fn when_leaders_are_killed_nothing_fails_that_is_safe_to_repeat() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut cluster = Cluster::start(directory.path());
    let (_process, router) = start_router(&cluster.urls());
    let answers = under_load(&router, |await_requests| {
        for asked in [0, 1] {
            let leader = cluster.leader(asked);
            cluster.kill(leader);
            await_requests();
            cluster.start_node(leader);
            await_ready(&cluster.url(leader));
            await_requests();
        }
    });
    for (work, answer) in &answers.failed {
        let answer = answer.as_ref().unwrap_or_else(|error| panic!("{work:?}: {error}"));
        assert_eq!((*work, answer.status), (Work::PlainWrite, 504), "{answer:?}");
        assert!(answer.text().contains("outcome_unknown"), "{answer:?}");
    }
    // Besides what the leader itself did not answer, what others passed to it just then.
    let (failed, count) = (answers.failed.len(), answers.count);
    assert!(failed * 20 < count, "{failed} of {count} outcomes are unknown");
}

#[test]
fn a_rolling_restart_fails_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut cluster = Cluster::start(directory.path());
    let (_process, router) = start_router(&cluster.urls());
    let answers = under_load(&router, |await_requests| {
        for index in 0..3 {
            assert_eq!(cluster.terminate(index).code(), Some(0));
            await_requests();
            cluster.start_node(index);
            await_ready(&cluster.url(index));
            await_metric(&router, &format!("quorate_router_node_up{{node=\"{}\"}} 1", cluster.url(index)));
            await_requests();
        }
    });
    assert!(answers.failed.is_empty(), "{} of {}: {:?}", answers.failed.len(), answers.count, answers.failed);
}

#[test]
fn a_router_stops_when_asked_to_and_says_what_is_wrong_with_its_settings() {
    let address = format!("127.0.0.1:{}", free_ports(1)[0]);
    let mut route = quorate();
    route.args(["route", "--cluster", "127.0.0.1:1", "--listen", &address]).stdout(Stdio::null());
    let mut process = Process(route.spawn().expect("the router starts"));
    let url = format!("http://{address}");
    eventually("the router to answer", || request(&url, "GET", "/healthz", &[], b"").ok());
    assert_eq!(request(&url, "GET", "/readyz", &[], b"").expect("the router answers").status, 503);
    process.signal("-TERM");
    assert_eq!(process.await_exit().code(), Some(0));
    for arguments in [&["route"][..], &["route", "--cluster", "https://a:1"]] {
        let output = processes::run(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--cluster"), "{output:?}");
    }
}
