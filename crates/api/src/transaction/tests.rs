//! Transactions in JSON: golden forms, bad input, and that everything comes back.

use bytes::Bytes;
use proptest::prelude::*;
use quorate_kv::{
    Comparison, Direction, KeyEntry, KeyRange, KeyValue, Operation, OperationResult, Predicate, RangeForm,
    RangePage, Relation, Target, Transaction,
};

use super::*;
use crate::body::parse_body;

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..4).prop_map(Bytes::from)
}

fn range() -> impl Strategy<Value = KeyRange> {
    (bytes(), prop::option::of(bytes())).prop_map(|(start, end)| KeyRange::new(start, end))
}

fn comparison() -> impl Strategy<Value = Comparison> {
    let target = prop_oneof![bytes().prop_map(Target::Key), range().prop_map(Target::Range)];
    let relation = || {
        prop::sample::select(&[Relation::Equal, Relation::NotEqual, Relation::Less, Relation::Greater][..])
    };
    let predicate = prop_oneof![
        any::<bool>().prop_map(Predicate::Exists),
        (relation(), bytes()).prop_map(|(relation, value)| Predicate::Value(relation, value)),
        (relation(), any::<u64>()).prop_map(|(relation, number)| Predicate::Version(relation, number)),
        (relation(), any::<u64>()).prop_map(|(relation, number)| Predicate::CreateRevision(relation, number)),
        (relation(), any::<u64>()).prop_map(|(relation, number)| Predicate::ModRevision(relation, number)),
    ];
    (target, predicate).prop_map(|(target, predicate)| Comparison { target, predicate })
}

fn operation() -> impl Strategy<Value = Operation> {
    let forms = [RangeForm::KeysAndValues, RangeForm::Keys, RangeForm::Count];
    let directions = [Direction::Ascending, Direction::Descending];
    let read = (
        range(),
        prop::sample::select(directions.to_vec()),
        prop::option::of(any::<u64>()),
        prop::sample::select(forms.to_vec()),
    );
    prop_oneof![
        (bytes(), bytes()).prop_map(|(key, value)| Operation::Put { key, value }),
        bytes().prop_map(|key| Operation::Get { key }),
        bytes().prop_map(|key| Operation::Delete { key }),
        range().prop_map(|range| Operation::DeleteRange { range }),
        read.prop_map(|(range, direction, limit, form)| Operation::Range { range, direction, limit, form }),
    ]
}

fn transaction(operation: BoxedStrategy<Operation>) -> impl Strategy<Value = Transaction> {
    let list = move || prop::collection::vec(operation.clone(), 0..3);
    (prop::collection::vec(comparison(), 0..3), list(), list())
        .prop_map(|(comparisons, success, failure)| Transaction { comparisons, success, failure })
}

proptest! {
    #[test]
    fn transactions_come_back(
        transaction in transaction(prop_oneof![
            operation(),
            transaction(operation().boxed()).prop_map(Operation::Transaction),
        ].boxed()),
    ) {
        let json = serde_json::to_vec(&TransactionBody(transaction.clone())).expect("serialises");
        prop_assert_eq!(parse_body(&json), Ok(TransactionBody(transaction)));
    }
}

#[test]
fn every_form_holds_still() {
    let json = r#"{
        "compare": [
            {"key": "a", "exists": true},
            {"key_base64": "/w==", "value": {"equal": "x"}},
            {"prefix": "p", "value_base64": {"not_equal": "/w=="}},
            {"start": "s", "version": {"less": 3}},
            {"start": "s", "end": "t", "create_revision": {"greater": "18446744073709551615"}},
            {"prefix": "", "mod_revision": {"equal": 0}}
        ],
        "success": [
            {"put": {"key": "a", "value_base64": "/w=="}},
            {"get": {"key": "a"}},
            {"delete": {"key_base64": "/w=="}},
            {"range": {"prefix": "p", "limit": 5, "order": "descending", "keys_only": true}},
            {"range": {"count_only": true}},
            {"delete_range": {"end": "b"}},
            {"txn": {"success": [{"get": {"key": "b"}}]}}
        ]
    }"#;
    let parsed: TransactionBody = parse_body(json.as_bytes()).expect("parses");
    let written = serde_json::to_string(&parsed).expect("serialises");
    assert_eq!(
        written,
        concat!(
            r#"{"compare":[{"key":"a","exists":true},"#,
            r#"{"key_base64":"/w==","value":{"equal":"x"}},"#,
            r#"{"start":"p","end":"q","value_base64":{"not_equal":"/w=="}},"#,
            r#"{"start":"s","version":{"less":"3"}},"#,
            r#"{"start":"s","end":"t","create_revision":{"greater":"18446744073709551615"}},"#,
            r#"{"start":"","mod_revision":{"equal":"0"}}],"#,
            r#""success":[{"put":{"key":"a","value_base64":"/w=="}},"#,
            r#"{"get":{"key":"a"}},{"delete":{"key_base64":"/w=="}},"#,
            r#"{"range":{"start":"p","end":"q","limit":"5","order":"descending","keys_only":true,"count_only":false}},"#,
            r#"{"range":{"start":"","order":"ascending","keys_only":false,"count_only":true}},"#,
            r#"{"delete_range":{"start":"","end":"b"}},"#,
            r#"{"txn":{"success":[{"get":{"key":"b"}}]}}]}"#
        )
    );
    assert_eq!(parse_body(written.as_bytes()), Ok(parsed));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (json, mention) in [
        ("", "EOF"),
        ("[]", "invalid type: sequence"),
        (r#"{"success":[{"get":["a"]}]}"#, "at success[0].get: invalid type: sequence"),
        ("{} {}", "trailing characters"),
        (r#"{"compare":{}}"#, "at compare: "),
        (r#"{"compares":[]}"#, "unknown field `compares`"),
        (r#"{"success":[],"success":[]}"#, "duplicate field `success`"),
        (r#"{"success":[{}]}"#, "at success[0]: an operation is exactly one of"),
        (
            r#"{"success":[{"get":{"key":"a"},"put":{"key":"a","value":"b"}}]}"#,
            "at success[0]: an operation is exactly one",
        ),
        (r#"{"success":[{"get":{"key":"a"},"get":{"key":"a"}}]}"#, "duplicate field `get`"),
        (
            r#"{"failure":[{"get":{"key":"a"}},{"put":{"key":"a"}}]}"#,
            "at failure[1]: value or value_base64 is missing",
        ),
        (r#"{"success":[{"put":{"key":"a","value":1}}]}"#, "at success[0].put.value: invalid type"),
        (r#"{"success":[{"get":{"key":"a","key_base64":"YQ=="}}]}"#, "both"),
        (r#"{"success":[{"get":{"key_base64":"!"}}]}"#, "key_base64 is not standard base64"),
        (
            r#"{"success":[{"get":{"key":"a","quorum":true}}]}"#,
            "at success[0].get.quorum: unknown field `quorum`",
        ),
        (r#"{"success":[{"delete_range":{}}]}"#, "prefix, start or end is missing"),
        (r#"{"success":[{"range":{"prefix":"a","end":"b"}}]}"#, "prefix goes with neither"),
        (r#"{"success":[{"range":{"limit":-1}}]}"#, "at success[0].range.limit: "),
        (r#"{"success":[{"range":{"order":"up"}}]}"#, "at success[0].range.order: unknown variant `up`"),
        (r#"{"success":[{"range":{"keys_only":true,"count_only":true}}]}"#, "exclude each other"),
        (r#"{"compare":[{"exists":true}]}"#, "at compare[0]: what to compare is missing"),
        (r#"{"compare":[{"key":"a","prefix":"b","exists":true}]}"#, "key goes with neither"),
        (r#"{"compare":[{"key":"a"}]}"#, "a comparison takes exactly one of"),
        (
            r#"{"compare":[{"key":"a","exists":true,"version":{"equal":1}}]}"#,
            "a comparison takes exactly one of",
        ),
        (r#"{"compare":[{"key":"a","version":{}}]}"#, "version takes exactly one of"),
        (r#"{"compare":[{"key":"a","version":{"equal":1,"less":2}}]}"#, "version takes exactly one of"),
        (r#"{"compare":[{"key":"a","value":{"equal":1}}]}"#, "at compare[0].value.equal: invalid type"),
        (r#"{"success":[{"txn":{"success":[{}]}}]}"#, "at success[0].txn.success[0]: "),
    ] {
        let found = parse_body::<TransactionBody>(json.as_bytes()).expect_err(json).to_string();
        assert!(found.contains(mention), "{json}: {found}");
    }
    let not_text = b"{\"success\":[{\"get\":{\"key\":\"\xff\"}}]}";
    let found = parse_body::<TransactionBody>(not_text).expect_err("not UTF-8").to_string();
    assert!(found.contains("invalid unicode"), "{found}");
    let deep = format!("{}{}", "{\"success\":[{\"txn\":".repeat(10_000), "}]}".repeat(10_000));
    let found = parse_body::<TransactionBody>(deep.as_bytes()).expect_err("too deep").to_string();
    assert!(found.contains("recursion limit"), "{found}");
}

#[test]
fn answers_say_what_each_operation_did() {
    let key = |name: &'static str| Bytes::from(name);
    let get = |name| Operation::Get { key: key(name) };
    let read = |form| Operation::Range {
        range: KeyRange::all(),
        direction: Direction::Ascending,
        limit: None,
        form,
    };
    let nested = Transaction { failure: vec![Operation::Delete { key: key("d") }], ..Transaction::default() };
    let transaction = Transaction {
        success: vec![
            Operation::Put { key: key("a"), value: key("1") },
            get("b"),
            get("c"),
            read(RangeForm::Keys),
            read(RangeForm::Count),
            Operation::DeleteRange { range: KeyRange::all() },
            Operation::Transaction(nested),
        ],
        ..Transaction::default()
    };
    let found = KeyValue { value: key("v"), create_revision: 2, mod_revision: 3, version: 4 };
    let entry = KeyEntry { key: key("b"), value: None, create_revision: 2, mod_revision: 3, version: 4 };
    let page = RangePage { revision: 9, entries: vec![entry], count: 1, next: Some(key("b")) };
    let results = vec![
        OperationResult::Put { create_revision: 2, version: 5 },
        OperationResult::Get(Some(found)),
        OperationResult::Get(None),
        OperationResult::Range(page),
        OperationResult::Range(RangePage { count: 7, ..RangePage::default() }),
        OperationResult::DeleteRange { deleted: 6 },
        OperationResult::Transaction {
            succeeded: false,
            results: vec![OperationResult::Delete { deleted: true }],
        },
    ];
    let answer = TransactionAnswer::new(&transaction, 10, true, results);
    let json = serde_json::to_string(&answer).expect("serialises");
    assert_eq!(
        json,
        concat!(
            r#"{"revision":"10","succeeded":true,"results":["#,
            r#"{"put":{"create_revision":"2","version":"5"}},"#,
            r#"{"get":{"item":{"key":"b","value":"v","create_revision":"2","mod_revision":"3","version":"4"}}},"#,
            r#"{"get":{"item":null}},"#,
            r#"{"range":{"items":[{"key":"b","create_revision":"2","mod_revision":"3","version":"4"}],"more":true}},"#,
            r#"{"range":{"count":"7"}},"#,
            r#"{"delete_range":{"deleted":"6"}},"#,
            r#"{"txn":{"succeeded":false,"results":[{"delete":{"deleted":true}}]}}]}"#
        )
    );
    assert_eq!(serde_json::from_str::<TransactionAnswer>(&json).expect("parses"), answer);
    let replayed = TransactionAnswer::replayed(10, false);
    let json = serde_json::to_string(&replayed).expect("serialises");
    assert_eq!(json, r#"{"revision":"10","succeeded":false,"replayed":true}"#);
    assert_eq!(serde_json::from_str::<TransactionAnswer>(&json).expect("parses"), replayed);
}
