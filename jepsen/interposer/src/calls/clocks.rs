//! What the time is, and waiting by it.
#![expect(unsafe_code, reason = "standing before functions of the C library")]

use libc::{c_int, c_long, clockid_t, epoll_event, timespec};

use super::refused::{REFUSED_CALLS, refuse};
use crate::followed::followed;
use crate::next::next;
use crate::wrong_clock::{clock_fault, put_wrong, true_deadline, true_wait};

#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    let result = next!(clock_gettime: fn(clock => clockid_t, time => *mut timespec) -> c_int);
    if result == 0 {
        // SAFETY: the C library has just written there.
        put_wrong(clock, unsafe { &mut *time });
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_wait(
    epoll: c_int,
    events: *mut epoll_event,
    count: c_int,
    timeout: c_int,
) -> c_int {
    let timeout = match clock_fault() {
        // Rounded up, or it would return a little early and be called again at once.
        Some(fault) if timeout > 0 => {
            let nanoseconds = fault.true_nanoseconds(i64::from(timeout) * 1_000_000);
            c_int::try_from((nanoseconds as u64).div_ceil(1_000_000)).unwrap_or(c_int::MAX)
        }
        _ => timeout,
    };
    next!(epoll_wait: fn(
        epoll => c_int, events => *mut epoll_event, count => c_int, timeout => c_int
    ) -> c_int)
}

/// The C library's has as many arguments as the call needs; they come in registers, so that more do no harm.
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    first: c_long,
    second: c_long,
    third: c_long,
    fourth: c_long,
    fifth: c_long,
    sixth: c_long,
) -> c_long {
    let mut adjusted = None;
    if followed().is_some() {
        if REFUSED_CALLS.contains(&number) {
            refuse(&format!("system call {number}"));
        }
        // SAFETY: the fourth argument of a futex that waits is null or a time.
        let wanted = || unsafe { (fourth as *const timespec).as_ref() };
        if number == libc::SYS_futex {
            adjusted = match second as c_int & !(libc::FUTEX_PRIVATE_FLAG) {
                libc::FUTEX_WAIT => wanted().and_then(true_wait),
                libc::FUTEX_WAIT_BITSET => wanted().and_then(true_deadline),
                _ => None,
            };
        }
    }
    let fourth = adjusted.as_ref().map_or(fourth, |time| std::ptr::from_ref(time) as c_long);
    next!(syscall: fn(
        number => c_long, first => c_long, second => c_long, third => c_long, fourth => c_long, fifth => c_long,
        sixth => c_long
    ) -> c_long)
}
