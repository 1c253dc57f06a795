//! Placeholder.

use crate::error::Error;
use crate::workspace::Workspace;

pub fn run(_workspace: &Workspace) -> Result<(), Error> {
    Ok(())
}
