//! The state behind the log: tables on disk, an overlay in memory, and the way between them.
//!
//! Applying a proposal changes the [`overlay::Overlay`], which is memory over LMDB. Now and then the
//! overlay's changes are *frozen*, together with the log ID and membership they stand for, and the
//! [`worker::StateWorker`] writes them in one flushed transaction, while new changes gather in a fresh
//! layer above. A read looks into the newest layer first, then into the frozen one, then into LMDB.
//!
//! So the state on disk is always that of one moment, the *checkpoint*, and says which; after a crash
//! openraft applies the log behind it again.

mod applied_state;
mod checkpoint;
mod install;
mod layer;
mod mark;
mod mutated_time;
mod overlay;
mod reader;
mod scrub;
mod store;
mod tables;
mod worker;

pub(crate) use applied_state::{State, StateCore, machine_failure};
pub(crate) use checkpoint::{Checkpointer, Signals};
pub(crate) use mark::CheckpointMark;
#[cfg(feature = "testing")]
pub(crate) use overlay::Overlay;
pub use reader::{Applied, AtRevision, ReadError, StateReader};
pub(crate) use scrub::ScrubProgress;
pub use scrub::ScrubStatus;
pub(crate) use scrub::Scrubber;
pub(crate) use store::StateHandle;
pub use store::{SnapshotBuilder, StateStore};
pub(crate) use tables::StateTables;
pub use tables::TablesError;
pub(crate) use worker::StateWorker;
