//! One history before the checker.

use std::time::{Duration, Instant};

use quorate_jepsen::import::{Format, ImportOptions, ImportedHistory, import};
use quorate_jepsen::judge::{Conclusion, judge};
use quorate_jepsen::picture::Picture;
use quorate_jepsen::register::Spending;
use quorate_jepsen::transactions::Guarantee;

use super::WorkloadJudgement;
use crate::fault::Fault;
use crate::history::WorkloadHistory;

/// How long one history may be searched.
const SEARCH_MAX: Duration = Duration::from_secs(120);
/// What a search may keep in memory.
const SEARCH_BYTES_MAX: usize = 4 << 30;

/// The verdict on a history, and the history as the checker read it.
///
/// # Errors
///
/// The checker cannot read it, in a sentence.
pub(super) fn check(
    history: &WorkloadHistory,
    faults: &[Fault],
) -> Result<(WorkloadJudgement, ImportedHistory), String> {
    let workload = history.workload;
    let file = history.file(faults);
    let options = ImportOptions {
        format: Some(Format::JsonLines),
        model: Some(workload.model()),
        ..ImportOptions::default()
    };
    let imported = import(&file.bytes[..], &options);
    let imported = imported.map_err(|error| format!("the history of {workload}: {error}"))?.history;
    let began = Instant::now();
    let is_time_up = || began.elapsed() >= SEARCH_MAX;
    let spending = Spending {
        steps_per_key_max: u64::MAX,
        search_bytes_max: SEARCH_BYTES_MAX,
        is_time_up: &is_time_up,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let judged = judge(&imported, Guarantee::default(), &spending);
    let judged = judged.map_err(|error| format!("the history of {workload}: {error}"))?;
    let conclusion = judged.conclusion();
    let times = judged.lines().into_iter().map(|line| file.times[line as usize - 1]);
    let picture = (conclusion == Conclusion::Broken)
        .then(|| Picture::of_judgement(&format!("Workload {workload}"), &imported, &judged));
    let judgement = WorkloadJudgement {
        workload,
        operations: imported.len(),
        conclusion,
        explanation: judged.to_string(),
        when: times.clone().min().zip(times.max()),
        picture,
    };
    Ok((judgement, imported))
}
