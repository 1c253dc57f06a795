//! What a run came to, as one line of JSON: the last line of standard output.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::recorder::Summary;
use crate::run::NotChecked;

/// What a run came to, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every property held.
    Passed,
    /// A property was violated.
    Failed,
    /// Nothing wrong was seen, but not everything was looked at. The evidence says what was not.
    NotChecked,
}

impl Verdict {
    /// The program's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Passed => 0,
            Verdict::Failed => 1,
            Verdict::NotChecked => 3,
        }
    }
}

/// The report on a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    seed: u64,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    property: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
    virtual_seconds: f64,
    operations: u64,
    trace_hash: String,
    faults: BTreeMap<String, u64>,
    faults_skipped: BTreeMap<String, u64>,
    faults_indeterminate: BTreeMap<String, u64>,
    resident_kib_max: u64,
    answered: u64,
    terms: u64,
    entries: u64,
    stands: u64,
    coverage: BTreeMap<&'static str, u64>,
    /// Whether the history was checked to its end, and found good.
    history_checked: bool,
}

impl Report {
    /// The report on the run of `seed`, which [`crate::run::run`] ended with `checked`.
    pub fn new(seed: u64, summary: Summary, checked: Result<(), NotChecked>, resident_kib_max: u64) -> Self {
        let (verdict, property, evidence) = match (summary.violation, checked) {
            (Some(violation), _) => (Verdict::Failed, Some(violation.property), Some(violation.evidence)),
            (None, Err(reason)) => (Verdict::NotChecked, None, Some(reason.to_string())),
            (None, Ok(())) => (Verdict::Passed, None, None),
        };
        Self {
            seed,
            verdict,
            property,
            evidence,
            virtual_seconds: summary.virtual_ns as f64 / 1e9,
            operations: summary.operations,
            trace_hash: summary.trace_hash,
            faults: summary.faults,
            faults_skipped: summary.faults_skipped,
            faults_indeterminate: summary.faults_indeterminate,
            resident_kib_max,
            answered: summary.answered,
            terms: summary.terms,
            entries: summary.entries,
            stands: summary.stands,
            coverage: summary.coverage,
            history_checked: verdict == Verdict::Passed,
        }
    }

    /// What the run came to.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The report as one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings can be written as JSON")
    }
}

/// The most memory that this process ever had resident.
pub fn resident_kib_max() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::Violation;

    #[track_caller]
    fn check(violation: Option<Violation>, checked: Result<(), NotChecked>, expected: (&str, bool, u8)) {
        let report = Report::new(7, Summary { violation, ..Summary::default() }, checked, 1);
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
        let found = (json["verdict"].as_str(), json["history_checked"].as_bool());
        assert_eq!(found, (Some(expected.0), Some(expected.1)), "{json}");
        assert_eq!(report.verdict().exit_code(), expected.2);
    }

    #[test]
    fn what_was_not_checked_has_not_passed() {
        let given_up = || Err(NotChecked::new("the search was given up"));
        check(None, Ok(()), ("passed", true, 0));
        check(None, given_up(), ("not_checked", false, 3));
        check(Some(Violation::new("p", "e")), Ok(()), ("failed", false, 1));
        check(Some(Violation::new("p", "e")), given_up(), ("failed", false, 1));
    }
}
