//! The bugs of the state's time that can be put back. In every build but the simulator's, entries are applied
//! as they are.

use std::borrow::Cow;

use quorate_consensus::{Entry, EntryPayload, ProposalBytes};
use quorate_environment::Environment;
use quorate_environment::mutant::{self, Mutant};
use quorate_kv::Proposal;

use crate::failure::StorageFailure;

/// What goes wrong with the time of entries that are applied together.
#[derive(Debug, Default)]
pub(crate) struct MutatedTime {
    first_time_ms: Option<u64>,
}

impl MutatedTime {
    /// The entry as it is applied here.
    pub(crate) fn entry<'entry>(
        &mut self,
        entry: &'entry Entry,
        environment: &impl Environment,
    ) -> Result<Cow<'entry, Entry>, StorageFailure> {
        let by_local_clock = mutant::active(Mutant::SessionExpiryByLocalClock);
        let by_batch = mutant::active(Mutant::ApplyDependsOnBatches);
        let EntryPayload::Normal(ProposalBytes(bytes)) = &entry.payload else {
            return Ok(Cow::Borrowed(entry));
        };
        if !by_local_clock && !by_batch {
            return Ok(Cow::Borrowed(entry));
        }
        let mut proposal =
            Proposal::decode(bytes).map_err(|error| StorageFailure::new("reading a proposal", error))?;
        proposal.time_ms = match by_local_clock {
            true => environment.wall_now().unix_milliseconds(),
            false => *self.first_time_ms.get_or_insert(proposal.time_ms),
        };
        let payload = EntryPayload::Normal(ProposalBytes(proposal.encode()));
        Ok(Cow::Owned(Entry { payload, ..entry.clone() }))
    }
}
