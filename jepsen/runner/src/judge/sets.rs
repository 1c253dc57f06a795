//! Elements of sets that are lost, or that nobody added.
//!
//! The checker finds these too. But where many additions have an unknown outcome, it may reach a limit on the way to the
//! proof, and a lost element is to be called by its name.

use std::collections::BTreeMap;

use quorate_jepsen::history::Outcome;
use quorate_jepsen::import::ImportedHistory;
use quorate_jepsen::model::{SetAnswer, SetCall};

use super::some;
use crate::history::Conviction;
use crate::property::Property;

/// What became of an addition.
struct Addition {
    began: u64,
    /// When it was acknowledged, if it was.
    acknowledged: Option<u64>,
    has_failed: bool,
    /// When the last read began that saw it; 0 if none did.
    seen: u64,
}

/// Checks all reads of sets that only grow.
pub(super) fn check(history: &ImportedHistory) -> Vec<Conviction> {
    let ImportedHistory::Set(typed) = history else { return Vec::new() };
    let mut sets: BTreeMap<&[u8], BTreeMap<&[u8], Addition>> = BTreeMap::new();
    for operation in typed.history.operations() {
        if let SetCall::Add(element) = &operation.call {
            let addition = Addition {
                began: operation.invoked,
                acknowledged: operation.answer().and(operation.completed),
                has_failed: operation.outcome == Outcome::Failed,
                seen: 0,
            };
            sets.entry(&operation.key).or_default().insert(element, addition);
        }
    }
    for operation in typed.history.operations() {
        let (Some(SetAnswer::Elements(elements)), Some(additions)) =
            (operation.answer(), sets.get_mut(operation.key.as_slice()))
        else {
            continue;
        };
        for element in elements {
            if let Some(addition) = additions.get_mut(element.as_slice()) {
                addition.seen = addition.seen.max(operation.invoked);
            }
        }
    }
    let mut found = Vec::new();
    let nothing = BTreeMap::new();
    for operation in typed.history.operations() {
        let Some(SetAnswer::Elements(elements)) = operation.answer() else { continue };
        let additions = sets.get(operation.key.as_slice()).unwrap_or(&nothing);
        let (began, ended) = (operation.invoked, operation.completed.unwrap_or(u64::MAX));
        let set = String::from_utf8_lossy(&operation.key);
        let mut convict = |property, element: &[u8], what: &str| {
            let what = format!("a read of {set} {what} {}", String::from_utf8_lossy(element));
            found.push(Conviction { when: began, property, what });
        };
        for element in elements {
            match additions.get(element.as_slice()) {
                None => convict(Property::NothingFromNowhere, element, "saw an element that nobody added:"),
                Some(addition) if addition.has_failed => convict(
                    Property::NothingFromNowhere,
                    element,
                    "saw an element whose addition was refused:",
                ),
                Some(addition) if addition.began > ended => {
                    convict(Property::NothingFromNowhere, element, "saw an element before it was added:")
                }
                Some(_) => {}
            }
        }
        let is_missing = |(element, addition): &(&&[u8], &Addition)| {
            addition.acknowledged.is_some_and(|acknowledged| acknowledged < began)
                && !elements.contains(**element)
        };
        for (element, addition) in additions.iter().filter(is_missing) {
            if addition.seen > began {
                let what = "missed an element that had been acknowledged before, and was seen later:";
                convict(Property::Linearizable, element, what);
            } else {
                let what = "lost an element that had been acknowledged before:";
                convict(Property::AcknowledgedIsKept, element, what);
            }
        }
    }
    some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_jepsen::history::History;
    use quorate_jepsen::import::Typed;

    /// One element was acknowledged, one is unknown, one was refused; then reads saw these, one after the other.
    fn found_by(reads: &[&[&str]]) -> Vec<(Property, String)> {
        let mut history = History::new();
        let mut add = |element: &str, time| history.invoke(1, b"s", SetCall::Add(element.into()), time);
        let (acknowledged, unknown, refused) = (add("acknowledged", 1), add("unknown", 3), add("refused", 5));
        history.ok(acknowledged, SetAnswer::Done, 6);
        history.unknown(unknown, 6);
        history.failed(refused, 6);
        for (seen, time) in reads.iter().zip((10..).step_by(5)) {
            let read = history.invoke(2, b"s", SetCall::Read, time);
            let seen = seen.iter().map(|element| element.as_bytes().to_vec()).collect();
            history.ok(read, SetAnswer::Elements(seen), time + 2);
        }
        let found = check(&ImportedHistory::Set(Typed { history, lines: Vec::new() }));
        found.into_iter().map(|conviction| (conviction.property, conviction.what)).collect()
    }

    fn found(seen: &[&str]) -> Vec<String> {
        found_by(&[seen]).into_iter().map(|(_, what)| what).collect()
    }

    #[test]
    fn what_is_acknowledged_is_seen_and_what_was_refused_is_not() {
        assert!(found(&["acknowledged"]).is_empty());
        assert!(found(&["acknowledged", "unknown"]).is_empty());
        assert!(found(&[])[0].contains("lost"));
        assert!(found(&["acknowledged", "refused"])[0].contains("refused"));
        assert!(found(&["acknowledged", "other"])[0].contains("nobody"));
    }

    #[test]
    fn what_a_read_missed_is_lost_unless_it_is_seen_later() {
        let properties = |reads: &[&[&str]]| -> Vec<Property> {
            found_by(reads).into_iter().map(|(property, _)| property).collect()
        };
        assert_eq!(properties(&[&[], &["acknowledged"]]), [Property::Linearizable]);
        assert_eq!(properties(&[&["acknowledged"], &[]]), [Property::AcknowledgedIsKept]);
        let lost_at_last = [&[][..], &["acknowledged"], &[]];
        assert_eq!(properties(&lost_at_last), [Property::Linearizable, Property::AcknowledgedIsKept]);
    }
}
