//! Snapshots: the whole state in one file, which is also the format of backups.
//!
//! ```text
//! file    := "quorate\0snapshot"  header  chunk*  trailer
//! frame   := kind:u8  length:u32  payload  crc32c:u32       over all before it in the frame
//! header  := kind 1: format, cluster, group, cluster version, last log ID and membership
//! chunk   := kind 2: its number, then records (table, key, value), sorted
//! trailer := kind 3: how many chunks, records and bytes; revision and digest of the state
//! ```
//!
//! Integers are little-endian. A file is complete when it ends with its trailer. It is written under a
//! name that does not count and renamed when it is flushed.

mod build;
mod check;
mod format;
mod reader;
mod removal;
mod room;
mod shelf;
mod writer;

pub(crate) use build::{BuildError, SnapshotWriter};
pub use check::{SnapshotCheck, SnapshotRefusal};
pub use format::{Chunk, FormatError, SnapshotHeader, SnapshotTrailer};
pub use reader::{SnapshotError, SnapshotReader};
pub(crate) use removal::remove_slowly;
pub(crate) use room::SnapshotRoom;
pub(crate) use shelf::{KeptSnapshot, SnapshotShelf};
