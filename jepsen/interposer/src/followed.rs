//! The folder that is followed in this process.
#![expect(unsafe_code, reason = "running before the program does; descriptors that come as numbers")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use quorate_faults::control::{Control, ControlPage};
use quorate_faults::record::{Change, Record, Renaming};
use quorate_faults::{DATA_VARIABLE, FOLDER_VARIABLE, control_path, is_followed, journal_path, kept_folder};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, linkat, lstat, mkdir, open, unlink};
use rustix::io::Errno;

use crate::die;
use crate::journal_file::{JournalFile, path_of, read_range};
use crate::state::State;

static FOLLOWED: OnceLock<Followed> = OnceLock::new();

/// The loader calls this before the program begins.
#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = begin;

extern "C" fn begin() {
    let [folder, data] =
        [FOLDER_VARIABLE, DATA_VARIABLE].map(|name| std::env::var_os(name).map(PathBuf::from));
    if let (Some(folder), Some(data)) = (folder, data) {
        let followed = Followed::new(&folder, data);
        let followed = followed.unwrap_or_else(|error| die(&format!("{}: {error}", folder.display())));
        FOLLOWED.get_or_init(|| followed);
    }
}

/// What is followed, if anything is.
pub fn followed() -> Option<&'static Followed> {
    FOLLOWED.get()
}

/// A folder that is followed.
#[derive(Debug)]
pub struct Followed {
    data: PathBuf,
    kept: PathBuf,
    control: ControlPage,
    journal: Mutex<Journal>,
}

#[derive(Debug)]
struct Journal {
    file: JournalFile,
    state: State,
}

/// An open file that is followed.
#[derive(Debug)]
pub struct FollowedFile<'a> {
    descriptor: BorrowedFd<'a>,
    number: i32,
    pub stat: Stat,
}

impl Followed {
    fn new(folder: &Path, data: PathBuf) -> io::Result<Self> {
        let (file, records) = JournalFile::open(&journal_path(folder))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        let page = open(control_path(folder), flags, Mode::RUSR | Mode::WUSR)?;
        rustix::fs::ftruncate(&page, 4096)?;
        let control = ControlPage::map(&page)?;
        let kept = kept_folder(&data);
        match mkdir(&kept, Mode::RWXU) {
            Err(Errno::EXIST) => {}
            made => made?,
        }
        let journal = Mutex::new(Journal { file, state: State::of(&records) });
        Ok(Self { data, kept, control, journal })
    }

    /// The page by which the runner says what goes wrong.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Whether the file of that path is followed.
    pub fn follows(&self, path: &Path) -> bool {
        path != self.data && is_followed(path, &self.data)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open file with that number, if it is one and is followed.
    pub fn file(&self, number: i32) -> Option<FollowedFile<'_>> {
        if number < 0 {
            return None;
        }
        // SAFETY: the caller of the function that we stand before keeps it open meanwhile. If it is not open at all,
        // asking for its state fails.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let stat = fstat(descriptor).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return None;
        }
        let known = &mut self.journal().state.known;
        let follows = || path_of(number).is_ok_and(|path| self.follows(&path));
        known.entry((stat.st_dev, stat.st_ino)).or_insert_with(follows).then_some(FollowedFile {
            descriptor,
            number,
            stat,
        })
    }

    /// The directory with that number, if it is one and names in it are followed.
    pub fn directory(&self, number: i32) -> Option<PathBuf> {
        let path = if number < 0 { None } else { path_of(number).ok() }?;
        let is_directory =
            || lstat(&path).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory);
        (path.starts_with(&self.data) && is_directory()).then_some(path)
    }

    /// The number of the next change: what has a smaller one is there.
    pub fn now(&self) -> u64 {
        self.control.changes.load(Ordering::SeqCst) + 1
    }

    fn next_number(&self) -> u64 {
        self.control.changes.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Before bytes of a file are changed, and it is perhaps cut. Gives the number of the change and that of the one
    /// before which is not durable.
    pub fn before_change(&self, file: &FollowedFile<'_>, start: u64, end: u64) -> (u64, Option<u64>) {
        let bytes = file.stat.st_size as u64;
        let (start, end) = (start.min(end), end);
        let old = match end.min(bytes).saturating_sub(start) {
            0 => Vec::new(),
            count => file.read(start, count).unwrap_or_else(|error| {
                die(&format!("cannot read what will be written over: {error}"));
            }),
        };
        let inode = file.stat.st_ino;
        let mut journal = self.journal();
        let number = self.next_number();
        let change = Change { number, inode, range: start..end, bytes_before: bytes, old };
        journal.append(&Record::Changed(change));
        let earlier = journal.state.last_change(inode);
        journal.state.changed(inode, number);
        (number, earlier)
    }

    /// A range that was just written is durable.
    pub fn range_synced(
        &self,
        file: &FollowedFile<'_>,
        range: std::ops::Range<u64>,
        change: (u64, Option<u64>),
    ) {
        let inode = file.stat.st_ino;
        let mut journal = self.journal();
        journal.append(&Record::Synced { before: change.0 + 1, inode, range });
        journal.state.range_synced(inode, change.0, change.1);
        journal.clear_if_clean();
    }

    /// A file is durable as it was before the change numbered `before`.
    pub fn synced(&self, file: &FollowedFile<'_>, before: u64) {
        let inode = file.stat.st_ino;
        let mut journal = self.journal();
        journal.append(&Record::Synced { before, inode, range: 0..u64::MAX });
        journal.state.synced(inode, before);
        journal.clear_if_clean();
    }

    /// It could not be made durable.
    pub fn sync_failed(&self, file: &FollowedFile<'_>, before: u64) {
        let inode = file.stat.st_ino;
        let mut journal = self.journal();
        journal.append(&Record::SyncFailed { before, inode });
        journal.state.sync_failed(inode);
    }

    /// The names in a directory are durable as they were before the change numbered `before`.
    pub fn directory_synced(&self, path: PathBuf, before: u64) {
        let mut journal = self.journal();
        let kept = journal.state.directory_synced(&path, before);
        // Noted first: a process that dies in between leaves files that nobody needs, and does not miss any.
        journal.append(&Record::DirectorySynced { before, path });
        for kept in kept {
            let link = self.kept.join(kept.to_string());
            if let Ok(stat) = lstat(&link)
                && unlink(&link).is_ok()
                && stat.st_nlink == 1
            {
                journal.forget(stat.st_ino);
            }
        }
        journal.clear_if_clean();
    }

    /// Before a name is made, changed or removed.
    pub fn before_renaming(&self, from: Option<PathBuf>, to: Option<PathBuf>) {
        let stat = |path: &Option<PathBuf>| path.as_deref().and_then(|path| lstat(path).ok());
        let moved = stat(&from);
        let goes = if to.is_some() { stat(&to) } else { moved };
        let is_file = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) != FileType::Directory;
        let mut journal = self.journal();
        let number = self.next_number();
        let kept = if goes.as_ref().is_some_and(is_file) { number } else { 0 };
        if let (true, Some(path)) = (kept != 0, to.as_deref().or(from.as_deref())) {
            let link = self.kept.join(number.to_string());
            linkat(CWD, path, CWD, &link, AtFlags::empty())
                .unwrap_or_else(|error| die(&format!("cannot keep {}: {error}", path.display())));
        }
        let renaming = Renaming { number, inode: moved.map_or(0, |stat| stat.st_ino), from, to, kept };
        journal.append(&Record::Renamed(renaming.clone()));
        journal.state.renamed(&renaming);
    }

    /// A file was opened. If it was made just now, its number may have been another's.
    pub fn opened(&self, number: i32, path: &Path, made: bool) {
        // SAFETY: it was opened just now, and its owner does not know of it yet.
        let Ok(stat) = fstat(unsafe { BorrowedFd::borrow_raw(number) }) else { return };
        let follows = self.follows(path);
        let mut journal = self.journal();
        journal.state.known.insert((stat.st_dev, stat.st_ino), follows);
        if follows {
            self.control.process.store(std::process::id().into(), Ordering::Relaxed);
            if made {
                journal.forget(stat.st_ino);
            }
        }
    }
}

impl Journal {
    fn append(&mut self, record: &Record) {
        self.file.append(record).unwrap_or_else(|error| die(&format!("cannot write the journal: {error}")));
        if self.file.is_long() {
            let left = self.file.compact();
            let left = left.unwrap_or_else(|error| die(&format!("cannot compact the journal: {error}")));
            self.state.retain_failed(&left);
        }
    }

    fn forget(&mut self, inode: u64) {
        self.append(&Record::Forgotten { inode });
        self.state.forget(inode);
    }

    fn clear_if_clean(&mut self) {
        if self.state.is_clean() {
            self.file.clear().unwrap_or_else(|error| die(&format!("cannot clear the journal: {error}")));
        }
    }
}

impl FollowedFile<'_> {
    fn read(&self, start: u64, bytes: u64) -> io::Result<Vec<u8>> {
        match read_range(&self.descriptor, start, bytes) {
            // It may have been opened only to be written.
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => {
                let path = format!("/proc/self/fd/{}", self.number);
                read_range(
                    &open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?.as_fd(),
                    start,
                    bytes,
                )
            }
            read => read,
        }
    }
}
