//! Ranges of keys, in the order of bytes.

use std::ops::Bound;

use bytes::Bytes;

use crate::command::Command;

/// The keys from `start` (included) up to `end` (excluded). May be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    start: Bytes,
    end: Option<Bytes>,
}

impl KeyRange {
    /// The longest bound, in bytes: one more than the longest key, because the first key behind `k` is `k`
    /// and a zero byte.
    pub(crate) const BOUND_BYTES_MAX: usize = Command::KEY_BYTES_MAX + 1;

    /// The keys from `start` (included; empty for the first key there is) up to `end` (excluded; none for all
    /// the rest). Bounds may be of any length: what is too long to be a key is put between the same keys.
    pub fn new(start: Bytes, end: Option<Bytes>) -> Self {
        Self { start: shorten(start), end: end.map(shorten) }
    }

    /// Every key.
    pub fn all() -> Self {
        Self { start: Bytes::new(), end: None }
    }

    /// The keys that begin with `prefix`.
    pub fn prefix(prefix: Bytes) -> Self {
        let mut end = prefix.to_vec();
        // The first byte string behind all that begin with the prefix: its last byte that can grow, grown.
        while end.last() == Some(&u8::MAX) {
            end.pop();
        }
        let end = end.last_mut().map(|last| *last += 1).map(|()| Bytes::from(end.clone()));
        Self::new(prefix, end)
    }

    /// One key alone.
    pub fn single(key: &[u8]) -> Self {
        Self::new(Bytes::copy_from_slice(key), Some(first_behind(key)))
    }

    /// The first key that may be in it.
    pub fn start(&self) -> &Bytes {
        &self.start
    }

    /// The first key behind it, or `None` if there is none.
    pub fn end(&self) -> Option<&Bytes> {
        self.end.as_ref()
    }

    /// Whether the key is in it.
    pub fn contains(&self, key: &[u8]) -> bool {
        *key >= self.start[..] && self.end.as_ref().is_none_or(|end| *key < end[..])
    }

    /// Whether no key can be in it.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// The part behind `key`.
    pub(crate) fn behind(&self, key: &[u8]) -> Self {
        Self::new(first_behind(key).max(self.start.clone()), self.end.clone())
    }

    /// The part before `key`.
    pub(crate) fn before(&self, key: &[u8]) -> Self {
        let key = Bytes::copy_from_slice(key);
        let end = self.end.clone().map_or(key.clone(), |end| end.min(key));
        Self::new(self.start.clone(), Some(end))
    }

    /// The bounds of a scan.
    pub(crate) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        let start = if self.start.is_empty() { Bound::Unbounded } else { Bound::Included(&self.start[..]) };
        (start, self.end.as_ref().map_or(Bound::Unbounded, |end| Bound::Excluded(&end[..])))
    }
}

/// The first byte string behind a key.
fn first_behind(key: &[u8]) -> Bytes {
    let mut behind = Vec::with_capacity(key.len() + 1);
    behind.extend_from_slice(key);
    behind.push(0);
    Bytes::from(behind)
}

/// A bound that stands between the same keys, and is not longer than needed for that.
fn shorten(bound: Bytes) -> Bytes {
    match bound.len() {
        // No key begins with all of the bound, so it comes right behind the longest key it begins with.
        length if length > KeyRange::BOUND_BYTES_MAX => first_behind(&bound[..Command::KEY_BYTES_MAX]),
        _ => bound,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(&b"\0a\xfe\xff"[..]), 0..4)
    }

    proptest! {
        #[test]
        fn a_prefix_is_the_range_of_the_keys_that_begin_with_it(prefix in key(), key in key()) {
            let range = KeyRange::prefix(Bytes::from(prefix.clone()));
            prop_assert_eq!(range.contains(&key), key.starts_with(&prefix));
        }

        #[test]
        fn a_single_key_is_alone(one in key(), other in key()) {
            prop_assert_eq!(KeyRange::single(&one).contains(&other), one == other);
        }

        #[test]
        fn a_range_is_cut_at_a_key(start in key(), end in prop::option::of(key()), cut in key(), key in key()) {
            let range = KeyRange::new(start.into(), end.map(Bytes::from));
            prop_assert!(!(range.is_empty() && range.contains(&key)));
            prop_assert_eq!(range.behind(&cut).contains(&key), range.contains(&key) && key > cut);
            prop_assert_eq!(range.before(&cut).contains(&key), range.contains(&key) && key < cut);
        }
    }

    #[test]
    fn a_bound_that_is_too_long_stands_between_the_same_keys() {
        let long = |length, last| {
            let mut bound = vec![b'k'; length];
            bound[length - 1] = last;
            Bytes::from(bound)
        };
        let max = Command::KEY_BYTES_MAX;
        for bound in [long(max + 1, b'k'), long(max + 1, 0), long(max + 2, b'k'), long(3 * max, b'k')] {
            for key in [long(max, b'j'), long(max, b'k'), long(max, b'l'), long(max - 1, b'k')] {
                assert_eq!(KeyRange::new(bound.clone(), None).contains(&key), key >= bound);
                let range = KeyRange::new(Bytes::new(), Some(bound.clone()));
                assert_eq!(range.contains(&key), key < bound);
            }
            assert!(KeyRange::new(bound, None).start().len() <= KeyRange::BOUND_BYTES_MAX);
        }
    }
}
