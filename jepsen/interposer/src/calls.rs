//! The functions of the C library that this library stands before.
//!
//! Each is `unsafe` exactly as the C library's is, and asks of its callers what that one asks.

mod clocks;
mod names;
pub mod refused;
mod syncs;
mod writes;

use std::sync::atomic::{AtomicU64, Ordering};

/// Lets a call fail, if the control page says so: sets the error number, counts, and gives true.
fn fails(error: &AtomicU64, failed: &AtomicU64) -> bool {
    let number = error.load(Ordering::Relaxed) as i32;
    if number != 0 {
        failed.fetch_add(1, Ordering::Relaxed);
        set_error(number);
    }
    number != 0
}

fn set_error(number: i32) {
    #[expect(unsafe_code, reason = "the C library gives each thread an error number of its own")]
    // SAFETY: the place is this thread's own.
    unsafe {
        *libc::__errno_location() = number;
    }
}
