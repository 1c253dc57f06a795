//! Maps, sets, counters and locks: the search agrees with trying every order.

use proptest::prelude::*;
use quorate_jepsen::checker::{Limits, Verdict, check};
use quorate_jepsen::history::{History, Outcome};
use quorate_jepsen::model::{
    Counter, CounterAnswer, CounterCall, KeyValue, KeyValueAnswer, KeyValueCall, Model, Mutex, MutexAnswer,
    MutexCall, Set, SetAnswer, SetCall,
};

/// Whether some order of the operations that says when each happens explains every answer. An unknown
/// operation may be left out.
fn is_linearizable<M: Model>(history: &History<M::Call>) -> bool {
    let recorded: Vec<_> = history
        .operations()
        .iter()
        .filter(|operation| match operation.outcome {
            Outcome::Ok(_) => true,
            Outcome::Failed => false,
            Outcome::Unknown => !quorate_jepsen::history::Call::is_read(&operation.call),
        })
        .collect();
    let (model, actions) = M::prepare(&recorded);
    let is_before = |first: usize, second: usize| {
        recorded[first].deadline().is_some_and(|deadline| deadline < recorded[second].invoked)
    };
    fn search<M: Model>(
        model: &M,
        actions: &[M::Action],
        required: &[bool],
        is_before: &dyn Fn(usize, usize) -> bool,
        state: &M::State,
        placed: u32,
    ) -> bool {
        let is_left = |index: usize| placed & (1 << index) == 0;
        if (0..actions.len()).all(|index| !is_left(index) || !required[index]) {
            return true;
        }
        (0..actions.len()).filter(|index| is_left(*index)).any(|index| {
            let is_blocked =
                (0..actions.len()).any(|other| other != index && is_left(other) && is_before(other, index));
            let mut next = Vec::new();
            if !is_blocked {
                model.step(state, &actions[index], &mut next);
            }
            next.iter().any(|state| search(model, actions, required, is_before, state, placed | 1 << index))
        })
    }
    let required: Vec<_> = recorded.iter().map(|operation| operation.answer().is_some()).collect();
    search(&model, &actions, &required, &is_before, &model.initial(), 0)
}

fn agree<M: Model>(history: &History<M::Call>) -> Result<(), TestCaseError> {
    let verdict = check::<M>(history, &Limits::default());
    let is_given_up = matches!(verdict, Verdict::Unknown { .. });
    prop_assert!(!is_given_up);
    prop_assert_eq!(verdict.is_linearizable(), is_linearizable::<M>(history), "{:?}", history);
    Ok(())
}

/// When an operation begins, how long it takes, and whether its answer comes.
type Shape = (u64, u64, u8);

fn shape() -> impl Strategy<Value = Shape> {
    (0..12_u64, 0..6_u64, 0..6_u8)
}

fn record<C: quorate_jepsen::history::Call>(operations: Vec<(C, C::Answer, Shape)>) -> History<C> {
    let mut history = History::new();
    for (process, (call, answer, (begin, length, ending))) in operations.into_iter().enumerate() {
        let operation = history.invoke(process as u64, b"", call, begin);
        match ending {
            0 => history.unknown(operation, begin + length),
            1 => {}
            _ => history.ok(operation, answer, begin + length),
        }
    }
    history
}

fn key_value() -> impl Strategy<Value = (KeyValueCall, KeyValueAnswer)> {
    let text =
        || prop::sample::select(vec!["", "a", "b", "ab", "ba"]).prop_map(|text| text.as_bytes().to_vec());
    let maybe = || prop::option::weighted(0.8, text());
    prop_oneof![
        3 => maybe().prop_map(|text| (KeyValueCall::Get, KeyValueAnswer::Value(text))),
        2 => text().prop_map(|text| (KeyValueCall::Put(text), KeyValueAnswer::Done)),
        2 => text().prop_map(|text| (KeyValueCall::Append(text), KeyValueAnswer::Done)),
        1 => Just((KeyValueCall::Delete, KeyValueAnswer::Done)),
        2 => (maybe(), text(), any::<bool>()).prop_map(|(expected, new, is_done)| {
            let answer = if is_done { KeyValueAnswer::Done } else { KeyValueAnswer::Mismatch };
            (KeyValueCall::CompareAndSet { expected, new }, answer)
        }),
    ]
}

fn set() -> impl Strategy<Value = (SetCall, SetAnswer)> {
    let element = || prop::sample::select(vec![b"x".to_vec(), b"y".to_vec(), b"z".to_vec()]);
    prop_oneof![
        prop::collection::btree_set(element(), 0..3)
            .prop_map(|seen| (SetCall::Read, SetAnswer::Elements(seen))),
        element().prop_map(|element| (SetCall::Add(element), SetAnswer::Done)),
        element().prop_map(|element| (SetCall::Remove(element), SetAnswer::Done)),
    ]
}

fn growing_set() -> impl Strategy<Value = (SetCall, SetAnswer)> {
    let element = || prop::sample::select((b'a'..=b'h').map(|letter| vec![letter]).collect::<Vec<_>>());
    prop_oneof![
        prop::collection::btree_set(element(), 0..3)
            .prop_map(|seen| (SetCall::Read, SetAnswer::Elements(seen))),
        element().prop_map(|element| (SetCall::Add(element), SetAnswer::Done)),
    ]
}

fn counter() -> impl Strategy<Value = (CounterCall, CounterAnswer)> {
    prop_oneof![
        (-2..4_i64).prop_map(|value| (CounterCall::Read, CounterAnswer::Value(value))),
        (-1..3_i64).prop_map(|amount| (CounterCall::Add(amount), CounterAnswer::Done)),
    ]
}

fn mutex() -> impl Strategy<Value = (MutexCall, MutexAnswer)> {
    prop_oneof![Just((MutexCall::Acquire, MutexAnswer)), Just((MutexCall::Release, MutexAnswer))]
}

fn histories<C: quorate_jepsen::history::Call>(
    operation: impl Strategy<Value = (C, C::Answer)>,
) -> impl Strategy<Value = History<C>> {
    let operation = (operation, shape()).prop_map(|((call, answer), shape)| (call, answer, shape));
    prop::collection::vec(operation, 0..7).prop_map(record)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn maps(history in histories(key_value())) {
        agree::<KeyValue>(&history)?;
    }

    #[test]
    fn sets(history in histories(set())) {
        agree::<Set>(&history)?;
    }

    #[test]
    fn sets_that_only_grow_need_no_search(history in histories(growing_set())) {
        let mut added: Vec<&SetCall> = history.operations().iter().map(|operation| &operation.call).collect();
        added.retain(|call| matches!(call, SetCall::Add(_)));
        added.sort_by_key(|call| call.to_string());
        let is_unique = added.windows(2).all(|pair| pair[0] != pair[1]);
        if is_unique && is_linearizable::<Set>(&history) {
            let verdict = check::<Set>(&history, &Limits { steps_per_key_max: 0 });
            prop_assert!(verdict.is_linearizable(), "{:?}", history);
        }
        agree::<Set>(&history)?;
    }

    #[test]
    fn counters(history in histories(counter())) {
        agree::<Counter>(&history)?;
    }

    #[test]
    fn locks(history in histories(mutex())) {
        agree::<Mutex>(&history)?;
    }
}

/// Sixty additions of which nobody knows, seen one after the other: each may have been done at any time before.
#[test]
fn a_growing_set_with_many_unknown_additions_is_decided() {
    let mut history = History::new();
    let name = |number: u64| number.to_string().into_bytes();
    for number in 0..60 {
        let add = history.invoke(number, b"", SetCall::Add(name(number)), number);
        history.unknown(add, number);
    }
    for seen in 1..=30 {
        let elements = (0..seen).map(|number| name(number * 7 % 60)).collect();
        let read = history.invoke(100, b"", SetCall::Read, 100 + seen * 2);
        history.ok(read, SetAnswer::Elements(elements), 101 + seen * 2);
    }
    assert!(check::<Set>(&history, &Limits::default()).is_linearizable());
}
