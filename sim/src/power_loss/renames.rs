//! Renames that no sync of their directory has made durable.

use std::path::{Path, PathBuf};

use super::directory_image::DirectoryImage;
use super::random::Random;

/// One rename.
#[derive(Debug)]
pub(super) struct Rename {
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
    /// What the disk held of the file that was replaced, if one was.
    pub(super) replaced: Option<Vec<u8>>,
}

/// All of them, in their order.
#[derive(Debug, Default)]
pub(super) struct Renames {
    pending: Vec<Rename>,
}

impl Renames {
    pub(super) const fn new() -> Self {
        Self { pending: Vec::new() }
    }

    pub(super) fn push(&mut self, rename: Rename) {
        self.pending.push(rename);
    }

    /// `directory` was synced. The entry that a rename made is durable once its directory is.
    pub(super) fn directory_synced(&mut self, directory: &Path) {
        self.pending.retain(|rename| rename.to.parent() != Some(directory));
    }

    /// Drops what is known of renames below `directory`.
    pub(super) fn forget(&mut self, directory: &Path) {
        self.pending.retain(|rename| !rename.to.starts_with(directory));
    }

    /// Undoes, in an image of `directory`, the renames that do not survive a loss of power: some of
    /// the last ones.
    pub(super) fn undo_lost(&self, directory: &Path, image: &mut DirectoryImage, random: &mut Random) {
        let concerned: Vec<&Rename> = self
            .pending
            .iter()
            .filter(|rename| rename.to.starts_with(directory) && rename.from.starts_with(directory))
            .collect();
        let surviving = random.up_to(concerned.len() as u64) as usize;
        for rename in concerned[surviving..].iter().rev() {
            image.rename(&rename.to, &rename.from);
            if let Some(content) = &rename.replaced {
                image.files.insert(rename.to.clone(), content.clone());
            }
        }
    }
}
