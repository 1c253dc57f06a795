//! Equal states at equal index: applying is deterministic, on every node, after every restart and
//! through every snapshot (etcd #13766 and #14685 are what happens otherwise).

use std::collections::BTreeMap;

use super::{Judgement, Violation};

/// The property's name.
pub const EQUAL_STATES: &str = "equal states at equal index";

#[derive(Clone, Copy, Debug)]
struct State {
    term: u64,
    revision: u64,
    digest: u128,
    member: u64,
}

/// The state at every index at which some node has stood.
#[derive(Debug, Default)]
pub struct Digests {
    by_index: BTreeMap<u64, State>,
}

impl Digests {
    /// The state of `member` stands at `index`.
    pub fn observe(&mut self, member: u64, index: u64, term: u64, revision: u64, digest: u128) -> Judgement {
        let state = State { term, revision, digest, member };
        let known = *self.by_index.entry(index).or_insert(state);
        if (known.term, known.revision, known.digest) == (term, revision, digest) {
            return Ok(());
        }
        let describe = |state: State| {
            format!(
                "n{} has revision {} and digest {:032x} (term {})",
                state.member, state.revision, state.digest, state.term
            )
        };
        let evidence = format!("at index {index} {}, and {}", describe(known), describe(state));
        Err(Violation::new(EQUAL_STATES, evidence))
    }

    /// At how many indexes a state stood.
    pub fn count(&self) -> u64 {
        self.by_index.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_states_at_one_index_are_convicted() {
        let mut digests = Digests::default();
        assert_eq!(digests.observe(1, 9, 2, 5, 77), Ok(()));
        assert_eq!(digests.observe(2, 9, 2, 5, 77), Ok(()));
        assert_eq!(digests.observe(2, 10, 2, 6, 78), Ok(()));
        assert!(digests.observe(3, 9, 2, 5, 76).is_err(), "another digest");
        assert!(digests.observe(3, 10, 2, 7, 78).is_err(), "another revision");
        assert!(digests.observe(1, 9, 2, 6, 78).is_err(), "the node itself, later");
    }
}
