//! Making room in a data directory for a new incarnation, without losing what is there.

use std::io;
use std::path::{Path, PathBuf};

use crate::directory::{DataDirectory, DirectoryLock, FoundNode, is_removed, read_identity};
use crate::durable;
use crate::error::OpenError;
use crate::layout::{
    ASIDE_PREFIX, DAMAGE, IDENTITY, LOG, REMOVED, SNAPSHOTS, foreign_name, state_directories, state_name,
};

impl DataDirectory {
    /// The node whose data is at `path`, or `None` if there is none. Nothing is locked or changed.
    pub fn look(path: &Path) -> Result<Option<FoundNode>, OpenError> {
        match read_identity(path)? {
            None => Ok(None),
            Some(identity) => Ok(Some(FoundNode {
                node_id: identity.node_id,
                cluster_id: Some(identity.cluster_id).filter(|cluster_id| !cluster_id.is_none()),
                is_removed: is_removed(path)?,
            })),
        }
    }

    /// Moves all data at `path` into a folder beside it, so that a new node begins there when the directory is
    /// opened next. Gives the folder.
    ///
    /// The identity goes last but for the mark that the node was removed: whenever this is interrupted, the
    /// directory is refused, or is one in which a new node begins.
    pub fn set_aside(path: &Path) -> Result<PathBuf, OpenError> {
        let path = &path.canonicalize().map_err(OpenError::io(path))?;
        if let Some(found) = foreign_name(path).map_err(OpenError::io(path))? {
            return Err(OpenError::NotADataDirectory { path: path.clone(), found });
        }
        let _lock = DirectoryLock::acquire(path)?;
        let identity = read_identity(path)?.ok_or_else(|| OpenError::missing(path, IDENTITY))?;
        let aside = path.join(format!("{ASIDE_PREFIX}{:016x}", identity.node_id.incarnation));
        durable::create_directory(&aside).map_err(OpenError::io(&aside))?;
        let (finished, unfinished) = state_directories(path).map_err(OpenError::io(path))?;
        let states = finished.into_iter().map(state_name).chain(unfinished);
        let others = [LOG, SNAPSHOTS, DAMAGE, IDENTITY, REMOVED].map(str::to_owned);
        for name in states.chain(others) {
            match durable::rename(&path.join(&name), &aside.join(&name)) {
                // It is not there, or has been moved by an attempt that was interrupted.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                moved => moved.map_err(OpenError::io(&aside))?,
            }
        }
        Ok(aside)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use quorate_environment::TokioEnvironment;

    use super::*;

    #[test]
    fn a_removed_node_is_refused_until_its_data_is_set_aside() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let environment = TokioEnvironment::new();
        let open = || DataDirectory::open(&environment, folder.path(), 4);
        assert_eq!(DataDirectory::look(folder.path()).expect("readable"), None);
        let directory = open().expect("a new directory");
        let old = directory.node_id();
        directory.mark_removed().expect("writable");
        drop(directory);
        assert!(matches!(open(), Err(OpenError::Removed { node, .. }) if node == old));
        let found = FoundNode { node_id: old, cluster_id: None, is_removed: true };
        assert_eq!(DataDirectory::look(folder.path()).expect("readable"), Some(found));

        let aside = DataDirectory::set_aside(folder.path()).expect("movable");
        assert!(aside.join(LOG).is_dir() && aside.join(IDENTITY).is_file() && aside.join(REMOVED).is_file());
        let directory = open().expect("a new node begins");
        assert_eq!(directory.node_id().member, 4);
        assert_ne!(directory.node_id(), old);
    }

    #[test]
    fn setting_aside_can_be_interrupted_anywhere_and_done_again() {
        let environment = TokioEnvironment::new();
        for moved in [&[LOG][..], &[LOG, SNAPSHOTS], &["state-0", LOG, SNAPSHOTS, IDENTITY]] {
            let folder = tempfile::tempdir().expect("a temporary directory");
            let directory = DataDirectory::open(&environment, folder.path(), 4).expect("a new directory");
            let old = directory.node_id();
            directory.mark_removed().expect("writable");
            drop(directory);
            let aside = folder.path().join(format!("{ASIDE_PREFIX}{:016x}", old.incarnation));
            fs::create_dir(&aside).expect("writable");
            for name in moved {
                fs::rename(folder.path().join(name), aside.join(name)).expect("movable");
            }
            if !moved.contains(&IDENTITY) {
                assert!(DataDirectory::open(&environment, folder.path(), 4).is_err(), "{moved:?}");
                DataDirectory::set_aside(folder.path()).expect("movable");
            }
            let directory = DataDirectory::open(&environment, folder.path(), 4).expect("a new node begins");
            assert_ne!(directory.node_id(), old);
        }
    }
}
