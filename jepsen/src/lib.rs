//! Histories of concurrent clients, and a checker of their linearizability.
//!
//! A *history* records what clients did to a store and what they saw: for each call the moment it was
//! sent, the moment its answer came, and the answer. It is *linearizable* if every call can be given one
//! instant between the two moments so that the answers are those of a store that does one thing at a
//! time. A call whose answer never came is *unknown*: it may take effect at any later time or never.
//!
//! The crate is a library without input or output of its own beyond the readers of histories. It knows
//! nothing of Quorate's other crates, so an error in them cannot hide in it. It is deterministic to the
//! byte: no clock, no randomness, no threads, and ordered collections only, because the simulator
//! compares two runs of one seed.
//!
//! | Module | What it holds |
//! |---|---|
//! | [`history`] | operations, outcomes, and the recording of a history |
//! | [`store`] | the calls and answers of our store: values with revisions, conditional writes |
//! | [`model`] | the trait of a sequential object, and objects: register, map, set, counter, lock, revisioned key |
//! | [`checker`] | the search for an order, the verdict, and the certificate of a conviction |
//! | [`register`] | registers in columns, and their check in nearly linear time |
//! | [`generate`] | histories of registers, right or with a planted anomaly |
//! | [`revisions`] | cheap rules that every history of revisions must keep, checked before the search |
//! | [`report`] | both checks of a store's history behind one call |
//! | [`import`] | a file of any format and model as a history; what its events mean |
//! | [`transactions`] | transactions over many keys: anomalies with their names, strict serializability |
//! | [`picture`] | a history as a page of HTML, with what contradicts each other in red |
//! | [`judge`] | the right checker for a history of any model, behind one call |
//! | [`export`] | histories as events again |
//! | [`event`] | the lines of a file, whatever its format, and what can be wrong with them |
//! | [`edn`], [`jsonl`], [`etcd_log`] | the formats: Jepsen's, our own, and that of published histories |
//!
//! ```
//! use quorate_jepsen::checker::Limits;
//! use quorate_jepsen::history::History;
//! use quorate_jepsen::report::check_store;
//! use quorate_jepsen::store::{StoreAnswer, StoreCall};
//!
//! let mut history = History::new();
//! let put = history.invoke(1, b"colour", StoreCall::Put { value: b"red".to_vec() }, 10);
//! history.ok(put, StoreAnswer::Written { revision: 4 }, 20);
//! let get = history.invoke(2, b"colour", StoreCall::Get, 30);
//! history.ok(get, StoreAnswer::Absent, 40);
//!
//! let report = check_store(&history, &Limits::default());
//! assert!(report.is_violation());
//! println!("{report}");
//! ```

pub mod checker;
pub mod edn;
pub mod etcd_log;
pub mod event;
pub mod export;
pub mod generate;
pub mod history;
pub mod import;
pub mod jsonl;
pub mod judge;
pub mod model;
mod patience;
pub mod picture;
pub mod register;
pub mod report;
pub mod revisions;
pub mod store;
pub mod transactions;
