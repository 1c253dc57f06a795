//! The bugs that can be put back on purpose, and what each of them may be convicted of.
//!
//! A mutant proves that an oracle can convict. If any conviction counted, an oracle that has gone blind
//! would go unnoticed as long as another stumbles over the consequences, and so would a fault of the
//! harness that convicts everybody.

use quorate_environment::mutant::{self as node_mutant, Mutant as NodeMutant};
use quorate_kv::mutant::{self as state_mutant, Mutant as StateMutant};

use crate::oracles::ages::CURRENT_WHEN_ASKED;
use crate::oracles::agreement::ALL_NODES_HAVE_IT;
use crate::oracles::digests::EQUAL_STATES;
use crate::oracles::entries::COMMITTED_ENTRIES_NEVER_CHANGE;
use crate::oracles::leaders::ONE_LEADER_A_TERM;
use crate::oracles::linearizability::{LINEARIZABLE, REVISIONS_IN_ORDER};
use crate::oracles::members::{
    CAUGHT_UP_BEFORE_VOTING, ELECTED_BY_A_QUORUM, INCARNATIONS_ARE_NEW, MEMBERSHIPS_AGREE,
    NO_READS_OF_REMOVED,
};
use crate::oracles::served::SERVES_NOTHING_OLDER;
use crate::oracles::store::bank::MONEY_IS_KEPT;
use crate::oracles::store::lists::LISTS_IN_ORDER;
use crate::oracles::store::{
    CURRENT_READS, EXACTLY_ONCE, READS_SHOW_THEIR_REVISION, STATES_ARE_OF_THE_LOG, WRITES_ARE_AS_TOLD,
};
use crate::oracles::votes::VOTES_ARE_KEPT;
use crate::recovery::LEFTOVERS_STAY_ALONE;
use crate::run::{INVARIANT_BROKEN, MEMBERS_SETTLE, REMOVED_NODES_STOP};

/// A bug that can be put back. The state machine has a list of its own, since it knows of no environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// One of the node around the state machine.
    Node(NodeMutant),
    /// One of the state machine.
    State(StateMutant),
}

impl Mutant {
    /// Every mutant.
    pub fn all() -> impl Iterator<Item = Mutant> {
        let nodes = NodeMutant::ALL.into_iter().map(Mutant::Node);
        nodes.chain(StateMutant::ALL.into_iter().map(Mutant::State))
    }

    /// The mutant's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Mutant::Node(mutant) => mutant.name(),
            Mutant::State(mutant) => mutant.name(),
        }
    }

    /// The mutant with that name.
    pub fn from_name(name: &str) -> Option<Mutant> {
        Mutant::all().find(|mutant| mutant.name() == name)
    }
}

/// Puts `mutant` back in this process, or none.
pub fn activate(mutant: Option<Mutant>) {
    let (node, state) = match mutant {
        Some(Mutant::Node(mutant)) => (Some(mutant), None),
        Some(Mutant::State(mutant)) => (None, Some(mutant)),
        None => (None, None),
    };
    node_mutant::activate(node);
    state_mutant::activate(state);
}

/// The properties that `mutant` violates, directly or by what follows from it within moments.
pub fn properties(mutant: Mutant) -> &'static [&'static str] {
    match mutant {
        Mutant::Node(mutant) => properties_of_node(mutant),
        Mutant::State(mutant) => properties_of_state(mutant),
    }
}

/// The properties of the bugs of the state machine. All replicas have them, and so they agree with each
/// other, unless they have started again.
fn properties_of_state(mutant: StateMutant) -> &'static [&'static str] {
    match mutant {
        StateMutant::RetryAppliedTwice => &[WRITES_ARE_AS_TOLD, EXACTLY_ONCE, STATES_ARE_OF_THE_LOG],
        StateMutant::TransactionComparesApart => {
            &[WRITES_ARE_AS_TOLD, LISTS_IN_ORDER, MONEY_IS_KEPT, STATES_ARE_OF_THE_LOG]
        }
        StateMutant::PageMixesRevisions | StateMutant::RangeOrderedByHash => {
            &[READS_SHOW_THEIR_REVISION, WRITES_ARE_AS_TOLD]
        }
        StateMutant::CompactionRemovesLiveValue => {
            &[LINEARIZABLE, READS_SHOW_THEIR_REVISION, WRITES_ARE_AS_TOLD, STATES_ARE_OF_THE_LOG]
        }
        StateMutant::SettingsOfConfiguration => &[EQUAL_STATES, STATES_ARE_OF_THE_LOG],
        StateMutant::ChecksumNotVerified => {
            &[READS_SHOW_THEIR_REVISION, LINEARIZABLE, EQUAL_STATES, STATES_ARE_OF_THE_LOG, ALL_NODES_HAVE_IT]
        }
    }
}

/// The properties of the bugs of nodes.
fn properties_of_node(mutant: NodeMutant) -> &'static [&'static str] {
    match mutant {
        // Reads of a state that is too old.
        NodeMutant::StaleRead | NodeMutant::JoinRunningReadIndexRound | NodeMutant::LeaseReadIgnoresDrift => {
            &[CURRENT_WHEN_ASKED, SERVES_NOTHING_OLDER, LINEARIZABLE, REVISIONS_IN_ORDER, CURRENT_READS]
        }
        NodeMutant::OverlayMiss => &[
            LINEARIZABLE,
            REVISIONS_IN_ORDER,
            EQUAL_STATES,
            ALL_NODES_HAVE_IT,
            READS_SHOW_THEIR_REVISION,
            WRITES_ARE_AS_TOLD,
            LISTS_IN_ORDER,
            MONEY_IS_KEPT,
        ],
        // A node goes back on its vote.
        NodeMutant::VoteNotSaved => &[VOTES_ARE_KEPT, ONE_LEADER_A_TERM, COMMITTED_ENTRIES_NEVER_CHANGE],
        // Data and applied index part: entries are applied twice or not at all.
        NodeMutant::CheckpointApart => &[EQUAL_STATES],
        // What is applied depends on more than the log: sooner or later the states part.
        NodeMutant::SessionsLostInSnapshot
        | NodeMutant::SessionExpiryByLocalClock
        | NodeMutant::ApplyDependsOnBatches => &[EQUAL_STATES],
        NodeMutant::RemovedNodeKeepsVoting => &[REMOVED_NODES_STOP, NO_READS_OF_REMOVED],
        NodeMutant::NumberReusedWithoutIncarnation => &[INCARNATIONS_ARE_NEW, VOTES_ARE_KEPT],
        NodeMutant::PromotionBeforeCatchUp => &[CAUGHT_UP_BEFORE_VOTING],
        NodeMutant::LeaderIgnoresOwnRemoval => &[MEMBERS_SETTLE],
        NodeMutant::AddressChangeBeforeCommit => &[MEMBERSHIPS_AGREE],
        NodeMutant::RouterRepeatsPlainWrite => {
            &[EXACTLY_ONCE, WRITES_ARE_AS_TOLD, LINEARIZABLE, REVISIONS_IN_ORDER]
        }
        // Nodes of two clusters take each other for their own.
        NodeMutant::RecoveryKeepsOldIdentity => {
            &[LEFTOVERS_STAY_ALONE, MEMBERSHIPS_AGREE, COMMITTED_ENTRIES_NEVER_CHANGE, INVARIANT_BROKEN]
        }
        NodeMutant::LearnerCountedInQuorum => &[
            MEMBERS_SETTLE,
            ELECTED_BY_A_QUORUM,
            COMMITTED_ENTRIES_NEVER_CHANGE,
            EQUAL_STATES,
            SERVES_NOTHING_OLDER,
            CURRENT_WHEN_ASKED,
            LINEARIZABLE,
            REVISIONS_IN_ORDER,
            INVARIANT_BROKEN,
        ],
        // What was acknowledged is lost, or was never held by a quorum.
        NodeMutant::AcknowledgeBeforeFlush
        | NodeMutant::CommitByMinority
        | NodeMutant::LogTailLost
        | NodeMutant::TransferToLaggard => &[
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
