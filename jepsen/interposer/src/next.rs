//! The functions that this library stands before.
#![expect(unsafe_code, reason = "finding functions of the C library by their names")]

use std::ffi::CStr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::die;

/// Where the function of that name is that would have been called without us.
pub fn find(name: &CStr, cache: &AtomicUsize) -> usize {
    let known = cache.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    // SAFETY: the name ends with zero.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) } as usize;
    if found == 0 {
        die(&format!("the C library has no {name:?}"));
    }
    cache.store(found, Ordering::Relaxed);
    found
}

/// Calls the function of that name and type that would have been called without us.
///
/// To be used where `unsafe` is: the type has to be the function's.
macro_rules! next {
    ($name:ident: fn($($argument:expr => $type:ty),*) -> $result:ty) => {{
        static FOUND: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let name = const {
            match std::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => panic!("a name has no zero in it"),
            }
        };
        let function = $crate::next::find(name, &FOUND);
        // SAFETY: the C library's function of that name is of that type.
        unsafe {
            std::mem::transmute::<usize, unsafe extern "C" fn($($type),*) -> $result>(function)($($argument),*)
        }
    }};
}
pub(crate) use next;
