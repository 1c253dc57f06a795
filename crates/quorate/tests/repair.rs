//! A node whose state is damaged: refused, repaired by hand or by itself, and as before.

mod processes;

use std::path::Path;
use std::process::Output;

use processes::{Cluster, await_ready, eventually, get, put, quorate};

/// Runs `quorate repair`. Gives its exit code and what it said.
fn repair(directory: &Path) -> (Option<i32>, String) {
    let output = quorate().arg("repair").arg("--data-dir").arg(directory).output().expect("the binary runs");
    (output.status.code(), said(&output))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// Overwrites the beginning of the state's file.
fn damage_state(directory: &Path) {
    let file = directory.join("state-0/data.mdb");
    let mut content = std::fs::read(&file).expect("read");
    content[..8192].fill(0xff);
    std::fs::write(&file, content).expect("write");
}

#[test]
fn a_damaged_node_is_repaired_by_hand_or_by_itself() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut cluster = Cluster::start(folder.path());
    let directory = cluster.data_directory(2);
    for number in 0..20 {
        // While another node comes to lead, a write may fail.
        eventually("the write", || {
            let answer = put(&cluster.url(number % 3), &format!("key-{number}"), b"value");
            (answer.expect("an answer").status < 300).then_some(())
        });
    }
    let last = get(&cluster.url(2), "key-19").expect("an answer");
    assert_eq!(last.body, b"value", "it has caught up");
    let revision = last.header("quorate-revision").expect("every answer has one");
    let (code, text) = repair(&directory);
    assert!(code == Some(1) && text.contains("in use"), "{text}");
    assert!(cluster.terminate(2).success());
    let (code, text) = repair(&directory);
    let expected = format!("every record is sound, up to revision {revision}");
    assert!(code == Some(0) && text.contains(&expected), "{text}");

    damage_state(&directory);
    let output = cluster.command(2).output().expect("the binary runs");
    let text = said(&output);
    assert!(output.status.code() == Some(1) && text.contains("quorate repair"), "{text}");
    let (code, text) = repair(&directory);
    assert!(code == Some(0) && text.contains("makes its state anew"), "{text}");
    cluster.start_node(2);
    await_ready(&cluster.url(2));
    assert_eq!(get(&cluster.url(2), "key-7").expect("an answer").body, b"value");
    assert!(directory.join("set-aside/state-0/data.mdb").exists());

    assert!(cluster.terminate(2).success());
    std::fs::rename(directory.join("state-1"), directory.join("state-0")).expect("rename");
    damage_state(&directory);
    let mut automatic = cluster.command(2);
    automatic.args(["--repair", "automatic"]);
    let _node = processes::Process(automatic.spawn().expect("the node starts"));
    await_ready(&cluster.url(2));
    assert_eq!(get(&cluster.url(2), "key-8").expect("an answer").body, b"value");
}

#[test]
fn what_is_no_data_directory_is_not_made_into_one() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (code, text) = repair(folder.path());
    assert!(code == Some(1) && text.contains("identity"), "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 0);
    let (code, text) = repair(&folder.path().join("nowhere"));
    assert!(code == Some(1) && text.contains("nowhere"), "{text}");
}
