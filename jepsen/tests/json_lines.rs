//! The format of histories: a golden file of every kind of event, and every kind of error.

use proptest::prelude::*;
use quorate_jepsen::checker::Limits;
use quorate_jepsen::history::{NemesisEvent, Outcome};
use quorate_jepsen::jsonl::{read_jsonl, write_jsonl};
use quorate_jepsen::report::check_store;
use quorate_jepsen::store::{Expected, StoreAnswer, StoreCall, StoreHistory};

const EVERY_EVENT: &str = include_str!("data/every_event.jsonl");

fn written(history: &StoreHistory) -> String {
    let mut output = Vec::new();
    write_jsonl(history, &mut output).expect("memory takes everything");
    String::from_utf8(output).expect("JSON is UTF-8")
}

#[test]
fn the_golden_file_is_read_and_written_back_to_the_byte() {
    let history = read_jsonl(EVERY_EVENT.as_bytes()).expect("the golden file is well formed");
    assert_eq!(written(&history), EVERY_EVENT);
}

#[test]
fn the_golden_file_means_what_it_says() {
    let history = read_jsonl(EVERY_EVENT.as_bytes()).expect("the golden file is well formed");
    let operations = history.operations();
    assert_eq!(operations.len(), 10);
    assert_eq!(operations[1].outcome, Outcome::Ok(StoreAnswer::Absent));
    assert_eq!(operations[2].outcome, Outcome::Ok(StoreAnswer::Mismatch));
    assert_eq!(operations[4].key, [0xff, 0]);
    let expected = Expected::Absent;
    assert_eq!(operations[4].call, StoreCall::PutIf { expected, value: vec![0xfe, 0xff] });
    assert_eq!(operations[7].outcome, Outcome::Failed);
    assert_eq!((&operations[8].outcome, operations[8].completed), (&Outcome::Unknown, Some(40)));
    assert_eq!((&operations[9].outcome, operations[9].completed), (&Outcome::Unknown, None));
    assert_eq!(history.nemesis().len(), 2);
    assert!(check_store(&history, &Limits::default()).is_pass());
}

fn call() -> impl Strategy<Value = StoreCall> {
    let value = || prop::collection::vec(any::<u8>(), 0..4);
    let expected = prop_oneof![Just(Expected::Absent), any::<u64>().prop_map(Expected::Revision)];
    prop_oneof![
        Just(StoreCall::Get),
        value().prop_map(|value| StoreCall::Put { value }),
        Just(StoreCall::Delete),
        (expected, value()).prop_map(|(expected, value)| StoreCall::PutIf { expected, value }),
        any::<u64>().prop_map(|revision| StoreCall::DeleteIf { revision }),
    ]
}

fn answer(call: &StoreCall, revision: u64, choice: u8, value: Vec<u8>) -> StoreAnswer {
    match (call, choice.is_multiple_of(2)) {
        (StoreCall::Get, true) => StoreAnswer::Found { value, revision },
        (StoreCall::Get, false) => StoreAnswer::Absent,
        (StoreCall::PutIf { .. } | StoreCall::DeleteIf { .. }, true) => StoreAnswer::Mismatch,
        (StoreCall::Put { .. } | StoreCall::PutIf { .. }, _) => StoreAnswer::Written { revision },
        (StoreCall::Delete | StoreCall::DeleteIf { .. }, has_revision) => StoreAnswer::Deleted {
            existed: (choice < 4).then_some(true),
            revision: has_revision.then_some(revision),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(
        operations in prop::collection::vec(
            (call(), prop::collection::vec(any::<u8>(), 0..4), any::<u64>(), 0..8_u8, 0..4_u8, 0..5_u64),
            1..20,
        )
    ) {
        let mut history = StoreHistory::new();
        for (index, (call, bytes, revision, choice, ending, duration)) in operations.into_iter().enumerate() {
            let (process, time) = (index as u64, 3 * index as u64);
            let operation = history.invoke(process, &bytes, call.clone(), time);
            match ending {
                0 => history.failed(operation, time + duration),
                1 => history.unknown(operation, time + duration),
                2 => {}
                _ => history.ok(operation, answer(&call, revision, choice, bytes), time + duration),
            }
            history.record_nemesis(NemesisEvent {
                process: "nemesis".to_owned(),
                function: "skew".to_owned(),
                value: serde_json::json!({ "node": revision }),
                time,
            });
        }
        let text = written(&history);
        prop_assert_eq!(read_jsonl(text.as_bytes()).expect("what we write is well formed"), history);
    }
}
