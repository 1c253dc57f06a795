//! What goes into the state machine.

use bytes::Bytes;

use crate::condition::Condition;
use crate::range::KeyRange;
use crate::session::{SessionCommand, SessionRequest};
use crate::settings::SettingChange;
use crate::transaction::Transaction;

/// One thing to do. The first five change keys or the history of them, and are what clients ask for; the
/// others keep the store itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Set a key's value.
    Put {
        /// The key, 1 to [`Command::KEY_BYTES_MAX`] bytes.
        key: Bytes,
        /// The new value.
        value: Bytes,
        /// When to apply it.
        condition: Condition,
    },
    /// Remove a key.
    Delete {
        /// The key.
        key: Bytes,
        /// When to apply it.
        condition: Condition,
    },
    /// Remove the first keys of a range, in one revision. The outcome says whether and where to go on.
    DeleteRange {
        /// The keys.
        range: KeyRange,
        /// How many to remove at most; 0 counts as 1, and more than the setting
        /// [`crate::Setting::DeleteRangeKeysMax`] as that.
        keys_max: u64,
    },
    /// Compare, and then do one of two lists of operations, all at once.
    Transaction(Transaction),
    /// Give up what was before a revision: no older one can be read from then on. Only moves a mark;
    /// [`Command::Sweep`] removes the records.
    Compact {
        /// The oldest revision that stays readable.
        revision: u64,
    },
    /// Remove records that compaction gave up, and sessions that expired: a bounded piece of that work,
    /// through the log, so that all replicas hold the same records.
    Sweep {
        /// How many records of the history to look at, at most; 0 counts as 1, more than 1,024 as that.
        records_max: u64,
    },
    /// Open a session.
    OpenSession {
        /// After how long without a sign of life it expires, in milliseconds. Less than a second counts as
        /// a second; more than the setting [`crate::Setting::SessionTtlMsMax`] is refused.
        ttl_ms: u64,
    },
    /// Give a sign of life of a session.
    KeepSession {
        /// The session.
        session: u64,
    },
    /// End a session, and forget what it did.
    CloseSession {
        /// The session.
        session: u64,
    },
    /// Change replicated settings: all of these or, if one is out of its bounds, none. Of two changes of
    /// one setting the later one counts.
    ChangeSettings {
        /// The changes.
        changes: Vec<SettingChange>,
    },
    /// Note the digest of this replica's state at this point of the log. The outcome tells it.
    MarkDigest,
    /// Compare a digest that the leader noted with this replica's own. A replica that differs stops, with
    /// [`crate::MachineError::Diverged`].
    CheckDigest {
        /// Which mark: the one of [`crate::Outcome::DigestMarked`]. Any but the newest is passed over.
        mark: u64,
        /// The leader's digest there.
        digest: u128,
    },
    /// A write of a session, which has an effect once however often it is proposed. Made by
    /// [`Command::in_session`].
    InSession(SessionCommand),
}

/// The command is none that a session can carry: only put, delete, delete range and transaction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("only writes of keys can be a part of a session")]
pub struct NotAWrite;

impl Command {
    /// The longest key, in bytes. Fixed: LMDB's own limit (1,982) must hold a key with every byte
    /// escaped to two in compound keys of later tables.
    pub const KEY_BYTES_MAX: usize = 1024;

    /// The longest encoded command that may be proposed, in bytes: with room to spare it fits into one
    /// frame between nodes. The state machine applies whatever is in the log; whoever proposes checks.
    pub const ENCODED_BYTES_MAX: usize = 12 << 20;

    /// Makes this write a part of a session.
    pub fn in_session(self, request: SessionRequest) -> Result<Command, NotAWrite> {
        SessionCommand::new(request, self).map(Command::InSession)
    }

    /// Whether the command is one that clients change keys by: all that a session can carry.
    pub fn is_write(&self) -> bool {
        match self {
            Command::Put { .. }
            | Command::Delete { .. }
            | Command::DeleteRange { .. }
            | Command::Transaction(_) => true,
            Command::Compact { .. }
            | Command::Sweep { .. }
            | Command::OpenSession { .. }
            | Command::KeepSession { .. }
            | Command::CloseSession { .. }
            | Command::ChangeSettings { .. }
            | Command::MarkDigest
            | Command::CheckDigest { .. }
            | Command::InSession(_) => false,
        }
    }

    /// Whether the command may store values, and so has to be refused when there is no room.
    pub fn has_puts(&self) -> bool {
        match self {
            Command::Put { .. } => true,
            Command::Transaction(transaction) => transaction.has_puts(),
            Command::InSession(command) => command.command().has_puts(),
            _ => false,
        }
    }
}
