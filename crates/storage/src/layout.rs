//! The names in a data directory.

use std::ffi::OsStr;
use std::path::Path;
use std::{fs, io};

/// Locked while a process uses the directory.
pub(crate) const LOCK: &str = "lock";
/// Who the node is.
pub(crate) const IDENTITY: &str = "identity";
/// The Raft log.
pub(crate) const LOG: &str = "log";
/// Where finished snapshots are.
pub(crate) const SNAPSHOTS: &str = "snapshots";
/// Where snapshots of peers arrive. Emptied at every start.
pub(crate) const RECEIVED: &str = "received";
/// Why the state must not be used. Only there while that is so.
pub(crate) const DAMAGE: &str = "damage";
/// Where a repair puts the state that it replaces. Nothing reads it; it may be removed at any time.
pub(crate) const SET_ASIDE: &str = "set-aside";
/// Before the number of a state directory.
const STATE_PREFIX: &str = "state-";
/// Says that the node has been removed from its cluster. Only there if it has.
pub(crate) const REMOVED: &str = "removed";
/// Before the incarnation of which the data was set aside.
pub(crate) const ASIDE_PREFIX: &str = "set-aside-";
/// At the end of what is not finished.
pub(crate) const UNFINISHED_SUFFIX: &str = ".tmp";

/// The version of the layout and of everything in it.
pub(crate) const FORMAT: u32 = 1;

/// The name of the state directory with that number.
pub(crate) fn state_name(number: u64) -> String {
    format!("{STATE_PREFIX}{number}")
}

/// The number of a finished state directory.
pub(crate) fn state_number(name: &OsStr) -> Option<u64> {
    name.to_str()?.strip_prefix(STATE_PREFIX)?.parse().ok()
}

/// Names that a data directory may hold, besides states and what is not finished.
const NAMES: [&str; 9] = [LOCK, IDENTITY, LOG, SNAPSHOTS, RECEIVED, DAMAGE, SET_ASIDE, REMOVED, "lost+found"];

/// Whether a part of a data directory can be made again from the rest and from the other nodes.
pub(crate) fn is_repairable(part: &str) -> bool {
    part.starts_with(STATE_PREFIX) || part.starts_with(SNAPSHOTS)
}

/// A name in the directory that no node puts there.
pub(crate) fn foreign_name(path: &Path) -> io::Result<Option<String>> {
    let mut foreign = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let text = name.to_string_lossy().into_owned();
        let known = NAMES.contains(&text.as_str())
            || text.starts_with(STATE_PREFIX)
            || text.starts_with(ASIDE_PREFIX)
            || text.ends_with(UNFINISHED_SUFFIX);
        if !known {
            foreign.push(text);
        }
    }
    Ok(foreign.into_iter().min())
}

/// The numbers of the finished state directories, in rising order, and the names of the unfinished ones.
pub(crate) fn state_directories(path: &Path) -> io::Result<(Vec<u64>, Vec<String>)> {
    let (mut finished, mut unfinished) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        match state_number(&name) {
            Some(number) => finished.push(number),
            None => {
                let text = name.to_string_lossy().into_owned();
                if text.starts_with(STATE_PREFIX) && text.ends_with(UNFINISHED_SUFFIX) {
                    unfinished.push(text);
                }
            }
        }
    }
    finished.sort_unstable();
    unfinished.sort_unstable();
    Ok((finished, unfinished))
}
