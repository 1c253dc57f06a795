//! How a run ends in which a majority is lost.

use serde::{Deserialize, Serialize};

use super::dice::Dice;

/// Of a hundred seeds so many end with a recovery, if a minority can survive.
const RECOVERY_PERCENT: u64 = 6;
/// Whoever is the only survivor of fewer voters is none of a minority.
pub const VOTERS_MIN: u64 = 3;

/// When all else is over, a majority of the nodes is lost, and a new cluster is made of what one of the others has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryPlan {
    /// Decides who survives, and who of the others turns up again.
    pub choice: u64,
}

/// Some seeds have one.
pub(super) fn recovery(dice: &mut Dice, members: u64) -> Option<RecoveryPlan> {
    (members >= VOTERS_MIN && dice.chance(RECOVERY_PERCENT)).then(|| RecoveryPlan { choice: dice.number() })
}
