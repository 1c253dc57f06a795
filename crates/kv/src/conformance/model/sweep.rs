//! What is there physically, as the model has it.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Model, Place};
use crate::outcome::Outcome;

/// What the quota counts of a record besides key and value.
const OVERHEAD_BYTES: u64 = 48;

impl Model {
    /// The changes that are there.
    fn present(&self) -> Vec<(Place, Bytes, Option<Bytes>)> {
        let present = self.changes().filter(|(place, _)| !self.removed.contains(place));
        present.map(|(place, (key, value))| (place, key.clone(), value.clone())).collect()
    }

    /// The keys of which any change is there, in order.
    pub(super) fn indexed_keys(&self) -> BTreeSet<Bytes> {
        self.present().into_iter().map(|(_, key, _)| key).collect()
    }

    /// What the quota counts.
    pub(in super::super) fn stored_bytes(&self) -> u64 {
        let bytes = |key: &Bytes, value: Option<Bytes>| (key.len() + value.map_or(0, |it| it.len())) as u64;
        let history = self.present().into_iter().map(|(_, key, value)| bytes(&key, value) + OVERHEAD_BYTES);
        let index = self.indexed_keys().into_iter().map(|key| bytes(&key, None) + OVERHEAD_BYTES);
        history.sum::<u64>() + index.sum::<u64>()
    }

    pub(super) fn sweep(&mut self, records_max: u64) -> Outcome {
        let end = (self.compacted as usize, u32::MAX as usize);
        let ahead = self.present().into_iter().map(|(place, ..)| place);
        let ahead: Vec<Place> = ahead.filter(|it| Some(*it) > self.swept && *it <= end).collect();
        let (mut looked_at, records_max) = (0, records_max.clamp(1, 1024));
        let mut remaining = false;
        for place in ahead {
            if looked_at == records_max {
                remaining = true;
                break;
            }
            looked_at += 1;
            self.pass(place);
            self.swept = Some(place);
        }
        if !remaining {
            self.swept = self.swept.max(Some(end));
        }
        self.remove_expired_sessions();
        Outcome::Swept { revision: self.swept.map_or(0, |(revision, _)| revision as u64), remaining }
    }

    /// Removes the change before this one of the same key, and this one if it is a delete and the last.
    fn pass(&mut self, place: Place) {
        let present = self.present();
        let Some((_, key, value)) = present.iter().find(|(it, ..)| *it == place) else {
            panic!("{place:?} is there");
        };
        let of_key = || present.iter().filter(|(_, it, _)| it == key).map(|(place, ..)| *place);
        if let Some(previous) = of_key().filter(|it| *it < place).max() {
            self.removed.insert(previous);
        }
        if value.is_none() && of_key().max() == Some(place) {
            self.removed.insert(place);
        }
    }
}
