//! What can be told of a transaction before anything is read.

use super::{InvalidTransaction, Operation, Transaction};
use crate::comparison::Target;
use crate::range::KeyRange;
use crate::reading::is_key;

impl Transaction {
    /// Checks the form: how deep it nests, that keys can be keys, and that no key can be written twice,
    /// whichever way the comparisons go. Neither counts nor sizes: their limits are settings.
    pub fn check(&self) -> Result<(), InvalidTransaction> {
        self.check_depth()?;
        self.check_keys()?;
        self.written().map(drop)
    }

    fn check_depth(&self) -> Result<(), InvalidTransaction> {
        match self.nested().any(|nested| nested.nested().next().is_some()) {
            true => Err(InvalidTransaction::TooDeep),
            false => Ok(()),
        }
    }

    fn check_keys(&self) -> Result<(), InvalidTransaction> {
        let compared = self.comparisons.iter().filter_map(|comparison| match &comparison.target {
            Target::Key(key) => Some(key),
            Target::Range(_) => None,
        });
        let used = self.success.iter().chain(&self.failure).filter_map(|operation| match operation {
            Operation::Put { key, .. } | Operation::Delete { key } | Operation::Get { key } => Some(key),
            Operation::DeleteRange { .. } | Operation::Range { .. } | Operation::Transaction(_) => None,
        });
        if !compared.chain(used).all(|key| is_key(key)) {
            return Err(InvalidTransaction::KeyBytes);
        }
        self.nested().try_for_each(Transaction::check_keys)
    }

    /// All that either list may write, as ranges that have nothing in common, in order.
    fn written(&self) -> Result<Vec<KeyRange>, InvalidTransaction> {
        let mut both = written_by(&self.success)?;
        both.extend(written_by(&self.failure)?);
        // Only one of the lists runs, so that they may have keys in common.
        Ok(merge(both))
    }
}

/// All that a list may write, if it writes nothing twice.
fn written_by(operations: &[Operation]) -> Result<Vec<KeyRange>, InvalidTransaction> {
    let mut written = Vec::new();
    for operation in operations {
        match operation {
            Operation::Put { key, .. } | Operation::Delete { key } => written.push(KeyRange::single(key)),
            Operation::DeleteRange { range } if !range.is_empty() => written.push(range.clone()),
            Operation::DeleteRange { .. } | Operation::Get { .. } | Operation::Range { .. } => {}
            Operation::Transaction(nested) => written.extend(nested.written()?),
        }
    }
    sort(&mut written);
    for pair in written.windows(2) {
        if pair[0].contains(pair[1].start()) {
            return Err(InvalidTransaction::WrittenTwice { key: pair[1].start().clone() });
        }
    }
    Ok(written)
}

/// Makes one range of those that have keys in common.
fn merge(mut ranges: Vec<KeyRange>) -> Vec<KeyRange> {
    sort(&mut ranges);
    let mut merged: Vec<KeyRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.contains(range.start()) => {
                let end = match (last.end(), range.end()) {
                    (Some(one), Some(other)) => Some(one.max(other).clone()),
                    _ => None,
                };
                *last = KeyRange::new(last.start().clone(), end);
            }
            _ => merged.push(range),
        }
    }
    merged
}

fn sort(ranges: &mut [KeyRange]) {
    ranges.sort_by(|one, other| one.start().cmp(other.start()));
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::comparison::{Comparison, Predicate};

    fn put(key: &'static str) -> Operation {
        Operation::Put { key: Bytes::from(key), value: Bytes::new() }
    }

    fn delete(key: &'static str) -> Operation {
        Operation::Delete { key: Bytes::from(key) }
    }

    fn delete_range(start: &'static str, end: &'static str) -> Operation {
        Operation::DeleteRange { range: KeyRange::new(Bytes::from(start), Some(Bytes::from(end))) }
    }

    fn either<const M: usize, const N: usize>(success: [Operation; M], failure: [Operation; N]) -> Operation {
        Operation::Transaction(transaction(success, failure))
    }

    fn transaction<const M: usize, const N: usize>(
        success: [Operation; M],
        failure: [Operation; N],
    ) -> Transaction {
        Transaction { comparisons: vec![], success: success.into(), failure: failure.into() }
    }

    #[track_caller]
    fn check_written_twice<const N: usize>(operations: [Operation; N], key: &'static str) {
        let expected = Err(InvalidTransaction::WrittenTwice { key: Bytes::from(key) });
        assert_eq!(transaction(operations.clone(), []).check(), expected);
        assert_eq!(transaction([], operations.clone()).check(), expected);
        assert_eq!(transaction([either([], operations)], []).check(), expected, "nested");
    }

    #[test]
    fn a_key_is_written_once_whichever_way_it_goes() {
        check_written_twice([put("a"), put("a")], "a");
        check_written_twice([put("b"), put("a"), delete("b")], "b");
        check_written_twice([put("b"), delete_range("a", "c")], "b");
        check_written_twice([delete_range("b", "d"), delete_range("a", "c")], "b");
        let nested = either([put("x")], [put("a")]);
        assert_eq!(
            transaction([put("a"), nested.clone()], []).check(),
            Err(InvalidTransaction::WrittenTwice { key: Bytes::from("a") })
        );
        assert_eq!(
            transaction([nested, either([delete_range("w", "y")], [])], []).check(),
            Err(InvalidTransaction::WrittenTwice { key: Bytes::from("x") })
        );
    }

    #[test]
    fn keys_may_be_written_in_one_list_or_the_other() {
        let nested = either([put("x"), delete_range("p", "r")], [put("x"), delete_range("q", "s"), put("y")]);
        let list = || [put("a"), delete("b"), delete_range("c", "e"), delete_range("e", "f"), nested.clone()];
        assert_eq!(transaction(list(), list()).check(), Ok(()));
        let behind_all = delete_range("r", "s");
        let found = transaction([nested.clone(), behind_all], []).check();
        assert_eq!(found, Err(InvalidTransaction::WrittenTwice { key: Bytes::from("r") }));
        assert_eq!(transaction([nested.clone(), delete_range("s", "x")], []).check(), Ok(()));
        assert_eq!(
            transaction([put("a"), delete_range("b", "a"), delete_range("a", "a")], []).check(),
            Ok(())
        );
    }

    #[test]
    fn a_nested_transaction_does_not_nest() {
        let innermost = either([], []);
        assert_eq!(transaction([either([], [])], []).check(), Ok(()));
        for nested in [either([innermost.clone()], []), either([], [innermost])] {
            assert_eq!(transaction([], [nested]).check(), Err(InvalidTransaction::TooDeep));
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_wherever_it_stands() {
        for key in [Bytes::new(), Bytes::from(vec![b'k'; 1025])] {
            let get = Operation::Get { key: key.clone() };
            let deleting = Operation::Delete { key: key.clone() };
            let putting = Operation::Put { key: key.clone(), value: Bytes::new() };
            let comparisons =
                vec![Comparison { target: Target::Key(key.clone()), predicate: Predicate::Exists(true) }];
            let comparing = Transaction { comparisons, ..Transaction::default() };
            for operation in [get, deleting, putting, Operation::Transaction(comparing)] {
                for transaction in [transaction([operation.clone()], []), transaction([], [operation])] {
                    assert_eq!(transaction.check(), Err(InvalidTransaction::KeyBytes));
                }
            }
        }
    }
}
