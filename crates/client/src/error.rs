//! What a client can be told instead of an answer.

use quorate_api::ErrorCode;
use quorate_api::key::KEY_BYTES_MAX;

/// Why a request has no answer. For a write, everything but [`ClientError::OutcomeUnknown`] and, of the delete
/// of a range, [`ClientError::PartlyDone`] is definite: it was not done and never will be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// A write was sent, and nobody said what became of it: it may or may not have taken effect, now or
    /// later.
    #[error("the outcome is not known: {reason}")]
    OutcomeUnknown {
        /// What was seen.
        reason: String,
    },
    /// The condition of a write did not hold.
    #[error("the condition does not hold: {}", match current {
        Some(revision) => format!("the key's revision is {revision}"),
        None => "there is no such key".to_owned(),
    })]
    Conflict {
        /// The revision of the key's newest change, or `None` if the key does not exist.
        current: Option<u64>,
    },
    /// A node refused the request, and no other node took it before the deadline.
    #[error("{message} ({code})")]
    Refused {
        /// The code of the refusal, as the node sent it: see [`ClientError::code`]. A refusal without one
        /// is named after its status.
        code: String,
        /// What the node says.
        message: String,
        /// The name under which the node logs the request.
        request_id: Option<String>,
    },
    /// The revision that was asked for can no longer be read.
    #[error("{message} (compacted)")]
    Compacted {
        /// What the node says.
        message: String,
        /// The oldest revision that can be read.
        oldest: Option<u64>,
    },
    /// The delete of a range went wrong on its way.
    #[error("{deleted} keys were deleted, and then: {cause}")]
    PartlyDone {
        /// How many keys certainly were deleted.
        deleted: u64,
        /// Why no more.
        cause: Box<ClientError>,
    },
    /// No node could be reached, or none answered a read, before the deadline.
    #[error("no node can be reached: {reason}")]
    Unreachable {
        /// What was seen last.
        reason: String,
    },
    /// What answers is not a Quorate node, or too new for this client.
    #[error("the answer of {endpoint} cannot be understood: {reason}")]
    BadAnswer {
        /// Who answered.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The answer to a read is longer than the client accepts: see
    /// [`ClientBuilder::answer_bytes_max`](crate::ClientBuilder::answer_bytes_max).
    #[error("the answer is longer than {bytes_max} bytes")]
    AnswerTooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// No key can have this length. Nothing was sent.
    #[error("a key has 1 to {KEY_BYTES_MAX} bytes, and this one has {bytes}")]
    KeyLength {
        /// How long it is, in bytes.
        bytes: usize,
    },
    /// The client's own settings are wrong.
    #[error("{0}")]
    Settings(String),
}

impl ClientError {
    /// Whether a write may have taken effect in spite of the error.
    pub fn is_outcome_unknown(&self) -> bool {
        match self {
            ClientError::OutcomeUnknown { .. } => true,
            ClientError::PartlyDone { cause, .. } => cause.is_outcome_unknown(),
            _ => false,
        }
    }

    /// Whether the condition of a write did not hold.
    pub fn is_conflict(&self) -> bool {
        matches!(self, ClientError::Conflict { .. })
    }

    /// The code of a refusal, if this version knows it.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            ClientError::Refused { code, .. } => ErrorCode::from_name(code),
            ClientError::Compacted { .. } => Some(ErrorCode::Compacted),
            ClientError::Conflict { .. } => Some(ErrorCode::PreconditionFailed),
            _ => None,
        }
    }

    /// Whether the same request may be sent again without doing anything twice, and may then succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            ClientError::Refused { .. } => self.code().is_some_and(ErrorCode::is_retryable),
            ClientError::Unreachable { .. } => true,
            ClientError::PartlyDone { cause, .. } => cause.is_retryable(),
            ClientError::OutcomeUnknown { .. }
            | ClientError::Conflict { .. }
            | ClientError::Compacted { .. }
            | ClientError::AnswerTooLong { .. }
            | ClientError::BadAnswer { .. }
            | ClientError::KeyLength { .. }
            | ClientError::Settings(_) => false,
        }
    }
}
