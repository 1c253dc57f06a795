//! How long faults lasted.
//!
//! A nemesis records when it did something, not when that was over. So a fault lasts until the next
//! different thing that the same nemesis did, which is its repair or another fault. What sounds like a
//! repair makes no band.

use std::collections::BTreeMap;

use super::PictureBand;
use crate::history::NemesisEvent;

/// How the names of repairs begin.
const REPAIRS: [&str; 9] =
    ["stop", "heal", "end", "resume", "recover", "restore", "repair", "reset", "restart"];

/// The bands of a run.
pub(super) fn bands(events: &[NemesisEvent]) -> Vec<PictureBand> {
    let mut bands: Vec<PictureBand> = Vec::new();
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events {
        if let Some(band) = open.get(event.process.as_str()) {
            let band = &mut bands[*band];
            if band.label == event.function {
                continue;
            }
            band.end = Some(event.time);
            open.remove(event.process.as_str());
        }
        if !REPAIRS.iter().any(|repair| event.function.trim_start_matches(':').starts_with(repair)) {
            open.insert(&event.process, bands.len());
            bands.push(PictureBand { label: event.function.clone(), begin: event.time, end: None });
        }
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_lasts_until_its_repair_or_the_next_fault() {
        let event = |function: &str, time| NemesisEvent {
            process: "nemesis".to_owned(),
            function: function.to_owned(),
            value: serde_json::Value::Null,
            time,
        };
        let events = [
            event("partition", 1),
            event("partition", 2),
            event("heal", 5),
            event("kill", 7),
            event("pause", 8),
        ];
        let found: Vec<_> =
            bands(&events).into_iter().map(|band| (band.label, band.begin, band.end)).collect();
        let band = |label: &str, begin, end| (label.to_owned(), begin, end);
        assert_eq!(found, [band("partition", 1, Some(5)), band("kill", 7, Some(8)), band("pause", 8, None)]);
    }
}
