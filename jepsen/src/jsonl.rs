//! Our own format of histories: JSON lines, one event a line, in the order of recording.
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
//! | `f` | always | `get`, `put`, `delete`, `put-if`, `delete-if`; for a nemesis any text |
//! | `time` | always | nanoseconds or an event index; does not go back within an operation |
//! | `key` | clients | the key; in completions it repeats the invocation's and may be left out |
//! | `value` | put, put-if; ok get | the value; an `ok` get without one found the key absent |
//! | `expected` | put-if, delete-if | a revision, or `"absent"` for a put-if |
//! | `revision` | ok get, put, put-if, delete, delete-if | of the value found, or taken by the write; optional for deletes |
//! | `existed` | ok delete, delete-if | whether there was something to remove; optional |
//! | `error` | fail, info | why; see below |
//!
//! Keys and values that are not UTF-8 stand in `key_base64` and `value_base64` instead. Revisions and
//! times are JSON numbers.
//!
//! `fail` with the error `mismatch` is the answer 412 to a conditional write: an observation. Any other
//! `fail` says that the operation certainly did not happen. `info` says that its outcome is unknown; so
//! is that of an operation that is never completed. Other texts in `error`, and fields that are not
//! listed, are accepted and not kept. A process has one open operation at a time, and none after an
//! `info`. Lines that are empty are skipped.
//!
//! Events of a nemesis may be of any type, are written as `info`, and may carry any JSON in `value`. They
//! are kept and not checked.

mod event;
mod reader;
mod writer;

pub use reader::{JsonlError, JsonlProblem, read_jsonl};
pub use writer::write_jsonl;
