//! Leaving out of a contradiction what it does not need.

use super::{Small, as_write, is_explained};
use crate::register::rows::{Kind, Row};

/// Operations of a contradiction that is still made smaller, one by one.
const ROWS_MAX: usize = 400;

/// Leaves out operations while the rest still contradicts itself.
pub(super) fn reduce(small: &mut Small, steps_left: &mut u64) {
    if small.rows.len() > ROWS_MAX {
        return;
    }
    let mut is_done = false;
    while !is_done {
        is_done = true;
        let mut index = 0;
        while index < small.rows.len() {
            match try_smaller(small, index, steps_left) {
                Attempt::Smaller => is_done = false,
                Attempt::Needed => index += 1,
                Attempt::GivenUp => return,
            }
        }
    }
    small.is_minimal = true;
}

enum Attempt {
    Smaller,
    Needed,
    GivenUp,
}

/// Tries to leave out the operation at `index`, or to ask less of it.
fn try_smaller(small: &mut Small, index: usize, steps_left: &mut u64) -> Attempt {
    let row = small.rows[index];
    let mut without = small.rows.clone();
    without.remove(index);
    let mut weaker = small.rows.clone();
    weaker[index] = as_write(row);
    let is_weaker = row.kind != weaker[index].kind;
    let attempts = [(can_go(&without, &row), without), (is_weaker, weaker)];
    for (_, rows) in attempts.into_iter().filter(|(is_sound, _)| *is_sound) {
        match is_explained(&rows, &small.initial, steps_left) {
            Some(false) => {
                small.rows = rows;
                return Attempt::Smaller;
            }
            Some(true) => {}
            None => return Attempt::GivenUp,
        }
        if *steps_left == 0 {
            return Attempt::GivenUp;
        }
    }
    Attempt::Needed
}

/// Whether the `others` are explained by whatever explains them together with `row`.
fn can_go(others: &[Row], row: &Row) -> bool {
    let Some(value) = row.written() else { return true };
    let could_tell = |other: &Row| match other.kind {
        Kind::Read | Kind::Cas | Kind::MaybeCas => other.first == value,
        Kind::Refused => true,
        Kind::Write | Kind::MaybeWrite => false,
    };
    !others.iter().any(could_tell)
}
