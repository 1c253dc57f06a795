//! The folder of a run.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

use crate::arguments::Arguments;
use crate::error::HarnessError;

/// Says that a folder is one that a run may replace.
const MARKER: &str = ".quorate-runner";

/// How long nodes that were killed may still be in the way of those who remove their data.
const DYING_LIMIT: Duration = Duration::from_secs(5);
/// How often it is tried again.
const POLL: Duration = Duration::from_millis(20);

/// The folder of the report, empty.
pub(super) fn prepare_folder(folder: &Path) -> Result<PathBuf, HarnessError> {
    let doing = format!("making {}", folder.display());
    let marker = folder.join(MARKER);
    if folder.exists() && fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        if !marker.exists() {
            let what = format!("{} is not empty, and not of an earlier run", folder.display());
            return Err(HarnessError::Nonsense(what));
        }
        fs::remove_dir_all(folder).map_err(HarnessError::system(format!("removing {}", folder.display())))?;
    }
    fs::create_dir_all(folder).map_err(HarnessError::system(doing.clone()))?;
    fs::write(&marker, "").map_err(HarnessError::system(doing.clone()))?;
    folder.canonicalize().map_err(HarnessError::system(doing))
}

/// Removes the nodes' data, and what nemeses have put beside them. A file system of a node's own goes with the run.
pub(super) fn remove_data(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b"data-") {
            let path = entry.path();
            if entry.file_type()?.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    Ok(())
}

/// Removes what a run has left that was stopped. Its nodes were told to end, and may still write.
///
/// # Errors
///
/// What cannot be removed.
pub fn abandon(arguments: &Arguments) -> io::Result<()> {
    let folder = &arguments.output;
    if arguments.keep_data || !folder.join(MARKER).exists() {
        return Ok(());
    }
    let deadline = Instant::now() + DYING_LIMIT;
    loop {
        match remove_data(folder) {
            Err(_) if Instant::now() < deadline => std::thread::sleep(POLL),
            removed => return removed,
        }
    }
}
