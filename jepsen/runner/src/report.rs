//! What people read when a run is over: a page, a text, and JSON for programs. Beside them are the histories, which
//! `quorate-jepsen check` reads.

mod logs;
mod measures;
mod page;
mod plots;
mod summary;
mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use crate::arguments::Arguments;
use crate::error::HarnessError;
use crate::fault::Fault;
use crate::history::Histories;
use crate::judge::Judgement;
use summary::{Summary, Verdict};

/// A node's log.
#[derive(Clone, Debug)]
pub struct NodeLog {
    /// The node.
    pub node: u8,
    /// Where it is.
    pub path: PathBuf,
}

/// How the cluster came back when all was healed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Convergence {
    /// All nodes serve and have the same state.
    Converged {
        /// How long it took after the last fault was healed, in nanoseconds.
        took: u64,
        /// The revision that all have.
        revision: u64,
    },
    /// Their states differ: that convicts the store.
    Diverged {
        /// What is wrong.
        why: String,
    },
    /// They did not serve, did not answer or did not agree in time: that convicts the store, unless the harness failed. It may then be what
    /// stood in their way.
    NotReached {
        /// What is missing.
        why: String,
    },
}

impl Convergence {
    /// This, unless the nodes left some of the last reads unanswered, which are told: who does not answer does not
    /// serve, whatever it says.
    pub fn unless_silent(self, unanswered: &[String]) -> Self {
        match (self, unanswered) {
            (Self::Converged { .. }, [first, ..]) => {
                let count = unanswered.len();
                let why = format!("{count} of the last reads were not answered, the first of them: {first}");
                Self::NotReached { why }
            }
            (other, _) => other,
        }
    }
}

/// A run, as far as it was not recorded by clients.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// How it was asked for.
    pub arguments: Arguments,
    /// The command that repeats it.
    pub command: String,
    /// What the store's program says of its version.
    pub version: String,
    /// When it began, by the machine's clock.
    pub began: SystemTime,
    /// When clients had ended, in nanoseconds of the run.
    pub ended: u64,
    /// What was done to the cluster, in the order in which it began.
    pub faults: Vec<Fault>,
    /// What was left out because of the system that it ran on, each in a sentence.
    pub left_out: Vec<String>,
    /// How the cluster came back.
    pub convergence: Convergence,
    /// Where the harness failed, each in a sentence.
    pub harness_failures: Vec<String>,
    /// The nodes' logs.
    pub logs: Vec<NodeLog>,
}

impl RunRecord {
    /// The exit code of the run: 0 all is well, 1 the store is convicted, 2 there is no verdict, 4 the harness failed.
    /// What convicts the store does so even if the harness failed.
    pub fn exit_code(&self, judgement: &Judgement) -> u8 {
        Verdict::of(self, judgement).exit_code()
    }
}

/// Writes the histories of a run into a folder, each as a file of JSON lines. That is the evidence, whatever becomes of
/// the verdict.
///
/// # Errors
///
/// A file that cannot be written.
pub fn write_histories(histories: &Histories, faults: &[Fault], folder: &Path) -> Result<(), HarnessError> {
    for history in histories.workloads.iter().filter(|history| !history.lines.is_empty()) {
        save(folder, &format!("{}.jsonl", history.workload), &history.file(faults).bytes)?;
    }
    Ok(())
}

fn save(folder: &Path, name: &str, content: &[u8]) -> Result<(), HarnessError> {
    let path = folder.join(name);
    fs::write(&path, content).map_err(HarnessError::system(format!("writing {}", path.display())))
}

/// Writes the report of a run into a folder: `report.html`, `report.txt` and `report.json`. Gives the text.
///
/// # Errors
///
/// A file that cannot be written.
pub fn write(
    record: &RunRecord,
    histories: &Histories,
    judgement: &Judgement,
    folder: &Path,
) -> Result<String, HarnessError> {
    let summary = Summary::new(record, histories, judgement);
    let save = |name: &str, content: &[u8]| save(folder, name, content);
    let json = serde_json::to_vec_pretty(&summary).expect("a summary has only texts for names");
    save("report.json", &json)?;
    save("report.html", page::page(&summary, judgement).as_bytes())?;
    let text = text::text(&summary);
    save("report.txt", text.as_bytes())?;
    Ok(text)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FaultState;
    use crate::history::{Conviction, Outcome, Sample};
    use crate::judge::WorkloadJudgement;
    use crate::property::Property;
    use crate::workload::WorkloadName;
    use clap::Parser;
    use quorate_jepsen::judge::Conclusion;
    use std::time::{Duration, UNIX_EPOCH};

    const SECOND: u64 = 1_000_000_000;

    fn record() -> RunRecord {
        let fault = |began, healed, action: &str, state| Fault {
            nemesis: "kill",
            action: action.to_owned(),
            nodes: vec![2],
            began,
            healed,
            state,
        };
        RunRecord {
            arguments: Arguments::parse_from([
                "quorate-runner",
                "--nodes",
                "3",
                "--seconds",
                "10",
                "--seed",
                "7",
            ]),
            command: "cargo xtask jepsen run --nodes 3 --seconds 10 --seed 7".to_owned(),
            version: "quorate 0.1.0".to_owned(),
            began: UNIX_EPOCH + Duration::from_secs(1_795_323_930),
            ended: 10 * SECOND,
            faults: vec![
                fault(2 * SECOND, Some(4 * SECOND), "node 2 <leads>, and is killed", FaultState::Installed),
                fault(
                    8 * SECOND,
                    None,
                    "nobody",
                    FaultState::Skipped { why: "no majority is left".to_owned() },
                ),
            ],
            left_out: vec!["clocks: libfaketime is not there".to_owned()],
            convergence: Convergence::Converged { took: SECOND / 2, revision: 40 },
            harness_failures: Vec::new(),
            logs: Vec::new(),
        }
    }

    fn histories() -> Histories {
        let sample = |tenth: u64| {
            let ended = tenth * SECOND / 10;
            let outcome = if (20..35).contains(&tenth) { Outcome::Unknown } else { Outcome::Ok };
            Sample { began: ended - 3_000_000, ended, node: (tenth % 3) as u8 + 1, is_write: true, outcome }
        };
        Histories { samples: (1..100).map(sample).collect(), ..Histories::default() }
    }

    fn judgement(conclusion: Conclusion) -> Judgement {
        let workload = WorkloadJudgement {
            workload: WorkloadName::Register,
            operations: 99,
            conclusion,
            explanation: "Key \"a\" is not linearizable.".to_owned(),
            when: Some((SECOND, 2 * SECOND)),
            picture: None,
        };
        Judgement { workloads: vec![workload], ..Judgement::default() }
    }

    fn text_of(record: &RunRecord, judgement: &Judgement) -> String {
        text::text(&Summary::new(record, &histories(), judgement))
    }

    #[test]
    fn the_text_of_a_run_is_this() {
        let text = text_of(&record(), &judgement(Conclusion::Kept));
        assert_eq!(text, include_str!("report/example.txt"));
    }

    #[test]
    fn what_convicts_counts_more_than_what_failed() {
        let mut record = record();
        assert_eq!(record.exit_code(&judgement(Conclusion::Kept)), 0);
        assert_eq!(record.exit_code(&judgement(Conclusion::Unknown)), 2);
        record.harness_failures.push("no space".to_owned());
        assert_eq!(record.exit_code(&judgement(Conclusion::Kept)), 4);
        assert_eq!(record.exit_code(&judgement(Conclusion::Broken)), 1);
        let rule = Conviction { when: 5, property: Property::NodesGoOn, what: "a rule".to_owned() };
        let broken = Judgement { broken_rules: vec![rule], ..judgement(Conclusion::Kept) };
        assert_eq!(record.exit_code(&broken), 1);
        record.convergence = Convergence::Diverged { why: "node 3 has another state".to_owned() };
        assert_eq!(record.exit_code(&judgement(Conclusion::Kept)), 1);
        record.convergence = Convergence::NotReached { why: "node 3 did not serve".to_owned() };
        assert_eq!(record.exit_code(&judgement(Conclusion::Kept)), 4);
        record.harness_failures.clear();
        assert_eq!(record.exit_code(&judgement(Conclusion::Kept)), 1);
    }

    #[test]
    fn a_cluster_that_leaves_the_last_reads_unanswered_has_not_come_back() {
        let converged = || Convergence::Converged { took: SECOND, revision: 40 };
        assert_eq!(converged().unless_silent(&[]), converged());
        let unanswered = ["key a at node 1".to_owned(), "key b at node 1".to_owned()];
        let why = "2 of the last reads were not answered, the first of them: key a at node 1".to_owned();
        assert_eq!(converged().unless_silent(&unanswered), Convergence::NotReached { why });
        let diverged = Convergence::Diverged { why: "node 3 has another state".to_owned() };
        assert_eq!(diverged.clone().unless_silent(&unanswered), diverged);
    }

    #[test]
    fn a_run_is_convicted_of_all_that_was_found() {
        let of = |record: &RunRecord, judgement: &Judgement| -> Vec<Property> {
            Summary::new(record, &histories(), judgement).convicted_of.into_iter().collect()
        };
        let mut record = record();
        assert_eq!(of(&record, &judgement(Conclusion::Kept)), []);
        let rule = Conviction { when: 5, property: Property::ExactlyOnce, what: "a rule".to_owned() };
        let broken = Judgement { broken_rules: vec![rule], ..judgement(Conclusion::Broken) };
        assert_eq!(of(&record, &broken), [Property::Linearizable, Property::ExactlyOnce]);
        record.convergence = Convergence::Diverged { why: "node 3 has another state".to_owned() };
        assert_eq!(of(&record, &judgement(Conclusion::Kept)), [Property::EqualStates]);
        record.convergence = Convergence::NotReached { why: "node 3 did not serve".to_owned() };
        assert_eq!(of(&record, &judgement(Conclusion::Kept)), [Property::DoneInTime]);
    }

    #[test]
    fn a_failure_is_told_with_its_reason_and_what_the_nodes_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("node-1.log");
        fs::write(&path, "2026-11-22T05:05:31.5Z elected\n2026-11-22T06:00:00Z later\n").expect("a log");
        let record = RunRecord { logs: vec![NodeLog { node: 1, path }], ..record() };
        let text = text_of(&record, &judgement(Conclusion::Broken));
        assert!(text.starts_with("Verdict: convicted\nConvicted of: linearizable\n"));
        assert!(text.contains("register: Key \"a\" is not linearizable."));
        assert!(text.contains("Log of node 1:\n  2026-11-22T05:05:31.5Z elected\n"));
        assert!(!text.contains("later"));
    }

    #[test]
    fn the_folder_holds_the_report_in_three_forms() {
        let folder = tempfile::tempdir().expect("a folder");
        let judgement = judgement(Conclusion::Broken);
        write(&record(), &histories(), &judgement, folder.path()).expect("writable");
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect(name);
        let json: serde_json::Value = serde_json::from_str(&read("report.json")).expect("JSON");
        assert_eq!(json["verdict"], "convicted");
        assert_eq!(json["convicted_of"], serde_json::json!(["linearizable"]));
        assert_eq!(json["measures"]["kinds"]["kill"]["installed"], 1);
        let page = read("report.html");
        assert!(
            page.contains("node 2 &lt;leads&gt;, and is killed"),
            "what nodes and faults say is no markup"
        );
        assert!(page.contains("Key &quot;a&quot; is not linearizable."));
        for (opened, closed) in
            [("<svg", "</svg>"), ("<table", "</table>"), ("<tr>", "</tr>"), ("<td", "</td>")]
        {
            assert_eq!(page.matches(opened).count(), page.matches(closed).count(), "{opened}");
        }
        assert!(!page.contains("http://") && !page.contains("https://"), "it refers to nothing outside");
    }
}
