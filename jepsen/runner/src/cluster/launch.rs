//! How a node is started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// A node's command, before it is run on its machine.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Environment variables that the program gets, and nobody on the way to it (`LD_PRELOAD` must not change
    /// `nsenter`).
    pub environment: BTreeMap<String, OsString>,
    /// Where the node has its data.
    pub data_directory: PathBuf,
}
