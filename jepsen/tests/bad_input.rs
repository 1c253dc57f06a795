//! What is said of histories that cannot be read: the line, what is there, and what was expected.

use quorate_jepsen::import::{ImportOptions, ModelName, import};

/// Reads a history and compares the error.
#[track_caller]
fn check_error(text: &str, expected: &str) {
    check_error_of(ImportOptions::default(), text, expected);
}

#[track_caller]
fn check_error_of(options: ImportOptions, text: &str, expected: &str) {
    let error = import(text.as_bytes(), &options).expect_err("the history is wrong");
    assert_eq!(error.to_string(), expected);
}

const INVOKE: &str = "{:type :invoke, :process 1, :f :read, :value nil}";
const OK: &str = "{:type :ok, :process 1, :f :read, :value 5}";
const INFO: &str = "{:type :info, :process 1, :f :read, :value nil}";

#[test]
fn an_empty_history_gets_no_verdict() {
    let expected = "line 1: the history is empty; expected at least one operation of a client";
    check_error("", expected);
    check_error("\n \n", expected);
    check_error("[]", expected);
    check_error("; nothing", expected);
    check_error("{:type :info, :process :nemesis, :f :kill, :value nil}\n", expected);
}

#[test]
fn a_file_of_no_format_is_quoted() {
    let expected = "expected a history: EDN maps, JSON objects, or an etcd log";
    check_error("process,type\n1,ok\n", &format!("line 1: found `process,type`; {expected}"));
    check_error(
        "[{\"type\":\"ok\"}]",
        "line 1: found `[{\"type\":\"ok\"}]`; expected JSON objects one a line, without brackets around them",
    );
}

#[test]
fn truncated_edn_is_noticed_on_its_line() {
    let expected = "the event is truncated; expected the end of its map";
    check_error(&format!("{INVOKE}\n{{:type :ok, :process 1, :f :re"), &format!("line 2: {expected}"));
    check_error(&format!("{INVOKE}\n{{:type :ok, :pro\n{INVOKE}\n"), &format!("line 2: {expected}"));
    check_error(&format!("{INVOKE}\n{{:type :ok, :value \"x\n{OK}\n"), &format!("line 2: {expected}"));
    check_error(&format!("{INVOKE}\n{{:type :ok, :value [1\n{OK}\n"), &format!("line 2: {expected}"));
    check_error(&format!("[{INVOKE}\n{OK}\n"), "line 3: the event is truncated; expected a closing ]");
    check_error(&format!("({INVOKE}\n{OK}"), "line 2: the event is truncated; expected a closing )");
}

#[test]
fn what_is_not_edn_is_quoted() {
    check_error(
        &format!("{INVOKE}\n17 18\n"),
        "line 2: found `17 18`; expected an event, which is a map such as {:type :invoke}",
    );
    check_error(
        "{:type :invoke, 17 18}",
        "line 1: found `17 18}`; expected a keyword or the end of the event's map",
    );
    check_error("{:type :invoke, :value ]}", "line 1: found `]}`; expected a value");
    check_error(
        "{:type :invoke, :value \"\\x\"}",
        "line 1: found `\\x\"}`; expected an escape such as \\n or \\u00e9",
    );
    check_error(
        "{:type :invoke, :value \"\\u00g0\"}",
        "line 1: found `00g0`; expected four hexadecimal digits",
    );
    check_error("{:value #base64 \"?\"}", "line 1: found `?`; expected base64 after its tag");
    let deep = format!("{{:value {}", "[".repeat(200));
    check_error(
        &deep,
        &format!("line 1: found `{}...`; expected values that lie less deep in one another", "[".repeat(60)),
    );
    check_error(
        &format!("[{INVOKE}] {OK}"),
        &format!("line 1: found `{OK}`; expected nothing after the end of the collection"),
    );
    check_error("#tag [1]", "line 1: found `[1]`; expected an event after its tag");
}

#[test]
fn an_event_has_a_type_a_process_and_a_function() {
    check_error(
        &INVOKE.replace(":type :invoke, ", ""),
        "line 1: the event has no :type; expected :invoke, :ok, :fail or :info",
    );
    check_error(
        &INVOKE.replace(":invoke", ":begin"),
        "line 1: the :type is `:begin`; expected :invoke, :ok, :fail or :info",
    );
    check_error(
        &INVOKE.replace(":process 1, ", ""),
        "line 1: the event has no :process; expected an integer or a keyword",
    );
    check_error(
        &INVOKE.replace(":process 1", ":process -1"),
        "line 1: the :process is `-1`; expected a number from 0 for a client, or a name",
    );
    check_error(&INVOKE.replace(":f :read, ", ""), "line 1: the event has no :f; expected a keyword");
    check_error(&INVOKE.replace(":f :read", ":f [1]"), "line 1: the :f is `[1]`; expected a keyword");
    check_error(
        &INVOKE.replace(":f", ":time -5, :f"),
        "line 1: the :time is `-5`; expected an integer from 0",
    );
    check_error(
        &INVOKE.replace(":f", ":existed 5, :f"),
        "line 1: the :existed is `5`; expected true or false",
    );
}

#[test]
fn a_process_does_one_thing_at_a_time() {
    check_error(
        &format!("{INVOKE}\n\n{INVOKE}"),
        "line 3: process 1 invokes twice; expected the completion of its operation of line 1",
    );
    check_error(OK, "line 1: process 1 completes an operation; expected its invocation before");
    check_error(
        &format!("{INVOKE}\n{OK}\n{OK}"),
        "line 3: process 1 completes an operation; expected its invocation before",
    );
    check_error(
        &format!("{INVOKE}\n{INFO}\n{INFO}"),
        "line 3: process 1 completes an operation; expected its invocation before",
    );
    check_error(
        &format!("{INVOKE}\n{INFO}\n{INVOKE}"),
        "line 3: process 1 goes on after the unknown outcome on line 2; expected a new process number, since \
         the old operation may still be running",
    );
}

#[test]
fn a_completion_fits_its_invocation() {
    let write = "{:type :invoke, :process 1, :f :write, :value 4}\n";
    let cas = "{:type :invoke, :process 1, :f :cas, :value [4 5]}\n";
    check_error(
        &format!("{write}{OK}"),
        "line 2: the function is `read`; expected the function of the invocation",
    );
    check_error(
        &format!("{write}{{:type :ok, :process 1, :f :write, :value 5}}"),
        "line 2: the value is `5`; expected the value of the invocation",
    );
    check_error(
        &format!("{cas}{{:type :ok, :process 1, :f :cas, :value [4 6]}}"),
        "line 2: the value is `[4 6]`; expected the value of the invocation",
    );
    check_error(
        &cas.replace("[4 5]", "4"),
        "line 1: the value is `4`; expected [old new], the values of a compare-and-set",
    );
    let keyed = "{:type :invoke, :process 1, :f :read, :value [7 nil]}\n";
    check_error(
        &format!("{keyed}{{:type :ok, :process 1, :f :read, :value [8 1]}}"),
        "line 2: the key is `8`; expected `7`, as in the invocation",
    );
    check_error(
        &format!("{keyed}{{:type :ok, :process 1, :f :read, :value 1}}"),
        "line 2: the value is `1`; expected a pair of key and value, since the history is keyed",
    );
}

#[test]
fn time_does_not_go_back() {
    let at = |event: &str, time: &str| event.replace("}", &format!(", :time {time}}}"));
    check_error(
        &format!("{}\n{}", at(INVOKE, "10"), at(OK, "9")),
        "line 2: the time is 9; expected 10 or more, the time of line 1",
    );
    check_error(
        &format!("{}\n{OK}", at(INVOKE, "10")),
        "line 2: the event has no time; expected one, since the events before have times",
    );
    check_error(
        &at(INVOKE, "18446744073709551615"),
        "line 1: the time is `18446744073709551615`; expected less than 2^64 - 2",
    );
    let indexed = |event: &str, index: &str| event.replace("}", &format!(", :index {index}}}"));
    check_error(
        &format!("{}\n{}", indexed(INVOKE, "3"), indexed(OK, "2")),
        "line 2: the time is 2; expected 3 or more, the time of line 1",
    );
}

#[test]
fn a_model_has_its_functions() {
    check_error(
        &format!("{INVOKE}\n{}", INVOKE.replace(":read", ":scan").replace("1", "2")),
        "line 2: the function is `scan`; expected one of a register: read, write, cas",
    );
    check_error(
        &INVOKE.replace(":read", ":scan"),
        "line 1: the function is `scan`; expected one of a known model, or the model given by name",
    );
    let as_model = |model| ImportOptions { model: Some(model), ..ImportOptions::default() };
    for (model, functions) in [
        (ModelName::KeyValue, "key-value: get, put, append, delete, cas"),
        (ModelName::Store, "store: get, put, delete, put-if, delete-if"),
        (ModelName::Set, "set: add, remove, read"),
        (ModelName::Counter, "counter: add, increment, decrement, read"),
        (ModelName::Mutex, "mutex: acquire, release"),
        (ModelName::Transactions, "transactions: txn"),
    ] {
        check_error_of(
            as_model(model),
            &INVOKE.replace(":read", ":scan"),
            &format!("line 1: the function is `scan`; expected one of a {functions}"),
        );
    }
}

#[test]
fn values_are_of_the_kind_that_the_model_has() {
    let invoke = |function: &str, value: &str| {
        format!("{{:type :invoke, :process 1, :f :{function}, :key 1, :value {value}}}\n")
    };
    check_error(&invoke("put", "nil"), "line 1: the value is `nil`; expected a text");
    check_error(&invoke("increment", ":x"), "line 1: the value is `:x`; expected an integer of 64 bits");
    check_error(&invoke("remove", "nil"), "line 1: the value is `nil`; expected an element of the set");
    let read =
        format!("{}{}", invoke("remove", "1"), invoke("read", "nil").replace("process 1", "process 2"));
    check_error(
        &format!("{read}{{:type :ok, :process 2, :f :read, :value 5}}"),
        "line 3: the value is `5`; expected a set, a vector or a list",
    );
    let steps = "a vector of steps [:r k v], [:append k v] or [:w k v]";
    check_error(&invoke("txn", "5"), &format!("line 1: the value is `5`; expected {steps}"));
    check_error(&invoke("txn", "[[:x 1 2]]"), &format!("line 1: the value is `[:x 1 2]`; expected {steps}"));
    check_error(
        &format!("{}{{:type :ok, :process 1, :f :txn, :value []}}", invoke("txn", "[[:r 1 nil]]")),
        "line 2: the value is `[]`; expected the steps of the invocation; step 1 differs",
    );
}

#[test]
fn json_lines_name_what_is_wrong() {
    let get = r#"{"type":"invoke","process":1,"f":"get","key":"a","time":5}"#;
    let found = r#"{"type":"ok","process":1,"f":"get","value":"x","revision":1,"time":6}"#;
    let as_store = ImportOptions { model: Some(ModelName::Store), ..ImportOptions::default() };
    let check =
        |lines: &[&str], expected: &str| check_error_of(as_store.clone(), &lines.join("\n"), expected);
    check(&[get, "", "{"], "line 3: the event is truncated; expected the end of its JSON object");
    check(
        &[get, "{]"],
        "line 2: not an event: key must be a string at column 2; expected a JSON object with type, process and f",
    );
    check(
        &[&get.replace("invoke", "begin")],
        "line 1: not an event: unknown variant `begin`, expected one of `invoke`, `ok`, `fail`, `info` at \
         column 15; expected a JSON object with type, process and f",
    );
    check(
        &[&get.replace("\"process\":1,", "")],
        "line 1: not an event: missing field `process` at column 46; expected a JSON object with type, process \
         and f",
    );
    check(&[get, get], "line 2: process 1 invokes twice; expected the completion of its operation of line 1");
    check(
        &[get, &found.replace("6}", "4}")],
        "line 2: the time is 4; expected 5 or more, the time of line 1",
    );
    check(
        &[get, &found.replace("get", "put")],
        "line 2: the function is `put`; expected the function of the invocation",
    );
    check(
        &[get, &found.replace(r#""revision":1,"#, "")],
        "line 2: the event has no revision; expected the revision of the value found or written",
    );
    check(
        &[get, &found.replace(r#""value":"x","#, "")],
        "line 2: the revision is `1`; expected none, since no value was found",
    );
    check(
        &[get, &found.replace(r#""value""#, r#""key":"b","value""#)],
        "line 2: the key is `b`; expected `a`, as in the invocation",
    );
    check(
        &[&get.replace("get", "scan")],
        "line 1: the function is `scan`; expected one of a store: get, put, delete, put-if, delete-if",
    );
    check(
        &[&get.replace("get", "put")],
        "line 1: the value is `nil`; expected a text, or bytes in value_base64",
    );
    check(
        &[&get.replace("get", "put-if").replace("\"time\"", "\"value\":\"x\",\"time\"")],
        "line 1: the event has no expected; expected a revision or \"absent\"",
    );
    check(&[&get.replace("get", "delete-if")], "line 1: the event has no expected; expected a revision");
    check(
        &[&get.replace("get", "delete-if").replace("\"time\"", "\"expected\":\"absent\",\"time\"")],
        "line 1: the expected is `\"absent\"`; expected a revision",
    );
    check(&[&get.replace(r#""key":"a""#, r#""key_base64":"?""#)], "line 1: the key is `?`; expected base64");
    check(
        &[&get.replace(r#""key":"a""#, r#""key":"a","key_base64":"YQ==""#)],
        "line 1: the key is `YQ==`; expected either a value or its base64, not both",
    );
    check(
        &[get, r#"{"type":"fail","process":1,"f":"get","error":"mismatch","time":6}"#],
        "line 2: the error is `mismatch`; expected another error, since the call has no condition",
    );
    let delete = get.replace("get", "delete-if").replace("\"time\"", "\"expected\":3,\"time\"");
    check(
        &[&delete, r#"{"type":"ok","process":1,"f":"delete-if","existed":false,"time":6}"#],
        "line 2: the existed is `false`; expected true, since a conditional delete removes what it names",
    );
}

#[test]
fn etcd_logs_name_what_is_wrong() {
    let read = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n";
    let line = "INFO jepsen.util - PROCESS TYPE FUNCTION VALUE";
    check_error(
        &format!("{read}INFO  jepsen.ut"),
        &format!("line 2: found `INFO  jepsen.ut`; expected {line}"),
    );
    check_error(
        &format!("{read}INFO  jepsen.util -"),
        &format!("line 2: the event is truncated; expected {line}"),
    );
    check_error(&format!("{read}INFO"), &format!("line 2: the event is truncated; expected {line}"));
    check_error(
        &format!("{read}INFO  jepsen.util - 0\t:ok\t:read"),
        "line 2: the event is truncated; expected the value",
    );
    check_error(
        &format!("{read}INFO  jepsen.util - 1\t:invoke\t:cas\t[1"),
        "line 2: the event is truncated; expected a closing ]",
    );
    check_error(
        &format!("{read}INFO  jepsen.util - 1\t:invoke\t:write\t1 2"),
        "line 2: found `2`; expected the end of the line after the value",
    );
    check_error(
        &read.replace(":invoke", ":begin"),
        "line 1: the type is `:begin`; expected :invoke, :ok, :fail or :info",
    );
    check_error(
        &read.replace(":read", "read"),
        "line 1: the function is `read`; expected a keyword such as :read",
    );
    check_error(
        &read.replace(":read", ":scan"),
        "line 1: the function is `scan`; expected one of a known model, or the model given by name",
    );
    check_error(
        &format!("{read}{read}"),
        "line 2: process 0 invokes twice; expected the completion of its operation of line 1",
    );
}
