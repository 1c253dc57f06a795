//! Checking sessions and the outcomes that they keep.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::for_each_record;
use crate::digest;
use crate::machine::{Machine, MachineError};
use crate::outcome::Outcome;
use crate::reading::damaged;
use crate::record::head::Head;
use crate::record::session::{self, SessionRecord};
use crate::record::session_outcome::{SequenceKey, SessionOutcomeRecord};
use crate::tables::{Table, Tables};

/// What all sessions come to.
pub(super) struct SessionTotals {
    pub(super) count: u64,
    pub(super) elements: u128,
}

impl Machine {
    /// The digest over the sessions and the outcomes that they keep, from the records:
    /// [`Machine::sessions_digest`] of a sound state.
    pub fn recompute_sessions_digest<T: Tables>(tables: &T) -> Result<u128, MachineError<T::Error>> {
        Ok(Sessions::read(tables)?.totals.elements)
    }
}

/// Checks that every outcome is of a session that counts it, and that every session was given.
pub(super) fn verify<T: Tables>(tables: &T, head: &Head) -> Result<SessionTotals, MachineError<T::Error>> {
    let Sessions { mut sessions, totals, outcomes } = Sessions::read(tables)?;
    for key in outcomes {
        let wrong = |cause| Err(damaged(Table::SessionOutcomes, &key.encode(), cause));
        let Some(session) = sessions.get_mut(&key.session) else { return wrong("there is no such session") };
        if key.sequence < session.acknowledged_below {
            return wrong("it is below the watermark of its session");
        }
        let Some(left) = session.outcome_count.checked_sub(1) else {
            return wrong("its session does not count it");
        };
        session.outcome_count = left;
    }
    for (session, record) in sessions {
        let wrong = |cause| Err(damaged(Table::Sessions, &session::key(session), cause));
        if !(1..=head.last_session).contains(&session) {
            return wrong("it was never opened");
        }
        if record.last_active_ms > head.time_ms {
            return wrong("its last sign of life is yet to come");
        }
        if record.outcome_count != 0 {
            return wrong("an outcome that it counts is missing");
        }
    }
    Ok(totals)
}

/// All sessions, and where all outcomes are.
struct Sessions {
    sessions: BTreeMap<u64, SessionRecord>,
    outcomes: Vec<SequenceKey>,
    totals: SessionTotals,
}

impl Sessions {
    fn read<T: Tables>(tables: &T) -> Result<Self, MachineError<T::Error>> {
        let (mut sessions, mut outcomes, mut elements) = (BTreeMap::new(), Vec::new(), 0u128);
        for_each_record(tables, Table::Sessions, |key, record| {
            let decoded = session::decode_key(key)
                .and_then(|session| Ok((session, SessionRecord::decode(session, record)?)));
            let (session, record) = decoded.map_err(|cause| damaged(Table::Sessions, key, cause))?;
            elements = elements.wrapping_add(digest::session(session, &record));
            sessions.insert(session, record);
            Ok(())
        })?;
        for_each_record(tables, Table::SessionOutcomes, |key, record| {
            let (key, element) =
                check_outcome(key, record).map_err(|cause| damaged(Table::SessionOutcomes, key, cause))?;
            elements = elements.wrapping_add(element);
            outcomes.push(key);
            Ok(())
        })?;
        let totals = SessionTotals { count: sessions.len() as u64, elements };
        Ok(Self { sessions, outcomes, totals })
    }
}

fn check_outcome(key: &[u8], record: &[u8]) -> Result<(SequenceKey, u128), crate::DecodeError> {
    let key = SequenceKey::decode(key)?;
    let record = SessionOutcomeRecord::decode(key, record)?;
    Outcome::decode(&Bytes::copy_from_slice(record.outcome))?;
    Ok((key, digest::session_outcome(key, &record)))
}
