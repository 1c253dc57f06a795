//! Everything below a directory, as a value.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// The directories and files below a directory, by their absolute paths.
#[derive(Debug, Default)]
pub(super) struct DirectoryImage {
    pub(super) directories: BTreeSet<PathBuf>,
    pub(super) files: BTreeMap<PathBuf, Vec<u8>>,
}

impl DirectoryImage {
    /// The paths below `directory`, with empty files.
    pub(super) fn paths_below(directory: &Path) -> io::Result<Self> {
        let mut image = Self::default();
        let mut unread = vec![directory.to_path_buf()];
        while let Some(directory) = unread.pop() {
            for entry in std::fs::read_dir(&directory)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    unread.push(entry.path());
                    image.directories.insert(entry.path());
                } else if kind.is_file() {
                    image.files.insert(entry.path(), Vec::new());
                }
            }
        }
        Ok(image)
    }

    /// Moves whatever is at `from`, or below it, to `to`.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        let moved = |path: &Path| match path.strip_prefix(from) {
            // Joining an empty path would add a slash.
            Ok(rest) if rest.as_os_str().is_empty() => to.to_path_buf(),
            Ok(rest) => to.join(rest),
            Err(_) => path.to_path_buf(),
        };
        self.directories = self.directories.iter().map(|path| moved(path)).collect();
        self.files = std::mem::take(&mut self.files)
            .into_iter()
            .map(|(path, content)| (moved(&path), content))
            .collect();
    }

    /// Makes everything below `directory` what this image says.
    ///
    /// # Panics
    ///
    /// If that fails: a simulation cannot go on with half a disk.
    pub(super) fn write_to(&self, directory: &Path) {
        self.try_write_to(directory)
            .unwrap_or_else(|error| panic!("cannot write {} back: {error}", directory.display()));
    }

    fn try_write_to(&self, directory: &Path) -> io::Result<()> {
        let present = Self::paths_below(directory)?;
        for path in present.files.keys().filter(|path| !self.files.contains_key(*path)) {
            std::fs::remove_file(path)?;
        }
        // Deepest first: a path sorts after those above it.
        for path in present.directories.iter().rev().filter(|path| !self.directories.contains(*path)) {
            std::fs::remove_dir(path)?;
        }
        for path in &self.directories {
            std::fs::create_dir_all(path)?;
        }
        for (path, content) in &self.files {
            std::fs::write(path, content)?;
        }
        Ok(())
    }
}
