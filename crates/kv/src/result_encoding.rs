//! The bytes of what transactions did and found, inside of those of outcomes.
//!
//! ```text
//! result    := 1 put: create_revision, version | 2 delete: flag | 3 delete range: deleted
//!            | 4 get: option(key_value) | 5 range: page | 6 transaction: flag, count, result*
//! key_value := value:bytes  create_revision  mod_revision  version
//! page      := revision  count  next:option(bytes)  count  entry*
//! entry     := key:bytes  value:option(bytes)  create_revision  mod_revision  version
//! option(x) := 0 | 1 x
//! ```
//!
//! All numbers are varints, ordinals and flags a byte.

use bytes::Bytes;

use crate::encoding::{DecodeError, Output, Reader, put_bytes, put_flag, put_list, put_option, put_varint};
use crate::outcome::OperationResult;
use crate::query::{KeyEntry, KeyValue, RangePage};

/// How deep results may nest in bytes: as deep as the state machine lets transactions nest.
const NESTING_MAX: usize = 1;

/// The persisted number of each kind of result: never change one, never reuse one.
#[derive(Clone, Copy)]
#[repr(u8)]
enum ResultOrdinal {
    Put = 1,
    Delete = 2,
    DeleteRange = 3,
    Get = 4,
    Range = 5,
    Transaction = 6,
}

pub(crate) fn put_results(out: &mut impl Output, results: &[OperationResult]) {
    put_varint(out, results.len() as u64);
    results.iter().for_each(|result| put_result(out, result));
}

pub(crate) fn read_results(
    input: &Bytes,
    reader: &mut Reader<'_>,
) -> Result<Vec<OperationResult>, DecodeError> {
    reader.list(|reader| read_result(input, reader, 0))
}

fn put_result(out: &mut impl Output, result: &OperationResult) {
    match result {
        OperationResult::Put { create_revision, version } => {
            out.put_byte(ResultOrdinal::Put as u8);
            put_varint(out, *create_revision);
            put_varint(out, *version);
        }
        OperationResult::Delete { deleted } => {
            out.put_byte(ResultOrdinal::Delete as u8);
            put_flag(out, *deleted);
        }
        OperationResult::DeleteRange { deleted } => {
            out.put_byte(ResultOrdinal::DeleteRange as u8);
            put_varint(out, *deleted);
        }
        OperationResult::Get(found) => {
            out.put_byte(ResultOrdinal::Get as u8);
            put_option(out, found.as_ref(), put_key_value);
        }
        OperationResult::Range(page) => {
            out.put_byte(ResultOrdinal::Range as u8);
            put_page(out, page);
        }
        OperationResult::Transaction { succeeded, results } => {
            out.put_byte(ResultOrdinal::Transaction as u8);
            put_flag(out, *succeeded);
            put_results(out, results);
        }
    }
}

fn read_result(input: &Bytes, reader: &mut Reader<'_>, depth: usize) -> Result<OperationResult, DecodeError> {
    Ok(match reader.byte()? {
        1 => OperationResult::Put { create_revision: reader.varint()?, version: reader.varint()? },
        2 => OperationResult::Delete { deleted: reader.flag()? },
        3 => OperationResult::DeleteRange { deleted: reader.varint()? },
        4 => OperationResult::Get(reader.option(|reader| read_key_value(input, reader))?),
        5 => OperationResult::Range(read_page(input, reader)?),
        6 if depth < NESTING_MAX => OperationResult::Transaction {
            succeeded: reader.flag()?,
            results: reader.list(|reader| read_result(input, reader, depth + 1))?,
        },
        6 => return Err(reader.nesting_error()),
        ordinal => return Err(reader.unknown("kind of result", ordinal)),
    })
}

fn put_key_value(out: &mut impl Output, found: &KeyValue) {
    put_bytes(out, &found.value);
    put_numbers(out, [found.create_revision, found.mod_revision, found.version]);
}

fn read_key_value(input: &Bytes, reader: &mut Reader<'_>) -> Result<KeyValue, DecodeError> {
    Ok(KeyValue {
        value: input.slice_ref(reader.bytes()?),
        create_revision: reader.varint()?,
        mod_revision: reader.varint()?,
        version: reader.varint()?,
    })
}

fn put_page(out: &mut impl Output, page: &RangePage) {
    put_numbers(out, [page.revision, page.count]);
    put_option(out, page.next.as_ref(), |out, next| put_bytes(out, next));
    put_list(out, &page.entries, |out, entry| {
        put_bytes(out, &entry.key);
        put_option(out, entry.value.as_ref(), |out, value| put_bytes(out, value));
        put_numbers(out, [entry.create_revision, entry.mod_revision, entry.version]);
    });
}

fn read_page(input: &Bytes, reader: &mut Reader<'_>) -> Result<RangePage, DecodeError> {
    Ok(RangePage {
        revision: reader.varint()?,
        count: reader.varint()?,
        next: reader.option(|reader| Ok(input.slice_ref(reader.bytes()?)))?,
        entries: reader.list(|reader| read_entry(input, reader))?,
    })
}

fn read_entry(input: &Bytes, reader: &mut Reader<'_>) -> Result<KeyEntry, DecodeError> {
    Ok(KeyEntry {
        key: input.slice_ref(reader.bytes()?),
        value: reader.option(|reader| Ok(input.slice_ref(reader.bytes()?)))?,
        create_revision: reader.varint()?,
        mod_revision: reader.varint()?,
        version: reader.varint()?,
    })
}

fn put_numbers<const COUNT: usize>(out: &mut impl Output, numbers: [u64; COUNT]) {
    numbers.into_iter().for_each(|number| put_varint(out, number));
}
