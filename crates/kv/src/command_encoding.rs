//! The bytes of proposals and commands, as they stand in the log and travel between nodes.
//!
//! ```text
//! proposal  := version:u8=1  time_ms:u64  count:varint  body*
//! command   := version:u8=1  body
//! body      := kind:u8  condition  key:bytes  [value:bytes if kind is put]
//! kind      := 1 put | 2 delete
//! condition := 0 always | 1 absent | 2 exists | 3 revision is, revision:varint
//! bytes     := length:varint  byte*
//! ```
//!
//! There is no checksum: the log and the peer frames, which carry these bytes, have theirs.

use bytes::Bytes;

use crate::command::{Command, Condition, Proposal};
use crate::encoding::{DecodeError, Reader, bytes_bytes, put_bytes, put_varint, varint_bytes};

const VERSION: u8 = 1;
const PROPOSAL: &str = "proposal";
const COMMAND: &str = "command";

/// The shortest command body: kind, condition, the length of an empty key.
const BODY_BYTES_MIN: usize = 3;

/// The persisted number of each kind of command: never change one, never reuse one.
#[derive(Clone, Copy)]
#[repr(u8)]
enum CommandOrdinal {
    Put = 1,
    Delete = 2,
}

impl CommandOrdinal {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.byte()? {
            1 => Ok(Self::Put),
            2 => Ok(Self::Delete),
            ordinal => Err(reader.unknown("command kind", ordinal)),
        }
    }
}

/// The persisted number of each kind of condition: never change one, never reuse one.
#[derive(Clone, Copy)]
#[repr(u8)]
enum ConditionOrdinal {
    Always = 0,
    Absent = 1,
    Exists = 2,
    RevisionIs = 3,
}

impl ConditionOrdinal {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.byte()? {
            0 => Ok(Self::Always),
            1 => Ok(Self::Absent),
            2 => Ok(Self::Exists),
            3 => Ok(Self::RevisionIs),
            ordinal => Err(reader.unknown("condition kind", ordinal)),
        }
    }
}

impl Proposal {
    /// The proposal in bytes. One allocation.
    pub fn encode(&self) -> Bytes {
        let count = self.commands.len() as u64;
        let bodies: usize = self.commands.iter().map(body_bytes).sum();
        let mut out = Vec::with_capacity(1 + 8 + varint_bytes(count) + bodies);
        out.push(VERSION);
        out.extend_from_slice(&self.time_ms.to_be_bytes());
        put_varint(&mut out, count);
        for command in &self.commands {
            put_body(&mut out, command);
        }
        debug_assert_eq!(out.len(), out.capacity(), "the size was computed in advance");
        Bytes::from(out)
    }

    /// Reads a proposal. Keys and values are slices of `input` and keep all of it in memory.
    pub fn decode(input: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(input, PROPOSAL, VERSION)?;
        let time_ms = reader.u64()?;
        let count = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
        // Checked before the allocation, so that a damaged count cannot ask for gigabytes.
        if count > reader.remaining() / BODY_BYTES_MIN {
            return Err(reader.truncated());
        }
        let mut commands = Vec::with_capacity(count);
        for _ in 0..count {
            commands.push(read_body(input, &mut reader)?);
        }
        reader.finish()?;
        Ok(Self { time_ms, commands })
    }
}

impl Command {
    /// The command in bytes, alone, as it is forwarded between nodes. One allocation.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(1 + body_bytes(self));
        out.push(VERSION);
        put_body(&mut out, self);
        debug_assert_eq!(out.len(), out.capacity(), "the size was computed in advance");
        Bytes::from(out)
    }

    /// Reads a command. Key and value are slices of `input` and keep all of it in memory.
    pub fn decode(input: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(input, COMMAND, VERSION)?;
        let command = read_body(input, &mut reader)?;
        reader.finish()?;
        Ok(command)
    }

    /// How many bytes the command adds to an encoded proposal, for those who bound the size of a batch.
    pub fn encoded_bytes(&self) -> usize {
        body_bytes(self)
    }
}

fn body_bytes(command: &Command) -> usize {
    let condition = match command.condition() {
        Condition::RevisionIs(revision) => 1 + varint_bytes(revision),
        Condition::Always | Condition::Absent | Condition::Exists => 1,
    };
    let value = match command {
        Command::Put { value, .. } => bytes_bytes(value.len()),
        Command::Delete { .. } => 0,
    };
    1 + condition + bytes_bytes(command.key().len()) + value
}

fn put_body(out: &mut Vec<u8>, command: &Command) {
    match command {
        Command::Put { key, value, condition } => {
            out.push(CommandOrdinal::Put as u8);
            put_condition(out, *condition);
            put_bytes(out, key);
            put_bytes(out, value);
        }
        Command::Delete { key, condition } => {
            out.push(CommandOrdinal::Delete as u8);
            put_condition(out, *condition);
            put_bytes(out, key);
        }
    }
}

fn put_condition(out: &mut Vec<u8>, condition: Condition) {
    match condition {
        Condition::Always => out.push(ConditionOrdinal::Always as u8),
        Condition::Absent => out.push(ConditionOrdinal::Absent as u8),
        Condition::Exists => out.push(ConditionOrdinal::Exists as u8),
        Condition::RevisionIs(revision) => {
            out.push(ConditionOrdinal::RevisionIs as u8);
            put_varint(out, revision);
        }
    }
}

/// Reads a body with `reader`, which reads `input`.
fn read_body(input: &Bytes, reader: &mut Reader<'_>) -> Result<Command, DecodeError> {
    let kind = CommandOrdinal::read(reader)?;
    let condition = match ConditionOrdinal::read(reader)? {
        ConditionOrdinal::Always => Condition::Always,
        ConditionOrdinal::Absent => Condition::Absent,
        ConditionOrdinal::Exists => Condition::Exists,
        ConditionOrdinal::RevisionIs => Condition::RevisionIs(reader.varint()?),
    };
    let key = input.slice_ref(reader.bytes()?);
    Ok(match kind {
        CommandOrdinal::Put => Command::Put { key, value: input.slice_ref(reader.bytes()?), condition },
        CommandOrdinal::Delete => Command::Delete { key, condition },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{arbitrary_command, assert_golden};

    fn example() -> Proposal {
        let put = |condition| Command::Put {
            key: Bytes::from_static(b"key"),
            value: Bytes::from_static(b"value"),
            condition,
        };
        Proposal {
            time_ms: 0x0102_0304_0506_0708,
            commands: vec![
                put(Condition::Always),
                put(Condition::Absent),
                put(Condition::Exists),
                put(Condition::RevisionIs(300)),
                Command::Delete { key: Bytes::from_static(b"\0\xff"), condition: Condition::Always },
            ],
        }
    }

    #[test]
    fn the_format_of_a_proposal_stays() {
        let golden = "01 0102030405060708 05 \
            0100 036b6579 0576616c7565 \
            0101 036b6579 0576616c7565 \
            0102 036b6579 0576616c7565 \
            0103ac02 036b6579 0576616c7565 \
            0200 0200ff";
        assert_golden(&example().encode(), golden);
        assert_eq!(Proposal::decode(&example().encode()), Ok(example()));
    }

    #[test]
    fn the_format_of_a_command_stays() {
        let command =
            Command::Delete { key: Bytes::from_static(b"key"), condition: Condition::RevisionIs(7) };
        assert_golden(&command.encode(), "01 02 0307 036b6579");
    }

    #[test]
    fn decoding_copies_neither_keys_nor_values() {
        let input = example().encode();
        let proposal = Proposal::decode(&input).expect("valid");
        let inside = input.as_ptr_range();
        for command in &proposal.commands {
            assert!(inside.contains(&command.key().as_ptr()));
            if let Command::Put { value, .. } = command {
                assert!(inside.contains(&value.as_ptr()));
            }
        }
    }

    #[test]
    fn what_is_unknown_is_refused_by_its_name() {
        let check = |input: &'static [u8], expected| {
            assert_eq!(Command::decode(&Bytes::from_static(input)), Err(expected));
        };
        check(&[2, 2, 0, 1, 1], DecodeError::UnknownVersion { what: COMMAND, version: 2 });
        let field = "command kind";
        check(&[1, 3, 0, 1, 1], DecodeError::UnknownOrdinal { what: COMMAND, field, ordinal: 3 });
        let field = "condition kind";
        check(&[1, 2, 4, 1, 1], DecodeError::UnknownOrdinal { what: COMMAND, field, ordinal: 4 });
        check(&[1, 2, 0, 1, 1, 9], DecodeError::Trailing { what: COMMAND, bytes: 1 });
        check(&[1, 2, 0, 2, 1], DecodeError::Truncated { what: COMMAND });
        check(&[], DecodeError::Truncated { what: COMMAND });
    }

    #[test]
    fn a_count_beyond_the_input_is_refused_before_anything_is_allocated() {
        let mut input = vec![VERSION];
        input.extend_from_slice(&7u64.to_be_bytes());
        put_varint(&mut input, u64::MAX);
        assert_eq!(Proposal::decode(&input.into()), Err(DecodeError::Truncated { what: PROPOSAL }));
    }

    #[test]
    fn every_proper_prefix_is_refused() {
        let input = example().encode();
        for length in 0..input.len() {
            assert!(Proposal::decode(&input.slice(..length)).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn proposals_round_trip(
            time_ms: u64,
            commands in prop::collection::vec(arbitrary_command(), 0..8),
        ) {
            let proposal = Proposal { time_ms, commands };
            let input = proposal.encode();
            let header = 9 + varint_bytes(proposal.commands.len() as u64);
            let bodies: usize = proposal.commands.iter().map(Command::encoded_bytes).sum();
            prop_assert_eq!(input.len(), header + bodies);
            prop_assert_eq!(Proposal::decode(&input), Ok(proposal));
        }

        #[test]
        fn commands_round_trip(command in arbitrary_command()) {
            prop_assert_eq!(Command::decode(&command.encode()), Ok(command));
        }

        #[test]
        fn any_bytes_are_refused_or_are_the_only_encoding(tail in prop::collection::vec(any::<u8>(), 0..64)) {
            // Starting as a proposal of few commands, so that the decoder gets somewhere.
            let mut input = vec![VERSION, 0, 0, 0, 0, 0, 0, 0, 0];
            input.extend(tail.iter().map(|byte| if *byte < 128 { byte % 5 } else { *byte }));
            let input = Bytes::from(input);
            if let Ok(proposal) = Proposal::decode(&input) {
                prop_assert_eq!(proposal.encode(), input);
            }
        }

        #[test]
        fn a_changed_byte_never_panics(
            commands in prop::collection::vec(arbitrary_command(), 0..4),
            position: prop::sample::Index,
            byte: u8,
        ) {
            let mut input = Proposal { time_ms: 1, commands }.encode().to_vec();
            let position = position.index(input.len());
            input[position] = byte;
            let input = Bytes::from(input);
            if let Ok(proposal) = Proposal::decode(&input) {
                prop_assert_eq!(proposal.encode(), input);
            }
        }
    }
}
