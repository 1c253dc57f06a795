//! The C library's functions that this program replaces.
//!
//! Each function does its work by the system call. What it adds is in two places: before a write,
//! what the disk holds is kept ([`Disk::before_write`](super::disk::Disk)); after it, and at a sync, the
//! fuse burns. If the model itself fails (it cannot read a file, say) the process ends: a simulation
//! on a disk that is modelled wrongly proves nothing.
#![expect(unsafe_code, reason = "replacing functions of the C library is what this file is for")]

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libc::{c_char, c_int, c_void, iovec, off_t, size_t, ssize_t};

use super::disk::{self, Descriptor, OnBlow};
use super::modelled_file::FileIdentity;

#[cfg(not(all(target_os = "linux", target_pointer_width = "64", target_env = "gnu")))]
compile_error!("power loss is modelled for the C library of 64-bit Linux");

/// Where a write goes.
enum Offset {
    At(off_t),
    /// Wherever the descriptor stands.
    Current,
}

/// The file or directory behind a descriptor; `None` for anything else.
fn describe(number: c_int) -> Option<Descriptor> {
    if number < 0 {
        return None;
    }
    // SAFETY: the caller of the intercepted function keeps the descriptor open during the call, and
    // `ManuallyDrop` leaves it open. On a number that is not open, `metadata` fails.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(number) });
    let metadata = file.metadata().ok()?;
    let described = metadata.is_file() || metadata.is_dir();
    described.then(|| Descriptor {
        number,
        identity: FileIdentity::of(&metadata),
        is_directory: metadata.is_dir(),
    })
}

fn flags(descriptor: Descriptor) -> c_int {
    // SAFETY: reading the flags of a descriptor touches no memory.
    unsafe { libc::fcntl(descriptor.number, libc::F_GETFL) }
}

/// The position at which a write will happen.
fn position(descriptor: Descriptor, offset: &Offset) -> u64 {
    // A write through a descriptor that appends goes to the end whatever was asked for.
    let position = match offset {
        // SAFETY: moving an offset touches no memory. The end is asked for and then put back.
        _ if flags(descriptor) & libc::O_APPEND != 0 => unsafe {
            let before = libc::lseek(descriptor.number, 0, libc::SEEK_CUR);
            let end = libc::lseek(descriptor.number, 0, libc::SEEK_END);
            libc::lseek(descriptor.number, before, libc::SEEK_SET);
            end
        },
        Offset::At(offset) => *offset,
        // SAFETY: as above; this does not move the offset.
        Offset::Current => unsafe { libc::lseek(descriptor.number, 0, libc::SEEK_CUR) },
    };
    u64::try_from(position).unwrap_or_else(|_| die("a regular file has no position"))
}

fn die(reason: &str) -> ! {
    eprintln!("power loss: {reason}");
    std::process::abort();
}

fn set_errno(error: &std::io::Error) {
    let code = error.raw_os_error().unwrap_or_else(|| die(&format!("the model failed: {error}")));
    // SAFETY: the C library gives each thread an error number of its own.
    unsafe { *libc::__errno_location() = code };
}

/// Calls what has to be called when power is lost: without the lock, so that it may ask the model.
fn call(blown: Vec<OnBlow>) {
    for on_blow in blown {
        on_blow();
    }
}

/// A write of `count` bytes, which `perform` does.
fn write_with(number: c_int, offset: Offset, count: usize, perform: impl FnOnce() -> ssize_t) -> ssize_t {
    if !disk::intercepts() || count == 0 {
        return perform();
    }
    let Some(descriptor) = describe(number).filter(|descriptor| !descriptor.is_directory) else {
        return perform();
    };
    let start = position(descriptor, &offset);
    match disk::with(|disk| disk.before_write(descriptor, start..start + count as u64)) {
        Ok(true) => {}
        Ok(false) => return perform(),
        Err(error) => {
            set_errno(&error);
            return -1;
        }
    }
    let written = perform();
    if written > 0 {
        let durable = flags(descriptor) & libc::O_DSYNC != 0;
        let bytes = start..start + written as u64;
        match disk::with(|disk| disk.after_write(descriptor, bytes, durable)) {
            Ok(blown) => call(blown),
            Err(error) => die(&format!("cannot follow a write: {error}")),
        }
    }
    written
}

/// A sync, which `perform` does for files that are not modelled. Those that are stay in memory: what a
/// real disk holds is of no interest here, and waiting for one would be slow.
fn sync_with(number: c_int, perform: impl FnOnce() -> c_int) -> c_int {
    if !disk::intercepts() {
        return perform();
    }
    let Some(descriptor) = describe(number) else { return perform() };
    match disk::with(|disk| disk.sync(descriptor)) {
        Ok(Some(blown)) => {
            call(blown);
            0
        }
        Ok(None) => perform(),
        Err(error) => {
            set_errno(&error);
            -1
        }
    }
}

/// The bytes of a vectored write.
///
/// # Safety
///
/// `vectors` points to `count` of them, as the callers of the intercepted functions promise.
unsafe fn total(vectors: *const iovec, count: c_int) -> usize {
    // SAFETY: promised by the caller; an empty list may come without a pointer.
    let vectors = match usize::try_from(count) {
        Ok(count) if count > 0 => unsafe { std::slice::from_raw_parts(vectors, count) },
        _ => return 0,
    };
    vectors.iter().map(|vector| vector.iov_len).sum()
}

/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    // SAFETY: the arguments are passed on as they came.
    let perform = || unsafe { libc::syscall(libc::SYS_write, fd, buffer, count) as ssize_t };
    write_with(fd, Offset::Current, count, perform)
}

/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(fd: c_int, buffer: *const c_void, count: size_t, offset: off_t) -> ssize_t {
    // SAFETY: the arguments are passed on as they came.
    let perform = || unsafe { libc::syscall(libc::SYS_pwrite64, fd, buffer, count, offset) as ssize_t };
    write_with(fd, Offset::At(offset), count, perform)
}

/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(fd: c_int, buffer: *const c_void, count: size_t, offset: off_t) -> ssize_t {
    // SAFETY: the same function by another name.
    unsafe { pwrite(fd, buffer, count, offset) }
}

/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(fd: c_int, vectors: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller promises `count` vectors.
    let bytes = unsafe { total(vectors, count) };
    // SAFETY: the arguments are passed on as they came.
    let perform = || unsafe { libc::syscall(libc::SYS_writev, fd, vectors, count) as ssize_t };
    write_with(fd, Offset::Current, bytes, perform)
}

/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwritev(fd: c_int, vectors: *const iovec, count: c_int, offset: off_t) -> ssize_t {
    // SAFETY: the caller promises `count` vectors.
    let bytes = unsafe { total(vectors, count) };
    // SAFETY: the arguments are passed on as they came; the offset's upper half is not used where one
    // register holds it all.
    let perform = || unsafe { libc::syscall(libc::SYS_pwritev, fd, vectors, count, offset, 0) as ssize_t };
    write_with(fd, Offset::At(offset), bytes, perform)
}

/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwritev64(fd: c_int, vectors: *const iovec, count: c_int, offset: off_t) -> ssize_t {
    // SAFETY: the same function by another name.
    unsafe { pwritev(fd, vectors, count, offset) }
}

/// The C library's.
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(fd: c_int) -> c_int {
    // SAFETY: a sync touches no memory.
    sync_with(fd, || unsafe { libc::syscall(libc::SYS_fdatasync, fd) as c_int })
}

/// The C library's.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(fd: c_int) -> c_int {
    // SAFETY: a sync touches no memory.
    sync_with(fd, || unsafe { libc::syscall(libc::SYS_fsync, fd) as c_int })
}

/// Writes through a memory map are not modelled, and to say nothing about them would be a lie.
///
/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msync(address: *mut c_void, length: size_t, flags: c_int) -> c_int {
    if disk::intercepts() {
        die("msync: writes through a memory map are not modelled");
    }
    // SAFETY: the arguments are passed on as they came.
    unsafe { libc::syscall(libc::SYS_msync, address, length, flags) as c_int }
}

/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the arguments are passed on as they came.
    let perform =
        || unsafe { libc::syscall(libc::SYS_renameat, libc::AT_FDCWD, from, libc::AT_FDCWD, to) as c_int };
    if !disk::intercepts() {
        return perform();
    }
    // SAFETY: the caller promises two strings that end with zero.
    let (from, to) = unsafe { (CStr::from_ptr(from), CStr::from_ptr(to)) };
    let path = |name: &CStr| Path::new(OsStr::from_bytes(name.to_bytes())).to_path_buf();
    let kept = disk::with(|disk| disk.before_rename(&path(from), &path(to)));
    let kept = kept.unwrap_or_else(|error| die(&format!("cannot prepare a rename: {error}")));
    let renamed = perform();
    if renamed == 0
        && let Some(kept) = kept
    {
        call(disk::with(|disk| disk.after_rename(kept)));
    }
    renamed
}
