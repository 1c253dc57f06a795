//! Files that survive a power loss whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Flushes a directory, so that the names in it are durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Writes `content` to `path`: under a temporary name first, flushed, then renamed.
pub(crate) fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    rename(&temporary, path)
}

/// Renames what is already flushed, and flushes the rename. Both names are in the same directory or both
/// directories are flushed.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    let parent = |path: &Path| path.parent().map(Path::to_owned);
    if let Some(directory) = parent(to) {
        sync_directory(&directory)?;
    }
    match parent(from) {
        Some(directory) if Some(&directory) != parent(to).as_ref() => sync_directory(&directory),
        _ => Ok(()),
    }
}

/// Creates a directory if it is not there, and makes its name durable.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    path.parent().map_or(Ok(()), sync_directory)
}
