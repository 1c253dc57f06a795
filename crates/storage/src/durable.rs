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

/// Removes a file that may not exist, and flushes that.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => path.parent().map_or(Ok(()), sync_directory),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
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

/// So much is removed of a file at once.
pub(crate) const REMOVED_BYTES_MAX: u64 = 16 << 20;

/// Takes the last piece off a file that nobody reads any more. Gives whether there is more of it; if there is
/// not, the file is gone.
pub(crate) fn remove_piece(path: &Path) -> io::Result<bool> {
    let bytes = fs::metadata(path)?.len();
    if bytes <= REMOVED_BYTES_MAX {
        fs::remove_file(path)?;
        return Ok(false);
    }
    let file = File::options().write(true).open(path)?;
    file.set_len(bytes - REMOVED_BYTES_MAX)?;
    // Or a file system with a journal would give all pieces back to the disk at once, later.
    file.sync_all()?;
    Ok(true)
}

/// Creates a directory, and those above it that are missing, and makes all of their names durable. `path` is
/// absolute.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    let existed = path.is_dir();
    let missing: Vec<&Path> = path.ancestors().take_while(|ancestor| !ancestor.is_dir()).collect();
    fs::create_dir_all(path)?;
    // A directory that was there may have been made by a process that ended before this.
    let made = if existed { vec![path] } else { missing };
    for parent in made.iter().filter_map(|made| made.parent()) {
        match sync_directory(parent) {
            // Only whoever may list the directory can flush it, and it was not this process that made it.
            Err(error) if existed && error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_removed_from_its_end() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("file");
        let bytes = 2 * REMOVED_BYTES_MAX + 5;
        File::create(&path).and_then(|file| file.set_len(bytes)).expect("a file with a hole");
        for left in [REMOVED_BYTES_MAX + 5, 5] {
            assert!(remove_piece(&path).expect("it is there"));
            assert_eq!(fs::metadata(&path).expect("it stays").len(), left);
        }
        assert!(!remove_piece(&path).expect("it is there"));
        assert!(!path.exists());
    }

    #[test]
    fn missing_parents_are_made_too() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("a/b/c");
        create_directory(&path).expect("create");
        create_directory(&path).expect("it is there already");
        assert!(path.is_dir());
        create_directory(Path::new("/")).expect("the root has no name to flush");
    }

    #[test]
    fn a_file_in_the_place_of_a_directory_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("file");
        fs::write(&path, b"").expect("write");
        assert!(create_directory(&path).is_err());
        assert!(create_directory(&path.join("below")).is_err());
    }

    #[test]
    fn a_directory_that_others_made_may_be_in_one_that_cannot_be_listed() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let parent = folder.path().join("parent");
        let path = parent.join("data");
        create_directory(&path).expect("create");
        let permit = |mode| fs::set_permissions(&parent, fs::Permissions::from_mode(mode)).expect("permit");
        permit(0o300);
        let created = create_directory(&path);
        permit(0o700);
        created.expect("nothing had to be made");
    }
}
