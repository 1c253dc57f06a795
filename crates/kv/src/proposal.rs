//! What one entry of the log carries.

use crate::command::Command;

/// A batch of commands that share one log entry.
///
/// Commands are applied one after another; each write that takes effect takes a revision of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The leader's wall clock when it proposed, in milliseconds since the Unix epoch. The state's
    /// time becomes the maximum of itself and this.
    pub time_ms: u64,
    /// The commands, in the order in which they are applied.
    pub commands: Vec<Command>,
}
