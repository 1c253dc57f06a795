//! The bytes of proposals and commands, as they stand in the log and travel between nodes.
//!
//! ```text
//! proposal  := version:u8=1  time_ms:u64  count  body*
//! command   := version:u8=1  body
//! body      := 1 put: condition, key:bytes, value:bytes
//!            | 2 delete: condition, key:bytes
//!            | 3 delete range: range, keys_max
//!            | 4 transaction: transaction
//!            | 5 compact: revision
//!            | 6 sweep: records_max
//!            | 7 open session: ttl_ms
//!            | 8 keep session: session
//!            | 9 close session: session
//!            | 10 change settings: count, (setting:u8, value)*
//!            | 11 mark digest
//!            | 12 check digest: mark, digest:u128
//!            | 13 in session: session, sequence, acknowledged_below, fingerprint:u128, body
//! condition := 0 always | 1 absent | 2 exists | 3 revision is: revision
//! bytes     := length  byte*
//! ```
//!
//! All numbers without a width are varints. Ranges and transactions are told in their own encodings. There is
//! no checksum: the log and the peer frames, which carry these bytes, have theirs.

use bytes::Bytes;

use crate::command::Command;
use crate::condition::Condition;
use crate::encoding::{DecodeError, Length, Output, Reader, put_bytes, put_list, put_varint, varint_bytes};
use crate::proposal::Proposal;
use crate::session::{SessionCommand, SessionRequest};
use crate::settings::{Setting, SettingChange};
use crate::transaction_encoding::{put_range, put_transaction, read_range, read_transaction};

const VERSION: u8 = 1;
const PROPOSAL: &str = "proposal";
const COMMAND: &str = "command";

/// The persisted number of each kind of command: never change one, never reuse one.
#[derive(Clone, Copy)]
#[repr(u8)]
enum CommandOrdinal {
    Put = 1,
    Delete = 2,
    DeleteRange = 3,
    Transaction = 4,
    Compact = 5,
    Sweep = 6,
    OpenSession = 7,
    KeepSession = 8,
    CloseSession = 9,
    ChangeSettings = 10,
    MarkDigest = 11,
    CheckDigest = 12,
    InSession = 13,
}

impl CommandOrdinal {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.byte()? {
            1 => Ok(Self::Put),
            2 => Ok(Self::Delete),
            3 => Ok(Self::DeleteRange),
            4 => Ok(Self::Transaction),
            5 => Ok(Self::Compact),
            6 => Ok(Self::Sweep),
            7 => Ok(Self::OpenSession),
            8 => Ok(Self::KeepSession),
            9 => Ok(Self::CloseSession),
            10 => Ok(Self::ChangeSettings),
            11 => Ok(Self::MarkDigest),
            12 => Ok(Self::CheckDigest),
            13 => Ok(Self::InSession),
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
        let bodies: usize = self.commands.iter().map(Command::encoded_bytes).sum();
        let mut out = Vec::with_capacity(1 + 8 + varint_bytes(count) + bodies);
        out.push(VERSION);
        out.extend_from_slice(&self.time_ms.to_be_bytes());
        put_list(&mut out, &self.commands, put_body);
        debug_assert_eq!(out.len(), out.capacity(), "the size was computed in advance");
        Bytes::from(out)
    }

    /// Reads a proposal. Keys and values are slices of `input` and keep all of it in memory.
    pub fn decode(input: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(input, PROPOSAL, VERSION)?;
        let time_ms = reader.u64()?;
        let commands = reader.list(|reader| read_body(input, reader))?;
        reader.finish()?;
        Ok(Self { time_ms, commands })
    }
}

impl Command {
    /// The command in bytes, alone, as it is forwarded between nodes. One allocation.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(1 + self.encoded_bytes());
        out.push(VERSION);
        put_body(&mut out, self);
        debug_assert_eq!(out.len(), out.capacity(), "the size was computed in advance");
        Bytes::from(out)
    }

    /// Reads a command. Keys and values are slices of `input` and keep all of it in memory.
    pub fn decode(input: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(input, COMMAND, VERSION)?;
        let command = read_body(input, &mut reader)?;
        reader.finish()?;
        Ok(command)
    }

    /// How many bytes the command adds to an encoded proposal, for those who bound the size of a batch.
    pub fn encoded_bytes(&self) -> usize {
        let mut length = Length::default();
        put_body(&mut length, self);
        length.0
    }
}

fn put_body(out: &mut impl Output, command: &Command) {
    match command {
        Command::Put { key, value, condition } => {
            out.put_byte(CommandOrdinal::Put as u8);
            put_condition(out, *condition);
            put_bytes(out, key);
            put_bytes(out, value);
        }
        Command::Delete { key, condition } => {
            out.put_byte(CommandOrdinal::Delete as u8);
            put_condition(out, *condition);
            put_bytes(out, key);
        }
        Command::DeleteRange { range, keys_max } => {
            out.put_byte(CommandOrdinal::DeleteRange as u8);
            put_range(out, range);
            put_varint(out, *keys_max);
        }
        Command::Transaction(transaction) => {
            out.put_byte(CommandOrdinal::Transaction as u8);
            put_transaction(out, transaction);
        }
        Command::Compact { revision } => put_number(out, CommandOrdinal::Compact, *revision),
        Command::Sweep { records_max } => put_number(out, CommandOrdinal::Sweep, *records_max),
        Command::OpenSession { ttl_ms } => put_number(out, CommandOrdinal::OpenSession, *ttl_ms),
        Command::KeepSession { session } => put_number(out, CommandOrdinal::KeepSession, *session),
        Command::CloseSession { session } => put_number(out, CommandOrdinal::CloseSession, *session),
        Command::ChangeSettings { changes } => {
            out.put_byte(CommandOrdinal::ChangeSettings as u8);
            put_list(out, changes, |out, change| {
                out.put_byte(change.setting.ordinal());
                put_varint(out, change.value);
            });
        }
        Command::MarkDigest => out.put_byte(CommandOrdinal::MarkDigest as u8),
        Command::CheckDigest { mark, digest } => {
            put_number(out, CommandOrdinal::CheckDigest, *mark);
            out.put_slice(&digest.to_be_bytes());
        }
        Command::InSession(command) => put_in_session(out, command),
    }
}

fn put_number(out: &mut impl Output, ordinal: CommandOrdinal, number: u64) {
    out.put_byte(ordinal as u8);
    put_varint(out, number);
}

fn put_in_session(out: &mut impl Output, command: &SessionCommand) {
    let SessionRequest { session, sequence, acknowledged_below, fingerprint } = *command.request();
    put_number(out, CommandOrdinal::InSession, session);
    put_varint(out, sequence);
    put_varint(out, acknowledged_below);
    out.put_slice(&fingerprint.to_be_bytes());
    put_body(out, command.command());
}

fn put_condition(out: &mut impl Output, condition: Condition) {
    match condition {
        Condition::Always => out.put_byte(ConditionOrdinal::Always as u8),
        Condition::Absent => out.put_byte(ConditionOrdinal::Absent as u8),
        Condition::Exists => out.put_byte(ConditionOrdinal::Exists as u8),
        Condition::RevisionIs(revision) => {
            out.put_byte(ConditionOrdinal::RevisionIs as u8);
            put_varint(out, revision);
        }
    }
}

/// Reads a body with `reader`, which reads `input`.
fn read_body(input: &Bytes, reader: &mut Reader<'_>) -> Result<Command, DecodeError> {
    let kind = CommandOrdinal::read(reader)?;
    if let CommandOrdinal::InSession = kind {
        return read_in_session(input, reader);
    }
    read_plain(input, reader, kind)
}

/// Reads what follows the kind of a command that has no other one in it.
fn read_plain(input: &Bytes, reader: &mut Reader<'_>, kind: CommandOrdinal) -> Result<Command, DecodeError> {
    Ok(match kind {
        CommandOrdinal::Put => {
            let condition = read_condition(reader)?;
            let key = input.slice_ref(reader.bytes()?);
            Command::Put { key, value: input.slice_ref(reader.bytes()?), condition }
        }
        CommandOrdinal::Delete => {
            let condition = read_condition(reader)?;
            Command::Delete { key: input.slice_ref(reader.bytes()?), condition }
        }
        CommandOrdinal::DeleteRange => {
            Command::DeleteRange { range: read_range(input, reader)?, keys_max: reader.varint()? }
        }
        CommandOrdinal::Transaction => Command::Transaction(read_transaction(input, reader)?),
        CommandOrdinal::Compact => Command::Compact { revision: reader.varint()? },
        CommandOrdinal::Sweep => Command::Sweep { records_max: reader.varint()? },
        CommandOrdinal::OpenSession => Command::OpenSession { ttl_ms: reader.varint()? },
        CommandOrdinal::KeepSession => Command::KeepSession { session: reader.varint()? },
        CommandOrdinal::CloseSession => Command::CloseSession { session: reader.varint()? },
        CommandOrdinal::ChangeSettings => Command::ChangeSettings { changes: reader.list(read_change)? },
        CommandOrdinal::MarkDigest => Command::MarkDigest,
        CommandOrdinal::CheckDigest => {
            Command::CheckDigest { mark: reader.varint()?, digest: reader.u128()? }
        }
        CommandOrdinal::InSession => return Err(not_in_session(reader, kind)),
    })
}

fn read_in_session(input: &Bytes, reader: &mut Reader<'_>) -> Result<Command, DecodeError> {
    let request = SessionRequest {
        session: reader.varint()?,
        sequence: reader.varint()?,
        acknowledged_below: reader.varint()?,
        fingerprint: reader.u128()?,
    };
    let kind = CommandOrdinal::read(reader)?;
    let command = read_plain(input, reader, kind)?;
    command.in_session(request).map_err(|_| not_in_session(reader, kind))
}

fn not_in_session(reader: &Reader<'_>, kind: CommandOrdinal) -> DecodeError {
    reader.unknown("command kind in a session", kind as u8)
}

fn read_change(reader: &mut Reader<'_>) -> Result<SettingChange, DecodeError> {
    let ordinal = reader.byte()?;
    let setting = Setting::from_ordinal(ordinal).ok_or_else(|| reader.unknown("setting", ordinal))?;
    Ok(SettingChange { setting, value: reader.varint()? })
}

fn read_condition(reader: &mut Reader<'_>) -> Result<Condition, DecodeError> {
    Ok(match ConditionOrdinal::read(reader)? {
        ConditionOrdinal::Always => Condition::Always,
        ConditionOrdinal::Absent => Condition::Absent,
        ConditionOrdinal::Exists => Condition::Exists,
        ConditionOrdinal::RevisionIs => Condition::RevisionIs(reader.varint()?),
    })
}

#[cfg(test)]
mod tests;
