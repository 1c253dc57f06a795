//! Functions that change files in ways that are not followed. A process whose folder is followed ends when it calls one.
#![expect(unsafe_code, reason = "standing before functions of the C library")]

use libc::{c_char, c_int, c_uint, c_void, iovec, mode_t, off_t, size_t, ssize_t};

use crate::die;
use crate::followed::followed;
use crate::next::next;

/// Ends the process.
pub fn refuse(what: &str) -> ! {
    die(&format!("{what}: this is not followed, and so power could not be lost as on a real disk"));
}

macro_rules! refused {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            if followed().is_some() {
                refuse(stringify!($name));
            }
            next!($name: fn($($argument => $type),*) -> $result)
        }
    )*};
}

type Text = *const c_char;

refused! {
    copy_file_range(from: c_int, from_at: *mut off_t, to: c_int, to_at: *mut off_t, count: size_t, flags: c_uint)
        -> ssize_t;
    sendfile(to: c_int, from: c_int, offset: *mut off_t, count: size_t) -> ssize_t;
    sendfile64(to: c_int, from: c_int, offset: *mut off_t, count: size_t) -> ssize_t;
    splice(from: c_int, from_at: *mut off_t, to: c_int, to_at: *mut off_t, count: size_t, flags: c_uint) -> ssize_t;
    pwritev(file: c_int, vectors: *const iovec, count: c_int, offset: off_t) -> ssize_t;
    pwritev64(file: c_int, vectors: *const iovec, count: c_int, offset: off_t) -> ssize_t;
    pwritev2(file: c_int, vectors: *const iovec, count: c_int, offset: off_t, flags: c_int) -> ssize_t;
    fallocate(file: c_int, mode: c_int, offset: off_t, length: off_t) -> c_int;
    fallocate64(file: c_int, mode: c_int, offset: off_t, length: off_t) -> c_int;
    posix_fallocate(file: c_int, offset: off_t, length: off_t) -> c_int;
    posix_fallocate64(file: c_int, offset: off_t, length: off_t) -> c_int;
    truncate(path: Text, length: off_t) -> c_int;
    truncate64(path: Text, length: off_t) -> c_int;
    creat(path: Text, mode: mode_t) -> c_int;
    creat64(path: Text, mode: mode_t) -> c_int;
    link(from: Text, to: Text) -> c_int;
    linkat(from_in: c_int, from: Text, to_in: c_int, to: Text, flags: c_int) -> c_int;
    symlink(target: Text, name: Text) -> c_int;
    symlinkat(target: Text, directory: c_int, name: Text) -> c_int;
    mkdirat(directory: c_int, name: Text, mode: mode_t) -> c_int;
    renameat(from_in: c_int, from: Text, to_in: c_int, to: Text) -> c_int;
    renameat2(from_in: c_int, from: Text, to_in: c_int, to: Text, flags: c_uint) -> c_int;
    remove(path: Text) -> c_int;
    sync_file_range(file: c_int, offset: off_t, length: off_t, flags: c_uint) -> c_int;
    syncfs(file: c_int) -> c_int;
    msync(address: *mut c_void, length: size_t, flags: c_int) -> c_int;
}

/// System calls that are made by number, past the functions that this library stands before.
pub const REFUSED_CALLS: [libc::c_long; 12] = [
    libc::SYS_write,
    libc::SYS_pwrite64,
    libc::SYS_writev,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_copy_file_range,
    libc::SYS_fallocate,
    libc::SYS_ftruncate,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_io_uring_setup,
];

#[unsafe(no_mangle)]
unsafe extern "C" fn mmap64(
    address: *mut c_void,
    length: size_t,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: off_t,
) -> *mut c_void {
    let writes = protection & libc::PROT_WRITE != 0 && flags & libc::MAP_TYPE != libc::MAP_PRIVATE;
    if writes && file >= 0 && followed().is_some_and(|followed| followed.file(file).is_some()) {
        refuse("a file that is mapped to be written");
    }
    next!(mmap64: fn(
        address => *mut c_void, length => size_t, protection => c_int, flags => c_int, file => c_int, offset => off_t
    ) -> *mut c_void)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mmap(
    address: *mut c_void,
    length: size_t,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: off_t,
) -> *mut c_void {
    // SAFETY: the same function by another name.
    unsafe { mmap64(address, length, protection, flags, file, offset) }
}
