//! The storage of one node: a data directory with the Raft log, the state and its snapshots.
//!
//! ```text
//! <data directory>/
//!   lock                 held while a process uses the directory
//!   identity             member, incarnation, cluster, format: small, checksummed text
//!   log/                 segment files: entries, vote, committed index, purge bound
//!   state-<n>/           LMDB: the tables of the state machine as of the last checkpoint
//!   snapshots/           the newest snapshot, a file
//!   received/            snapshots that are arriving from a peer
//!   removed              that the node has been removed from its cluster; only there if it has
//!   set-aside-<n>/       what `--force-new` has replaced: the data of an earlier incarnation
//!   damage               why the state must not be used; only there while that is so ([`Repair`])
//!   set-aside/           a state that a repair has replaced, for whoever wants to look at it
//! ```
//!
//! A write is acknowledged when a quorum has flushed it to the *log* and this node has applied it in
//! *memory*. So the log is the only thing that is flushed in the path of a write, and is made for that
//! ([`log`]: measured, a batch in a segment file costs a fraction of an LMDB commit); what has
//! been applied lives in an overlay above the state's LMDB environment and reaches it in a checkpoint
//! every second or two, together with the log ID it stands for, in one transaction ([`state`]). After a
//! crash the state is the last checkpoint, and the log behind it is applied again. The log is therefore
//! never purged past the checkpoint.
//!
//! Everything that blocks on the disk for long runs in a worker of the environment: one for the log, one
//! for checkpoints, one for each snapshot that is written. No LMDB transaction crosses an await.
//!
//! A flush that fails is never tried again: after it nobody knows what the disk holds. The failure is
//! announced ([`Storage::failure`]) and everything after it refused; the node stops. So does a node that
//! finds a damaged record, when it is read or by the scrub, or learns that its state is not the leader's; it
//! notes that in its directory, and does not start again before it is repaired.

mod damage_note;
mod directory;
mod directory_aside;
mod durable;
mod error;
mod examine;
mod failure;
mod identity_file;
mod layout;
mod lmdb;
mod lmdb_check;
pub mod log;
mod options;
mod reconcile;
mod record;
mod recover;
mod repair;
pub mod snapshot;
mod space;
pub mod state;
mod status;
mod storage;
#[cfg(feature = "testing")]
pub mod testing;

pub use directory::{DataDirectory, FoundNode};
pub use error::OpenError;
pub use examine::{Examination, examine};
pub use failure::{FailureCause, StorageFailure};
pub use log::{LogReader, LogStore};
pub use options::StorageOptions;
pub use recover::{Inspection, RecoverError, Recovered, inspect, recover};
pub use repair::Repair;
pub use state::{Applied, AtRevision, ReadError, ScrubStatus, SnapshotBuilder, StateReader, StateStore};
pub use status::StorageStatus;
pub use storage::Storage;
