//! What events mean where formats leave it open, and how files are recognised.

use quorate_jepsen::import::{
    FailedCas, Format, Import, ImportOptions, ImportedHistory, Info, Keyed, ModelName, NilRead, Order, import,
};
use quorate_jepsen::register::{Ending, RegisterHistory, RegisterOperation, Request, ValueId};

fn read(text: &str, options: &ImportOptions) -> Import {
    import(text.as_bytes(), options).expect("the history is well formed")
}

fn registers(text: &str, options: &ImportOptions) -> RegisterHistory {
    match read(text, options).history {
        ImportedHistory::Register(history) => history,
        other => panic!("not a register: {other:?}"),
    }
}

/// The last operation of a history of registers.
fn last(text: &str, options: &ImportOptions) -> RegisterOperation {
    registers(text, options).operations().last().expect("an operation")
}

fn ending(text: &str, options: &ImportOptions) -> Ending {
    last(text, options).ending
}

const CAS: &str = "{:type :invoke, :process 1, :f :cas, :value [1 2]}\n";
const READ: &str = "{:type :invoke, :process 1, :f :read, :value nil}\n";

#[test]
fn a_failed_compare_and_set_says_what_the_option_says() {
    let with = |failed_cas| ImportOptions { failed_cas, ..ImportOptions::default() };
    let plain = format!("{CAS}{{:type :fail, :process 1, :f :cas, :value [1 2]}}");
    let marked = plain.replace("}}", "}").replace("[1 2]}", "[1 2], :error :mismatch}");
    let marked = format!("{CAS}{}", marked.lines().last().expect("the completion"));
    let refused = marked.replace(":mismatch", ":connection-refused");
    for (text, option, expected) in [
        (&plain, FailedCas::AsMarked, Ending::Failed),
        (&plain, FailedCas::Strict, Ending::Refused),
        (&plain, FailedCas::Dropped, Ending::Failed),
        (&marked, FailedCas::AsMarked, Ending::Refused),
        (&marked, FailedCas::Strict, Ending::Refused),
        (&marked, FailedCas::Dropped, Ending::Failed),
        (&refused, FailedCas::AsMarked, Ending::Failed),
        (&refused, FailedCas::Strict, Ending::Failed),
    ] {
        assert_eq!(ending(text, &with(option)), expected, "{option:?}: {text}");
    }
}

#[test]
fn a_failed_compare_and_set_of_an_etcd_log_is_an_observation_unless_it_timed_out() {
    let invoke = "INFO  jepsen.util - 3\t:invoke\t:cas\t[1 2]\n";
    let options = ImportOptions::default();
    let failed = format!("{invoke}INFO  jepsen.util - 3\t:fail\t:cas\t[1 2]\n");
    assert_eq!(ending(&failed, &options), Ending::Refused);
    let timed_out = format!("{invoke}INFO  jepsen.util - 3\t:fail\t:cas\t:timed-out\n");
    assert_eq!(ending(&timed_out, &options), Ending::Failed);
    let unknown = format!("{invoke}INFO  jepsen.util - 3\t:info\t:cas\t:timed-out\n");
    assert_eq!(ending(&unknown, &options), Ending::Unknown);
}

#[test]
fn an_unknown_outcome_may_be_declared_a_failure() {
    let text = format!("{CAS}{{:type :info, :process 1, :f :cas, :value [1 2]}}");
    assert_eq!(ending(&text, &ImportOptions::default()), Ending::Unknown);
    let failed = ImportOptions { info: Info::Failed, ..ImportOptions::default() };
    assert_eq!(ending(&text, &failed), Ending::Failed);
    assert_eq!(ending(CAS, &failed), Ending::Unknown, "what never ended has no event to declare");
}

#[test]
fn a_read_of_nil_found_nothing_or_says_nothing() {
    let text = format!("{READ}{{:type :ok, :process 1, :f :read, :value nil}}");
    assert_eq!(ending(&text, &ImportOptions::default()), Ending::Value(ValueId::INITIAL));
    let unknown = ImportOptions { nil_read: NilRead::Unknown, ..ImportOptions::default() };
    assert_eq!(ending(&text, &unknown), Ending::Unknown);
}

#[test]
fn a_register_may_hold_a_value_at_first() {
    let text = format!("{READ}{{:type :ok, :process 1, :f :read, :value 0}}");
    let zero = ImportOptions { initial: Some("0".to_owned()), ..ImportOptions::default() };
    assert_eq!(ending(&text, &zero), Ending::Value(ValueId::INITIAL));
    assert_ne!(ending(&text, &ImportOptions::default()), Ending::Value(ValueId::INITIAL));
}

#[test]
fn keyed_values_are_recognised_by_their_reads() {
    let write = "{:type :invoke, :process 1, :f :write, :value [7 8]}\n";
    let read = "{:type :invoke, :process 2, :f :read, :value [7 nil]}\n";
    let with = |keyed| ImportOptions { keyed, ..ImportOptions::default() };
    let keys = |text: &str, keyed| {
        let history = registers(text, &with(keyed));
        let operation = history.operation(0);
        let Request::Write(value) = operation.request else { panic!("not a write: {operation:?}") };
        (
            String::from_utf8_lossy(history.key_name(operation.key)).into_owned(),
            String::from_utf8_lossy(history.value_text(value).expect("a value")).into_owned(),
        )
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(keys(write, Keyed::Recognised), pair("", "[7 8]"));
    assert_eq!(keys(write, Keyed::Yes), pair("7", "8"));
    assert_eq!(keys(&format!("{write}{read}"), Keyed::Recognised), pair("7", "8"));
    assert_eq!(keys(&format!("{write}{read}"), Keyed::No), pair("", "[7 8]"));
    let field = write.replace(":value [7 8]", ":key :k, :value 8");
    assert_eq!(keys(&field, Keyed::Recognised), pair(":k", "8"));
    let cas = "{:type :invoke, :process 1, :f :cas, :value [7 [1 2]]}\n";
    let operation = last(cas, &ImportOptions::default());
    assert!(matches!(operation.request, Request::CompareAndSet { .. }), "{operation:?}");
}

#[test]
fn time_orders_before_index_before_line() {
    let times = |text: &str, order| {
        let operation = last(text, &ImportOptions { order, ..ImportOptions::default() });
        (operation.invoked, operation.completed, operation.invoked_line, operation.completed_line)
    };
    let text = "\n{:type :invoke, :process 1, :f :read, :value nil, TIME}\n{:type :ok, :process 1, :f :read, :value 1, TIME}";
    let with = |first: &str, second: &str| text.replacen("TIME", first, 1).replacen("TIME", second, 1);
    let all = with(":time 70, :index 5", ":time 70, :index 9");
    assert_eq!(times(&all, Order::Time), (70, Some(70), 2, 3));
    assert_eq!(times(&all, Order::Line), (2, Some(3), 2, 3));
    assert_eq!(times(&with(":index 5", ":index 9"), Order::Time), (5, Some(9), 2, 3));
    assert_eq!(times(&with("", ""), Order::Time), (2, Some(3), 2, 3));
    let one_line = "[{:type :invoke :process 1 :f :read} {:type :ok :process 1 :f :read :value 1}]";
    assert_eq!(times(one_line, Order::Time), (1, Some(2), 1, 1));
}

#[test]
fn faults_are_kept() {
    let text = format!("{READ}{{:type :info, :process :nemesis, :f :kill, :value #{{\"n1\"}}}}");
    let history = registers(&text, &ImportOptions::default());
    let [event] = history.nemesis() else { panic!("one fault: {:?}", history.nemesis()) };
    assert_eq!((event.process.as_str(), event.function.as_str()), ("nemesis", "kill"));
    assert_eq!(event.value, serde_json::json!(["n1"]));
}

#[test]
fn format_and_model_are_recognised() {
    let client = |function: &str, value: &str| {
        format!("{{:type :invoke, :process 1, :f :{function}, :value {value}, :time 5}}")
    };
    for (text, format, model) in [
        (client("write", "1"), Format::Edn, ModelName::Register),
        (client("add", "1"), Format::Edn, ModelName::Counter),
        (client("remove", "1"), Format::Edn, ModelName::Set),
        (client("acquire", "nil"), Format::Edn, ModelName::Mutex),
        (client("append", "\"x\""), Format::Edn, ModelName::KeyValue),
        (client("put-if", "\"x\", :expected 3"), Format::Edn, ModelName::Store),
        (client("txn", "[[:r 1 nil]]"), Format::Edn, ModelName::Transactions),
        (client("put", "\"x\", :key \"k\"").replace(", :time 5", ""), Format::KvLog, ModelName::KeyValue),
        (
            r#"{"type":"invoke","process":1,"f":"txn","value":[["append",1,2]]}"#.to_owned(),
            Format::JsonLines,
            ModelName::Transactions,
        ),
        ("INFO  jepsen.util - 0\t:invoke\t:write\t1\n".to_owned(), Format::EtcdLog, ModelName::Register),
    ] {
        let import = read(&text, &ImportOptions::default());
        assert_eq!((import.format, import.history.model()), (format, model), "{text}");
        assert_eq!(import.history.len(), 1);
    }
    let set = format!(
        "{}\n{}\n{{:type :ok, :process 2, :f :read, :value #{{1}}, :time 6}}",
        client("add", "1"),
        client("read", "nil").replace("process 1", "process 2")
    );
    assert_eq!(read(&set, &ImportOptions::default()).history.model(), ModelName::Set);
}
