//! In the end all nodes have what was acknowledged.
//!
//! When everything is healed and nothing is written any more, each key is read once more
//! linearizably. Those reads are part of the history, so that the linearizability oracle sees whether
//! they explain every acknowledged write. Here it is left to show that each node's own state, read
//! locally, gives the same.

use std::collections::BTreeMap;
use std::fmt;

use super::{Judgement, Violation};

/// The property's name.
pub const ALL_NODES_HAVE_IT: &str = "acknowledged writes are on all nodes in the end";

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The value and the revision of the key, or `None` if it does not exist.
    pub value: Option<(Vec<u8>, u64)>,
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some((value, revision)) => {
                let shown = &value[..value.len().min(40)];
                write!(formatter, "{:?} at revision {revision}", String::from_utf8_lossy(shown))
            }
            None => write!(formatter, "nothing"),
        }
    }
}

/// The final state, read linearizably.
#[derive(Debug, Default)]
pub struct Agreement {
    expected: BTreeMap<Vec<u8>, Found>,
}

impl Agreement {
    /// The last linearizable read of `key` found this.
    pub fn expect(&mut self, key: &[u8], found: Found) {
        self.expected.insert(key.to_vec(), found);
    }

    /// A read of `key` in the state of `member` found this.
    pub fn observe(&self, member: u64, key: &[u8], found: &Found) -> Judgement {
        let expected = self.expected.get(key).expect("every key is read linearizably before");
        if expected == found {
            return Ok(());
        }
        let key = String::from_utf8_lossy(key);
        let evidence = format!("key {key:?}: the cluster has {expected}, n{member} has {found}");
        Err(Violation::new(ALL_NODES_HAVE_IT, evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_with_another_state_is_convicted() {
        let found = |value: &str, revision| Found { value: Some((value.into(), revision)) };
        let mut agreement = Agreement::default();
        agreement.expect(b"a", found("x", 3));
        agreement.expect(b"b", Found { value: None });
        assert_eq!(agreement.observe(1, b"a", &found("x", 3)), Ok(()));
        assert_eq!(agreement.observe(1, b"b", &Found { value: None }), Ok(()));
        assert!(agreement.observe(2, b"a", &found("x", 2)).is_err());
        assert!(agreement.observe(2, b"a", &Found { value: None }).is_err());
        assert!(agreement.observe(2, b"b", &found("y", 4)).is_err());
    }
}
