//! A library that is loaded into a process before the C library (`LD_PRELOAD`), and so is called for what the process
//! does to its files and for the time. What it lets happen, and how the runner asks for it, is told in `quorate-faults`.
//!
//! # What it follows
//!
//! Files below the folder that [`DATA_VARIABLE`](quorate_faults::DATA_VARIABLE) names, but for locks: writes (`write`,
//! `writev`, `pwrite`), cuts (`ftruncate`, `open` with `O_TRUNC`), syncs (`fsync`, `fdatasync`, descriptors with
//! `O_DSYNC`), and names that are made, renamed and removed (`open` with `O_CREAT`, `mkdir`, `rename`, `unlink`, `rmdir`).
//! Before each change it appends to the journal how the change is undone; then it does what it was asked for.
//!
//! What it knows of and cannot follow (memory maps that are written through, `O_DIRECT`, `io_uring`, `copy_file_range` and
//! others) [ends the process](calls::refused): a disk that is modelled wrongly proves nothing. A program that makes its
//! system calls by itself is not seen at all; the runner sees that on the control page, on which no process has then said
//! that it has opened a file.
//!
//! # Clocks
//!
//! The monotonic clocks, the wall clocks, and what waits by them (`epoll_wait`, futexes) go as the control page says.

mod calls;
mod followed;
mod journal_file;
mod next;
mod state;
mod wrong_clock;

/// Ends the process: what it does cannot be followed, or the journal cannot be written.
fn die(reason: &str) -> ! {
    // Not by a function that this library stands before: the caller may hold its locks.
    let message = format!("interposer: {reason}\n");
    let _the_process_ends_anyway = rustix::io::write(rustix::stdio::stderr(), message.as_bytes());
    std::process::abort();
}
