//! What sessions do: see [`crate::session`] for what they promise.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::{Machine, MachineError};
use crate::digest;
use crate::mutant::{self, Mutant};
use crate::outcome::{Limit, Outcome};
use crate::reading::damaged;
use crate::record::session::{self, SessionRecord};
use crate::record::session_outcome::{SequenceKey, SessionOutcomeRecord};
use crate::session::{SESSION_TTL_MS_MIN, SessionCommand};
use crate::settings::Setting;
use crate::tables::{Direction, Table, Tables, TablesMut};

/// Sessions that one search for expired ones looks at, at most.
const SEARCHED_SESSIONS_MAX: usize = 1024;
/// Records (sessions and outcomes) after which a search for expired sessions removes no further one.
const REMOVED_RECORDS_MAX: u64 = 1024;

/// What a search for expired sessions found.
pub(super) struct Expired {
    /// How many sessions were removed.
    pub(super) removed: u64,
    /// Whether it stopped because it had removed enough.
    pub(super) has_more: bool,
}

impl Machine {
    pub(super) fn open_session<T: TablesMut>(
        &mut self,
        tables: &mut T,
        ttl_ms: u64,
    ) -> Result<Outcome, MachineError<T::Error>> {
        let ttl_ms_max = self.head.settings.get(Setting::SessionTtlMsMax);
        if ttl_ms > ttl_ms_max {
            return Ok(Outcome::LimitExceeded { limit: Limit::SessionTtl, maximum: ttl_ms_max });
        }
        let sessions_max = self.head.settings.get(Setting::SessionsMax);
        if self.head.session_count >= sessions_max {
            self.remove_expired_sessions(tables)?;
        }
        if self.head.session_count >= sessions_max {
            return Ok(Outcome::LimitExceeded { limit: Limit::Sessions, maximum: sessions_max });
        }
        let ttl_ms = ttl_ms.max(SESSION_TTL_MS_MIN);
        self.head.last_session += 1;
        let session = self.head.last_session;
        let record = SessionRecord {
            ttl_ms,
            last_active_ms: self.head.time_ms,
            acknowledged_below: 0,
            outcome_count: 0,
        };
        self.replace_session(tables, session, None, Some(record))?;
        Ok(Outcome::SessionOpened { session, ttl_ms })
    }

    pub(super) fn keep_session<T: TablesMut>(
        &mut self,
        tables: &mut T,
        session: u64,
    ) -> Result<Outcome, MachineError<T::Error>> {
        let before = match self.living_session(tables, session)? {
            Ok(record) => record,
            Err(refusal) => return Ok(refusal),
        };
        let after = SessionRecord { last_active_ms: self.head.time_ms, ..before };
        self.replace_session(tables, session, Some(before), Some(after))?;
        Ok(Outcome::SessionKept { ttl_ms: after.ttl_ms })
    }

    pub(super) fn close_session<T: TablesMut>(
        &mut self,
        tables: &mut T,
        session: u64,
    ) -> Result<Outcome, MachineError<T::Error>> {
        match read_session(tables, session)? {
            None => Ok(Outcome::SessionUnknown),
            Some(record) => {
                self.remove_session(tables, session, record)?;
                Ok(Outcome::SessionClosed)
            }
        }
    }

    pub(super) fn apply_in_session<T: TablesMut>(
        &mut self,
        tables: &mut T,
        command: &SessionCommand,
    ) -> Result<Outcome, MachineError<T::Error>> {
        let request = command.request();
        let before = match self.living_session(tables, request.session)? {
            Ok(record) => record,
            Err(refusal) => return Ok(refusal),
        };
        let acknowledged_below = before.acknowledged_below;
        if request.sequence < acknowledged_below {
            return Ok(Outcome::SequenceFreed { acknowledged_below });
        }
        let key = SequenceKey { session: request.session, sequence: request.sequence };
        let kept = read_outcome(tables, key)?;
        if kept.is_some() && mutant::active(Mutant::RetryAppliedTwice) {
            return self.apply_command(tables, command.command());
        }
        if kept.as_ref().is_some_and(|(fingerprint, _)| *fingerprint != request.fingerprint) {
            return Ok(Outcome::SequenceReused);
        }
        let mut after = SessionRecord { last_active_ms: self.head.time_ms, ..before };
        let watermark = request.acknowledged_below.min(request.sequence);
        self.free_outcomes(tables, request.session, &mut after, watermark)?;
        let outcome = match kept {
            Some((_, outcome)) => Outcome::Replayed(Box::new(outcome)),
            None => self.apply_once(tables, command, key, &mut after)?,
        };
        self.replace_session(tables, request.session, Some(before), Some(after))?;
        Ok(outcome)
    }

    /// Applies a write that comes for the first time, and keeps its outcome.
    fn apply_once<T: TablesMut>(
        &mut self,
        tables: &mut T,
        command: &SessionCommand,
        key: SequenceKey,
        session: &mut SessionRecord,
    ) -> Result<Outcome, MachineError<T::Error>> {
        let maximum = self.head.settings.get(Setting::SessionOutcomesMax);
        if session.outcome_count >= maximum {
            return Ok(Outcome::LimitExceeded { limit: Limit::SessionOutcomes, maximum });
        }
        let outcome = self.apply_command(tables, command.command())?;
        let bytes = without_results(&outcome).encode();
        let record = SessionOutcomeRecord { fingerprint: command.request().fingerprint, outcome: &bytes };
        session.outcome_count += 1;
        self.head.sessions = self.head.sessions.wrapping_add(digest::session_outcome(key, &record));
        tables.put(Table::SessionOutcomes, Bytes::copy_from_slice(&key.encode()), record.encode(key))?;
        Ok(outcome)
    }

    /// Removes sessions that have expired: a bounded piece of the search for them, which goes round and round.
    pub(super) fn remove_expired_sessions<T: TablesMut>(
        &mut self,
        tables: &mut T,
    ) -> Result<Expired, MachineError<T::Error>> {
        let mut expired = Expired { removed: 0, has_more: false };
        if self.head.session_count == 0 {
            return Ok(expired);
        }
        let found = sessions_behind(tables, self.head.session_cursor)?;
        let mut removed_records = 0;
        for (session, record) in &found {
            if removed_records >= REMOVED_RECORDS_MAX {
                expired.has_more = true;
                return Ok(expired);
            }
            if record.is_expired(self.head.time_ms) {
                self.remove_session(tables, *session, *record)?;
                removed_records += 1 + record.outcome_count;
                expired.removed += 1;
            }
            self.head.session_cursor = *session;
        }
        if found.len() < SEARCHED_SESSIONS_MAX {
            self.head.session_cursor = 0;
        }
        Ok(expired)
    }

    /// A session that can be used now, or the refusal.
    fn living_session<T: Tables>(
        &self,
        tables: &T,
        session: u64,
    ) -> Result<Result<SessionRecord, Outcome>, MachineError<T::Error>> {
        Ok(match read_session(tables, session)? {
            None => Err(Outcome::SessionUnknown),
            Some(record) if record.is_expired(self.head.time_ms) => Err(Outcome::SessionExpired),
            Some(record) => Ok(record),
        })
    }

    fn remove_session<T: TablesMut>(
        &mut self,
        tables: &mut T,
        session: u64,
        before: SessionRecord,
    ) -> Result<(), MachineError<T::Error>> {
        let mut emptied = before;
        self.free_outcomes(tables, session, &mut emptied, u64::MAX)?;
        // The watermark has no number above the greatest sequence; that one is freed on its own.
        let last = SequenceKey { session, sequence: u64::MAX };
        if tables.get(Table::SessionOutcomes, &last.encode())?.is_some() {
            self.free_outcome(tables, last, &mut emptied)?;
        }
        self.replace_session(tables, session, Some(before), None)
    }

    /// Raises the watermark of a session, and forgets the outcomes below it.
    fn free_outcomes<T: TablesMut>(
        &mut self,
        tables: &mut T,
        session: u64,
        record: &mut SessionRecord,
        watermark: u64,
    ) -> Result<(), MachineError<T::Error>> {
        if watermark <= record.acknowledged_below {
            return Ok(());
        }
        let from = SequenceKey { session, sequence: record.acknowledged_below }.encode();
        record.acknowledged_below = watermark;
        if record.outcome_count == 0 {
            return Ok(());
        }
        let mut freed = Vec::new();
        let to = SequenceKey { session, sequence: watermark }.encode();
        let (from, to) = (Bound::Included(&from[..]), Bound::Excluded(&to[..]));
        tables.scan(Table::SessionOutcomes, from, to, Direction::Ascending, &mut |key, _| {
            freed.push(Bytes::copy_from_slice(key));
            ControlFlow::Continue(())
        })?;
        for key in freed {
            let key =
                SequenceKey::decode(&key).map_err(|cause| damaged(Table::SessionOutcomes, &key, cause))?;
            self.free_outcome(tables, key, record)?;
        }
        Ok(())
    }

    fn free_outcome<T: TablesMut>(
        &mut self,
        tables: &mut T,
        key: SequenceKey,
        session: &mut SessionRecord,
    ) -> Result<(), MachineError<T::Error>> {
        let wrong = |cause| damaged(Table::SessionOutcomes, &key.encode(), cause);
        let bytes =
            tables.get(Table::SessionOutcomes, &key.encode())?.ok_or_else(|| wrong("it is missing"))?;
        let record = SessionOutcomeRecord::decode(key, &bytes)
            .map_err(|cause| damaged(Table::SessionOutcomes, &key.encode(), cause))?;
        self.head.sessions = self.head.sessions.wrapping_sub(digest::session_outcome(key, &record));
        let left = session.outcome_count.checked_sub(1);
        session.outcome_count = left.ok_or_else(|| wrong("its session does not count it"))?;
        Ok(tables.delete(Table::SessionOutcomes, &key.encode())?)
    }

    /// Writes what a session became, or removes it, and accounts for that in the head.
    fn replace_session<T: TablesMut>(
        &mut self,
        tables: &mut T,
        session: u64,
        before: Option<SessionRecord>,
        after: Option<SessionRecord>,
    ) -> Result<(), MachineError<T::Error>> {
        let key = session::key(session);
        if let Some(before) = before {
            let left = self.head.session_count.checked_sub(1);
            let contradiction = || damaged(Table::Sessions, &key, "the head does not count it");
            self.head.session_count = left.ok_or_else(contradiction)?;
            self.head.sessions = self.head.sessions.wrapping_sub(digest::session(session, &before));
        }
        match after {
            Some(after) => {
                self.head.session_count += 1;
                self.head.sessions = self.head.sessions.wrapping_add(digest::session(session, &after));
                Ok(tables.put(Table::Sessions, Bytes::copy_from_slice(&key), after.encode(session))?)
            }
            None => Ok(tables.delete(Table::Sessions, &key)?),
        }
    }
}

/// What a session keeps of an outcome: not what a transaction read or did in detail.
fn without_results(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Transaction { revision, succeeded, results: _ } => {
            Outcome::Transaction { revision: *revision, succeeded: *succeeded, results: Vec::new() }
        }
        outcome => outcome.clone(),
    }
}

fn read_session<T: Tables>(
    tables: &T,
    session: u64,
) -> Result<Option<SessionRecord>, MachineError<T::Error>> {
    let key = session::key(session);
    let Some(record) = tables.get(Table::Sessions, &key)? else { return Ok(None) };
    let record = SessionRecord::decode(session, &record);
    record.map(Some).map_err(|cause| damaged(Table::Sessions, &key, cause))
}

/// Fingerprint and outcome of a write.
fn read_outcome<T: Tables>(
    tables: &T,
    key: SequenceKey,
) -> Result<Option<(u128, Outcome)>, MachineError<T::Error>> {
    let wrong = |cause| damaged(Table::SessionOutcomes, &key.encode(), cause);
    let Some(bytes) = tables.get(Table::SessionOutcomes, &key.encode())? else { return Ok(None) };
    let record = SessionOutcomeRecord::decode(key, &bytes).map_err(wrong)?;
    let outcome = Outcome::decode(&bytes.slice_ref(record.outcome)).map_err(wrong)?;
    Ok(Some((record.fingerprint, outcome)))
}

/// The sessions with greater numbers than `cursor`, at most as many as one search looks at.
fn sessions_behind<T: Tables>(
    tables: &T,
    cursor: u64,
) -> Result<Vec<(u64, SessionRecord)>, MachineError<T::Error>> {
    let (mut found, mut error) = (Vec::new(), None);
    let from = session::key(cursor);
    let from = Bound::Excluded(&from[..]);
    tables.scan(Table::Sessions, from, Bound::Unbounded, Direction::Ascending, &mut |key, record| {
        let decoded = session::decode_key(key)
            .and_then(|session| Ok((session, SessionRecord::decode(session, record)?)));
        match decoded {
            Ok(session) => found.push(session),
            Err(cause) => error = Some(damaged(Table::Sessions, key, cause)),
        }
        match error.is_none() && found.len() < SEARCHED_SESSIONS_MAX {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    error.map_or(Ok(found), Err)
}
