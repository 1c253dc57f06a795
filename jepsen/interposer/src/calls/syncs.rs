//! Making files and directories durable.
#![expect(unsafe_code, reason = "standing before functions of the C library")]

use std::sync::atomic::Ordering;

use libc::c_int;
use quorate_faults::control::Control;
use rustix::thread::{ClockId, clock_nanosleep_relative};

use super::fails;
use crate::followed::followed;
use crate::next::next;

/// Takes as much longer as the control page says.
pub fn delay(control: &Control) {
    control.syncs.fetch_add(1, Ordering::Relaxed);
    let micros = control.sync_delay.load(Ordering::Relaxed);
    if micros > 0 {
        control.delayed_syncs.fetch_add(1, Ordering::Relaxed);
        let time = rustix::fs::Timespec {
            tv_sec: (micros / 1_000_000) as i64,
            tv_nsec: (micros % 1_000_000 * 1_000) as i64,
        };
        // A signal may cut it short, which is as good a delay as any.
        let _cut_short = clock_nanosleep_relative(ClockId::Monotonic, &time);
    }
}

/// A sync, which `perform` does.
fn sync_with(number: c_int, perform: impl FnOnce() -> c_int) -> c_int {
    let Some(followed) = followed() else { return perform() };
    let control = followed.control();
    // What is changed while it runs may or may not be covered by it.
    let before = followed.now();
    if let Some(file) = followed.file(number) {
        delay(control);
        if fails(&control.sync_error, &control.failed_syncs) {
            followed.sync_failed(&file, before);
            return -1;
        }
        let done = perform();
        match done {
            0 => followed.synced(&file, before),
            _ => followed.sync_failed(&file, before),
        }
        return done;
    }
    let Some(path) = followed.directory(number) else { return perform() };
    delay(control);
    if fails(&control.sync_error, &control.failed_syncs) {
        return -1;
    }
    let done = perform();
    if done == 0 {
        followed.directory_synced(path, before);
    }
    done
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync_with(fd, || next!(fdatasync: fn(fd => c_int) -> c_int))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    sync_with(fd, || next!(fsync: fn(fd => c_int) -> c_int))
}
