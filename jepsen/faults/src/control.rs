//! The page of memory by which the runner and the interposer talk.
//!
//! It is a file that both map. So what the runner sets holds at once, and for a process that starts later too, and what
//! the interposer counts survives its process.
#![expect(unsafe_code, reason = "memory that is shared with another process")]

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::clock::ClockFault;

/// What stands on the page. A file of zeros is one on which nothing goes wrong.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Control {
    /// The number of the last change of a file.
    pub changes: AtomicU64,
    /// The process that was the last to open a followed file.
    pub process: AtomicU64,
    /// The error number with which writes fail; 0 for none.
    pub write_error: AtomicU64,
    /// The error number with which syncs fail; 0 for none.
    pub sync_error: AtomicU64,
    /// By how many microseconds each sync takes longer.
    pub sync_delay: AtomicU64,
    /// How many writes were made to fail so far.
    pub failed_writes: AtomicU64,
    /// How many syncs were made to fail so far.
    pub failed_syncs: AtomicU64,
    /// How many syncs were slowed down so far.
    pub delayed_syncs: AtomicU64,
    /// How many syncs there were.
    pub syncs: AtomicU64,
    /// How often the clock was asked while it was wrong.
    pub wrong_times: AtomicU64,
    /// Odd while the clock is being changed.
    clock_version: AtomicU64,
    clock: [AtomicI64; 4],
}

impl Control {
    /// Sets the clock. Only one process at a time does that.
    pub fn set_clock(&self, fault: ClockFault) {
        let version = self.clock_version.load(Ordering::Relaxed);
        self.clock_version.store(version + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        let fields = [fault.since, fault.ahead, fault.rate_ppm, fault.wall_ahead];
        for (place, value) in self.clock.iter().zip(fields) {
            place.store(value, Ordering::Relaxed);
        }
        self.clock_version.store(version + 2, Ordering::Release);
    }

    /// How the clock stands; None if nobody has ever touched it.
    pub fn clock(&self) -> Option<ClockFault> {
        loop {
            let version = self.clock_version.load(Ordering::Acquire);
            if version == 0 {
                return None;
            }
            let [since, ahead, rate_ppm, wall_ahead] =
                self.clock.each_ref().map(|field| field.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if version.is_multiple_of(2) && self.clock_version.load(Ordering::Relaxed) == version {
                return Some(ClockFault { since, ahead, rate_ppm, wall_ahead });
            }
            std::hint::spin_loop();
        }
    }
}

const PAGE_BYTES: usize = 4096;

/// The page, mapped.
#[derive(Debug)]
pub struct ControlPage(NonNull<Control>);

// SAFETY: the page holds nothing but atomics, and stays mapped as long as this lives.
unsafe impl Send for ControlPage {}
// SAFETY: as above.
unsafe impl Sync for ControlPage {}

impl ControlPage {
    /// Maps the page of that file, which is made if it does not exist.
    ///
    /// # Errors
    ///
    /// The file cannot be made or mapped.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        file.set_len(PAGE_BYTES as u64)?;
        Self::map(&file)
    }

    /// Maps the page of a file that has one.
    ///
    /// # Errors
    ///
    /// The file cannot be mapped.
    pub fn map(file: impl std::os::fd::AsFd) -> io::Result<Self> {
        // SAFETY: a mapping at a place that the kernel chooses harms no other.
        let page = unsafe {
            let protection = ProtFlags::READ | ProtFlags::WRITE;
            mmap(null_mut(), PAGE_BYTES, protection, MapFlags::SHARED, file, 0)?
        };
        Ok(Self(NonNull::new(page.cast()).expect("nothing is mapped at zero")))
    }
}

impl Deref for ControlPage {
    type Target = Control;

    fn deref(&self) -> &Control {
        // SAFETY: a page is large enough and well aligned, any bytes of it are valid, and all access is atomic.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for ControlPage {
    fn drop(&mut self) {
        // SAFETY: nobody can have borrowed it. Failing would leave it mapped, which harms nobody.
        let _unmapped = unsafe { munmap(self.0.as_ptr().cast(), PAGE_BYTES) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_who_map_it_see_the_same() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("control");
        let [one, other] = [(); 2].map(|()| ControlPage::create(&path).expect("it can be mapped"));
        assert_eq!(one.clock(), None);
        let fault = ClockFault { since: 1, ahead: -2, rate_ppm: 3, wall_ahead: -4 };
        one.set_clock(fault);
        one.sync_delay.store(7, Ordering::Relaxed);
        assert_eq!(other.clock(), Some(fault));
        assert_eq!(other.sync_delay.load(Ordering::Relaxed), 7);
    }
}
