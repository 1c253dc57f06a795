//! What the intercepted operations do to the state.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{Descriptor, Disk, Fuse, OnBlow};
use crate::power_loss::modelled_file::{FileIdentity, ModelledFile};
use crate::power_loss::renames::Rename;

impl Disk {
    /// The model of the file behind a descriptor, if it is modelled.
    fn file(&mut self, descriptor: Descriptor) -> io::Result<Option<&mut ModelledFile>> {
        if !self.files.contains_key(&descriptor.identity) {
            let path = std::fs::read_link(descriptor.link())?;
            if !self.models(&path) {
                return Ok(None);
            }
            self.files.retain(|_, file| !file.is_unlinked());
            let file = ModelledFile::new(path, File::open(descriptor.link())?)?;
            self.files.insert(descriptor.identity, file);
        }
        Ok(self.files.get_mut(&descriptor.identity))
    }

    fn models(&self, path: &Path) -> bool {
        self.modelled.iter().any(|(directory, models)| path.starts_with(directory) && models(path))
    }

    fn is_below_modelled(&self, path: &Path) -> bool {
        self.modelled.iter().any(|(directory, _)| path.starts_with(directory))
    }

    /// Bytes are about to be written. False if the file is not modelled.
    pub(in crate::power_loss) fn before_write(
        &mut self,
        descriptor: Descriptor,
        bytes: Range<u64>,
    ) -> io::Result<bool> {
        let Some(path) = self.file(descriptor)?.map(|file| file.path.clone()) else { return Ok(false) };
        if let Some(full) = self.full.iter().find(|full| path.starts_with(full)) {
            *self.errors.entry(full.clone()).or_default() += 1;
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        if let Some(file) = self.file(descriptor)? {
            file.before_write(bytes)?;
        }
        Ok(true)
    }

    /// Bytes of a modelled file have been written; `durable` if the descriptor writes through.
    pub(in crate::power_loss) fn after_write(
        &mut self,
        descriptor: Descriptor,
        bytes: Range<u64>,
        durable: bool,
    ) -> io::Result<Vec<OnBlow>> {
        let Some(path) = self.file(descriptor)?.map(|file| file.path.clone()) else {
            return Ok(Vec::new());
        };
        // Between the write and the moment at which it is durable: it may be kept, lost or torn.
        let blown = self.burn(&path);
        if durable && let Some(file) = self.file(descriptor)? {
            file.made_durable(bytes)?;
        }
        Ok(blown)
    }

    /// A file or directory is being synced. `None` if it is not modelled.
    pub(in crate::power_loss) fn sync(&mut self, descriptor: Descriptor) -> io::Result<Option<Vec<OnBlow>>> {
        if descriptor.is_directory {
            let path = std::fs::read_link(descriptor.link())?;
            if !self.is_below_modelled(&path) {
                return Ok(None);
            }
            let blown = self.burn(&path);
            self.renames.directory_synced(&path);
            return Ok(Some(blown));
        }
        let Some(path) = self.file(descriptor)?.map(|file| file.path.clone()) else { return Ok(None) };
        let blown = self.burn(&path);
        let failing = self.sync_fails.iter().find(|failing| path.starts_with(failing)).cloned();
        if let Some(failing) = &failing {
            self.sync_fails.remove(failing);
            *self.errors.entry(failing.clone()).or_default() += 1;
        }
        let Some(file) = self.file(descriptor)? else { return Ok(None) };
        if failing.is_some() {
            file.sync_failed();
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        file.synced()?;
        Ok(Some(blown))
    }

    /// Something is about to be renamed: what would be needed to undo it. `None` if it is not below a
    /// modelled directory.
    pub(in crate::power_loss) fn before_rename(&self, from: &Path, to: &Path) -> io::Result<Option<Rename>> {
        let (Some(from), Some(to)) = (in_canonical_directory(from), in_canonical_directory(to)) else {
            return Ok(None);
        };
        if !self.is_below_modelled(&from) || !self.is_below_modelled(&to) {
            return Ok(None);
        }
        let replaced = match std::fs::metadata(&to) {
            Ok(metadata) if metadata.is_file() => Some(match self.files.get(&FileIdentity::of(&metadata)) {
                Some(file) => file.durable_image()?,
                None => std::fs::read(&to)?,
            }),
            _ => None,
        };
        Ok(Some(Rename { from, to, replaced }))
    }

    /// Something has been renamed.
    pub(in crate::power_loss) fn after_rename(&mut self, rename: Rename) -> Vec<OnBlow> {
        for file in self.files.values_mut() {
            if let Ok(rest) = file.path.strip_prefix(&rename.from) {
                let below = !rest.as_os_str().is_empty();
                file.path = if below { rename.to.join(rest) } else { rename.to.clone() };
            }
        }
        let path = rename.to.clone();
        self.renames.push(rename);
        self.burn(&path)
    }

    /// One operation at `path`: lets the fuses of the directories above it burn. Returns what is to be
    /// called, without the lock, for those that have burnt down.
    fn burn(&mut self, path: &Path) -> Vec<OnBlow> {
        self.operations += 1;
        let mut burnt_down = Vec::new();
        for (directory, fuse) in &mut self.fuses {
            match fuse {
                Fuse::Burning { operations_left: 0, .. } if path.starts_with(directory) => {
                    burnt_down.push(directory.clone());
                }
                Fuse::Burning { operations_left, .. } if path.starts_with(directory) => {
                    *operations_left -= 1;
                }
                _ => {}
            }
        }
        burnt_down.into_iter().filter_map(|directory| self.blow(&directory)).collect()
    }

    fn blow(&mut self, directory: &Path) -> Option<OnBlow> {
        let Some(Fuse::Burning { seed, on_blow, .. }) = self.fuses.remove(directory) else { return None };
        let unsynced = self.unsynced(directory);
        let image = self.image_after_loss(directory, seed);
        self.fuses.insert(directory.to_path_buf(), Fuse::Blown { image, unsynced });
        Some(on_blow)
    }
}

/// The path with its directory as the kernel names it: the last component may not exist.
fn in_canonical_directory(path: &Path) -> Option<PathBuf> {
    let directory = match path.parent()? {
        parent if parent.as_os_str().is_empty() => Path::new("."),
        parent => parent,
    };
    Some(directory.canonicalize().ok()?.join(path.file_name()?))
}
