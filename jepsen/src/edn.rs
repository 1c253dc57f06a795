//! Jepsen's format of histories: `history.edn`.
//!
//! ```edn
//! {:index 0, :time 10, :type :invoke, :process 1, :f :write, :value 3}
//! {:index 1, :time 25, :type :ok, :process 1, :f :write, :value 3}
//! {:index 2, :time 31, :type :info, :process :nemesis, :f :partition, :value {"n1" #{"n2"}}}
//! ```
//!
//! One map an event: one after the other, or all in one vector or list. The order of keys is free, commas
//! are blanks, a tag before the map (`#jepsen.history.Op{...}`) is passed over, and so are comments and
//! `#_` forms. Keys of other names are kept as they are written. Inside of values a tag and what it tags
//! are one word, and so the same as another only if they are written the same.
//!
//! | Key | Holds |
//! |---|---|
//! | `:type` | `:invoke`, `:ok`, `:fail` or `:info` |
//! | `:process` | an integer for a client; anything else is a nemesis |
//! | `:f` | the call |
//! | `:value` | what it carries or answers |
//! | `:key`, `:expected`, `:revision`, `:existed` | as in [`jsonl`](crate::jsonl); optional |
//! | `:error` | why a call failed; optional |
//! | `:time`, `:index` | integers that grow; optional |
//!
//! [`import`](crate::import) says what the events mean.

mod reader;
mod scanner;
mod writer;

pub use reader::read_edn;
pub use writer::EdnWriter;
