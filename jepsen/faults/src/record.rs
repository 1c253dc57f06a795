//! Entries of the journal, as bytes.
//!
//! An entry is its length (four bytes), its kind (one) and its fields. Integers are little-endian. There is no checksum:
//! entries are appended by one write each, and a process that is killed in the middle leaves a part of one at the end.

use std::ffi::OsString;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// One thing that was done, or is about to be done. Changes are numbered in the order in which they were noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A file is about to be written or cut.
    Changed(Change),
    /// Everything of a file, or a range of it, is durable as far as it was changed before `before`.
    Synced {
        /// Changes with smaller numbers.
        before: u64,
        /// The file.
        inode: u64,
        /// Of these bytes only.
        range: Range<u64>,
    },
    /// A sync failed: the changes before `before` can no longer be made durable.
    SyncFailed {
        /// Changes with smaller numbers.
        before: u64,
        /// The file.
        inode: u64,
    },
    /// A name is about to be made, renamed or removed.
    Renamed(Renaming),
    /// An inode is a new file's: whatever was noted of it before is of one that is gone.
    Forgotten {
        /// The new file.
        inode: u64,
    },
    /// The names in a directory are durable as far as they were changed before `before`.
    DirectorySynced {
        /// Changes with smaller numbers.
        before: u64,
        /// The directory.
        path: PathBuf,
    },
}

/// What a file held before it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The number of the change.
    pub number: u64,
    /// The file.
    pub inode: u64,
    /// Which bytes are changed.
    pub range: Range<u64>,
    /// How long the file was.
    pub bytes_before: u64,
    /// What the range held, as far as the file reached.
    pub old: Vec<u8>,
}

/// A name that changes. Without a name before, it is made; without one after, it is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming {
    /// The number of the change.
    pub number: u64,
    /// The file or directory; 0 if it does not exist yet.
    pub inode: u64,
    /// Its name before.
    pub from: Option<PathBuf>,
    /// Its name after.
    pub to: Option<PathBuf>,
    /// The number under which the file is kept that goes: the removed one, or the one that was replaced. 0 if there is
    /// none; a directory that is removed is empty, and can be made anew.
    pub kept: u64,
}

impl Renaming {
    /// The directories that have to be synced before it is durable.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        let [from, to] = [&self.from, &self.to].map(|path| path.as_deref().and_then(Path::parent));
        let other = if from == to { None } else { from };
        to.into_iter().chain(other)
    }
}

const CHANGED: u8 = 1;
const SYNCED: u8 = 2;
const SYNC_FAILED: u8 = 3;
const RENAMED: u8 = 4;
const DIRECTORY_SYNCED: u8 = 5;
const FORGOTTEN: u8 = 6;
const LENGTH_BYTES: usize = 4;

impl Record {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; LENGTH_BYTES];
        match self {
            Record::Changed(change) => {
                bytes.push(CHANGED);
                let Range { start, end } = change.range;
                put_all(&mut bytes, &[change.number, change.inode, start, end, change.bytes_before]);
                bytes.extend_from_slice(&change.old);
            }
            Record::Synced { before, inode, range } => {
                bytes.push(SYNCED);
                put_all(&mut bytes, &[*before, *inode, range.start, range.end]);
            }
            Record::SyncFailed { before, inode } => {
                bytes.push(SYNC_FAILED);
                put_all(&mut bytes, &[*before, *inode]);
            }
            Record::Forgotten { inode } => {
                bytes.push(FORGOTTEN);
                put_all(&mut bytes, &[*inode]);
            }
            Record::Renamed(renaming) => {
                bytes.push(RENAMED);
                put_all(&mut bytes, &[renaming.number, renaming.inode, renaming.kept]);
                put_path(&mut bytes, renaming.from.as_deref());
                put_path(&mut bytes, renaming.to.as_deref());
            }
            Record::DirectorySynced { before, path } => {
                bytes.push(DIRECTORY_SYNCED);
                put_all(&mut bytes, &[*before]);
                put_path(&mut bytes, Some(path));
            }
        }
        let length =
            u32::try_from(bytes.len() - LENGTH_BYTES).expect("a change is cut into pieces before that");
        bytes[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    /// The first entry of `bytes` and the rest; None if there is no whole one.
    ///
    /// # Errors
    ///
    /// What is wrong with a whole one.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, &[u8])>, &'static str> {
        let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let Some((entry, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            return Ok(None);
        };
        let mut fields = Fields(entry);
        let record = match fields.kind()? {
            CHANGED => Record::Changed(Change {
                number: fields.number()?,
                inode: fields.number()?,
                range: fields.number()?..fields.number()?,
                bytes_before: fields.number()?,
                old: std::mem::take(&mut fields.0).to_vec(),
            }),
            SYNCED => Record::Synced {
                before: fields.number()?,
                inode: fields.number()?,
                range: fields.number()?..fields.number()?,
            },
            SYNC_FAILED => Record::SyncFailed { before: fields.number()?, inode: fields.number()? },
            FORGOTTEN => Record::Forgotten { inode: fields.number()? },
            RENAMED => {
                let [number, inode, kept] = [fields.number()?, fields.number()?, fields.number()?];
                Record::Renamed(Renaming { number, inode, kept, from: fields.path()?, to: fields.path()? })
            }
            DIRECTORY_SYNCED => Record::DirectorySynced {
                before: fields.number()?,
                path: fields.path()?.ok_or("a directory without a name")?,
            },
            _ => return Err("an entry of an unknown kind"),
        };
        if fields.0.is_empty() { Ok(Some((record, rest))) } else { Err("an entry is too long") }
    }
}

fn put_all(bytes: &mut Vec<u8>, numbers: &[u64]) {
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

/// A path with its length before it; no path is as long as that of none.
fn put_path(bytes: &mut Vec<u8>, path: Option<&Path>) {
    let length = path.map_or(u64::MAX, |path| path.as_os_str().len() as u64);
    put_all(bytes, &[length]);
    bytes.extend_from_slice(path.map_or(b"", |path| path.as_os_str().as_bytes()));
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn kind(&mut self) -> Result<u8, &'static str> {
        let (&kind, rest) = self.0.split_first().ok_or("an empty entry")?;
        self.0 = rest;
        Ok(kind)
    }

    fn number(&mut self) -> Result<u64, &'static str> {
        let (number, rest) = self.0.split_first_chunk().ok_or("an entry is too short")?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*number))
    }

    fn path(&mut self) -> Result<Option<PathBuf>, &'static str> {
        let length = self.number()?;
        if length == u64::MAX {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| "a path is too long")?;
        let (path, rest) = self.0.split_at_checked(length).ok_or("an entry is too short")?;
        self.0 = rest;
        Ok(Some(OsString::from_vec(path.to_vec()).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> Vec<Record> {
        vec![
            Record::Changed(Change { number: 1, inode: 7, range: 2..6, bytes_before: 4, old: b"ab".into() }),
            Record::Synced { before: 2, inode: 7, range: 0..u64::MAX },
            Record::SyncFailed { before: 3, inode: 7 },
            Record::Renamed(Renaming {
                number: 4,
                inode: 7,
                from: Some("/d/a".into()),
                to: Some("/d/b".into()),
                kept: 5,
            }),
            Record::Renamed(Renaming { number: 5, inode: 0, from: None, to: Some("/d/c".into()), kept: 0 }),
            Record::DirectorySynced { before: 6, path: "/d".into() },
            Record::Forgotten { inode: 7 },
        ]
    }

    #[test]
    fn entries_come_back_as_they_were() {
        for record in one_of_each() {
            let bytes = record.encode();
            assert_eq!(Record::decode(&bytes), Ok(Some((record.clone(), &[][..]))));
            for torn in 0..bytes.len() {
                assert_eq!(Record::decode(&bytes[..torn]), Ok(None), "{record:?} cut after {torn} bytes");
            }
        }
    }

    #[test]
    fn bytes_stay_as_they_are() {
        let change = &one_of_each()[0];
        let mut expected = vec![43, 0, 0, 0, 1];
        for number in [1_u8, 7, 2, 6, 4] {
            expected.extend([number, 0, 0, 0, 0, 0, 0, 0]);
        }
        expected.extend(b"ab");
        assert_eq!(change.encode(), expected);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Record::decode(&[1, 0, 0, 0, 9]).is_err());
        assert!(Record::decode(&[2, 0, 0, 0, SYNCED, 0]).is_err());
    }

    #[test]
    fn a_rename_between_directories_needs_both() {
        let mut renaming =
            Renaming { number: 1, inode: 2, from: Some("/a/x".into()), to: Some("/a/y".into()), kept: 0 };
        assert_eq!(renaming.directories().collect::<Vec<_>>(), [Path::new("/a")]);
        renaming.to = Some("/b/y".into());
        assert_eq!(renaming.directories().collect::<Vec<_>>(), [Path::new("/b"), Path::new("/a")]);
    }
}
