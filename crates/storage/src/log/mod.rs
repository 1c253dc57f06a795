//! The Raft log.
//!
//! [`LogStore`] is what openraft appends to, [`LogReader`] what it reads from. Between them and the disk
//! is the [`view::LogView`]: what the log *is* from the moment a call returns, whether it has reached the
//! disk or not. Recent entries are in its tail, in memory; everything older is in files. Writes go, in the
//! order in which the view took them, to the [`worker::LogWorker`], which writes all that has queued up as
//! one batch, flushed once.
//!
//! What may wait, waits: the committed index and purges are written along with the next round that has
//! to be written anyway. Losing them in a crash costs only a little repeated work: the state has its own
//! record of what it has applied.
//!
//! # The files
//!
//! The log is a chain of *segments*, numbered files of a fixed length. An acknowledged write waits for
//! the flush of the log and for nothing else, so a flush has to cost as little as a disk allows: one write
//! behind what is there, and one barrier. That is why the log is not in LMDB, where a commit writes the
//! pages of a tree, waits, writes a meta page, and waits again. And that is why all blocks of a segment are
//! really written, with zeros, before it becomes part of the log: the flush of a batch then has only data to
//! write, no changed length and no newly used blocks ([`segment::prepare`]). This is done ahead of need by
//! a worker of its own ([`supply`]), in a file with a temporary name that is flushed and then renamed.
//!
//! A segment begins with a page that says whose it is ([`format::SegmentHeader`]). Behind it come
//! *batches*, each beginning at a multiple of 512 bytes: a header, with a checksum over the rest of the
//! batch, and *records*: an entry; the entries from an index on are gone; the vote; the committed index;
//! the entries up to a log ID are gone. A batch carries the number of its segment and a *sequence* that
//! rises by one from batch to batch through all segments. The first record of a segment repeats what the
//! records before it came to, but for the entries. So the oldest segment can go as soon as none of its
//! entries counts any more. Its file is kept to be another segment, by being renamed: its blocks are written
//! already. What it still holds is not taken for a part of the log, because it carries another number.
//!
//! # After a crash
//!
//! [`recovery`] follows the batches from the oldest segment on, as long as the sequence goes on and the
//! checksums match. A batch is begun only when the one before it is on disk. So the first one that is not
//! whole is where a crash interrupted a write, which nobody had been told of, and the log ends before it.
//! Unless a batch with a later sequence is found behind it, in this segment or a following one: then
//! something is missing that had been acknowledged, and the node refuses to start. Damage to the very last
//! batch cannot be told from a write that was interrupted.
//!
//! The next batch overwrites what is left of the interrupted one, with the same sequence. What may stay
//! behind it of the other's middle never counts as a batch, even if a client had put the bytes of one into
//! a value: the checksum begins with a random number of the log that no client learns. What was found is
//! flushed once more before anybody relies on it, since the process that wrote it may have died before its
//! own flush, and all of this may have been read from the operating system's memory.
//!
//! A flush that fails is not repeated: the node stops.

mod byte_marks;
mod contents;
mod files;
mod format;
mod reader;
pub(crate) mod recovery;
mod segment;
mod store;
mod supply;
mod view;
mod worker;
mod writer;

#[cfg(test)]
mod tests;

pub use reader::LogReader;
pub(crate) use store::LogHandle;
pub use store::LogStore;
pub(crate) use supply::{SupplyHandle, SupplyWorker};
pub(crate) use view::LogView;
pub(crate) use worker::LogWorker;
pub(crate) use writer::LogWriter;
