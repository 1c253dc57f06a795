//! Reading ranges, page by page.

use bytes::Bytes;

use super::{check_revision, read_head, read_live, scan_index, version_at};
use crate::machine::{Machine, MachineError};
use crate::mutant::{self, Mutant};
use crate::query::{Budget, KeyEntry, KeyValue, RangeForm, RangePage, RangeQuery, UnavailableRevision};
use crate::range::KeyRange;
use crate::record::index::IndexRecord;
use crate::tables::{Direction, Tables};

/// Records of the key index that are held in memory at once.
const CHUNK_RECORDS_MAX: u64 = 256;

/// What a page has cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// Why a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageEnd {
    /// The range did.
    Range,
    /// There are more keys than were asked for.
    Limit,
    /// The budget of records is spent.
    Records,
    /// The budget of bytes is spent.
    Bytes,
}

impl Machine {
    /// One page of a range, as `query` asks for it and as much as `budget` allows. Between pages the caller
    /// can let go of the tables: [`RangeQuery::rest`] goes on at the same revision, whatever happened since.
    /// A key costs one record, and one more for each change since the revision that is read.
    pub fn range<T: Tables>(
        tables: &T,
        query: &RangeQuery,
        budget: Budget,
    ) -> Result<Result<RangePage, UnavailableRevision>, MachineError<T::Error>> {
        let head = read_head(tables)?;
        let mut revision = query.revision.unwrap_or(head.revision);
        if let Err(unavailable) = check_revision(&head, revision) {
            return Ok(Err(unavailable));
        }
        if mutant::active(Mutant::PageMixesRevisions) {
            revision = head.revision;
        }
        let (page, ..) = read_page(tables, query, revision, budget)?;
        Ok(Ok(page))
    }
}

/// Reads a page at a revision that is readable.
pub(crate) fn read_page<T: Tables>(
    tables: &T,
    query: &RangeQuery,
    revision: u64,
    budget: Budget,
) -> Result<(RangePage, Spent, PageEnd), MachineError<T::Error>> {
    let mut page = RangePage { revision, ..RangePage::default() };
    let mut spent = Spent::default();
    let mut range = query.range.clone();
    let end = loop {
        // No more than the budget has left or the limit can use, and one to see whether there is more.
        let budget_left = budget.records.saturating_sub(spent.records);
        let limit_left = query.limit.map_or(u64::MAX, |limit| (limit - page.count).saturating_add(1));
        let records_max = budget_left.min(limit_left).clamp(1, CHUNK_RECORDS_MAX);
        let chunk = scan_index(tables, &range, query.direction, records_max)?;
        let is_last = (chunk.len() as u64) < records_max;
        if let Some(end) = read_chunk(tables, query, budget, &chunk, &mut page, &mut spent)? {
            break end;
        }
        match chunk.last() {
            Some((last, _)) if !is_last => range = behind(&range, query.direction, last),
            _ => break PageEnd::Range,
        }
    };
    if end == PageEnd::Range {
        page.next = None;
    }
    if mutant::active(Mutant::RangeOrderedByHash) {
        page.entries.sort_by_key(|entry| xxhash_rust::xxh3::xxh3_64(&entry.key));
    }
    Ok((page, spent, end))
}

/// Adds the keys of a chunk to a page until something ends it. `next` is where the page has got to.
fn read_chunk<T: Tables>(
    tables: &T,
    query: &RangeQuery,
    budget: Budget,
    chunk: &[(Bytes, IndexRecord)],
    page: &mut RangePage,
    spent: &mut Spent,
) -> Result<Option<PageEnd>, MachineError<T::Error>> {
    for (key, index) in chunk {
        // Whatever the budget, a page gets on by one key.
        let is_begun = page.next.is_some();
        if is_begun && spent.records >= budget.records {
            return Ok(Some(PageEnd::Records));
        }
        if is_begun && spent.bytes >= budget.bytes {
            return Ok(Some(PageEnd::Bytes));
        }
        spent.records += 1;
        if let Some(entry) = entry_at(tables, key, index, page.revision, query.form, spent)? {
            if query.limit == Some(page.count) {
                return Ok(Some(PageEnd::Limit));
            }
            page.count += 1;
            if query.form != RangeForm::Count {
                spent.bytes += (key.len() + entry.value.as_ref().map_or(0, Bytes::len)) as u64;
                page.entries.push(entry);
            }
        }
        page.next = Some(key.clone());
    }
    Ok(None)
}

/// A key as it was at a revision, if it existed then.
fn entry_at<T: Tables>(
    tables: &T,
    key: &Bytes,
    index: &IndexRecord,
    revision: u64,
    form: RangeForm,
    spent: &mut Spent,
) -> Result<Option<KeyEntry>, MachineError<T::Error>> {
    let with_value = form == RangeForm::KeysAndValues;
    if index.position.revision <= revision && !with_value {
        // The index says it all.
        return Ok(index.live.map(|live| KeyEntry {
            key: key.clone(),
            value: None,
            create_revision: live.create_revision,
            mod_revision: index.position.revision,
            version: live.version,
        }));
    }
    let found = if index.position.revision <= revision {
        read_live(tables, key, index)?
    } else {
        version_at(tables, key, index.position, revision, &mut spent.records)?
    };
    Ok(found.map(|KeyValue { value, create_revision, mod_revision, version }| KeyEntry {
        key: key.clone(),
        value: with_value.then_some(value),
        create_revision,
        mod_revision,
        version,
    }))
}

/// What is left of a range after `key`.
fn behind(range: &KeyRange, direction: Direction, key: &[u8]) -> KeyRange {
    match direction {
        Direction::Ascending => range.behind(key),
        Direction::Descending => range.before(key),
    }
}
