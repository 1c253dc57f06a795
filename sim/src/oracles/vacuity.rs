//! Oracles that are told nothing convict nobody, and a run that they acquit proves nothing.
//!
//! Each source of observations is one line of code somewhere in the product or in the disk's model. If
//! such a line goes, every seed passes from then on. So a run in which a source said nothing at all does
//! not pass.

/// How often each source of observations said something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Terms whose leader was accepted by a node: facts of votes.
    pub terms: u64,
    /// Entries that were applied: facts of the log.
    pub entries: u64,
    /// Indexes at which a state stood: facts of digests.
    pub stands: u64,
    /// Writes and syncs that the model of the disk has seen.
    pub disk_operations: u64,
}

impl Observed {
    /// What said nothing, if there is such a source.
    pub fn silent(&self) -> Option<&'static str> {
        let sources = [
            (self.terms, "no node told of a vote"),
            (self.entries, "no node told of an entry that it applied"),
            (self.stands, "no node told where its state stands"),
            (self.disk_operations, "the model of the disk saw no write"),
        ];
        sources.into_iter().find_map(|(count, silence)| (count == 0).then_some(silence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_silent_source_is_enough() {
        let all = Observed { terms: 1, entries: 1, stands: 1, disk_operations: 1 };
        assert_eq!(all.silent(), None);
        for silent in [
            Observed { terms: 0, ..all },
            Observed { entries: 0, ..all },
            Observed { stands: 0, ..all },
            Observed { disk_operations: 0, ..all },
        ] {
            assert!(silent.silent().is_some(), "{silent:?}");
        }
    }
}
