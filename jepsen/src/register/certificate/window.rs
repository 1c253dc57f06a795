//! The last part of a history that contradicts itself, whatever came before.
//!
//! What begins after the operation that fits nowhere has ended can be left out. So can everything up to
//! some instant, if one does not ask what the register held then: operations that ended before it go;
//! those that were open then may have written their value, or not, at any time; all others are kept. Every
//! order that explains the whole explains such a window from some value.

use super::{Small, as_possible_write, is_explained};
use crate::register::rows::{INITIAL, Kind, NEVER, Row};

/// Operations of the first window that is tried.
const FIRST_WINDOW: usize = 8;

/// The shortest window found that contradicts itself and contains `stuck`.
pub(super) fn find(rows: &[Row], values: usize, stuck: usize, steps_left: &mut u64) -> Small {
    let end = rows[stuck].end;
    let until: Vec<Row> = if end == NEVER {
        rows.to_vec()
    } else {
        rows.iter().filter(|row| row.begin <= end).filter_map(|row| open_at(*row, end)).collect()
    };
    // The last number stands for a value that nothing here mentions.
    let any: Vec<u32> = (0..=values as u32).collect();
    let mut length = FIRST_WINDOW;
    while length < until.len() {
        let begin = until[until.len() - length].begin;
        let window: Vec<Row> = until.iter().filter_map(|row| since(*row, begin)).collect();
        if is_explained(&window, &any, steps_left) == Some(false) {
            return Small { rows: window, initial: any, is_minimal: false };
        }
        length *= 2;
    }
    Small { rows: until, initial: vec![INITIAL], is_minimal: false }
}

/// What is known of an operation at the instant `now`; nothing of one that saw something and is still open.
fn open_at(row: Row, now: u64) -> Option<Row> {
    if row.end <= now || !row.kind.is_required() {
        return Some(row);
    }
    match row.kind {
        Kind::Write => Some(Row { kind: Kind::MaybeWrite, end: NEVER, ..row }),
        Kind::Cas => Some(Row { kind: Kind::MaybeCas, end: NEVER, ..row }),
        _ => None,
    }
}

/// What is left of an operation in a window that begins at `begin`.
fn since(row: Row, begin: u64) -> Option<Row> {
    if row.begin >= begin {
        Some(row)
    } else if row.end < begin {
        None
    } else {
        as_possible_write(row)
    }
}
