//! What each bug that is put back on purpose may be convicted of.
//!
//! A mutant proves that an oracle can convict. If any conviction counted, an oracle that has gone blind
//! would go unnoticed as long as another stumbles over the consequences, and so would a fault of the
//! harness that convicts everybody.

use quorate_environment::mutant::Mutant;

use crate::oracles::ages::CURRENT_WHEN_ASKED;
use crate::oracles::agreement::ALL_NODES_HAVE_IT;
use crate::oracles::digests::EQUAL_STATES;
use crate::oracles::entries::COMMITTED_ENTRIES_NEVER_CHANGE;
use crate::oracles::leaders::ONE_LEADER_A_TERM;
use crate::oracles::linearizability::{LINEARIZABLE, REVISIONS_IN_ORDER};
use crate::oracles::served::SERVES_NOTHING_OLDER;
use crate::oracles::votes::VOTES_ARE_KEPT;
use crate::run::INVARIANT_BROKEN;

/// The properties that `mutant` violates, directly or by what follows from it within moments.
pub fn properties(mutant: Mutant) -> &'static [&'static str] {
    match mutant {
        // Reads of a state that is too old.
        Mutant::StaleRead | Mutant::JoinRunningReadIndexRound => {
            &[CURRENT_WHEN_ASKED, SERVES_NOTHING_OLDER, LINEARIZABLE, REVISIONS_IN_ORDER]
        }
        Mutant::OverlayMiss => &[LINEARIZABLE, REVISIONS_IN_ORDER, EQUAL_STATES, ALL_NODES_HAVE_IT],
        // A node goes back on its vote.
        Mutant::VoteNotSaved => &[VOTES_ARE_KEPT, ONE_LEADER_A_TERM, COMMITTED_ENTRIES_NEVER_CHANGE],
        // Data and applied index part: entries are applied twice or not at all.
        Mutant::CheckpointApart => &[EQUAL_STATES],
        // What is applied depends on more than the log: sooner or later the states part.
        Mutant::SessionsLostInSnapshot
        | Mutant::SessionExpiryByLocalClock
        | Mutant::ApplyDependsOnBatches => &[EQUAL_STATES],
        // What was acknowledged is lost, or was never held by a quorum.
        Mutant::AcknowledgeBeforeFlush | Mutant::CommitByMinority | Mutant::LogTailLost => &[
            COMMITTED_ENTRIES_NEVER_CHANGE,
            EQUAL_STATES,
            SERVES_NOTHING_OLDER,
            CURRENT_WHEN_ASKED,
            LINEARIZABLE,
            REVISIONS_IN_ORDER,
            INVARIANT_BROKEN,
        ],
    }
}
