//! How a call to a peer can fail, and what that says about whether it was carried out.

use quorate_environment::Moment;

use crate::handshake::{Reject, shortened};

/// A peer's reason for refusing a request before it began to work on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[repr(u8)]
pub enum Refusal {
    /// The node does not run that Raft group yet, or has left it.
    #[error("the node does not run this Raft group (yet, or any more)")]
    NotReady = 1,
    /// Too much is in work already.
    #[error("too many requests are in work")]
    Overloaded = 2,
    /// The deadline had passed when the request arrived.
    #[error("the deadline had passed on arrival")]
    Expired = 3,
    /// The request could not be understood.
    #[error("the request could not be understood")]
    Malformed = 4,
    /// What the request brings does not fit on the disk.
    #[error("there is no room for it on the disk")]
    NoRoom = 5,
    /// Who asks may not ask this.
    #[error("this node may not ask for it")]
    NotAllowed = 6,
}

/// The ordinal of an error that is not a [`Refusal`]: the request was worked on and failed.
const FAILED: u8 = 128;

/// The longest text of an error that is sent.
const ERROR_MESSAGE_BYTES_MAX: usize = 4_096;

/// Why nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// There is no connection, and the attempt to make one failed.
    #[error("cannot reach it: {0}")]
    Unreachable(#[from] DialError),
    /// The connection broke before the request went out.
    #[error("the connection broke before the request went out: {0}")]
    ConnectionLost(String),
    /// The deadline passed before the request could go out.
    #[error("the deadline passed before the request could go out")]
    Deadline,
    /// The request is larger than a frame may be.
    #[error("a request of {payload_bytes} bytes is larger than a frame may be")]
    TooLarge {
        /// Its length.
        payload_bytes: usize,
    },
    /// This node is shutting down.
    #[error("this node is shutting down")]
    ShuttingDown,
    /// No node has taken the place of that member yet.
    #[error("no node has taken this member's place yet")]
    Unclaimed,
}

/// Why it is not known whether a request was carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// The connection broke before the answer came.
    #[error("the connection broke before the answer came: {0}")]
    ConnectionLost(String),
    /// The deadline passed before the answer came.
    #[error("the deadline passed before the answer came")]
    Deadline,
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The request was certainly not delivered.
    #[error("not sent: {0}")]
    NotSent(#[from] NotSent),
    /// The peer refused it and certainly did not carry it out.
    #[error("refused: {refusal}")]
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// The peer worked on it and reports a failure; what that means is the application's business.
    #[error("the peer reports: {message}")]
    Failed {
        /// What it said.
        message: String,
    },
    /// The request may or may not have been carried out.
    #[error("outcome unknown: {0}")]
    Unknown(#[from] Unknown),
}

impl CallError {
    /// Whether it is certain that the peer has not begun to carry the request out.
    pub fn is_certainly_not_begun(&self) -> bool {
        matches!(self, CallError::NotSent(_) | CallError::Refused { .. })
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// No byte stream could be made.
    #[error("{address}: {reason}")]
    Connect {
        /// The address that was dialed.
        address: String,
        /// What the network said.
        reason: String,
    },
    /// It took too long.
    #[error("{address} did not answer in time")]
    Timeout {
        /// The address that was dialed.
        address: String,
    },
    /// What answered does not speak the protocol.
    #[error("{address} does not speak the peer protocol: {reason}")]
    Protocol {
        /// The address that was dialed.
        address: String,
        /// What was wrong.
        reason: String,
    },
    /// The node refused.
    #[error("{address} refused: {reject}")]
    Rejected {
        /// The address that was dialed.
        address: String,
        /// What it said.
        reject: Box<Reject>,
    },
    /// A recent attempt failed, and the next one is not due yet.
    #[error("{last} (next attempt in {} ms)", .next_attempt.saturating_since(*.now).as_millis())]
    BackingOff {
        /// How the last attempt failed.
        last: Box<DialError>,
        /// When it was asked.
        now: Moment,
        /// When the next attempt is due.
        next_attempt: Moment,
    },
}

impl DialError {
    /// The refusal behind this error, if the node was reached and refused.
    pub fn reject(&self) -> Option<&Reject> {
        match self {
            DialError::Rejected { reject, .. } => Some(reject),
            DialError::BackingOff { last, .. } => last.reject(),
            _ => None,
        }
    }
}

/// What the serving side sends when a request has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteError {
    /// It was not begun, and nothing of it was done.
    Refused(Refusal),
    /// It was begun and failed. The text is for people, and says nothing about whether something was done.
    Failed(String),
}

impl From<Refusal> for RemoteError {
    fn from(refusal: Refusal) -> Self {
        RemoteError::Refused(refusal)
    }
}

impl RemoteError {
    /// The error as a payload.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            RemoteError::Refused(refusal) => vec![*refusal as u8],
            RemoteError::Failed(message) => {
                let mut payload = vec![FAILED];
                payload.extend_from_slice(shortened(message, ERROR_MESSAGE_BYTES_MAX).as_bytes());
                payload
            }
        }
    }

    /// Reads a payload. Whatever is not known to be a refusal counts as a failure: that claims least.
    pub(crate) fn decode(payload: &[u8]) -> Self {
        match payload {
            [1] => RemoteError::Refused(Refusal::NotReady),
            [2] => RemoteError::Refused(Refusal::Overloaded),
            [3] => RemoteError::Refused(Refusal::Expired),
            [4] => RemoteError::Refused(Refusal::Malformed),
            [5] => RemoteError::Refused(Refusal::NoRoom),
            [6] => RemoteError::Refused(Refusal::NotAllowed),
            [FAILED, message @ ..] => RemoteError::Failed(String::from_utf8_lossy(message).into_owned()),
            _ => RemoteError::Failed("an error of a kind that this build does not know".to_owned()),
        }
    }
}

impl From<RemoteError> for CallError {
    fn from(error: RemoteError) -> Self {
        match error {
            RemoteError::Refused(refusal) => CallError::Refused { refusal },
            RemoteError::Failed(message) => CallError::Failed { message },
        }
    }
}
