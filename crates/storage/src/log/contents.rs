//! What is on disk, and where.

use std::collections::VecDeque;
use std::sync::Arc;

use quorate_consensus::{LogId, Vote};

use super::format::{Change, Opening, Place};
use super::segment::Segment;

/// What the flushed batches of a log come to. The same code follows them when they are written and when
/// they are found at the next start.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// In the order of their numbers. The newest is the one that is written to.
    segments: VecDeque<Listed>,
    opening: Opening,
}

/// A segment with its entries.
#[derive(Debug)]
struct Listed {
    segment: Arc<Segment>,
    /// The index of the first of `places`.
    first: u64,
    places: Vec<Place>,
}

impl Listed {
    /// The index behind its last entry.
    fn end(&self) -> u64 {
        self.first + self.places.len() as u64
    }
}

/// The changes contradict each other.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry {found} follows where {expected} has to")]
pub(crate) struct OutOfOrder {
    expected: u64,
    found: u64,
}

impl Contents {
    pub(crate) fn vote(&self) -> Option<Vote> {
        self.opening.vote
    }

    pub(crate) fn committed(&self) -> Option<LogId> {
        self.opening.committed
    }

    pub(crate) fn purged(&self) -> Option<LogId> {
        self.opening.purged
    }

    /// The index that the next entry must have, `None` if it may have any.
    pub(crate) fn next_index(&self) -> Option<u64> {
        self.opening.next_index
    }

    /// What a new segment has to begin with.
    pub(crate) fn opening(&self) -> &Opening {
        &self.opening
    }

    /// What follows is in this segment.
    pub(crate) fn begin(&mut self, segment: Arc<Segment>) {
        self.segments.push_back(Listed { segment, first: 0, places: Vec::new() });
    }

    /// Follows a record.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), OutOfOrder> {
        match change {
            Change::Entry { index, place } => return self.append(*index, *place),
            Change::Truncate { from } => self.truncate(*from),
            Change::Vote(vote) => self.opening.vote = Some(*vote),
            Change::Committed(log_id) => self.opening.committed = Some(*log_id),
            Change::Purge(log_id) => self.purge(*log_id),
            Change::Opening(opening) => self.opening = opening.clone(),
        }
        Ok(())
    }

    fn append(&mut self, index: u64, place: Place) -> Result<(), OutOfOrder> {
        let expected = self.opening.next_index.unwrap_or(index);
        if index != expected {
            return Err(OutOfOrder { expected, found: index });
        }
        let newest = self.segments.back_mut().expect("a batch is in a segment");
        if newest.places.is_empty() {
            newest.first = index;
        }
        newest.places.push(place);
        self.opening.next_index = Some(index + 1);
        Ok(())
    }

    fn truncate(&mut self, from: u64) {
        for listed in &mut self.segments {
            listed.places.truncate(from.saturating_sub(listed.first) as usize);
        }
        self.opening.next_index = Some(from);
    }

    fn purge(&mut self, log_id: LogId) {
        let behind = log_id.index() + 1;
        self.opening.purged = Some(log_id);
        if self.opening.next_index.is_none_or(|next| next <= behind) {
            // The log goes on behind the bound, perhaps with a gap.
            self.truncate(0);
            self.opening.next_index = Some(behind);
        }
    }

    /// Takes away the oldest segments that hold no entry that counts. The newest stays.
    pub(crate) fn drop_purged(&mut self) -> Vec<Arc<Segment>> {
        let first = self.opening.purged.map_or(0, |log_id| log_id.index() + 1);
        let mut dropped = Vec::new();
        while self.segments.len() > 1 {
            let front = &self.segments[0];
            if !front.places.is_empty() && front.end() > first {
                break;
            }
            dropped.extend(self.segments.pop_front().map(|listed| listed.segment));
        }
        dropped
    }

    /// The entries that count, from the first one on: index, segment and place.
    pub(crate) fn entries_from(&self, start: u64) -> impl Iterator<Item = (u64, &Arc<Segment>, Place)> {
        let listed = self.segments.iter().filter(move |listed| listed.end() > start);
        listed.flat_map(move |listed| {
            let skipped = start.saturating_sub(listed.first);
            let places = listed.places.iter().copied().enumerate().skip(skipped as usize);
            places.map(move |(at, place)| (listed.first + at as u64, &listed.segment, place))
        })
    }

    /// The place of the last entry, if there is one.
    pub(crate) fn last_entry(&self) -> Option<(u64, &Arc<Segment>, Place)> {
        let listed = self.segments.iter().rev().find(|listed| !listed.places.is_empty())?;
        listed.places.last().map(|place| (listed.end() - 1, &listed.segment, *place))
    }

    /// The bytes of all segments but the newest.
    pub(crate) fn older_bytes(&self) -> u64 {
        let count = self.segments.len().saturating_sub(1);
        self.segments.iter().take(count).map(|listed| listed.segment.bytes).sum()
    }
}
