//! What a run came to, as one line of JSON: the last line of standard output.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::recorder::Summary;

/// The report on a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    seed: u64,
    verdict: &'static str,
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
    /// Whether the check of the history came to its end; absent if it was not made.
    #[serde(skip_serializing_if = "Option::is_none")]
    history_checked: Option<bool>,
}

impl Report {
    /// The report on the run of `seed`.
    pub fn new(seed: u64, summary: Summary, history_checked: Option<bool>, resident_kib_max: u64) -> Self {
        let (property, evidence) =
            summary.violation.map(|violation| (violation.property, violation.evidence)).unzip();
        Self {
            seed,
            verdict: if property.is_none() { "passed" } else { "failed" },
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
            history_checked,
        }
    }

    /// Whether every property held.
    pub fn passed(&self) -> bool {
        self.property.is_none()
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
