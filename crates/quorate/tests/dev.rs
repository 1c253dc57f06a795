//! `quorate dev`, as the README says.

mod processes;

use std::path::Path;
use std::process::{Command, Stdio};

use processes::{Process, free_dev_port, get, quorate, read_until, run};

fn start(data_directory: &Path, port: u16) -> (Process, Vec<String>) {
    let child = quorate()
        .args(["--log", "warn", "dev", "--port", &port.to_string(), "--data-dir"])
        .arg(data_directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("quorate dev starts");
    let mut process = Process(child);
    let lines = read_until(&mut process, |line| line.contains("Ctrl-C"));
    (process, lines)
}

#[test]
fn it_prints_lines_that_work_stops_cleanly_and_finds_its_data_again() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let port = free_dev_port();
    let (mut process, lines) = start(directory.path(), port);

    let urls: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("  http://")).collect();
    assert_eq!(urls.len(), 3, "{lines:#?}");
    let curl_lines: Vec<_> =
        lines.iter().map(|line| line.trim()).filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(curl_lines.len(), 3, "{lines:#?}");
    for line in &curl_lines {
        let output =
            Command::new("sh").args(["-c", &format!("{line} --silent --show-error --fail")]).output();
        let output = output.expect("curl runs");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    process.signal("-TERM");
    assert_eq!(process.await_exit().code(), Some(0), "SIGTERM ends it cleanly");

    // On other ports this time: what the log says of addresses is then out of date.
    let port = free_dev_port();
    let (mut process, _) = start(directory.path(), port);
    for node in 0..3 {
        let answer = get(&format!("http://127.0.0.1:{}", port + node), "greeting").expect("the node answers");
        assert_eq!((answer.status, answer.text()), (200, "hello"));
    }
    process.signal("-INT");
    assert_eq!(process.await_exit().code(), Some(0), "Ctrl-C ends it cleanly");
}

#[test]
fn the_client_commands_work_against_it() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let port = free_dev_port();
    let (_process, _) = start(directory.path(), port);
    let endpoints: Vec<_> = (0..3).map(|node| format!("http://127.0.0.1:{}", port + node)).collect();
    let endpoints = endpoints.join(",");
    let check = |arguments: &[&str], exit_code: i32, said: &str| {
        let output = run(&[arguments, &["--endpoints", &endpoints]].concat());
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(exit_code), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
    };
    check(&["put", "colour/sky", "blue"], 0, "1");
    check(&["get", "colour/sky"], 0, "blue");
    check(&["get", "colour/sky", "--stale"], 0, "blue");
    check(&["put", "colour/sky", "grey", "--if-absent"], 4, "condition");
    check(&["put", "colour/sky", "grey", "--if-revision", "1"], 0, "2");
    check(&["delete", "colour/sky", "--if-revision", "1"], 4, "condition");
    check(&["delete", "colour/sky"], 0, "3");
    check(&["get", "colour/sky"], 4, "colour/sky");
    check(&["status"], 0, "leader");
}

#[test]
fn a_port_in_use_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let port = free_dev_port();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    let data = directory.path().to_str().expect("the path is text");
    let output = run(&["dev", "--port", &port.to_string(), "--data-dir", data]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("--port"), "{text}");
}
