//! Names that are made, changed and removed.
#![expect(unsafe_code, reason = "standing before functions of the C library")]

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use libc::{c_char, c_int, mode_t};
use rustix::fs::lstat;

use super::fails;
use super::refused::refuse;
use crate::followed::{Followed, followed};
use crate::journal_file::path_of;
use crate::next::next;

/// The path that a directory and a name in it stand for, if what it names is followed.
///
/// # Safety
///
/// The name ends with zero.
unsafe fn followed_path(directory: c_int, name: *const c_char) -> Option<(&'static Followed, PathBuf)> {
    let followed = followed()?;
    // SAFETY: promised by the caller.
    let name = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes()));
    let path = if name.is_absolute() {
        name.to_owned()
    } else if directory == libc::AT_FDCWD {
        std::env::current_dir().ok()?.join(name)
    } else {
        path_of(directory).ok()?.join(name)
    };
    Some((followed, path))
}

/// An opening, which `perform` does.
///
/// # Safety
///
/// The name ends with zero.
unsafe fn open_with(
    directory: c_int,
    name: *const c_char,
    flags: c_int,
    perform: impl FnOnce() -> c_int,
) -> c_int {
    // SAFETY: promised by the caller.
    let Some((followed, path)) = (unsafe { followed_path(directory, name) }) else { return perform() };
    let follows = followed.follows(&path);
    let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
    if !follows && flags & libc::O_CREAT == 0 {
        return perform();
    }
    if follows && flags & (libc::O_DIRECT | (libc::O_TMPFILE & !libc::O_DIRECTORY)) != 0 {
        refuse("open with O_DIRECT or O_TMPFILE");
    }
    let makes = flags & libc::O_CREAT != 0 && lstat(&path).is_err();
    if follows && makes {
        let control = followed.control();
        if fails(&control.write_error, &control.failed_writes) {
            return -1;
        }
        followed.before_renaming(None, Some(path.clone()));
    }
    let cuts = follows && writes && !makes && flags & libc::O_TRUNC != 0;
    if cuts {
        // SAFETY: promised by the caller. Opened by the flags that it would have, but for the one that cuts.
        let uncut = unsafe { libc::syscall(libc::SYS_openat, directory, name, flags & !libc::O_TRUNC, 0) };
        if let Some(file) = c_int::try_from(uncut).ok().filter(|&file| file >= 0) {
            if let Some(file) = followed.file(file) {
                followed.before_change(&file, 0, file.stat.st_size as u64);
            }
            // SAFETY: it was opened above, and is nobody else's.
            unsafe { libc::close(file) };
        }
    }
    let opened = perform();
    if opened >= 0 {
        followed.opened(opened, &path, makes);
    }
    opened
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let perform = || next!(open64: fn(path => *const c_char, flags => c_int, mode => mode_t) -> c_int);
    // SAFETY: passed on as it came.
    unsafe { open_with(libc::AT_FDCWD, path, flags, perform) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the same function by another name.
    unsafe { open64(path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn openat64(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let perform = || {
        next!(openat64: fn(
            directory => c_int, path => *const c_char, flags => c_int, mode => mode_t
        ) -> c_int)
    };
    // SAFETY: passed on as it came.
    unsafe { open_with(directory, path, flags, perform) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn openat(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the same function by another name.
    unsafe { openat64(directory, path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: passed on as it came.
    if let Some((followed, path)) = unsafe { followed_path(libc::AT_FDCWD, path) }
        && followed.follows(&path)
        && lstat(&path).is_err()
    {
        followed.before_renaming(None, Some(path));
    }
    next!(mkdir: fn(path => *const c_char, mode => mode_t) -> c_int)
}

/// Whether a renaming changes anything: the file is there, and does not have both names already.
fn renames(from: &Path, to: &Path) -> bool {
    let file = |path| lstat(path).map(|stat| (stat.st_dev, stat.st_ino)).ok();
    file(from).is_some() && file(from) != file(to)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: passed on as they came.
    let [old, new] = [from, to].map(|name| unsafe { followed_path(libc::AT_FDCWD, name) });
    if let (Some((followed, old)), Some((_, new))) = (old, new) {
        match (followed.follows(&old), followed.follows(&new)) {
            (true, true) if renames(&old, &new) => followed.before_renaming(Some(old), Some(new)),
            (true, false) | (false, true) => refuse("rename into or out of the folder"),
            _ => {}
        }
    }
    next!(rename: fn(from => *const c_char, to => *const c_char) -> c_int)
}

/// A name goes.
///
/// # Safety
///
/// It ends with zero.
unsafe fn before_removal(directory: c_int, name: *const c_char) {
    // SAFETY: promised by the caller.
    if let Some((followed, path)) = unsafe { followed_path(directory, name) }
        && followed.follows(&path)
        && lstat(&path).is_ok()
    {
        followed.before_renaming(Some(path), None);
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: passed on as it came.
    unsafe { before_removal(libc::AT_FDCWD, path) };
    next!(unlink: fn(path => *const c_char) -> c_int)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    // SAFETY: passed on as it came.
    unsafe { before_removal(libc::AT_FDCWD, path) };
    next!(rmdir: fn(path => *const c_char) -> c_int)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlinkat(directory: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: passed on as it came.
    unsafe { before_removal(directory, path) };
    next!(unlinkat: fn(directory => c_int, path => *const c_char, flags => c_int) -> c_int)
}
