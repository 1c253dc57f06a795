//! The bytes of ranges and transactions, inside of those of commands.
//!
//! ```text
//! range       := start:bytes  end:option(bytes)
//! transaction := count  comparison*  count  operation*  count  operation*
//! comparison  := target  predicate
//! target      := 1 key:bytes | 2 range
//! predicate   := 1 exists: flag | 2 value: relation, bytes | 3 version: relation, number
//!              | 4 create revision: relation, number | 5 modification revision: relation, number
//! relation    := 1 equal | 2 not equal | 3 less | 4 greater
//! operation   := 1 put: key:bytes, value:bytes | 2 delete: key:bytes | 3 delete range: range | 4 get: key:bytes
//!              | 5 range: range, direction, limit:option(number), form | 6 transaction
//! direction   := 1 ascending | 2 descending
//! form        := 1 keys and values | 2 keys | 3 count
//! option(x)   := 0 | 1 x
//! ```
//!
//! All numbers are varints, ordinals and flags a byte.

use bytes::Bytes;

use crate::comparison::{Comparison, Predicate, Relation, Target};
use crate::encoding::{DecodeError, Output, Reader, put_bytes, put_flag, put_list, put_option, put_varint};
use crate::query::RangeForm;
use crate::range::KeyRange;
use crate::tables::Direction;
use crate::transaction::{Operation, Transaction};

/// How deep transactions may nest in bytes. More than the state machine allows, so that it is the state
/// machine that says so, but not so deep that decoding runs out of stack.
const NESTING_MAX: usize = 8;

pub(crate) fn put_range(out: &mut impl Output, range: &KeyRange) {
    put_bytes(out, range.start());
    put_option(out, range.end(), |out, end| put_bytes(out, end));
}

/// Reads a range with `reader`, which reads `input`. So do all others here.
pub(crate) fn read_range(input: &Bytes, reader: &mut Reader<'_>) -> Result<KeyRange, DecodeError> {
    let start = read_bound(input, reader)?;
    let end = reader.option(|reader| read_bound(input, reader))?;
    Ok(KeyRange::new(start, end))
}

fn read_bound(input: &Bytes, reader: &mut Reader<'_>) -> Result<Bytes, DecodeError> {
    match reader.bytes()? {
        bound if bound.len() <= KeyRange::BOUND_BYTES_MAX => Ok(input.slice_ref(bound)),
        _ => Err(reader.number_error()),
    }
}

/// Panics on a transaction that nests beyond all reason: [`Transaction::check`] refuses it long before.
pub(crate) fn put_transaction(out: &mut impl Output, transaction: &Transaction) {
    put_nested(out, transaction, 0);
}

fn put_nested(out: &mut impl Output, transaction: &Transaction, depth: usize) {
    assert!(depth <= NESTING_MAX, "what could not be read back is not written");
    put_list(out, &transaction.comparisons, put_comparison);
    put_list(out, &transaction.success, |out, operation| put_operation(out, operation, depth));
    put_list(out, &transaction.failure, |out, operation| put_operation(out, operation, depth));
}

pub(crate) fn read_transaction(input: &Bytes, reader: &mut Reader<'_>) -> Result<Transaction, DecodeError> {
    read_nested(input, reader, 0)
}

fn read_nested(input: &Bytes, reader: &mut Reader<'_>, depth: usize) -> Result<Transaction, DecodeError> {
    if depth > NESTING_MAX {
        return Err(reader.nesting_error());
    }
    Ok(Transaction {
        comparisons: reader.list(|reader| read_comparison(input, reader))?,
        success: reader.list(|reader| read_operation(input, reader, depth))?,
        failure: reader.list(|reader| read_operation(input, reader, depth))?,
    })
}

fn put_comparison(out: &mut impl Output, comparison: &Comparison) {
    match &comparison.target {
        Target::Key(key) => {
            out.put_byte(1);
            put_bytes(out, key);
        }
        Target::Range(range) => {
            out.put_byte(2);
            put_range(out, range);
        }
    }
    match &comparison.predicate {
        Predicate::Exists(exists) => {
            out.put_byte(1);
            put_flag(out, *exists);
        }
        Predicate::Value(relation, value) => {
            out.put_slice(&[2, relation_ordinal(*relation)]);
            put_bytes(out, value);
        }
        Predicate::Version(relation, number) => put_related(out, 3, *relation, *number),
        Predicate::CreateRevision(relation, number) => put_related(out, 4, *relation, *number),
        Predicate::ModRevision(relation, number) => put_related(out, 5, *relation, *number),
    }
}

fn put_related(out: &mut impl Output, predicate: u8, relation: Relation, number: u64) {
    out.put_slice(&[predicate, relation_ordinal(relation)]);
    put_varint(out, number);
}

fn read_comparison(input: &Bytes, reader: &mut Reader<'_>) -> Result<Comparison, DecodeError> {
    let target = match reader.byte()? {
        1 => Target::Key(input.slice_ref(reader.bytes()?)),
        2 => Target::Range(read_range(input, reader)?),
        ordinal => return Err(reader.unknown("target of a comparison", ordinal)),
    };
    let predicate = match reader.byte()? {
        1 => Predicate::Exists(reader.flag()?),
        2 => Predicate::Value(read_relation(reader)?, input.slice_ref(reader.bytes()?)),
        3 => Predicate::Version(read_relation(reader)?, reader.varint()?),
        4 => Predicate::CreateRevision(read_relation(reader)?, reader.varint()?),
        5 => Predicate::ModRevision(read_relation(reader)?, reader.varint()?),
        ordinal => return Err(reader.unknown("predicate", ordinal)),
    };
    Ok(Comparison { target, predicate })
}

/// The persisted number of each relation: never change one, never reuse one.
const fn relation_ordinal(relation: Relation) -> u8 {
    match relation {
        Relation::Equal => 1,
        Relation::NotEqual => 2,
        Relation::Less => 3,
        Relation::Greater => 4,
    }
}

fn read_relation(reader: &mut Reader<'_>) -> Result<Relation, DecodeError> {
    match reader.byte()? {
        1 => Ok(Relation::Equal),
        2 => Ok(Relation::NotEqual),
        3 => Ok(Relation::Less),
        4 => Ok(Relation::Greater),
        ordinal => Err(reader.unknown("relation", ordinal)),
    }
}

/// The persisted number of each kind of operation: never change one, never reuse one.
#[derive(Clone, Copy)]
#[repr(u8)]
enum OperationOrdinal {
    Put = 1,
    Delete = 2,
    DeleteRange = 3,
    Get = 4,
    Range = 5,
    Transaction = 6,
}

fn put_operation(out: &mut impl Output, operation: &Operation, depth: usize) {
    match operation {
        Operation::Put { key, value } => {
            out.put_byte(OperationOrdinal::Put as u8);
            put_bytes(out, key);
            put_bytes(out, value);
        }
        Operation::Delete { key } => {
            out.put_byte(OperationOrdinal::Delete as u8);
            put_bytes(out, key);
        }
        Operation::DeleteRange { range } => {
            out.put_byte(OperationOrdinal::DeleteRange as u8);
            put_range(out, range);
        }
        Operation::Get { key } => {
            out.put_byte(OperationOrdinal::Get as u8);
            put_bytes(out, key);
        }
        Operation::Range { range, direction, limit, form } => {
            out.put_byte(OperationOrdinal::Range as u8);
            put_range(out, range);
            out.put_byte(direction_ordinal(*direction));
            put_option(out, *limit, put_varint);
            out.put_byte(form_ordinal(*form));
        }
        Operation::Transaction(nested) => {
            out.put_byte(OperationOrdinal::Transaction as u8);
            put_nested(out, nested, depth + 1);
        }
    }
}

fn read_operation(input: &Bytes, reader: &mut Reader<'_>, depth: usize) -> Result<Operation, DecodeError> {
    Ok(match reader.byte()? {
        1 => {
            let key = input.slice_ref(reader.bytes()?);
            Operation::Put { key, value: input.slice_ref(reader.bytes()?) }
        }
        2 => Operation::Delete { key: input.slice_ref(reader.bytes()?) },
        3 => Operation::DeleteRange { range: read_range(input, reader)? },
        4 => Operation::Get { key: input.slice_ref(reader.bytes()?) },
        5 => Operation::Range {
            range: read_range(input, reader)?,
            direction: read_direction(reader)?,
            limit: reader.option(Reader::varint)?,
            form: read_form(reader)?,
        },
        6 => Operation::Transaction(read_nested(input, reader, depth + 1)?),
        ordinal => return Err(reader.unknown("kind of operation", ordinal)),
    })
}

/// The persisted number of each direction: never change one, never reuse one.
const fn direction_ordinal(direction: Direction) -> u8 {
    match direction {
        Direction::Ascending => 1,
        Direction::Descending => 2,
    }
}

fn read_direction(reader: &mut Reader<'_>) -> Result<Direction, DecodeError> {
    match reader.byte()? {
        1 => Ok(Direction::Ascending),
        2 => Ok(Direction::Descending),
        ordinal => Err(reader.unknown("direction", ordinal)),
    }
}

/// The persisted number of each form: never change one, never reuse one.
const fn form_ordinal(form: RangeForm) -> u8 {
    match form {
        RangeForm::KeysAndValues => 1,
        RangeForm::Keys => 2,
        RangeForm::Count => 3,
    }
}

fn read_form(reader: &mut Reader<'_>) -> Result<RangeForm, DecodeError> {
    match reader.byte()? {
        1 => Ok(RangeForm::KeysAndValues),
        2 => Ok(RangeForm::Keys),
        3 => Ok(RangeForm::Count),
        ordinal => Err(reader.unknown("form of a range", ordinal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::fixtures::assert_golden;

    fn nested(depth: usize) -> Transaction {
        (0..depth).fold(Transaction::default(), |inner, _| Transaction {
            success: vec![Operation::Transaction(inner)],
            ..Transaction::default()
        })
    }

    #[test]
    fn the_format_of_a_transaction_stays() {
        let range = || KeyRange::new(Bytes::from("a"), Some(Bytes::from("bc")));
        let key = || Bytes::from("key");
        let comparison = |predicate| Comparison { target: Target::Key(key()), predicate };
        let transaction = Transaction {
            comparisons: vec![
                Comparison { target: Target::Range(range()), predicate: Predicate::Exists(true) },
                comparison(Predicate::Value(Relation::Equal, Bytes::from("v"))),
                comparison(Predicate::Version(Relation::NotEqual, 300)),
                comparison(Predicate::CreateRevision(Relation::Less, 1)),
                comparison(Predicate::ModRevision(Relation::Greater, 0)),
            ],
            success: vec![
                Operation::Put { key: key(), value: Bytes::from("v") },
                Operation::Delete { key: key() },
                Operation::DeleteRange { range: range() },
            ],
            failure: vec![
                Operation::Get { key: key() },
                Operation::Range {
                    range: KeyRange::all(),
                    direction: Direction::Ascending,
                    limit: Some(300),
                    form: RangeForm::KeysAndValues,
                },
                Operation::Range {
                    range: range(),
                    direction: Direction::Descending,
                    limit: None,
                    form: RangeForm::Keys,
                },
                Operation::Range {
                    range: range(),
                    direction: Direction::Ascending,
                    limit: None,
                    form: RangeForm::Count,
                },
                Operation::Transaction(Transaction::default()),
            ],
        };
        let golden = "01 04 \
            05 02 016101026263 0101 01 036b6579 0201 0176 01 036b6579 0302 ac02 \
            01 036b6579 0403 01 01 036b6579 0504 00 \
            03 01 036b6579 0176 02 036b6579 03 016101026263 \
            05 04 036b6579 05 0000 01 01ac02 01 05 016101026263 02 00 02 05 016101026263 01 00 03 06 000000";
        let command = Command::Transaction(transaction);
        assert_golden(&command.encode(), golden);
        assert_eq!(Command::decode(&command.encode()), Ok(command));
    }

    #[test]
    fn nesting_beyond_reason_is_refused_before_the_stack_ends() {
        let deepest = Command::Transaction(nested(NESTING_MAX));
        assert_eq!(Command::decode(&deepest.encode()), Ok(deepest));
        let deeper = [&[1, 4][..], &[0, 1, 6].repeat(100_000)].concat();
        assert_eq!(Command::decode(&deeper.into()), Err(DecodeError::Nesting { what: "command" }));
    }
}
