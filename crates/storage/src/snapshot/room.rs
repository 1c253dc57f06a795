//! Whether to make a snapshot while there is room for one.

/// What the log grows by, the state may grow by as well.
const GROWTH_PER_LOG: u64 = 2;

/// The room that there is for a snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SnapshotRoom {
    /// Bytes free on the disk.
    pub(crate) free_bytes: u64,
    /// Bytes that the snapshot takes, and the reserve.
    pub(crate) wanted_bytes: u64,
}

impl SnapshotRoom {
    /// Whether it is enough.
    pub(crate) fn is_enough(self) -> bool {
        self.free_bytes >= self.wanted_bytes
    }

    /// Whether a snapshot should be made now that would be made when the log has grown by `rest_bytes`: then, or as soon
    /// as there would be no room for it any more if it waited. Without it the log could not be purged, and what grows in
    /// place of the snapshot would leave it no room ever after.
    pub(crate) fn is_due(self, rest_bytes: u64) -> bool {
        let growth_bytes = rest_bytes.saturating_mul(GROWTH_PER_LOG);
        rest_bytes == 0 || self.free_bytes < self.wanted_bytes.saturating_add(growth_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_comes_early_where_there_would_be_no_room_later() {
        let room = SnapshotRoom { free_bytes: 1000, wanted_bytes: 600 };
        assert!(room.is_enough());
        assert!(!room.is_due(200), "400 bytes go until then, and 600 are left");
        assert!(room.is_due(201));
        assert!(room.is_due(0));
        assert!(!SnapshotRoom { free_bytes: 599, ..room }.is_enough());
    }
}
