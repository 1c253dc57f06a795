//! Changes to tables that are all made or all dropped: what a transaction works on until it is clear that
//! nothing forbids it.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use crate::tables::{Direction, Table, Tables, TablesMut, Visitor, is_empty_range};

/// Tables with changes above them.
pub(crate) struct Staged<'below, T> {
    below: &'below T,
    /// For each table, in the order of [`Table::ALL`], what was put (a value) and what was removed (none).
    changes: [BTreeMap<Bytes, Option<Bytes>>; Table::ALL.len()],
}

/// What was done to the tables, to be done to those below.
pub(crate) struct StagedChanges([BTreeMap<Bytes, Option<Bytes>>; Table::ALL.len()]);

impl<'below, T: Tables> Staged<'below, T> {
    pub(crate) fn new(below: &'below T) -> Self {
        Self { below, changes: Default::default() }
    }

    pub(crate) fn into_changes(self) -> StagedChanges {
        StagedChanges(self.changes)
    }

    fn changes(&self, table: Table) -> &BTreeMap<Bytes, Option<Bytes>> {
        &self.changes[place(table)]
    }
}

impl StagedChanges {
    pub(crate) fn write_to<T: TablesMut>(self, tables: &mut T) -> Result<(), T::Error> {
        for (table, changes) in Table::ALL.into_iter().zip(self.0) {
            for (key, value) in changes {
                match value {
                    Some(value) => tables.put(table, key, value)?,
                    None => tables.delete(table, &key)?,
                }
            }
        }
        Ok(())
    }
}

impl<T: Tables> Tables for Staged<'_, T> {
    type Error = T::Error;

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, T::Error> {
        match self.changes(table).get(key) {
            Some(value) => Ok(value.clone()),
            None => self.below.get(table, key),
        }
    }

    fn scan(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
        visit: &mut Visitor<'_>,
    ) -> Result<(), T::Error> {
        if is_empty_range(from, to) {
            return Ok(());
        }
        let range = self.changes(table).range::<[u8], _>((from, to));
        let changes: Box<dyn Iterator<Item = (&Bytes, &Option<Bytes>)>> = match direction {
            Direction::Ascending => Box::new(range),
            Direction::Descending => Box::new(range.rev()),
        };
        let mut changes = changes.peekable();
        let mut flow = ControlFlow::Continue(());
        self.below.scan(table, from, to, direction, &mut |key, value| {
            let comes_first = |change: &[u8]| match direction {
                Direction::Ascending => change < key,
                Direction::Descending => change > key,
            };
            while let Some((change, value)) = changes.next_if(|(change, _)| comes_first(change)) {
                flow = visit_change(change, value.as_deref(), visit);
                flow?;
            }
            flow = match changes.next_if(|(change, _)| *change == key) {
                Some((_, value)) => visit_change(key, value.as_deref(), visit),
                None => visit(key, value),
            };
            flow
        })?;
        // What is behind everything below.
        for (change, value) in changes {
            if flow.is_break() {
                break;
            }
            flow = visit_change(change, value.as_deref(), visit);
        }
        Ok(())
    }
}

impl<T: Tables> TablesMut for Staged<'_, T> {
    fn put(&mut self, table: Table, key: Bytes, value: Bytes) -> Result<(), T::Error> {
        self.changes[place(table)].insert(key, Some(value));
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), T::Error> {
        self.changes[place(table)].insert(Bytes::copy_from_slice(key), None);
        Ok(())
    }
}

/// Visits what a change left of a record.
fn visit_change(key: &[u8], value: Option<&[u8]>, visit: &mut Visitor<'_>) -> ControlFlow<()> {
    value.map_or(ControlFlow::Continue(()), |value| visit(key, value))
}

/// The place of a table in [`Table::ALL`].
fn place(table: Table) -> usize {
    usize::from(table.ordinal()) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::MemoryTables;

    /// Staged above tables that hold about half of what was written.
    struct Half {
        below: MemoryTables,
        changes: StagedChanges,
        writes: usize,
    }

    impl Half {
        fn staged(&self) -> Staged<'_, MemoryTables> {
            Staged { below: &self.below, changes: self.changes.0.clone() }
        }

        fn write(&mut self, table: Table, key: Bytes, value: Option<Bytes>) {
            let mut staged = self.staged();
            let Ok(()) = match value {
                Some(value) => staged.put(table, key, value),
                None => staged.delete(table, &key),
            };
            self.changes = staged.into_changes();
            self.writes += 1;
            if self.writes.is_multiple_of(5) {
                let changes = std::mem::replace(&mut self.changes, StagedChanges(Default::default()));
                let Ok(()) = changes.write_to(&mut self.below);
            }
        }
    }

    impl Tables for Half {
        type Error = std::convert::Infallible;

        fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Self::Error> {
            self.staged().get(table, key)
        }

        fn scan(
            &self,
            table: Table,
            from: Bound<&[u8]>,
            to: Bound<&[u8]>,
            direction: Direction,
            visit: &mut Visitor<'_>,
        ) -> Result<(), Self::Error> {
            self.staged().scan(table, from, to, direction, visit)
        }
    }

    impl TablesMut for Half {
        fn put(&mut self, table: Table, key: Bytes, value: Bytes) -> Result<(), Self::Error> {
            self.write(table, key, Some(value));
            Ok(())
        }

        fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Self::Error> {
            self.write(table, Bytes::copy_from_slice(key), None);
            Ok(())
        }
    }

    #[test]
    fn staged_tables_conform() {
        crate::conformance::tables_suite(|| Half {
            below: MemoryTables::default(),
            changes: StagedChanges(Default::default()),
            writes: 0,
        });
    }
}
