//! Puts and deletes of one key, and the chunks of a range delete.

use bytes::Bytes;

use super::writer::{Exceeded, Writer};
use super::{Machine, MachineError};
use crate::condition::Condition;
use crate::outcome::Outcome;
use crate::range::KeyRange;
use crate::reading::{read_index, scan_index};
use crate::settings::Setting;
use crate::tables::{Direction, TablesMut};

/// Records of the key index that one range delete looks at, at most: deleted keys are passed over.
const DELETE_RANGE_SCANNED_MAX: u64 = 10_000;

impl Machine {
    pub(super) fn apply_put<T: TablesMut>(
        &mut self,
        tables: &mut T,
        key: &Bytes,
        value: &Bytes,
        condition: Condition,
    ) -> Result<Outcome, MachineError<T::Error>> {
        let mut writer = Writer::new(&mut self.head, tables);
        if let Some(exceeded) = writer.size_exceeded(key, Some(value)) {
            return Ok(limit_exceeded(exceeded));
        }
        let index = read_index(writer.tables, key)?;
        let current = index.filter(|index| index.live.is_some()).map(|index| index.position.revision);
        if !condition.holds(current) {
            return Ok(Outcome::ConditionFailed { current });
        }
        if let Some(exceeded) = writer.quota_exceeded(key, value, index.as_ref()) {
            return Ok(limit_exceeded(exceeded));
        }
        let written = writer.put(key, value, index)?;
        Ok(Outcome::Put {
            revision: self.head.revision,
            create_revision: written.create_revision,
            version: written.version,
        })
    }

    pub(super) fn apply_delete<T: TablesMut>(
        &mut self,
        tables: &mut T,
        key: &Bytes,
        condition: Condition,
    ) -> Result<Outcome, MachineError<T::Error>> {
        let mut writer = Writer::new(&mut self.head, tables);
        if let Some(exceeded) = writer.size_exceeded(key, None) {
            return Ok(limit_exceeded(exceeded));
        }
        let live = read_index(writer.tables, key)?.filter(|index| index.live.is_some());
        let current = live.map(|index| index.position.revision);
        if !condition.holds(current) {
            return Ok(Outcome::ConditionFailed { current });
        }
        let Some(index) = live else { return Ok(Outcome::NotFound { revision: self.head.revision }) };
        writer.delete(key, index)?;
        Ok(Outcome::Deleted { revision: self.head.revision })
    }

    pub(super) fn apply_delete_range<T: TablesMut>(
        &mut self,
        tables: &mut T,
        range: &KeyRange,
        keys_max: u64,
    ) -> Result<Outcome, MachineError<T::Error>> {
        let keys_max = keys_max.clamp(1, self.head.settings.get(Setting::DeleteRangeKeysMax));
        let mut writer = Writer::new(&mut self.head, tables);
        let (mut deleted, mut scanned, mut left) = (0, 0, range.clone());
        let next = 'range: loop {
            // One more than are deleted, to know whether there is anything left.
            let records_max = (keys_max - deleted + 1).min(DELETE_RANGE_SCANNED_MAX - scanned + 1);
            let chunk = scan_index(writer.tables, &left, Direction::Ascending, records_max)?;
            for (key, index) in &chunk {
                if deleted == keys_max || scanned == DELETE_RANGE_SCANNED_MAX {
                    break 'range Some(key.clone());
                }
                scanned += 1;
                if index.live.is_some() {
                    writer.delete(key, *index)?;
                    deleted += 1;
                }
            }
            match chunk.last() {
                Some((last, _)) if chunk.len() as u64 == records_max => left = left.behind(last),
                _ => break None,
            }
        };
        Ok(Outcome::RangeDeleted { revision: self.head.revision, deleted, next })
    }
}

pub(super) fn limit_exceeded((limit, maximum): Exceeded) -> Outcome {
    Outcome::LimitExceeded { limit, maximum }
}
