//! What can be done to the disk and to the clocks of a process that knows nothing of it.
//!
//! # Who is who
//!
//! The *interposer* (`jepsen/interposer`) is a shared library that is loaded into a process before the C library, and
//! so is called for everything that the process does to its files. The *runner* starts that process and wants to do
//! harm. This crate is what both share: the [page of memory](control) by which the runner tells the interposer what
//! goes wrong now, and the [journal](journal) in which the interposer notes, before each change of a file, how it can
//! be undone.
//!
//! # How power is lost
//!
//! A process that is killed with SIGKILL loses nothing that it wrote: that is in the kernel's memory, and a process
//! that starts anew finds it there. A machine that loses power loses all that was not synced. So after the kill the
//! runner [rolls back](power_loss) what the process had not synced: all of it, or some sectors here and there, as a disk
//! does that had begun to write. The journal is written by system calls, so it survives the kill as the files do; and it
//! is never torn in a way that matters, because each change is noted before it is made.
//!
//! What counts as synced is what POSIX promises and no more: the content of a file by `fsync`, `fdatasync` or a
//! descriptor opened with `O_DSYNC`; a name that was made, renamed or removed by `fsync` of its directory. File systems
//! promise more than that; who relies on it is found out. After a sync of a file that *failed*, what it was for can no
//! longer be made durable by another one, as on Linux: it has to be written again.
//!
//! | Module | What it holds |
//! |---|---|
//! | [`control`] | the page of memory: errors, delays, clocks, and counters of what has happened |
//! | [`clock`] | a clock that runs too fast or too slowly, and wall clocks that jump |
//! | [`record`] | one entry of the journal, as bytes |
//! | [`journal`] | the journal: what of it is still of use |
//! | [`unsynced`] | what a loss of power would undo now |
//! | [`power_loss`] | doing it |

pub mod clock;
pub mod control;
pub mod journal;
pub mod power_loss;
pub mod record;
pub mod unsynced;

use std::path::{Path, PathBuf};

/// The environment variable that names the folder of the journal and the control page. Without it the interposer does
/// nothing.
pub const FOLDER_VARIABLE: &str = "INTERPOSER_FOLDER";
/// The environment variable that names the folder whose files are followed: absolute and canonical.
pub const DATA_VARIABLE: &str = "INTERPOSER_DATA";

/// The journal in the interposer's folder.
pub fn journal_path(folder: &Path) -> PathBuf {
    folder.join("journal")
}

/// The control page in the interposer's folder.
pub fn control_path(folder: &Path) -> PathBuf {
    folder.join("control")
}

/// Where files stay whose removal is not durable yet: beside the data, since they are linked there, by numbers.
pub fn kept_folder(data: &Path) -> PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push(".kept");
    name.into()
}

/// Whether changes of a file are followed. Locks are no data: a machine that boots has none.
pub fn is_followed(path: &Path, data: &Path) -> bool {
    let locks = ["lock", "lock.mdb"];
    path.starts_with(data) && !path.file_name().is_some_and(|name| locks.iter().any(|lock| name == *lock))
}
