//! The proof that an order explains the operations of a key, checked again by other means.

use super::rows::{INITIAL, Kind, Row};

/// Replays `order` on a plain register and against the times, and stops the process if it does not explain
/// everything: then the checker is wrong, and nothing it says can be trusted.
pub(super) fn assert_explains(rows: &[Row], order: &[u32]) {
    let mut is_placed = vec![false; rows.len()];
    let mut required = 0;
    let mut latest_begin = 0;
    let mut state = INITIAL;
    for index in order {
        let row = &rows[*index as usize];
        let placed = &mut is_placed[*index as usize];
        assert!(!*placed, "a witness contains operation {} twice", row.operation);
        *placed = true;
        required += usize::from(row.kind.is_required());
        latest_begin = latest_begin.max(row.begin);
        assert!(latest_begin <= row.end, "a witness places operation {} too late", row.operation);
        let (is_right, next) = match row.kind {
            Kind::Read => (state == row.first, state),
            Kind::Refused => (state != row.first, state),
            Kind::Write | Kind::MaybeWrite => (true, row.first),
            Kind::Cas | Kind::MaybeCas => (state == row.first, row.second),
        };
        assert!(is_right, "a witness contains operation {}, which saw something else", row.operation);
        state = next;
    }
    let all = rows.iter().filter(|row| row.kind.is_required()).count();
    assert!(required == all, "a witness lacks an operation that was answered");
}
