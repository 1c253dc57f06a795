//! The one record that changes with every proposal.
//!
//! ```text
//! record   := version:u8  fields  checksum:u32
//! fields   := cluster_version:u32  revision  time_ms  key_count  live_bytes  live:u128  written:u128
//!             value_bytes_max                                                            (version 1)
//!           | cluster_version:u32  revision  time_ms  key_count  live_bytes  live:u128  written:u128
//!             compacted  swept_revision  swept_sub_index:u32  removed:u128  stored_bytes
//!             session_count  last_session  session_cursor  sessions:u128
//!             settings  mark                                                             (version 2)
//! settings := count:u8  value*                                        (in the order of ordinals)
//! mark     := number  revision  digest:u128
//! ```
//!
//! All numbers without a width are u64. Version 1 had no compaction, no sessions and one setting.

use bytes::Bytes;

use super::{CHECKSUM_BYTES, Position, open_versions, seal};
use crate::digest;
use crate::encoding::{DecodeError, Reader};
use crate::settings::{Setting, SettingChange, Settings};
use crate::tables::Table;

const VERSION: u8 = 2;
/// The version before the store knew compaction and sessions.
const VERSION_BARE: u8 = 1;
const WHAT: &str = "head record";

/// One narrow number, ten wide ones and one that is inside of a position, four sums, the settings.
const FIELDS_BYTES: usize = 4 + 10 * 8 + 4 + 4 * 16 + 1 + 8 * Setting::ALL.len();
const RECORD_BYTES: usize = 1 + FIELDS_BYTES + MARK_BYTES + CHECKSUM_BYTES;
const MARK_BYTES: usize = 2 * 8 + 16;

/// The key of the head in the meta table.
pub(crate) const KEY: [u8; 1] = [1];

/// Everything about the state that is not a record of a key or a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Which commands and formats the cluster may use.
    pub(crate) cluster_version: u32,
    /// The newest revision.
    pub(crate) revision: u64,
    /// The state's time, in milliseconds since the Unix epoch.
    pub(crate) time_ms: u64,
    /// Keys that exist now.
    pub(crate) key_count: u64,
    /// Bytes of the keys and values that exist now.
    pub(crate) live_bytes: u64,
    /// The sum of the elements of all keys that exist now.
    pub(crate) live: u128,
    /// The sum of the elements of all changes ever made. Nothing is ever subtracted, compaction does not
    /// touch it.
    pub(crate) written: u128,
    /// The oldest revision that can be read, 0 if all can.
    pub(crate) compacted: u64,
    /// Up to which change of the history what compaction gave up has been removed.
    pub(crate) swept: Position,
    /// The sum of the elements of the changes that were removed: `written` less what is there.
    pub(crate) removed: u128,
    /// Bytes of all records in history and index, as the quota counts them.
    pub(crate) stored_bytes: u64,
    /// Sessions that there are, expired ones included until they are removed.
    pub(crate) session_count: u64,
    /// The number of the session that was opened last, 0 if none ever was.
    pub(crate) last_session: u64,
    /// The session behind which the search for expired ones goes on.
    pub(crate) session_cursor: u64,
    /// The sum of the elements of all sessions and of the outcomes that they keep.
    pub(crate) sessions: u128,
    /// The replicated settings.
    pub(crate) settings: Settings,
    /// The newest mark of a digest. Not a part of the digest: what a replica thinks of its state is not
    /// a part of that state.
    pub(crate) mark: DigestMark,
}

/// The digest of this replica's state at some point of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DigestMark {
    /// Marks are numbered from 1; 0 is none.
    pub(crate) number: u64,
    /// The newest revision there.
    pub(crate) revision: u64,
    /// The digest there.
    pub(crate) digest: u128,
}

impl Head {
    /// The newest cluster version that this build understands, and the one that a new cluster starts with.
    pub(crate) const CLUSTER_VERSION: u32 = 1;

    /// The head of a store in which nothing ever happened.
    pub(crate) const EMPTY: Head = Head {
        cluster_version: Self::CLUSTER_VERSION,
        revision: 0,
        time_ms: 0,
        key_count: 0,
        live_bytes: 0,
        live: 0,
        written: 0,
        compacted: 0,
        swept: Position { revision: 0, sub_index: 0 },
        removed: 0,
        stored_bytes: 0,
        session_count: 0,
        last_session: 0,
        session_cursor: 0,
        sessions: 0,
        settings: Settings::DEFAULT,
        mark: DigestMark { number: 0, revision: 0, digest: 0 },
    };

    /// The record as it stands under [`KEY`].
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(RECORD_BYTES);
        out.push(VERSION);
        self.put_fields(&mut out);
        self.mark.put(&mut out);
        seal(Table::Meta, &KEY, &mut out);
        debug_assert_eq!(out.len(), RECORD_BYTES, "all fields have a fixed width");
        Bytes::from(out)
    }

    /// Reads the record that stands under [`KEY`]. Of one in version 1, `stored_bytes` is not known:
    /// [`is_bare`] tells.
    pub(crate) fn decode(record: &[u8]) -> Result<Self, DecodeError> {
        let (mut reader, version) = open_versions(Table::Meta, &KEY, record, WHAT, VERSION_BARE..=VERSION)?;
        let head = match version {
            VERSION_BARE => Self::read_bare(&mut reader)?,
            _ => Self::read(&mut reader)?,
        };
        reader.finish()?;
        Ok(head)
    }

    /// The digest over all replicated state.
    pub(crate) fn digest(&self) -> u128 {
        let mut fields = Vec::with_capacity(FIELDS_BYTES);
        self.put_fields(&mut fields);
        debug_assert_eq!(fields.len(), FIELDS_BYTES, "all fields have a fixed width");
        digest::head(&fields)
    }

    fn put_fields(&self, out: &mut Vec<u8>) {
        // Taken apart, so that a new field cannot be forgotten here.
        #[rustfmt::skip]
        let Self {
            cluster_version, revision, time_ms, key_count, live_bytes, live, written, compacted, swept, removed,
            stored_bytes, session_count, last_session, session_cursor, sessions, settings, mark: _,
        } = self;
        out.extend_from_slice(&cluster_version.to_be_bytes());
        for number in [revision, time_ms, key_count, live_bytes] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        for sum in [live, written] {
            out.extend_from_slice(&sum.to_be_bytes());
        }
        out.extend_from_slice(&compacted.to_be_bytes());
        out.extend_from_slice(&swept.encode());
        out.extend_from_slice(&removed.to_be_bytes());
        for number in [stored_bytes, session_count, last_session, session_cursor] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&sessions.to_be_bytes());
        out.push(Setting::ALL.len() as u8);
        for SettingChange { setting: _, value } in settings.all() {
            out.extend_from_slice(&value.to_be_bytes());
        }
    }

    /// The fields that both versions begin with.
    fn read_common(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            cluster_version: reader.u32()?,
            revision: reader.u64()?,
            time_ms: reader.u64()?,
            key_count: reader.u64()?,
            live_bytes: reader.u64()?,
            live: reader.u128()?,
            written: reader.u128()?,
            ..Self::EMPTY
        })
    }

    fn read_bare(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let head = Self::read_common(reader)?;
        Ok(Self { settings: Settings::DEFAULT.with(Setting::ValueBytesMax, reader.u64()?), ..head })
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let head = Self::read_common(reader)?;
        Ok(Self {
            compacted: reader.u64()?,
            swept: Position { revision: reader.u64()?, sub_index: reader.u32()? },
            removed: reader.u128()?,
            stored_bytes: reader.u64()?,
            session_count: reader.u64()?,
            last_session: reader.u64()?,
            session_cursor: reader.u64()?,
            sessions: reader.u128()?,
            settings: read_settings(reader)?,
            mark: DigestMark { number: reader.u64()?, revision: reader.u64()?, digest: reader.u128()? },
            ..head
        })
    }
}

impl DigestMark {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.revision.to_be_bytes());
        out.extend_from_slice(&self.digest.to_be_bytes());
    }
}

fn read_settings(reader: &mut Reader<'_>) -> Result<Settings, DecodeError> {
    if usize::from(reader.byte()?) != Setting::ALL.len() {
        return Err(reader.number_error());
    }
    let mut settings = Settings::DEFAULT;
    for setting in Setting::ALL {
        settings = settings.with(setting, reader.u64()?);
    }
    Ok(settings)
}

/// Whether a record of the head is in the version that does not say `stored_bytes`.
pub(crate) fn is_bare(record: &[u8]) -> bool {
    record.first() == Some(&VERSION_BARE)
}

/// The digest of the state with this head, as whoever wrote the record computed it: over the fields that it
/// knew.
pub(crate) fn stored_digest(record: &[u8]) -> Result<u128, DecodeError> {
    let head = Head::decode(record)?;
    match is_bare(record) {
        true => Ok(digest::head(&record[1..record.len() - CHECKSUM_BYTES])),
        false => Ok(head.digest()),
    }
}

/// Refuses keys of the meta table that this build does not know.
pub(crate) fn check_key(key: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader::new(key, "meta key");
    match reader.byte()? {
        kind if kind == KEY[0] => reader.finish(),
        kind => Err(reader.unknown("kind", kind)),
    }
}

#[cfg(test)]
pub(crate) mod tests;
