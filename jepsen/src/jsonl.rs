//! Our own format of histories: JSON lines, one event a line, in the order of time.
//!
//! ```json
//! {"type":"invoke","process":1,"f":"put","key":"a","value":"x","time":10}
//! {"type":"ok","process":1,"f":"put","key":"a","revision":7,"time":20}
//! {"type":"invoke","process":2,"f":"put-if","key":"a","value":"y","expected":7,"time":21}
//! {"type":"fail","process":2,"f":"put-if","key":"a","error":"mismatch","time":25}
//! {"type":"invoke","process":1,"f":"get","key":"a","time":26}
//! {"type":"info","process":"nemesis","f":"partition","value":[[1],[2,3]],"time":27}
//! {"type":"ok","process":1,"f":"get","key":"a","value":"x","revision":7,"time":30}
//! ```
//!
//! | Field | Where | Meaning |
//! |---|---|---|
//! | `type` | always | `invoke`, `ok`, `fail` or `info` |
//! | `process` | always | an integer for a client, any text for a nemesis |
//! | `f` | always | the call; for a nemesis any text |
//! | `time` | all events or none | nanoseconds or an event index; does not go back |
//! | `index` | optional | the number of the event; used where there is no time |
//! | `key` | clients | the key; in completions it repeats the invocation's and may be left out |
//! | `value` | see below | what the call carries or answers |
//! | `expected` | conditional writes | a revision, or `"absent"`; for a `cas` the expected value |
//! | `revision` | stores | of the value found, or taken by the write; optional for deletes |
//! | `existed` | ok delete, delete-if | whether there was something to remove; optional |
//! | `error` | fail, info | why; see below |
//!
//! | Model | `f` and its `value` |
//! |---|---|
//! | store | `get`, `put` *text*, `delete`, `put-if` *text*, `delete-if`; an `ok` get without a value found the key absent |
//! | register | `read`, `write` *value*, `cas` *[old, new]* |
//! | key-value | `get`, `put` *text*, `append` *text*, `delete`, `cas` *[old, new]* |
//! | set | `add` *element*, `remove` *element*, `read`, answered by an array |
//! | counter | `add` *number*, `increment`, `decrement`, `read` |
//! | mutex | `acquire`, `release` |
//! | transactions | `txn` *[["append", key, value], ["w", key, value], ["r", key, null]]* |
//!
//! Values are texts or numbers. Keys and values that are not UTF-8 stand in `key_base64` and
//! `value_base64` instead. Revisions and times are JSON numbers.
//!
//! `fail` with the error `mismatch` is the answer to a conditional write whose condition did not hold: an
//! observation. Any other `fail` says that the operation certainly did not happen. `info` says that its
//! outcome is unknown; so is that of an operation that is never completed. Other values of `error`, and
//! fields that are not listed, are accepted and not kept. A process has one open operation at a time, and
//! none after an `info`. Lines that are empty are skipped.
//!
//! Events of a nemesis may be of any type, are written as `info`, and may carry any JSON in `value`. They
//! are kept and not checked.

mod event;
mod reader;
mod writer;

pub use reader::{read_json_events, read_jsonl};
pub use writer::{write_json_event, write_jsonl};
