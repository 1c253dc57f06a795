//! Writes, and cuts of open files.
#![expect(unsafe_code, reason = "standing before functions of the C library")]

use libc::{c_int, c_void, iovec, off_t, size_t, ssize_t};

use super::syncs::delay;
use super::{fails, set_error};
use crate::followed::followed;
use crate::next::next;

/// Where a write goes.
enum Offset {
    At(off_t),
    /// Wherever the descriptor stands.
    Current,
}

/// The position at which a write will happen.
fn position(number: c_int, flags: c_int, bytes: u64, offset: &Offset) -> u64 {
    let position = match offset {
        // Whatever was asked for.
        _ if flags & libc::O_APPEND != 0 => return bytes,
        Offset::At(offset) => *offset,
        // SAFETY: this asks for the position and does not change it.
        Offset::Current => unsafe { libc::lseek(number, 0, libc::SEEK_CUR) },
    };
    // The system will refuse a position that is none.
    position.try_into().unwrap_or_default()
}

/// A write of `count` bytes, which `perform` does.
fn write_with(number: c_int, offset: Offset, count: usize, perform: impl FnOnce() -> ssize_t) -> ssize_t {
    let Some(followed) = followed() else { return perform() };
    let Some(file) = followed.file(number).filter(|_| count > 0) else { return perform() };
    let control = followed.control();
    if fails(&control.write_error, &control.failed_writes) {
        return -1;
    }
    // SAFETY: reading the flags of a descriptor touches no memory.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFL) };
    let durable = flags & libc::O_DSYNC != 0;
    if durable && fails(&control.sync_error, &control.failed_syncs) {
        return -1;
    }
    let start = position(number, flags, file.stat.st_size as u64, &offset);
    let change = followed.before_change(&file, start, start + count as u64);
    if durable {
        delay(control);
    }
    let written = perform();
    if durable && written > 0 {
        followed.range_synced(&file, start..start + written as u64, change);
    }
    written
}

/// The bytes of a vectored write.
///
/// # Safety
///
/// `vectors` points to `count` of them.
unsafe fn total(vectors: *const iovec, count: c_int) -> usize {
    let vectors = match usize::try_from(count) {
        // SAFETY: promised by the caller; an empty list may come without a pointer.
        Ok(count) if count > 0 => unsafe { std::slice::from_raw_parts(vectors, count) },
        _ => return 0,
    };
    vectors.iter().map(|vector| vector.iov_len).sum()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    let perform = || next!(write: fn(fd => c_int, buffer => *const c_void, count => size_t) -> ssize_t);
    write_with(fd, Offset::Current, count, perform)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(fd: c_int, buffer: *const c_void, count: size_t, offset: off_t) -> ssize_t {
    let perform = || {
        next!(pwrite64: fn(
            fd => c_int, buffer => *const c_void, count => size_t, offset => off_t
        ) -> ssize_t)
    };
    write_with(fd, Offset::At(offset), count, perform)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite(fd: c_int, buffer: *const c_void, count: size_t, offset: off_t) -> ssize_t {
    // SAFETY: the same function by another name.
    unsafe { pwrite64(fd, buffer, count, offset) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn writev(fd: c_int, vectors: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller promises `count` vectors.
    let bytes = unsafe { total(vectors, count) };
    let perform = || next!(writev: fn(fd => c_int, vectors => *const iovec, count => c_int) -> ssize_t);
    write_with(fd, Offset::Current, bytes, perform)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate64(fd: c_int, length: off_t) -> c_int {
    if let Some(followed) = followed()
        && let Some(file) = followed.file(fd)
    {
        let Ok(length) = u64::try_from(length) else {
            set_error(libc::EINVAL);
            return -1;
        };
        // What it grows by is nothing that could be lost.
        let bytes = file.stat.st_size as u64;
        followed.before_change(&file, length.min(bytes), bytes);
    }
    next!(ftruncate64: fn(fd => c_int, length => off_t) -> c_int)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate(fd: c_int, length: off_t) -> c_int {
    // SAFETY: the same function by another name.
    unsafe { ftruncate64(fd, length) }
}
