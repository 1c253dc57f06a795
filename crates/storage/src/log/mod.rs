//! The Raft log.
//!
//! [`LogStore`] is what openraft appends to, [`LogReader`] what it reads from. Between them and LMDB is
//! the [`view::LogView`]: what the log *is* from the moment a call returns, whether it has reached the
//! disk or not. Recent entries are in its tail, in memory; everything older is in LMDB. Writes go, in the
//! order in which the view took them, to the [`worker::LogWorker`], which writes all that has queued up in
//! one transaction, flushed once.
//!
//! What may wait, waits: the committed index and purges are written along with the next round that has
//! to be written anyway. Losing them in a crash costs only a little repeated work: the state has its own
//! record of what it has applied.

mod byte_marks;
mod reader;
mod store;
mod tables;
mod view;
mod worker;

pub use reader::LogReader;
pub(crate) use store::LogHandle;
pub use store::LogStore;
pub(crate) use tables::LogTables;
pub(crate) use view::LogView;
pub(crate) use worker::LogWorker;
