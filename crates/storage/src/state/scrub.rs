//! Looks for damaged records before anybody needs them.
//!
//! A read finds a damaged record only when somebody asks for it, and by then the copies of it on the other
//! nodes may have gone bad, too. So all records on the disk are read and checked, slowly, over and over: a
//! piece at a time with a rest after each, so that the disk and the readers hardly notice. What is found ends
//! the node as it would if a client had found it.

use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use bytes::Bytes;
use quorate_environment::Environment;
use quorate_kv::{Direction, MachineError, Table, Tables, check_record, describe_record};

use super::applied_state::machine_failure;
use super::store::StateHandle;
use super::tables::{StateTables, TablesError};

const SCRUBBING: &str = "scrubbing the state";

/// Keys and records that are read at once: nothing is applied meanwhile.
const PIECE_BYTES: usize = 32 << 10;

/// What the scrub has done since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubStatus {
    /// How often it has read everything.
    pub passes: u64,
    /// Records that it has checked, in all passes.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// Where the scrub tells how far it is.
#[derive(Debug, Default)]
pub(crate) struct ScrubProgress(Mutex<ScrubStatus>);

impl ScrubProgress {
    /// What has been done so far.
    pub(crate) fn get(&self) -> ScrubStatus {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, ScrubStatus> {
        self.0.lock().expect("no code panics while it holds the progress")
    }
}

/// The task that scrubs. Holds nothing of the state while it rests.
pub(crate) struct Scrubber<E: Environment> {
    pub(crate) environment: E,
    pub(crate) state: Weak<StateHandle<E>>,
    pub(crate) progress: Arc<ScrubProgress>,
    pub(crate) bytes_per_second: u64,
    pub(crate) pause: Duration,
}

/// A piece that was read.
struct Piece {
    records: u64,
    bytes: usize,
    /// The last key, if there may be more behind it.
    last: Option<Bytes>,
}

impl<E: Environment> Scrubber<E> {
    /// Runs until the storage is closed, dropped or broken.
    pub(crate) async fn run(self) {
        if self.bytes_per_second == 0 {
            return;
        }
        while self.pass().await.is_some() {
            self.environment.sleep(self.pause).await;
        }
    }

    /// Reads everything. `None` ends the task.
    async fn pass(&self) -> Option<()> {
        for table in Table::ALL {
            let mut behind = None;
            loop {
                let Piece { records, bytes, last } = self.check_piece(table, behind.as_deref())?;
                {
                    let mut progress = self.progress.lock();
                    progress.records += records;
                    progress.bytes += bytes as u64;
                }
                if bytes > 0 {
                    let rest = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
                    self.environment.sleep(rest).await;
                }
                match last {
                    Some(last) => behind = Some(last),
                    None => break,
                }
            }
        }
        self.progress.lock().passes += 1;
        Some(())
    }

    /// Checks the records behind a key, as many as fit into a piece. `None` ends the task; damage has been
    /// reported.
    fn check_piece(&self, table: Table, behind: Option<&[u8]>) -> Option<Piece> {
        let state = self.state.upgrade()?;
        state.failure.check().ok()?;
        let checked = state.core.read(|state| check_piece(state.overlay.tables(), table, behind))?;
        checked.map_err(|error| state.failure.report(machine_failure(SCRUBBING, error))).ok()
    }
}

fn check_piece(
    tables: &StateTables,
    table: Table,
    behind: Option<&[u8]>,
) -> Result<Piece, MachineError<TablesError>> {
    let mut piece = Piece { records: 0, bytes: 0, last: None };
    let mut damaged = None;
    let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
    tables.read()?.scan(table, from, Bound::Unbounded, Direction::Ascending, &mut |key, record| {
        if let Err(cause) = check_record(table, key, record) {
            damaged = Some(format!("{}: {cause}", describe_record(table, key)));
            return ControlFlow::Break(());
        }
        piece.records += 1;
        piece.bytes += key.len() + record.len();
        if piece.bytes < PIECE_BYTES {
            return ControlFlow::Continue(());
        }
        piece.last = Some(Bytes::copy_from_slice(key));
        ControlFlow::Break(())
    })?;
    damaged.map_or(Ok(piece), |damaged| Err(MachineError::Damaged(damaged)))
}
