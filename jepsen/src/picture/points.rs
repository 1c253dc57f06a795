//! Where each operation takes effect.

use super::PictureOperation;

/// Gives the operations of one witness the earliest instants that keep its order.
pub(super) fn place(operations: &mut [PictureOperation], witness: impl IntoIterator<Item = usize>) {
    let mut instant = 0;
    for index in witness {
        let operation = &mut operations[index];
        instant = instant.max(operation.begin);
        operation.point = Some(instant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::PictureEnding;

    #[test]
    fn points_keep_the_order_and_lie_within_their_operations() {
        let operation = |begin, end| PictureOperation {
            process: 0,
            keys: vec![0],
            label: String::new(),
            begin,
            end: Some(end),
            ending: PictureEnding::Ok,
            point: None,
            lines: (0, 0),
        };
        let mut operations = [operation(5, 9), operation(1, 8), operation(2, 3)];
        place(&mut operations, [2, 0, 1]);
        assert_eq!(operations.map(|operation| operation.point), [Some(5), Some(5), Some(2)]);
    }
}
