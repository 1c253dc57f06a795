//! `--dialect`: nodes that speak the interfaces of other stores. The walkthroughs of those are pages below
//! `docs/dialects/`, which `cargo xtask docs-test` runs.

mod processes;

use std::net::TcpListener;
use std::process::Stdio;

use processes::{Process, await_ready, free_dev_port, free_ports, quorate, read_until, request, run};

#[track_caller]
fn check_refused(arguments: &[&str], exit_code: i32, said: &[&str]) {
    let output = run(arguments);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(exit_code), "quorate {arguments:?}: {text}");
    for part in said {
        assert!(text.contains(part), "quorate {arguments:?} says '{part}': {text}");
    }
}

#[test]
fn what_is_wrong_with_a_dialect_is_said_at_the_start() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    let data_text = data.to_str().expect("the path is text");
    let serve = ["serve", "--id", "1", "--data-dir", data_text, "--initial-cluster", "1=127.0.0.1:1"];
    let with = |more: &[&'static str]| [&serve[..], more].concat();
    check_refused(&with(&["--dialect", "etcd=h:1"]), 2, &["--dialect", "'etcd'", "cluster-kv, simplekv"]);
    check_refused(&with(&["--dialect", "kv-db"]), 2, &["NAME=HOST:PORT"]);
    check_refused(&with(&["--dialect", "kv-db=h"]), 2, &["--dialect", "'h' is not HOST:PORT"]);
    check_refused(&with(&["--dialect", "kv-db=h:1", "--dialect", "kv-db=h:2"]), 2, &["kv-db is given twice"]);
    let dev = ["dev", "--data-dir", data_text, "--dialect", "kv-db=127.0.0.1:1,127.0.0.1:2"];
    check_refused(&dev, 2, &["2 addresses", "NAME=HOST:PORT,HOST:PORT,HOST:PORT"]);
    assert!(!data.exists(), "nothing is made before the settings are right");
}

#[test]
fn a_port_in_use_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ports = free_ports(3);
    let _taken = TcpListener::bind(("127.0.0.1", ports[0])).expect("the port is free");
    let address = |port: u16| format!("127.0.0.1:{port}");
    let dialect = format!("keyval={}", address(ports[0]));
    let peer = address(ports[2]);
    let arguments = ["serve", "--id", "1", "--listen", &address(ports[1]), "--peer-listen", &peer];
    let cluster = format!("1={peer}");
    let data = directory.path().to_str().expect("the path is text");
    let more = ["--initial-cluster", &cluster, "--data-dir", data, "--dialect", &dialect];
    check_refused(&[&arguments[..], &more].concat(), 1, &[&address(ports[0]), "keyval", "--dialect"]);
}

#[test]
fn each_node_of_dev_speaks_its_dialects_and_stops_cleanly() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let port = free_dev_port();
    let ports = free_ports(6);
    let dialect = |name: &str, ports: &[u16]| {
        let addresses: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("{name}={}", addresses.join(","))
    };
    let child = quorate()
        .args(["--log", "warn", "dev", "--port", &port.to_string(), "--data-dir"])
        .arg(directory.path())
        .args(["--dialect", &dialect("simplekv", &ports[..3]), "--dialect", &dialect("keyval", &ports[3..])])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("quorate dev starts");
    let mut process = Process(child);
    let lines = read_until(&mut process, |line| line.contains("Ctrl-C"));
    for (name, port) in ["simplekv", "simplekv", "simplekv", "keyval", "keyval", "keyval"].iter().zip(&ports)
    {
        let line = format!("    {name} at http://127.0.0.1:{port}");
        assert!(lines.contains(&line), "{line}: {lines:#?}");
    }
    await_ready(&format!("http://127.0.0.1:{port}"));
    let ask = |port: u16, method: &str, path: &str, body: &[u8]| {
        request(&format!("http://127.0.0.1:{port}"), method, path, &[], body).expect("the node answers")
    };
    assert_eq!(ask(ports[0], "PUT", "/greeting", b"hello").status, 201);
    for port in &ports[..3] {
        assert_eq!(ask(*port, "GET", "/greeting", b"").text(), "hello");
    }
    assert_eq!(ask(ports[5], "GET", "/key/greeting", b"").text(), "{\"greeting\":\"hello\"}");
    process.signal("-TERM");
    assert_eq!(process.await_exit().code(), Some(0), "SIGTERM ends it cleanly");
}
