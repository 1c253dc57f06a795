//! Placeholder.

use crate::error::Error;
use crate::workspace::Workspace;

#[derive(Debug, clap::Args)]
pub struct Arguments {}

pub fn run(_workspace: &Workspace, _arguments: &Arguments) -> Result<(), Error> {
    Ok(())
}
