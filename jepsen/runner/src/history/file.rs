//! A history as a file.

use quorate_jepsen::event::{Event, EventKind, Process, Value};
use quorate_jepsen::jsonl::write_json_event;

use super::WorkloadHistory;
use crate::fault::{Fault, FaultState};

/// What stands in the file of a history.
#[derive(Clone, Debug, Default)]
pub struct HistoryFile {
    /// JSON lines, which `quorate-jepsen check` reads.
    pub bytes: Vec<u8>,
    /// The time of each line, in nanoseconds of the run.
    pub times: Vec<u64>,
}

impl WorkloadHistory {
    /// The history, and the faults of the run between its events.
    pub fn file(&self, faults: &[Fault]) -> HistoryFile {
        let mut faults = fault_lines(faults).into_iter().peekable();
        let mut file = HistoryFile::default();
        for (time, line) in &self.lines {
            while let Some((time, line)) = faults.next_if(|(begun, _)| begun <= time) {
                file.push(time, &line);
            }
            file.push(*time, line);
        }
        faults.for_each(|(time, line)| file.push(time, &line));
        file
    }
}

impl HistoryFile {
    fn push(&mut self, time: u64, line: &[u8]) {
        self.times.push(time);
        self.bytes.extend_from_slice(line);
    }
}

/// The beginnings and ends of all faults that were tried, in the order of time.
fn fault_lines(faults: &[Fault]) -> Vec<(u64, Vec<u8>)> {
    let tried = faults.iter().filter(|fault| !matches!(fault.state, FaultState::Skipped { .. }));
    let line = |fault: &Fault, time: u64, function: &str| {
        let mut event =
            Event::new(EventKind::Info, Process::Nemesis(fault.nemesis.into()), function.to_owned());
        event.value = Value::List(fault.nodes.iter().map(|node| Value::integer(i64::from(*node))).collect());
        event.time = Some(time);
        let mut line = Vec::new();
        write_json_event(&event, &mut line).expect("an event is valid JSON, and memory takes all");
        (time, line)
    };
    let mut lines: Vec<(u64, Vec<u8>)> = tried
        .flat_map(|fault| {
            let begun = line(fault, fault.began, &format!("{}: {}", fault.nemesis, fault.action));
            let healed = line(fault, fault.healed.unwrap_or(fault.began), "heal");
            [begun, healed]
        })
        .collect();
    lines.sort_by_key(|(time, _)| *time);
    lines
}
