//! What the disk holds of one file, as far as it differs from what the process sees.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::random::Random;

/// The unit in which the kernel writes back.
pub(super) const PAGE_BYTES: u64 = 4096;

/// The unit that a disk writes as a whole.
const SECTOR_BYTES: usize = 512;

/// Which file it is, whatever its path. The time of birth tells a file from an earlier one that had
/// the same inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
    born: Option<SystemTime>,
}

impl FileIdentity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino(), born: metadata.created().ok() }
    }
}

/// The model of one file.
#[derive(Debug)]
pub(super) struct ModelledFile {
    pub(super) path: PathBuf,
    /// A handle of our own, for reading.
    file: File,
    /// Page number to what the disk holds of it, for each page that was written since the last sync.
    /// A page that lies at or beyond the end of the file is short or empty.
    unsynced: BTreeMap<u64, Vec<u8>>,
    /// Page number to what the disk holds of it, for each page whose sync has failed. The kernel takes
    /// such a page for clean, so no later sync saves it unless it is written again.
    abandoned: BTreeMap<u64, Vec<u8>>,
    /// The length that the disk knows.
    durable_bytes: u64,
}

impl ModelledFile {
    /// A file of which everything is on the disk.
    pub(super) fn new(path: PathBuf, file: File) -> io::Result<Self> {
        let durable_bytes = file.metadata()?.len();
        Ok(Self { path, file, unsynced: BTreeMap::new(), abandoned: BTreeMap::new(), durable_bytes })
    }

    pub(super) fn is_below(&self, directory: &Path) -> bool {
        self.path.starts_with(directory)
    }

    /// Whether the file has been removed.
    pub(super) fn is_unlinked(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }

    pub(super) fn unsynced_pages(&self) -> usize {
        self.unsynced.len() + self.abandoned.len()
    }

    /// Bytes are about to be written: keeps what the disk holds of their pages.
    pub(super) fn before_write(&mut self, bytes: Range<u64>) -> io::Result<()> {
        for page in pages(bytes) {
            if self.unsynced.contains_key(&page) {
                continue;
            }
            let durable = match self.abandoned.remove(&page) {
                Some(durable) => durable,
                None => self.read_page(page)?,
            };
            self.unsynced.insert(page, durable);
        }
        Ok(())
    }

    /// Bytes that have just been written are on the disk, but not the rest of their pages: a write
    /// through a descriptor with `O_DSYNC`.
    pub(super) fn made_durable(&mut self, bytes: Range<u64>) -> io::Result<()> {
        for page in pages(bytes.clone()) {
            let current = self.read_page(page)?;
            let start = page * PAGE_BYTES;
            let from = bytes.start.saturating_sub(start) as usize;
            let to = ((bytes.end - start) as usize).min(current.len());
            let durable = self.unsynced.entry(page).or_default();
            durable.resize(durable.len().max(to), 0);
            durable[from..to].copy_from_slice(&current[from..to]);
            if *durable == current {
                self.unsynced.remove(&page);
            }
        }
        self.durable_bytes = self.durable_bytes.max(bytes.end);
        Ok(())
    }

    /// A sync has succeeded.
    pub(super) fn synced(&mut self) -> io::Result<()> {
        self.unsynced.clear();
        self.durable_bytes = self.file.metadata()?.len();
        Ok(())
    }

    /// A sync has failed.
    pub(super) fn sync_failed(&mut self) {
        self.abandoned.append(&mut self.unsynced);
    }

    /// What the disk certainly holds.
    pub(super) fn durable_image(&self) -> io::Result<Vec<u8>> {
        let mut image = self.read_all()?;
        for (page, durable) in self.unsynced.iter().chain(&self.abandoned) {
            overwrite(&mut image, *page, durable, |_| true);
        }
        image.truncate(self.durable_bytes as usize);
        Ok(image)
    }

    /// What the disk holds after a loss of power now.
    pub(super) fn image_after_loss(&self, random: &mut Random) -> io::Result<Vec<u8>> {
        let mut image = self.read_all()?;
        for (page, durable) in &self.unsynced {
            match random.up_to(2) {
                0 => {}
                1 => overwrite(&mut image, *page, durable, |_| true),
                _ => overwrite(&mut image, *page, durable, |_| random.coin()),
            }
        }
        for (page, durable) in &self.abandoned {
            overwrite(&mut image, *page, durable, |_| true);
        }
        let grown_bytes = (image.len() as u64).saturating_sub(self.durable_bytes);
        if grown_bytes > 0 {
            let surviving_bytes = match random.up_to(2) {
                0 => 0,
                1 => grown_bytes,
                _ => random.up_to(grown_bytes),
            };
            image.truncate((self.durable_bytes + surviving_bytes) as usize);
        }
        Ok(image)
    }

    fn read_page(&self, page: u64) -> io::Result<Vec<u8>> {
        self.read(page * PAGE_BYTES, PAGE_BYTES as usize)
    }

    fn read_all(&self) -> io::Result<Vec<u8>> {
        let length = self.file.metadata()?.len();
        self.read(0, length as usize)
    }

    /// Reads up to `count` bytes: less at the end of the file.
    fn read(&self, offset: u64, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        let mut filled = 0;
        while filled < count {
            match self.file.read_at(&mut bytes[filled..], offset + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

/// The pages that `bytes` touch.
fn pages(bytes: Range<u64>) -> Range<u64> {
    bytes.start / PAGE_BYTES..bytes.end.div_ceil(PAGE_BYTES)
}

/// Puts those sectors of a page back that `choose` picks. Where the disk held nothing it holds zeros.
fn overwrite(image: &mut [u8], page: u64, durable: &[u8], mut choose: impl FnMut(usize) -> bool) {
    let start = (page * PAGE_BYTES) as usize;
    let end = (start + PAGE_BYTES as usize).min(image.len());
    let Some(present) = image.get_mut(start..end) else { return };
    for (index, sector) in present.chunks_mut(SECTOR_BYTES).enumerate() {
        if choose(index) {
            for (position, byte) in sector.iter_mut().enumerate() {
                *byte = durable.get(index * SECTOR_BYTES + position).copied().unwrap_or(0);
            }
        }
    }
}
