//! The tables as of the last applied entry: layers of changes in memory above LMDB.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;
use quorate_environment::mutant::{self, Mutant};
use quorate_kv::tables::{Visitor, is_empty_range};
use quorate_kv::{Direction, Table, Tables, TablesMut};

use super::layer::Layer;
use super::tables::{StateTables, StateTransaction, TablesError};

/// The layers, newest first: active, frozen, disk.
#[derive(Debug)]
pub(crate) struct Overlay {
    active: Layer,
    /// Being written to disk. Dropped when it is there, so that it never hides anything newer.
    frozen: Option<Arc<Layer>>,
    tables: Arc<StateTables>,
}

impl Overlay {
    pub(crate) fn new(tables: Arc<StateTables>) -> Self {
        Self { active: Layer::default(), frozen: None, tables }
    }

    /// The tables below.
    pub(crate) fn tables(&self) -> &Arc<StateTables> {
        &self.tables
    }

    /// Roughly, the memory of the changes that are not frozen.
    pub(crate) fn active_bytes(&self) -> u64 {
        self.active.bytes()
    }

    /// Roughly, the memory of all changes.
    pub(crate) fn bytes(&self) -> u64 {
        self.active.bytes() + self.frozen.as_ref().map_or(0, |layer| layer.bytes())
    }

    /// Freezes the changes, to be written to disk. The layer that was frozen before is there already.
    pub(crate) fn freeze(&mut self) -> Arc<Layer> {
        assert!(self.frozen.is_none(), "one layer is written at a time");
        let frozen = Arc::new(std::mem::take(&mut self.active));
        self.frozen = Some(frozen.clone());
        frozen
    }

    /// The changes that are frozen.
    pub(crate) fn frozen(&self) -> Option<&Arc<Layer>> {
        self.frozen.as_ref()
    }

    /// The frozen layer is on disk. Gives it, to be dropped where nobody waits.
    pub(crate) fn thaw(&mut self) -> Option<Arc<Layer>> {
        self.frozen.take()
    }

    /// Reads all layers.
    pub(crate) fn view(&self) -> OverlayView<'_> {
        let Self { active, frozen, tables } = self;
        OverlayView { active, frozen: frozen.as_deref(), disk: Disk::new(tables) }
    }

    /// Reads all layers as a client's read does: where the mutant strikes.
    pub(crate) fn client_view(&self) -> OverlayView<'_> {
        // The mutant: while a checkpoint is being written, what came after it is not seen.
        static EMPTY: std::sync::LazyLock<Layer> = std::sync::LazyLock::new(Layer::default);
        let mut view = self.view();
        if mutant::active(Mutant::OverlayMiss) && view.frozen.is_some() {
            view.active = &EMPTY;
        }
        view
    }

    /// Reads all layers and writes to the newest.
    pub(crate) fn writer(&mut self) -> OverlayWriter<'_> {
        let Self { active, frozen, tables } = self;
        OverlayWriter { active, frozen: frozen.as_deref(), disk: Disk::new(tables) }
    }
}

/// The lowest layer. Its transaction begins with the first read that gets down to it.
///
/// It matters not whether that is before or after a checkpoint's commit: the frozen layer above says the
/// same as the commit, and stays until the overlay is locked for writing.
struct Disk<'overlay> {
    tables: &'overlay StateTables,
    transaction: OnceCell<StateTransaction<'overlay>>,
}

impl<'overlay> Disk<'overlay> {
    fn new(tables: &'overlay StateTables) -> Self {
        Self { tables, transaction: OnceCell::new() }
    }

    fn transaction(&self) -> Result<&StateTransaction<'overlay>, TablesError> {
        match self.transaction.get() {
            Some(transaction) => Ok(transaction),
            None => {
                let transaction = self.tables.read()?;
                Ok(self.transaction.get_or_init(|| transaction))
            }
        }
    }
}

/// Reads the layers as they are while the overlay is borrowed.
pub(crate) struct OverlayView<'overlay> {
    active: &'overlay Layer,
    frozen: Option<&'overlay Layer>,
    disk: Disk<'overlay>,
}

/// As [`OverlayView`], and writes.
pub(crate) struct OverlayWriter<'overlay> {
    active: &'overlay mut Layer,
    frozen: Option<&'overlay Layer>,
    disk: Disk<'overlay>,
}

impl Tables for OverlayView<'_> {
    type Error = TablesError;

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, TablesError> {
        get(self.active, self.frozen, &self.disk, table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
        visit: &mut Visitor<'_>,
    ) -> Result<(), TablesError> {
        scan(self.active, self.frozen, &self.disk, Range { table, from, to, direction }, visit)
    }
}

impl Tables for OverlayWriter<'_> {
    type Error = TablesError;

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, TablesError> {
        get(self.active, self.frozen, &self.disk, table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
        visit: &mut Visitor<'_>,
    ) -> Result<(), TablesError> {
        scan(self.active, self.frozen, &self.disk, Range { table, from, to, direction }, visit)
    }
}

impl TablesMut for OverlayWriter<'_> {
    fn put(&mut self, table: Table, key: Bytes, value: Bytes) -> Result<(), TablesError> {
        self.active.set(table, key, Some(value));
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), TablesError> {
        self.active.set(table, Bytes::copy_from_slice(key), None);
        Ok(())
    }
}

fn get(
    active: &Layer,
    frozen: Option<&Layer>,
    disk: &Disk<'_>,
    table: Table,
    key: &[u8],
) -> Result<Option<Bytes>, TablesError> {
    let in_memory = active.get(table, key).or_else(|| frozen?.get(table, key));
    match in_memory {
        Some(value) => Ok(value.cloned()),
        None => disk.transaction()?.get(table, key),
    }
}

/// What a scan goes through.
#[derive(Clone, Copy)]
struct Range<'a> {
    table: Table,
    from: Bound<&'a [u8]>,
    to: Bound<&'a [u8]>,
    direction: Direction,
}

/// A record of one layer; `None` says that it was removed.
type LayerRecord<'a> = (&'a [u8], Option<&'a [u8]>);
/// The records of one layer in the order of the scan.
type LayerRecords<'a> = Box<dyn Iterator<Item = heed::Result<LayerRecord<'a>>> + 'a>;

fn layer_records<'a>(layer: &'a Layer, range: Range<'_>) -> LayerRecords<'a> {
    let changes = layer.range(range.table, range.from, range.to);
    let record = |(key, value): (&'a Bytes, &'a Option<Bytes>)| Ok((&key[..], value.as_deref()));
    match range.direction {
        Direction::Ascending => Box::new(changes.map(record)),
        Direction::Descending => Box::new(changes.rev().map(record)),
    }
}

/// Merges the layers: of those that have a key, the newest one speaks for it.
fn scan(
    active: &Layer,
    frozen: Option<&Layer>,
    disk: &Disk<'_>,
    range: Range<'_>,
    visit: &mut Visitor<'_>,
) -> Result<(), TablesError> {
    if is_empty_range(range.from, range.to) {
        return Ok(());
    }
    let Range { table, from, to, direction } = range;
    let is_untouched = |layer: &Layer| layer.range(table, from, to).next().is_none();
    if is_untouched(active) && frozen.is_none_or(is_untouched) {
        // Nothing to merge, as mostly: the history is only appended to.
        return disk.transaction()?.scan(table, from, to, direction, visit);
    }
    let on_disk = disk.transaction()?.range(table, from, to, direction)?;
    let mut layers: Vec<LayerRecords<'_>> = vec![layer_records(active, range)];
    layers.extend(frozen.map(|frozen| layer_records(frozen, range)));
    layers.push(Box::new(on_disk.map(|record| record.map(|(key, value)| (key, Some(value))))));
    let mut heads =
        layers.iter_mut().map(|layer| layer.next().transpose()).collect::<heed::Result<Vec<_>>>()?;
    loop {
        let Some(next) = first_key(&heads, range.direction) else { return Ok(()) };
        let mut found = None;
        for (head, layer) in heads.iter_mut().zip(&mut layers) {
            if head.is_some_and(|(key, _)| key == next) {
                // Layers come newest first: what an older one says of the key is passed over.
                found = found.or(*head);
                *head = layer.next().transpose()?;
            }
        }
        if let Some((key, Some(value))) = found
            && let ControlFlow::Break(()) = visit(key, value)
        {
            return Ok(());
        }
    }
}

/// The key that comes next in any layer.
fn first_key<'a>(heads: &[Option<LayerRecord<'a>>], direction: Direction) -> Option<&'a [u8]> {
    let keys = heads.iter().flatten().map(|(key, _)| *key);
    let order: fn(&&[u8], &&[u8]) -> Ordering = match direction {
        Direction::Ascending => |one, other| one.cmp(other),
        Direction::Descending => |one, other| other.cmp(one),
    };
    keys.min_by(order)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use quorate_consensus::{GroupId, NodeId};
    use quorate_kv::conformance::{machine_suite, tables_suite};
    use tempfile::TempDir;

    use super::*;
    use crate::directory::DirectoryLock;
    use crate::lmdb::Lmdb;

    const NODE: NodeId = NodeId::new(1, 1);

    /// An overlay that is frozen, written down and thawed between the calls, in a random rhythm of its
    /// own: after every so many writes it takes the next of these steps.
    struct LivingTables {
        overlay: Overlay,
        /// How many writes lie between two steps, one after another, over and over.
        rhythm: &'static [usize],
        step: usize,
        writes: usize,
        frozen: Option<Arc<Layer>>,
        _folder: Arc<TempDir>,
    }

    impl LivingTables {
        fn step(&mut self) {
            self.writes += 1;
            if self.writes < self.rhythm[self.step % self.rhythm.len()] {
                return;
            }
            self.writes = 0;
            self.step += 1;
            match self.step % 3 {
                1 => self.frozen = Some(self.overlay.freeze()),
                2 => {
                    let frozen = self.frozen.take().expect("frozen in the step before");
                    let mut transaction = self.overlay.tables.write().expect("write");
                    transaction.put_layer(&frozen).expect("put");
                    transaction.commit().expect("commit");
                }
                _ => drop(self.overlay.thaw()),
            }
        }
    }

    impl Tables for LivingTables {
        type Error = TablesError;

        fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, TablesError> {
            self.overlay.view().get(table, key)
        }

        fn scan(
            &self,
            table: Table,
            from: Bound<&[u8]>,
            to: Bound<&[u8]>,
            direction: Direction,
            visit: &mut Visitor<'_>,
        ) -> Result<(), TablesError> {
            self.overlay.view().scan(table, from, to, direction, visit)
        }
    }

    impl TablesMut for LivingTables {
        fn put(&mut self, table: Table, key: Bytes, value: Bytes) -> Result<(), TablesError> {
            self.overlay.writer().put(table, key, value)?;
            self.step();
            Ok(())
        }

        fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), TablesError> {
            self.overlay.writer().delete(table, key)?;
            self.step();
            Ok(())
        }
    }

    /// Makes tables of a rhythm, each time in a fresh environment.
    fn living(rhythm: &'static [usize]) -> impl Fn() -> LivingTables {
        // In memory if there is such a place: thousands of flushes are not what is tested here.
        let memory = std::path::Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = Arc::new(tempfile::tempdir_in(place).expect("a temporary directory"));
        let lock = Arc::new(DirectoryLock::acquire(folder.path()).expect("lock"));
        let number = RefCell::new(0);
        move || {
            let name = format!("state-{}", number.replace_with(|number| *number + 1));
            Lmdb::create(&lock, &name, NODE).expect("create");
            let tables = StateTables::open(&lock, &name, 1 << 30, NODE, GroupId::FIRST).expect("open");
            std::fs::remove_dir_all(tables.path()).expect("an open environment needs no name");
            let overlay = Overlay::new(Arc::new(tables));
            LivingTables { overlay, rhythm, step: 0, writes: 0, frozen: None, _folder: folder.clone() }
        }
    }

    /// In memory only.
    const NEVER: &[usize] = &[usize::MAX];
    /// A step with every write, so that hardly anything is only in memory.
    const ALWAYS: &[usize] = &[1];
    /// Anything in between.
    const SOMETIMES: &[usize] = &[3, 1, 2, 5, 1, 1, 4, 7, 2];

    #[test]
    fn the_overlay_alone_behaves_as_tables() {
        tables_suite(living(NEVER));
    }

    #[test]
    fn changes_on_their_way_to_disk_behave_as_tables() {
        tables_suite(living(ALWAYS));
        tables_suite(living(SOMETIMES));
    }

    #[test]
    fn the_machine_runs_on_changes_on_their_way_to_disk() {
        machine_suite(living(SOMETIMES));
    }
}
