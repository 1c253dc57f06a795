//! Every way in which a request can fail, once.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a request was not done. The one list: a code has one HTTP status, and says whether the request
/// may be repeated and whether it may have taken effect all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorCode {
    /// The key is empty.
    KeyEmpty,
    /// The key is longer than 1,024 bytes; the message names the limit.
    KeyTooLong,
    /// The key in the path is not properly percent-encoded, or a key of a transaction does not have 1 to
    /// 1,024 bytes.
    BadKey,
    /// A query parameter is unknown, given twice, or has a bad value; the message names it.
    BadQuery,
    /// A header has a form that is not supported; the message names it.
    BadHeader,
    /// The request carries a body where none belongs, its body broke off, or it is not the JSON that the
    /// path takes; the message names the field.
    BadBody,
    /// The value is longer than the limit, which the message names.
    ValueTooLarge,
    /// There is no such key.
    KeyNotFound,
    /// There is no such path.
    NotFound,
    /// The path has no such method; `Allow` lists those that it has.
    MethodNotAllowed,
    /// The body did not arrive before the request's deadline; nothing was done.
    RequestTimeout,
    /// The condition of a conditional write did not hold; nothing was done. `ETag` has the key's
    /// current revision, if the key exists.
    PreconditionFailed,
    /// Too much is in flight on this node; nothing was done.
    Overloaded,
    /// A record on the node's disk is damaged.
    Damaged,
    /// No leader with a quorum was found before the deadline; nothing was done.
    Unavailable,
    /// The node is shutting down; nothing was done.
    ShuttingDown,
    /// The nodes passed the request on to each other without finding the leader; nothing was done.
    TooManyHops,
    /// The write was proposed and not seen to commit: it may or may not have taken effect, or take
    /// effect later. Not a failure: read the key to learn which.
    OutcomeUnknown,
    /// The leader's disk is nearly full; nothing was done. Reads and deletes go on.
    DiskFull,
    /// The body is longer than the path takes; the message names the limit.
    BodyTooLarge,
    /// The transaction has more operations than the setting `transaction_operations_max` allows, nested ones
    /// included.
    TooManyOperations,
    /// The transaction has more comparisons than the setting `transaction_operations_max` allows, nested ones
    /// included.
    TooManyComparisons,
    /// The transaction would look at, delete or read more than one transaction may; the message says which.
    /// Nothing was done.
    TransactionTooLarge,
    /// The transaction may write one key twice; the message names it.
    DuplicateKey,
    /// A nested transaction has another one in it.
    NestedTooDeep,
    /// The cursor is damaged, or belongs to another query or another store.
    BadCursor,
    /// There is no such setting, or the value is out of its bounds; the message names them. None was changed.
    BadSetting,
    /// The revision is yet to come; `Quorate-Revision` has the newest one.
    FutureRevision,
    /// The revision was compacted; `Quorate-Oldest-Revision` has the oldest one that can be read.
    Compacted,
    /// There is no such session, or it has expired: the write was not done, and never will be with this session.
    /// Whether an earlier request with the same `Idempotency-Key` was is not known.
    SessionExpired,
    /// The client has said that it has seen the outcome of this sequence, so that the store has forgotten it.
    /// Not done this time.
    SequenceFreed,
    /// The `Idempotency-Key` was used by another request before; this one was not done.
    SequenceReused,
    /// There are as many sessions as the setting `sessions_max` allows.
    TooManySessions,
    /// The session holds as many outcomes as the setting `session_outcomes_max` allows; say which were seen with
    /// `Quorate-Acknowledged-Below`. Nothing was done, and the same request may be sent again.
    TooManyOutcomes,
    /// The store would hold more than the setting `quota_bytes` allows; nothing was done. Reads, deletes and
    /// compaction go on, and make room.
    QuotaExceeded,
    /// There is no member with this number.
    MemberUnknown,
    /// The number is that of a member already, or the node that presents it is not the one that has claimed it.
    /// Replace the member, or take another number.
    MemberExists,
    /// No node has claimed the number yet: start one with it.
    SlotUnclaimed,
    /// The member has not caught up, so that it could not vote well; nothing was changed.
    MemberLagging,
    /// After the change too few of the voters would be reachable for a quorum; `force=true` does it all the same.
    QuorumAtRisk,
    /// Another change of the membership is under way; nothing was changed.
    MembershipChangeInProgress,
    /// The member is a learner, and only a voter can lead.
    MemberNotVoter,
    /// The member does not answer the leader, which leads on.
    MemberUnreachable,
    /// No other voter answers the leader, which leads on.
    NoSuccessor,
    /// The node's state is older than `max_staleness` allows, and did not catch up before the request's deadline.
    /// `Quorate-Age-Ms` has its age.
    TooStale,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [ErrorCode; 45] = [
        ErrorCode::KeyEmpty,
        ErrorCode::KeyTooLong,
        ErrorCode::BadKey,
        ErrorCode::BadQuery,
        ErrorCode::BadHeader,
        ErrorCode::BadBody,
        ErrorCode::ValueTooLarge,
        ErrorCode::KeyNotFound,
        ErrorCode::NotFound,
        ErrorCode::MethodNotAllowed,
        ErrorCode::RequestTimeout,
        ErrorCode::PreconditionFailed,
        ErrorCode::Overloaded,
        ErrorCode::Damaged,
        ErrorCode::Unavailable,
        ErrorCode::ShuttingDown,
        ErrorCode::TooManyHops,
        ErrorCode::OutcomeUnknown,
        ErrorCode::DiskFull,
        ErrorCode::BodyTooLarge,
        ErrorCode::TooManyOperations,
        ErrorCode::TooManyComparisons,
        ErrorCode::TransactionTooLarge,
        ErrorCode::DuplicateKey,
        ErrorCode::NestedTooDeep,
        ErrorCode::BadCursor,
        ErrorCode::BadSetting,
        ErrorCode::FutureRevision,
        ErrorCode::Compacted,
        ErrorCode::SessionExpired,
        ErrorCode::SequenceFreed,
        ErrorCode::SequenceReused,
        ErrorCode::TooManySessions,
        ErrorCode::TooManyOutcomes,
        ErrorCode::QuotaExceeded,
        ErrorCode::MemberUnknown,
        ErrorCode::MemberExists,
        ErrorCode::SlotUnclaimed,
        ErrorCode::MemberLagging,
        ErrorCode::QuorumAtRisk,
        ErrorCode::MembershipChangeInProgress,
        ErrorCode::MemberNotVoter,
        ErrorCode::MemberUnreachable,
        ErrorCode::NoSuccessor,
        ErrorCode::TooStale,
    ];

    /// The code as it stands in the answer.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorCode::KeyEmpty => "key_empty",
            ErrorCode::KeyTooLong => "key_too_long",
            ErrorCode::BadKey => "bad_key",
            ErrorCode::BadQuery => "bad_query",
            ErrorCode::BadHeader => "bad_header",
            ErrorCode::BadBody => "bad_body",
            ErrorCode::ValueTooLarge => "value_too_large",
            ErrorCode::KeyNotFound => "key_not_found",
            ErrorCode::NotFound => "not_found",
            ErrorCode::MethodNotAllowed => "method_not_allowed",
            ErrorCode::RequestTimeout => "request_timeout",
            ErrorCode::PreconditionFailed => "precondition_failed",
            ErrorCode::Overloaded => "overloaded",
            ErrorCode::Damaged => "damaged",
            ErrorCode::Unavailable => "unavailable",
            ErrorCode::ShuttingDown => "shutting_down",
            ErrorCode::TooManyHops => "too_many_hops",
            ErrorCode::OutcomeUnknown => "outcome_unknown",
            ErrorCode::DiskFull => "disk_full",
            ErrorCode::BodyTooLarge => "body_too_large",
            ErrorCode::TooManyOperations => "too_many_operations",
            ErrorCode::TooManyComparisons => "too_many_comparisons",
            ErrorCode::TransactionTooLarge => "transaction_too_large",
            ErrorCode::DuplicateKey => "duplicate_key",
            ErrorCode::NestedTooDeep => "nested_too_deep",
            ErrorCode::BadCursor => "bad_cursor",
            ErrorCode::BadSetting => "bad_setting",
            ErrorCode::FutureRevision => "future_revision",
            ErrorCode::Compacted => "compacted",
            ErrorCode::SessionExpired => "session_expired",
            ErrorCode::SequenceFreed => "sequence_freed",
            ErrorCode::SequenceReused => "sequence_reused",
            ErrorCode::TooManySessions => "too_many_sessions",
            ErrorCode::TooManyOutcomes => "too_many_outcomes",
            ErrorCode::QuotaExceeded => "quota_exceeded",
            ErrorCode::MemberUnknown => "member_unknown",
            ErrorCode::MemberExists => "member_exists",
            ErrorCode::SlotUnclaimed => "slot_unclaimed",
            ErrorCode::MemberLagging => "member_lagging",
            ErrorCode::QuorumAtRisk => "quorum_at_risk",
            ErrorCode::MembershipChangeInProgress => "membership_change_in_progress",
            ErrorCode::MemberNotVoter => "member_not_voter",
            ErrorCode::MemberUnreachable => "member_unreachable",
            ErrorCode::NoSuccessor => "no_successor",
            ErrorCode::TooStale => "too_stale",
        }
    }

    /// The code with that name. A client may meet a newer server's code that it does not know.
    pub fn from_name(name: &str) -> Option<Self> {
        ErrorCode::ALL.into_iter().find(|code| code.name() == name)
    }

    /// The HTTP status that goes with the code.
    pub const fn status(self) -> u16 {
        match self {
            ErrorCode::KeyEmpty
            | ErrorCode::KeyTooLong
            | ErrorCode::BadKey
            | ErrorCode::BadQuery
            | ErrorCode::BadHeader
            | ErrorCode::BadBody
            | ErrorCode::TooManyOperations
            | ErrorCode::TooManyComparisons
            | ErrorCode::DuplicateKey
            | ErrorCode::NestedTooDeep
            | ErrorCode::BadCursor
            | ErrorCode::BadSetting
            | ErrorCode::FutureRevision => 400,
            ErrorCode::KeyNotFound | ErrorCode::NotFound | ErrorCode::MemberUnknown => 404,
            ErrorCode::MethodNotAllowed => 405,
            ErrorCode::RequestTimeout => 408,
            ErrorCode::SessionExpired
            | ErrorCode::SequenceFreed
            | ErrorCode::MemberExists
            | ErrorCode::SlotUnclaimed
            | ErrorCode::MemberLagging
            | ErrorCode::QuorumAtRisk
            | ErrorCode::MembershipChangeInProgress
            | ErrorCode::MemberNotVoter
            | ErrorCode::MemberUnreachable
            | ErrorCode::NoSuccessor => 409,
            ErrorCode::Compacted => 410,
            ErrorCode::PreconditionFailed => 412,
            ErrorCode::ValueTooLarge | ErrorCode::BodyTooLarge | ErrorCode::TransactionTooLarge => 413,
            ErrorCode::SequenceReused => 422,
            ErrorCode::Overloaded | ErrorCode::TooManySessions | ErrorCode::TooManyOutcomes => 429,
            ErrorCode::Damaged => 500,
            ErrorCode::Unavailable
            | ErrorCode::ShuttingDown
            | ErrorCode::TooManyHops
            | ErrorCode::TooStale => 503,
            ErrorCode::OutcomeUnknown => 504,
            ErrorCode::DiskFull | ErrorCode::QuotaExceeded => 507,
        }
    }

    /// Whether the same request, repeated later or at another node, may well succeed and is safe to
    /// repeat because it has done nothing. Never true together with [`ErrorCode::outcome_unknown`].
    pub const fn is_retryable(self) -> bool {
        match self {
            ErrorCode::RequestTimeout
            | ErrorCode::Overloaded
            | ErrorCode::Unavailable
            | ErrorCode::ShuttingDown
            | ErrorCode::TooManyHops
            | ErrorCode::TooManySessions
            | ErrorCode::TooManyOutcomes
            | ErrorCode::MembershipChangeInProgress
            | ErrorCode::TooStale => true,
            ErrorCode::KeyEmpty
            | ErrorCode::KeyTooLong
            | ErrorCode::BadKey
            | ErrorCode::BadQuery
            | ErrorCode::BadHeader
            | ErrorCode::BadBody
            | ErrorCode::ValueTooLarge
            | ErrorCode::KeyNotFound
            | ErrorCode::NotFound
            | ErrorCode::MethodNotAllowed
            | ErrorCode::PreconditionFailed
            | ErrorCode::Damaged
            | ErrorCode::OutcomeUnknown
            | ErrorCode::DiskFull
            | ErrorCode::BodyTooLarge
            | ErrorCode::TooManyOperations
            | ErrorCode::TooManyComparisons
            | ErrorCode::TransactionTooLarge
            | ErrorCode::DuplicateKey
            | ErrorCode::NestedTooDeep
            | ErrorCode::BadCursor
            | ErrorCode::BadSetting
            | ErrorCode::FutureRevision
            | ErrorCode::Compacted
            | ErrorCode::SessionExpired
            | ErrorCode::SequenceFreed
            | ErrorCode::SequenceReused
            | ErrorCode::QuotaExceeded
            | ErrorCode::MemberUnknown
            | ErrorCode::MemberExists
            | ErrorCode::SlotUnclaimed
            | ErrorCode::QuorumAtRisk
            | ErrorCode::MemberLagging
            | ErrorCode::MemberNotVoter
            | ErrorCode::MemberUnreachable
            | ErrorCode::NoSuccessor => false,
        }
    }

    /// Whether a write that was answered with this code may have taken effect all the same.
    pub const fn outcome_unknown(self) -> bool {
        matches!(self, ErrorCode::OutcomeUnknown)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        ErrorCode::from_name(&name)
            .ok_or_else(|| D::Error::custom(format_args!("{name:?} is not a known error code")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back_to_their_code() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_name(code.name()), Some(code));
        }
        assert_eq!(ErrorCode::from_name("no_such_code"), None);
    }

    #[test]
    fn an_unknown_outcome_is_never_retryable() {
        for code in ErrorCode::ALL {
            assert!(!(code.is_retryable() && code.outcome_unknown()), "{code}");
        }
    }

    /// The codes are part of the API: a change here breaks clients.
    #[test]
    fn the_list_is_what_clients_know() {
        let list: Vec<String> = ErrorCode::ALL
            .iter()
            .map(|code| {
                let retryable = if code.is_retryable() { " retryable" } else { "" };
                let unknown = if code.outcome_unknown() { " unknown" } else { "" };
                format!("{} {code}{retryable}{unknown}", code.status())
            })
            .collect();
        assert_eq!(
            list,
            [
                "400 key_empty",
                "400 key_too_long",
                "400 bad_key",
                "400 bad_query",
                "400 bad_header",
                "400 bad_body",
                "413 value_too_large",
                "404 key_not_found",
                "404 not_found",
                "405 method_not_allowed",
                "408 request_timeout retryable",
                "412 precondition_failed",
                "429 overloaded retryable",
                "500 damaged",
                "503 unavailable retryable",
                "503 shutting_down retryable",
                "503 too_many_hops retryable",
                "504 outcome_unknown unknown",
                "507 disk_full",
                "413 body_too_large",
                "400 too_many_operations",
                "400 too_many_comparisons",
                "413 transaction_too_large",
                "400 duplicate_key",
                "400 nested_too_deep",
                "400 bad_cursor",
                "400 bad_setting",
                "400 future_revision",
                "410 compacted",
                "409 session_expired",
                "409 sequence_freed",
                "422 sequence_reused",
                "429 too_many_sessions retryable",
                "429 too_many_outcomes retryable",
                "507 quota_exceeded",
                "404 member_unknown",
                "409 member_exists",
                "409 slot_unclaimed",
                "409 member_lagging",
                "409 quorum_at_risk",
                "409 membership_change_in_progress retryable",
                "409 member_not_voter",
                "409 member_unreachable",
                "409 no_successor",
                "503 too_stale retryable",
            ]
        );
    }
}
