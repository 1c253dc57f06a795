//! A committed entry never changes (State Machine Safety, figure 3 of the Raft paper).
//!
//! A node applies only what is committed, so what nodes apply at an index must be one entry for all of
//! them and for all time, restarts included. Term and content are compared: two leaders' entries with
//! equal content are different entries.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::{Judgement, Violation};

/// The property's name.
pub const COMMITTED_ENTRIES_NEVER_CHANGE: &str = "a committed entry never changes";

#[derive(Clone, Copy, Debug)]
struct Entry {
    term: u64,
    content_hash: u64,
    content_bytes: usize,
    applied_by: u64,
}

/// Every entry that some node has applied.
#[derive(Debug, Default)]
pub struct Entries {
    by_index: BTreeMap<u64, Entry>,
}

impl Entries {
    /// `member` has applied the entry at `index`, proposed in `term`.
    pub fn observe(&mut self, member: u64, index: u64, term: u64, content: &[u8]) -> Judgement {
        let (content_hash, content_bytes) = (xxh3_64(content), content.len());
        let entry = Entry { term, content_hash, content_bytes, applied_by: member };
        let known = *self.by_index.entry(index).or_insert(entry);
        if (known.term, known.content_hash) == (term, content_hash) {
            return Ok(());
        }
        let describe = |entry: Entry| {
            format!(
                "n{} applied an entry of term {} with {} bytes (hash {:016x})",
                entry.applied_by, entry.term, entry.content_bytes, entry.content_hash
            )
        };
        let evidence = format!("at index {index} {}, and {}", describe(known), describe(entry));
        Err(Violation::new(COMMITTED_ENTRIES_NEVER_CHANGE, evidence))
    }

    /// The term of the entry at `index`, if one was applied there.
    pub fn term(&self, index: u64) -> Option<u64> {
        self.by_index.get(&index).map(|entry| entry.term)
    }

    /// The last index at which an entry was applied; 0 if there is none.
    pub fn last(&self) -> u64 {
        self.by_index.last_key_value().map_or(0, |(index, _)| *index)
    }

    /// How many entries were applied.
    pub fn count(&self) -> u64 {
        self.by_index.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_entry_at_an_applied_index_is_convicted() {
        let mut entries = Entries::default();
        assert_eq!(entries.observe(1, 9, 2, b"x"), Ok(()));
        assert_eq!(entries.observe(2, 9, 2, b"x"), Ok(()));
        assert_eq!(entries.observe(1, 10, 2, b"y"), Ok(()));
        assert!(entries.observe(3, 9, 2, b"z").is_err(), "other content");
        assert!(entries.observe(3, 10, 3, b"y").is_err(), "another term");
        assert!(entries.observe(1, 10, 3, b"y").is_err(), "the node itself, later");
    }
}
