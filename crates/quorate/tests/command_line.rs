//! What a person meets at the command line: help, mistakes, exit codes.

mod processes;

use processes::run;

fn check(arguments: &[&str], exit_code: i32, said: &[&str]) {
    let output = run(arguments);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(exit_code), "quorate {arguments:?}: {text}");
    for part in said {
        assert!(text.contains(part), "quorate {arguments:?} says '{part}': {text}");
    }
}

#[test]
fn help_teaches_how_to_start_a_cluster() {
    check(&["--help"], 0, &["quorate dev", "serve", "put", "get", "delete", "status", "Exit codes"]);
    check(&["list", "--help"], 0, &["--prefix", "Exit codes", "QUORATE_ENDPOINTS"]);
    check(&["serve", "--help"], 0, &["--initial-cluster", "quorate serve --id 3", "QUORATE_DATA_DIR"]);
}

#[test]
fn wrong_flags_exit_with_2_and_a_hint() {
    check(&["serve", "--lissten", "h:1"], 2, &["--lissten", "--listen"]);
    check(&["serve"], 2, &["--id", "QUORATE_ID"]);
    check(&["serve", "--id", "one"], 2, &["one"]);
    check(
        &["serve", "--id", "4", "--data-dir", "unused", "--initial-cluster", "1=127.0.0.1:1"],
        2,
        &["member 4", "--initial-cluster"],
    );
    check(&["serve", "--config", "/does/not/exist.toml"], 2, &["/does/not/exist.toml"]);
    check(&["get", "k", "--timeout", "soon"], 2, &["soon", "500ms"]);
    check(&["get", "k", "--timeout", "61s"], 2, &["61s", "at most 60s"]);
    check(
        &["get", "k", "--endpoints", "https://h:1"],
        2,
        &["--endpoints", "https://h:1", "http://HOST:PORT"],
    );
    check(&["put", "k", "--endpoints", "http://h:1/x"], 2, &["--endpoints", "http://h:1/x"]);
    check(&["get", &"k".repeat(1_025)], 2, &["1024", "1025"]);
    check(&["--log", "=(", "status"], 2, &["--log"]);
    check(&["delete"], 2, &["--prefix", "--all"]);
    check(&["delete", "k", "--prefix", "k"], 2, &["--prefix"]);
    check(&["list", "--order", "random"], 2, &["random", "descending"]);
    check(&["list", "--limit", "0"], 2, &["--limit"]);
    check(&["settings", "quota"], 2, &["quota", "NAME=VALUE"]);
    check(&["settings", "quota=much"], 2, &["'much' is not a whole number"]);
    check(&["put", "k", "v", "--file", "f"], 2, &["--file"]);
    check(&["put", "k", "--file", "/does/not/exist"], 1, &["cannot read /does/not/exist"]);
    check(&["txn"], 2, &["not a transaction"]);
    check(&["man", "nothing"], 2, &["nothing", "--help"]);
}

#[test]
fn a_node_that_cannot_say_where_clients_reach_it_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("n1");
    let data_text = data.to_str().expect("the path is text");
    let common = ["serve", "--id", "1", "--data-dir", data_text, "--initial-cluster", "1=127.0.0.1:1"];
    let with = |more: &[&'static str]| [&common[..], more].concat();
    check(&with(&["--listen", "0.0.0.0:0"]), 2, &["--advertise-url http://HOST:", "--listen 0.0.0.0:0"]);
    check(&with(&["--advertise-url", "db1:7801"]), 2, &["--advertise-url", "db1:7801", "http://HOST:PORT"]);
    assert!(!data.exists(), "nothing is made before the settings are right");
}

#[test]
fn an_unreachable_cluster_is_a_definite_failure_that_names_what_was_tried() {
    let port = processes::free_ports(1)[0];
    let endpoint = format!("http://127.0.0.1:{port}");
    let hint = "hint: is the cluster running?";
    check(&["get", "k", "--endpoints", &endpoint, "--timeout", "1s"], 1, &[&endpoint, hint]);
    check(&["put", "k", "v", "--endpoints", &endpoint, "--timeout", "1s"], 1, &[&endpoint, hint]);
}
