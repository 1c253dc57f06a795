//! Losing power: undoing what a dead process had not synced.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rand::{Rng, RngExt};

use crate::journal::{NoJournal, decode};
use crate::record::Renaming;
use crate::unsynced::{SectorChange, Unsynced, UnsyncedFile};
use crate::{journal_path, kept_folder};

/// How much of what was not synced is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it.
    Everything,
    /// Some sectors, and some of the last names: what the disk had not yet written by itself.
    Some,
}

/// What was undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Sectors that had not been synced.
    pub sectors_unsynced: usize,
    /// Those of them that got their old content back, or were cut off with the end of their file.
    pub sectors: usize,
    /// Names that had not been synced.
    pub names_unsynced: usize,
    /// Those of them that are as before.
    pub names: usize,
}

/// Why power could not be lost.
#[derive(Debug, thiserror::Error)]
pub enum PowerLossError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The journal is damaged.
    #[error(transparent)]
    Journal(#[from] NoJournal),
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> PowerLossError {
    let path = path.to_owned();
    |source| PowerLossError::File { path, source }
}

/// The machine whose data is in `data`, and whose process is dead, loses power: its files become what the disk holds
/// when it boots. `folder` is the interposer's.
///
/// # Errors
///
/// The journal or a file cannot be read or written. The data is then neither as before nor as after.
pub fn lose_power(
    folder: &Path,
    data: &Path,
    loss: Loss,
    random: &mut impl Rng,
) -> Result<Lost, PowerLossError> {
    let journal = journal_path(folder);
    let bytes = match fs::read(&journal) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read.map_err(failed(&journal))?,
    };
    let unsynced = Unsynced::of(decode(&bytes)?.0);
    let kept = kept_folder(data);
    let mut lost = Lost {
        sectors_unsynced: unsynced.sectors(),
        names_unsynced: unsynced.names().len(),
        ..Lost::default()
    };
    // Contents first: some files are found only under the names that they have now.
    let mut paths = BTreeMap::new();
    for top in [data, &kept] {
        find_files(top, &mut paths)?;
    }
    for (inode, file) in unsynced.files() {
        if let Some(path) = paths.get(inode) {
            lost.sectors += roll_back(path, file, loss, random).map_err(failed(path))?;
        }
    }
    let surviving = match loss {
        Loss::Everything => 0,
        // As in a file system with a journal: some of the first.
        Loss::Some => random.random_range(0..=unsynced.names().len()),
    };
    for renaming in unsynced.names().skip(surviving).rev() {
        let name = renaming.to.as_deref().or(renaming.from.as_deref()).unwrap_or(data);
        lost.names += usize::from(undo(renaming, &kept).map_err(failed(name))?);
    }
    // Now all is durable, and nothing is kept for the case that it is not.
    ignore_missing(fs::remove_dir_all(&kept)).map_err(failed(&kept))?;
    ignore_missing(fs::remove_file(&journal)).map_err(failed(&journal))?;
    Ok(lost)
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// All files below, by their inodes.
fn find_files(top: &Path, paths: &mut BTreeMap<u64, PathBuf>) -> Result<(), PowerLossError> {
    let entries = match fs::read_dir(top) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed(top))?,
    };
    for entry in entries {
        let entry = entry.map_err(failed(top))?;
        let path = entry.path();
        let metadata = entry.metadata().map_err(failed(&path))?;
        if metadata.is_dir() {
            find_files(&path, paths)?;
        } else {
            paths.insert(metadata.ino(), path);
        }
    }
    Ok(())
}

/// Undoes changes of one file. Gives how many sectors were lost.
fn roll_back(path: &Path, file: &UnsyncedFile, loss: Loss, random: &mut impl Rng) -> io::Result<usize> {
    let disk = File::options().write(true).open(path)?;
    let bytes = disk.metadata()?.len();
    let bytes_after = bytes_after(bytes, file.durable_bytes().unwrap_or(bytes), loss, random);
    // Of ten sectors that wait, so many are lost: between all and none.
    let tenths: u32 = random.random_range(0..=10);
    let mut lost = 0;
    let mut undone: Vec<&[SectorChange]> = Vec::new();
    for changes in file.sectors().values() {
        if loss == Loss::Everything || random.random_range(0..10) < tenths {
            undone.push(changes);
            lost += 1;
        }
    }
    for change in undone.into_iter().flat_map(|changes| changes.iter().rev()) {
        let (at, old) = change.undoing();
        disk.write_all_at(old, at)?;
    }
    disk.set_len(bytes_after)?;
    Ok(lost)
}

/// How long a file is after the loss that was `bytes` long and is durable with `durable`.
fn bytes_after(bytes: u64, durable: u64, loss: Loss, random: &mut impl Rng) -> u64 {
    let (low, high) = (bytes.min(durable), bytes.max(durable));
    match (loss, random.random_range(0..3)) {
        (Loss::Everything, _) | (Loss::Some, 0) => durable,
        (Loss::Some, 1) => bytes,
        (Loss::Some, _) => random.random_range(low..=high),
    }
}

/// Undoes a change of a name, if it has happened: it was noted before it was tried. Gives whether it had.
fn undo(renaming: &Renaming, kept: &Path) -> io::Result<bool> {
    let Renaming { inode, from, to, kept: number, .. } = renaming;
    let is_there = |path: &Path| -> io::Result<Option<fs::Metadata>> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        }
    };
    match (from, to) {
        (Some(from), Some(to)) => {
            let happened = is_there(to)?.is_some_and(|found| found.ino() == *inode);
            if happened {
                fs::rename(to, from)?;
                if *number != 0 {
                    fs::hard_link(kept.join(number.to_string()), to)?;
                }
            }
            Ok(happened)
        }
        (None, Some(made)) => match is_there(made)? {
            Some(found) if found.is_dir() => fs::remove_dir_all(made).map(|()| true),
            Some(_) => fs::remove_file(made).map(|()| true),
            None => Ok(false),
        },
        (Some(removed), None) if is_there(removed)?.is_none() => {
            match number {
                0 => fs::create_dir(removed)?,
                _ => fs::hard_link(kept.join(number.to_string()), removed)?,
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}
