//! The bytes of outcomes, as they travel between nodes.
//!
//! ```text
//! outcome := version:u8=1  kind:u8  fields
//! kind    := 1 put: revision, create_revision, version
//!          | 2 deleted: revision
//!          | 3 not found: revision
//!          | 4 condition failed, the key exists: current
//!          | 5 condition failed, the key does not exist
//!          | 6 limit exceeded: limit:u8, maximum
//! limit   := 1 key bytes | 2 value bytes
//! ```
//!
//! All fields without a width are varints.

use bytes::Bytes;

use crate::command::{Limit, Outcome};
use crate::encoding::{DecodeError, Reader, put_varint};

const VERSION: u8 = 1;
const OUTCOME: &str = "outcome";

/// The longest encoding: version, kind and three numbers of up to ten bytes.
const OUTCOME_BYTES_MAX: usize = 2 + 3 * 10;

/// The persisted number of each kind of outcome: never change one, never reuse one.
#[derive(Clone, Copy)]
#[repr(u8)]
enum OutcomeOrdinal {
    Put = 1,
    Deleted = 2,
    NotFound = 3,
    ConditionFailedExists = 4,
    ConditionFailedAbsent = 5,
    LimitExceeded = 6,
}

impl OutcomeOrdinal {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.byte()? {
            1 => Ok(Self::Put),
            2 => Ok(Self::Deleted),
            3 => Ok(Self::NotFound),
            4 => Ok(Self::ConditionFailedExists),
            5 => Ok(Self::ConditionFailedAbsent),
            6 => Ok(Self::LimitExceeded),
            ordinal => Err(reader.unknown("outcome kind", ordinal)),
        }
    }
}

/// The persisted number of each limit: never change one, never reuse one.
#[derive(Clone, Copy)]
#[repr(u8)]
enum LimitOrdinal {
    KeyBytes = 1,
    ValueBytes = 2,
}

impl Outcome {
    /// The outcome in bytes. One allocation.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(OUTCOME_BYTES_MAX);
        let mut put = |ordinal: OutcomeOrdinal, numbers: &[u64]| {
            out.extend_from_slice(&[VERSION, ordinal as u8]);
            numbers.iter().for_each(|number| put_varint(&mut out, *number));
        };
        match *self {
            Outcome::Put { revision, create_revision, version } => {
                put(OutcomeOrdinal::Put, &[revision, create_revision, version]);
            }
            Outcome::Deleted { revision } => put(OutcomeOrdinal::Deleted, &[revision]),
            Outcome::NotFound { revision } => put(OutcomeOrdinal::NotFound, &[revision]),
            Outcome::ConditionFailed { current: Some(current) } => {
                put(OutcomeOrdinal::ConditionFailedExists, &[current]);
            }
            Outcome::ConditionFailed { current: None } => put(OutcomeOrdinal::ConditionFailedAbsent, &[]),
            Outcome::LimitExceeded { limit, maximum } => {
                let ordinal = match limit {
                    Limit::KeyBytes => LimitOrdinal::KeyBytes,
                    Limit::ValueBytes => LimitOrdinal::ValueBytes,
                };
                // Ordinals below 128 are a byte as a varint, too.
                put(OutcomeOrdinal::LimitExceeded, &[ordinal as u64, maximum]);
            }
        }
        Bytes::from(out)
    }

    /// Reads an outcome.
    pub fn decode(input: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(input, OUTCOME, VERSION)?;
        let outcome = match OutcomeOrdinal::read(&mut reader)? {
            OutcomeOrdinal::Put => Outcome::Put {
                revision: reader.varint()?,
                create_revision: reader.varint()?,
                version: reader.varint()?,
            },
            OutcomeOrdinal::Deleted => Outcome::Deleted { revision: reader.varint()? },
            OutcomeOrdinal::NotFound => Outcome::NotFound { revision: reader.varint()? },
            OutcomeOrdinal::ConditionFailedExists => {
                Outcome::ConditionFailed { current: Some(reader.varint()?) }
            }
            OutcomeOrdinal::ConditionFailedAbsent => Outcome::ConditionFailed { current: None },
            OutcomeOrdinal::LimitExceeded => {
                let limit = match reader.byte()? {
                    1 => Limit::KeyBytes,
                    2 => Limit::ValueBytes,
                    ordinal => return Err(reader.unknown("limit", ordinal)),
                };
                Outcome::LimitExceeded { limit, maximum: reader.varint()? }
            }
        };
        reader.finish()?;
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{arbitrary_outcome, assert_golden};

    #[test]
    fn the_format_of_an_outcome_stays() {
        let check = |outcome: Outcome, golden| {
            assert_golden(&outcome.encode(), golden);
            assert_eq!(Outcome::decode(&outcome.encode()), Ok(outcome));
        };
        check(Outcome::Put { revision: 300, create_revision: 7, version: 2 }, "01 01 ac02 07 02");
        check(Outcome::Deleted { revision: 300 }, "01 02 ac02");
        check(Outcome::NotFound { revision: 0 }, "01 03 00");
        check(Outcome::ConditionFailed { current: Some(5) }, "01 04 05");
        check(Outcome::ConditionFailed { current: None }, "01 05");
        check(Outcome::LimitExceeded { limit: Limit::KeyBytes, maximum: 1024 }, "01 06 01 8008");
        check(Outcome::LimitExceeded { limit: Limit::ValueBytes, maximum: 1 << 20 }, "01 06 02 808040");
    }

    #[test]
    fn what_is_unknown_is_refused_by_its_name() {
        let check = |input: &'static [u8], expected| {
            assert_eq!(Outcome::decode(&Bytes::from_static(input)), Err(expected));
        };
        check(&[0, 5], DecodeError::UnknownVersion { what: OUTCOME, version: 0 });
        check(&[1, 7], DecodeError::UnknownOrdinal { what: OUTCOME, field: "outcome kind", ordinal: 7 });
        check(&[1, 6, 3, 1], DecodeError::UnknownOrdinal { what: OUTCOME, field: "limit", ordinal: 3 });
        check(&[1, 5, 0], DecodeError::Trailing { what: OUTCOME, bytes: 1 });
        check(&[1, 2], DecodeError::Truncated { what: OUTCOME });
    }

    proptest! {
        #[test]
        fn outcomes_round_trip(outcome in arbitrary_outcome()) {
            let input = outcome.encode();
            prop_assert!(input.len() <= OUTCOME_BYTES_MAX);
            prop_assert_eq!(Outcome::decode(&input), Ok(outcome));
        }

        #[test]
        fn any_bytes_are_refused_or_are_the_only_encoding(
            kind in 0..8u8,
            tail in prop::collection::vec(any::<u8>(), 0..34),
        ) {
            let input: Bytes = [VERSION, kind].into_iter().chain(tail).collect();
            if let Ok(outcome) = Outcome::decode(&input) {
                prop_assert_eq!(outcome.encode(), input);
            }
        }
    }
}
