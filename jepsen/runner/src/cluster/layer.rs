//! What is put between a node and its machine.

use super::launch::Launch;
use crate::error::HarnessError;

/// Something that a node is started with for the sake of a nemesis: a library that stands between it and its disk, a
/// clock of its own, a file system of its own.
pub trait Layer: Send + Sync {
    /// Why nodes cannot be started with it on this system, if so.
    fn obstacle(&self) -> Option<String> {
        None
    }

    /// Prepares one start of a node: before every one, also after a kill. The node does not run meanwhile.
    ///
    /// # Errors
    ///
    /// What could not be prepared.
    fn prepare(&self, node: u8, launch: &mut Launch) -> Result<(), HarnessError>;
}
