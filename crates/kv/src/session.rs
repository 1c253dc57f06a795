//! Sessions: how a write that is sent again and again has an effect once.
//!
//! A client opens a session through the log and numbers its writes. The state machine keeps the outcome of
//! each number until the client says that it has seen it (the *watermark*), so that a repeated write gets
//! the outcome of the first. A session that gives no sign of life expires, by the state's time only, and its
//! writes are refused from then on: what cannot be recognised as a repetition is never applied.
//!
//! Every outcome of a write that reached the keys is kept, refusals (conditions, limits, quota) too: a client
//! that was told of a refusal may rely on it, and a late duplicate of its request must not take effect after
//! all. Who wants to try again what was refused takes a new number. Refusals by the session itself are not
//! kept. They are final, but for one: a session that holds as many outcomes as it may
//! ([`crate::Limit::SessionOutcomes`]) has not decided about that number yet, and the same request may be
//! sent again with a higher watermark.

use crate::command::{Command, NotAWrite};

/// The time to live that callers ask for if their users do not say, in milliseconds.
pub const SESSION_TTL_MS_DEFAULT: u64 = 60_000;
/// The shortest time to live of a session, in milliseconds.
pub const SESSION_TTL_MS_MIN: u64 = 1_000;

/// Which write of which session a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRequest {
    /// The session.
    pub session: u64,
    /// The number of the write in its session: another one for each write, the same when it is repeated.
    pub sequence: u64,
    /// The client has seen the outcomes of all numbers below this one: they are forgotten, and none of them
    /// will apply any more. Does not count beyond `sequence`.
    pub acknowledged_below: u64,
    /// A hash over all that the client asked for, made by whoever proposes it. A number that comes again
    /// with another one is a mistake of the client's, and refused.
    pub fingerprint: u128,
}

/// A write, and which one of its session it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCommand {
    request: SessionRequest,
    command: Box<Command>,
}

impl SessionCommand {
    /// Makes `command` a part of a session, if it is one that sessions carry.
    pub fn new(request: SessionRequest, command: Command) -> Result<Self, NotAWrite> {
        match command.is_write() {
            true => Ok(Self { request, command: Box::new(command) }),
            false => Err(NotAWrite),
        }
    }

    /// Which write of which session this is.
    pub fn request(&self) -> &SessionRequest {
        &self.request
    }

    /// The write.
    pub fn command(&self) -> &Command {
        &self.command
    }
}
