//! Which client is drawn in which lane.
//!
//! A client whose operation was left open goes on under a new number, so a long history has thousands of
//! numbers and still only a few clients at a time. A number takes the lane of one that has finished.

use std::collections::BTreeMap;

use super::PictureOperation;

/// The lane of each operation, and how many lanes there are.
pub(super) fn lanes(operations: &[PictureOperation]) -> (Vec<u32>, u32) {
    let mut lives: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for operation in operations {
        let end = operation.end.unwrap_or(u64::MAX);
        let (begin, last) = lives.entry(operation.process).or_insert((operation.begin, end));
        *begin = operation.begin.min(*begin);
        *last = end.max(*last);
    }
    let mut in_order: Vec<(u64, u64, u64)> =
        lives.into_iter().map(|(process, (begin, end))| (begin, process, end)).collect();
    in_order.sort_unstable();
    let mut lane_of: BTreeMap<u64, u32> = BTreeMap::new();
    let mut free_at: Vec<u64> = Vec::new();
    for (begin, process, end) in in_order {
        let lane = free_at.iter().position(|free| *free < begin).unwrap_or_else(|| {
            free_at.push(0);
            free_at.len() - 1
        });
        free_at[lane] = end;
        lane_of.insert(process, lane as u32);
    }
    // Lanes stand in the order of the smallest numbers in them.
    let mut place = vec![u32::MAX; free_at.len()];
    let mut placed = 0;
    for lane in lane_of.values_mut() {
        if place[*lane as usize] == u32::MAX {
            place[*lane as usize] = placed;
            placed += 1;
        }
        *lane = place[*lane as usize];
    }
    (operations.iter().map(|operation| lane_of[&operation.process]).collect(), free_at.len() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::PictureEnding;

    fn operation(process: u64, begin: u64, end: Option<u64>) -> PictureOperation {
        let (keys, label, ending) = (vec![], String::new(), PictureEnding::Ok);
        PictureOperation { process, keys, label, begin, end, ending, point: None, lines: (0, 0) }
    }

    #[test]
    fn a_client_takes_the_lane_of_one_that_has_finished() {
        let operations = [
            operation(0, 1, Some(2)),
            operation(1, 1, None),
            operation(0, 3, Some(4)),
            operation(2, 5, Some(6)),
        ];
        assert_eq!(lanes(&operations), (vec![0, 1, 0, 0], 2));
    }
}
