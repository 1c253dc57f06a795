//! What a write did, as its client can see it.

use quorate_api::{ErrorCode, TransactionAnswer};
use quorate_kv::{Command, InvalidTransaction, Limit, Outcome};

/// What a write did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The key was put.
    Put {
        /// The revision that the write took.
        revision: u64,
        /// The revision at which the key was created.
        create_revision: u64,
        /// How often it was put since.
        version: u64,
    },
    /// The key was deleted.
    Deleted {
        /// The revision that the write took.
        revision: u64,
    },
    /// There was no such key to delete.
    NotFound {
        /// The newest revision.
        revision: u64,
    },
    /// The condition did not hold.
    ConditionFailed {
        /// The revision of the key, if it exists.
        current: Option<u64>,
    },
    /// Keys of a range were deleted.
    RangeDeleted {
        /// The revision that the write took, or the newest.
        revision: u64,
        /// How many keys.
        deleted: u64,
        /// Whether there may be more, if that was said.
        more: Option<bool>,
    },
    /// The transaction was done.
    Transaction(TransactionAnswer),
    /// A session was opened.
    SessionOpened {
        /// Its number.
        session: u64,
        /// Its time to live.
        ttl_ms: u64,
    },
    /// A session was kept alive.
    SessionKept {
        /// Its time to live.
        ttl_ms: u64,
    },
    /// A session was closed.
    SessionClosed,
    /// Old revisions were given up.
    Compacted {
        /// The oldest that is left.
        oldest: u64,
    },
    /// The settings were changed.
    SettingsChanged,
    /// The log has the write, and it did nothing.
    Refused(ErrorCode),
}

impl Effect {
    /// What `command` did, by its outcome, and whether it was done before. `None` for what no client asks for.
    pub fn of(command: &Command, outcome: &Outcome) -> Option<(Self, bool)> {
        match outcome {
            Outcome::Replayed(outcome) => Self::once(command, outcome, true).map(|effect| (effect, true)),
            outcome => Self::once(command, outcome, false).map(|effect| (effect, false)),
        }
    }

    fn once(command: &Command, outcome: &Outcome, replayed: bool) -> Option<Self> {
        let command_in_session = match command {
            Command::InSession(command) => Some(command.command()),
            _ => None,
        };
        Some(match outcome.clone() {
            Outcome::Put { revision, create_revision, version } => {
                Effect::Put { revision, create_revision, version }
            }
            Outcome::Deleted { revision } => Effect::Deleted { revision },
            Outcome::NotFound { revision } => Effect::NotFound { revision },
            Outcome::ConditionFailed { current } => Effect::ConditionFailed { current },
            Outcome::RangeDeleted { revision, deleted, next } => {
                let more = command_in_session.map(|_| next.is_some());
                Effect::RangeDeleted { revision, deleted, more }
            }
            Outcome::Transaction { revision, succeeded, .. } if replayed => {
                Effect::Transaction(TransactionAnswer::replayed(revision, succeeded))
            }
            Outcome::Transaction { revision, succeeded, results } => {
                let Command::Transaction(transaction) = command_in_session.unwrap_or(command) else {
                    return None;
                };
                Effect::Transaction(TransactionAnswer::new(transaction, revision, succeeded, results))
            }
            Outcome::SessionOpened { session, ttl_ms } => Effect::SessionOpened { session, ttl_ms },
            Outcome::SessionKept { ttl_ms } => Effect::SessionKept { ttl_ms },
            Outcome::SessionClosed => Effect::SessionClosed,
            Outcome::Compacted { oldest } => Effect::Compacted { oldest },
            Outcome::SettingsChanged => Effect::SettingsChanged,
            outcome => Effect::Refused(refusal(&outcome)?),
        })
    }

    /// The revision that the write took, or at which it did nothing, if it says.
    pub fn revision(&self) -> Option<u64> {
        match self {
            Effect::Put { revision, .. }
            | Effect::Deleted { revision }
            | Effect::NotFound { revision }
            | Effect::RangeDeleted { revision, .. } => Some(*revision),
            Effect::Transaction(answer) => Some(answer.revision),
            _ => None,
        }
    }

    /// Whether only the log can have decided on a refusal with this code: never a single node by itself.
    pub fn is_decided_by_log(code: ErrorCode) -> bool {
        matches!(
            code,
            ErrorCode::SessionExpired
                | ErrorCode::SequenceFreed
                | ErrorCode::SequenceReused
                | ErrorCode::TooManySessions
                | ErrorCode::TooManyOutcomes
                | ErrorCode::QuotaExceeded
        )
    }
}

/// The code that goes with an outcome in which nothing was done.
fn refusal(outcome: &Outcome) -> Option<ErrorCode> {
    Some(match outcome {
        Outcome::SessionUnknown | Outcome::SessionExpired => ErrorCode::SessionExpired,
        Outcome::SequenceFreed { .. } => ErrorCode::SequenceFreed,
        Outcome::SequenceReused => ErrorCode::SequenceReused,
        Outcome::FutureRevision { .. } => ErrorCode::FutureRevision,
        Outcome::SettingOutOfBounds { .. } => ErrorCode::BadSetting,
        Outcome::TransactionRefused(InvalidTransaction::TooDeep) => ErrorCode::NestedTooDeep,
        Outcome::TransactionRefused(InvalidTransaction::KeyBytes) => ErrorCode::BadKey,
        Outcome::TransactionRefused(InvalidTransaction::WrittenTwice { .. }) => ErrorCode::DuplicateKey,
        Outcome::LimitExceeded { limit, .. } => match limit {
            Limit::KeyBytes => ErrorCode::KeyTooLong,
            Limit::ValueBytes => ErrorCode::ValueTooLarge,
            Limit::TransactionComparisons => ErrorCode::TooManyComparisons,
            Limit::TransactionOperations => ErrorCode::TooManyOperations,
            Limit::TransactionResultBytes | Limit::TransactionScannedKeys | Limit::TransactionDeletedKeys => {
                ErrorCode::TransactionTooLarge
            }
            Limit::Quota => ErrorCode::QuotaExceeded,
            Limit::Sessions => ErrorCode::TooManySessions,
            Limit::SessionTtl => ErrorCode::BadBody,
            Limit::SessionOutcomes => ErrorCode::TooManyOutcomes,
        },
        _ => return None,
    })
}
