//! The journal as a file. All of this goes around the functions that this library stands before.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use quorate_faults::journal::{compact, decode, encode};
use quorate_faults::record::Record;
use rustix::fs::{CWD, Mode, OFlags, fstat, ftruncate, open, renameat};
use rustix::io::{pread, write};

/// A journal of so many bytes is looked through for what is of no use any more.
const COMPACTED_BYTES: u64 = 32 << 20;

/// The journal.
#[derive(Debug)]
pub struct JournalFile {
    path: PathBuf,
    file: OwnedFd,
    bytes: u64,
    compact_at: u64,
}

impl JournalFile {
    /// Opens it, makes it if there is none, and gives what is in it.
    pub fn open(path: &Path) -> io::Result<(Self, Vec<Record>)> {
        let file = open_to_append(path, OFlags::empty())?;
        let (records, whole) = decode(&read_all(&file)?).map_err(io::Error::other)?;
        // A process was killed while it wrote the rest.
        ftruncate(&file, whole as u64)?;
        let journal = Self { path: path.to_owned(), file, bytes: whole as u64, compact_at: COMPACTED_BYTES };
        Ok((journal, records))
    }

    /// Adds an entry.
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        self.append_bytes(&record.encode())
    }

    /// Whether it is so long that it should be looked through.
    pub fn is_long(&self) -> bool {
        self.bytes > self.compact_at
    }

    /// Begins anew: all is durable.
    pub fn clear(&mut self) -> io::Result<()> {
        if self.bytes > 0 {
            ftruncate(&self.file, 0)?;
            self.bytes = 0;
        }
        Ok(())
    }

    fn append_bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = write(&self.file, bytes)?;
            self.bytes += written as u64;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Leaves out what is of no use any more, and gives the rest.
    pub fn compact(&mut self) -> io::Result<Vec<Record>> {
        let (records, _) = decode(&read_all(&self.file)?).map_err(io::Error::other)?;
        let path = self.path.with_extension("new");
        let file = open_to_append(&path, OFlags::TRUNC)?;
        let mut compacted = Self { path: self.path.clone(), file, bytes: 0, compact_at: 0 };
        let records = compact(records);
        compacted.append_bytes(&encode(&records))?;
        compacted.compact_at = COMPACTED_BYTES.max(2 * compacted.bytes);
        renameat(CWD, &path, CWD, &self.path)?;
        *self = compacted;
        Ok(records)
    }
}

fn open_to_append(path: &Path, more: OFlags) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | more;
    Ok(open(path, flags, Mode::RUSR | Mode::WUSR)?)
}

fn read_all(file: &OwnedFd) -> io::Result<Vec<u8>> {
    read_range(file, 0, fstat(file)?.st_size as u64)
}

/// What a file holds of the `bytes` from `start` on.
pub fn read_range(file: &impl std::os::fd::AsFd, start: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let mut content = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
    let mut filled = 0;
    while filled < content.len() {
        match pread(file, &mut content[filled..], start + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    content.truncate(filled);
    Ok(content)
}

/// The path of what a descriptor stands for, by the system's table of them.
pub fn path_of(number: i32) -> io::Result<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let path = rustix::fs::readlink(format!("/proc/self/fd/{number}"), Vec::new())?;
    Ok(PathBuf::from(OsStr::from_bytes(path.as_bytes())))
}
