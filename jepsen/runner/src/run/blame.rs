//! Whose fault it is that a node ended, or that it panicked.
//!
//! A node that ends by itself convicts the store, unless something else has ended it: the interposer, which says so in
//! the node's log and aborts the process when it cannot do its work, or the system, which kills processes when memory
//! is short. That says nothing about the store, and nor does what the cluster could then not do in time.

use std::collections::BTreeSet;
use std::fs;

use crate::history::Conviction;
use crate::property::Property;
use crate::report::NodeLog;

/// What the lines of the interposer begin with, and what a panic in it says of its place.
const INTERPOSER: [&str; 3] =
    ["interposer: ", "panicked at jepsen/interposer/", "panicked at jepsen/faults/"];
/// What a panic says.
const PANIC: &str = "panicked at";
/// How the end of a process is described that was killed. Kills of the harness are no unexplained ends.
const KILLED: &str = "signal: 9 ";

/// Who is to blame for what.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Blame {
    /// What convicts the store.
    pub store: Vec<Conviction>,
    /// Where the harness failed, each in a sentence.
    pub harness: Vec<String>,
}

impl Blame {
    /// Of what was too late, of ends that nothing explains by node, and of logs that were complete at that time. A log
    /// that cannot be read is a failure of the harness.
    pub fn of(late: Vec<Conviction>, ends: Vec<(u8, Conviction)>, logs: &[NodeLog], when: u64) -> Self {
        let mut blame = Self::default();
        let mut interposed = BTreeSet::new();
        for NodeLog { node, path } in logs {
            let bytes = fs::read(path).unwrap_or_else(|error| {
                blame.harness.push(format!("reading {}: {error}", path.display()));
                Vec::new()
            });
            for line in String::from_utf8_lossy(&bytes).lines() {
                let what = || format!("Node {node}: {line}");
                if INTERPOSER.iter().any(|words| line.contains(words)) {
                    interposed.insert(*node);
                    blame.harness.push(what());
                } else if line.contains(PANIC) {
                    // A thread that panics need not end its process.
                    blame.store.push(Conviction { when, property: Property::NodesGoOn, what: what() });
                }
            }
        }
        for (node, end) in ends {
            if interposed.contains(&node) || end.what.contains(KILLED) {
                blame.harness.push(format!("{} That was not the store.", end.what));
            } else {
                blame.store.push(end);
            }
        }
        if blame.harness.is_empty() {
            blame.store.extend(late);
        } else {
            // What was waited for may have been one of those nodes.
            blame.harness.extend(late.into_iter().map(|conviction| conviction.what));
        }
        blame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: &str = "node 1 did not serve within 45 s";

    /// Two nodes whose logs say that, and whose ends are those; and something was late.
    fn blame(first: &str, second: &str, ends: &[(u8, &str)]) -> (Vec<String>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let log = |node: u8, text: &str| {
            let path = folder.path().join(format!("node-{node}.log"));
            fs::write(&path, text).expect("a log");
            NodeLog { node, path }
        };
        let conviction =
            |what: &str| Conviction { when: 5, property: Property::NodesGoOn, what: what.to_owned() };
        let ends = ends.iter().map(|&(node, what)| (node, conviction(what))).collect();
        let blame = Blame::of(vec![conviction(LATE)], ends, &[log(1, first), log(2, second)], 9);
        (blame.store.into_iter().map(|conviction| conviction.what).collect(), blame.harness)
    }

    #[test]
    fn ends_panics_and_lateness_are_the_store_s() {
        let end = "Node 2 ended by itself (signal: 6 (SIGABRT) (core dumped)).";
        let (store, harness) =
            blame("all is well\n", "thread 'main' panicked at crates/a.rs:1:2:\n", &[(2, end)]);
        assert_eq!(store, ["Node 2: thread 'main' panicked at crates/a.rs:1:2:", end, LATE]);
        assert!(harness.is_empty());
    }

    #[test]
    fn what_the_interposer_ends_is_not_the_store_s_but_others_are() {
        let ends =
            [(1, "Node 1 ended by itself (signal: 6)."), (2, "Node 2 ended by itself (exit status: 1).")];
        let (store, harness) = blame("well\ninterposer: cannot write the journal: no\n", "", &ends);
        assert_eq!(store, [ends[1].1]);
        let own = "Node 1 ended by itself (signal: 6). That was not the store.";
        assert_eq!(harness, ["Node 1: interposer: cannot write the journal: no", own, LATE]);
    }

    #[test]
    fn a_kill_that_nobody_sent_is_the_system_s() {
        use std::os::unix::process::ExitStatusExt;
        let end = format!("Node 1 ended by itself ({}).", std::process::ExitStatus::from_raw(9));
        let (store, harness) = blame("", "", &[(1, &end)]);
        assert!(store.is_empty(), "{store:?}");
        assert_eq!(harness.len(), 2);
    }
}
