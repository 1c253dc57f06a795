//! Reading ranges, page by page.

use bytes::Bytes;

use super::{check_revision, live_values, read_head, read_live, scan_index, version_at};
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
    /// A key costs one record, and if it has changed since the revision that is read, one more for each change
    /// that is looked at to find it: see [`super::past`].
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
        if let Some(end) = read_chunk(tables, query, budget, chunk, &mut page, &mut spent)? {
            break end;
        }
        match &page.next {
            Some(last) if !is_last => range = behind(&range, query.direction, last),
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
    chunk: Vec<(Bytes, IndexRecord)>,
    page: &mut RangePage,
    spent: &mut Spent,
) -> Result<Option<PageEnd>, MachineError<T::Error>> {
    let mut values = match query.form {
        RangeForm::KeysAndValues => {
            let bytes_left = budget.bytes.saturating_sub(spent.bytes);
            live_values::read(tables, &chunk, page.revision, bytes_left)?
        }
        RangeForm::Keys | RangeForm::Count => Vec::new(),
    };
    // Where the page has got to; nothing while that is its last entry: a copy of every key would cost as much
    // as all the rest.
    let mut looked_at = page.next.take();
    let mut end = None;
    for (position, (key, index)) in chunk.into_iter().enumerate() {
        // Whatever the budget, a page gets on by one key.
        let is_begun = looked_at.is_some() || !page.entries.is_empty();
        if is_begun && spent.records >= budget.records {
            end = Some(PageEnd::Records);
            break;
        }
        if is_begun && spent.bytes >= budget.bytes {
            end = Some(PageEnd::Bytes);
            break;
        }
        spent.records += 1;
        let value = values.get_mut(position).and_then(Option::take);
        let found = version_of(tables, (&key, &index), value, page.revision, query.form, spent)?;
        let Some(found) = found else {
            looked_at = Some(key);
            continue;
        };
        if query.limit == Some(page.count) {
            end = Some(PageEnd::Limit);
            break;
        }
        page.count += 1;
        if query.form == RangeForm::Count {
            looked_at = Some(key);
            continue;
        }
        spent.bytes += (key.len() + found.value.as_ref().map_or(0, Bytes::len)) as u64;
        looked_at = None;
        page.entries.push(found.entry(key));
    }
    page.next = looked_at.or_else(|| page.entries.last().map(|entry| entry.key.clone()));
    Ok(end)
}

/// What a page shows of a key besides the key.
struct Version {
    value: Option<Bytes>,
    create_revision: u64,
    mod_revision: u64,
    version: u64,
}

impl Version {
    fn of(key_value: KeyValue, with_value: bool) -> Self {
        let KeyValue { value, create_revision, mod_revision, version } = key_value;
        Self { value: with_value.then_some(value), create_revision, mod_revision, version }
    }

    fn entry(self, key: Bytes) -> KeyEntry {
        let Self { value, create_revision, mod_revision, version } = self;
        KeyEntry { key, value, create_revision, mod_revision, version }
    }
}

/// A key as it was at a revision, if it existed then. `value` is its newest version, if that was read already.
fn version_of<T: Tables>(
    tables: &T,
    (key, index): (&[u8], &IndexRecord),
    value: Option<KeyValue>,
    revision: u64,
    form: RangeForm,
    spent: &mut Spent,
) -> Result<Option<Version>, MachineError<T::Error>> {
    let with_value = form == RangeForm::KeysAndValues;
    if index.position.revision > revision {
        let found = version_at(tables, key, index.position, revision, &mut spent.records)?;
        return Ok(found.map(|found| Version::of(found, with_value)));
    }
    if with_value {
        let found = value.map_or_else(|| read_live(tables, key, index), |value| Ok(Some(value)))?;
        return Ok(found.map(|found| Version::of(found, with_value)));
    }
    // The index says it all.
    Ok(index.live.map(|live| Version {
        value: None,
        create_revision: live.create_revision,
        mod_revision: index.position.revision,
        version: live.version,
    }))
}

/// What is left of a range after `key`.
fn behind(range: &KeyRange, direction: Direction, key: &[u8]) -> KeyRange {
    match direction {
        Direction::Ascending => range.behind(key),
        Direction::Descending => range.before(key),
    }
}
