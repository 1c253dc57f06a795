//! Sessions, as the model has them.

use std::collections::BTreeMap;

use super::Model;
use crate::command::Command;
use crate::outcome::{Limit, Outcome};
use crate::session::SessionCommand;
use crate::settings::Setting;

/// A session: its numbers, and the outcomes that it keeps, each with its fingerprint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct ModelSession {
    ttl_ms: u64,
    last_active_ms: u64,
    acknowledged_below: u64,
    outcomes: BTreeMap<u64, (u128, Outcome)>,
}

impl Model {
    pub(super) fn apply_to_sessions(&mut self, command: &Command) -> Outcome {
        match command {
            Command::OpenSession { ttl_ms } => self.open_session(*ttl_ms),
            Command::KeepSession { session } => match self.living(*session) {
                Ok(session) => Outcome::SessionKept { ttl_ms: session.ttl_ms },
                Err(refusal) => refusal,
            },
            Command::CloseSession { session } => match self.sessions.remove(session) {
                Some(_) => Outcome::SessionClosed,
                None => Outcome::SessionUnknown,
            },
            Command::InSession(command) => self.apply_in_session(command),
            other => panic!("{other:?} is not about sessions"),
        }
    }

    pub(super) fn remove_expired_sessions(&mut self) {
        let time_ms = self.time_ms;
        self.sessions.retain(|_, session| session.last_active_ms + session.ttl_ms >= time_ms);
    }

    fn open_session(&mut self, ttl_ms: u64) -> Outcome {
        let ttl_ms_max = self.settings.get(Setting::SessionTtlMsMax);
        if ttl_ms > ttl_ms_max {
            return Outcome::LimitExceeded { limit: Limit::SessionTtl, maximum: ttl_ms_max };
        }
        let maximum = self.settings.get(Setting::SessionsMax);
        if self.sessions.len() as u64 >= maximum {
            self.remove_expired_sessions();
        }
        if self.sessions.len() as u64 >= maximum {
            return Outcome::LimitExceeded { limit: Limit::Sessions, maximum };
        }
        self.last_session += 1;
        let ttl_ms = ttl_ms.max(1000);
        let session = ModelSession { ttl_ms, last_active_ms: self.time_ms, ..ModelSession::default() };
        self.sessions.insert(self.last_session, session);
        Outcome::SessionOpened { session: self.last_session, ttl_ms }
    }

    /// A session that can be used, renewed.
    fn living(&mut self, session: u64) -> Result<&mut ModelSession, Outcome> {
        let found = self.sessions.get_mut(&session).ok_or(Outcome::SessionUnknown)?;
        if found.last_active_ms + found.ttl_ms < self.time_ms {
            return Err(Outcome::SessionExpired);
        }
        found.last_active_ms = self.time_ms;
        Ok(found)
    }

    fn apply_in_session(&mut self, command: &SessionCommand) -> Outcome {
        let request = *command.request();
        let before = self.clone();
        let maximum = self.settings.get(Setting::SessionOutcomesMax);
        let session = match self.living(request.session) {
            Ok(session) => session,
            Err(refusal) => return refusal,
        };
        let kept = session.outcomes.get(&request.sequence).cloned();
        let refusal = match &kept {
            _ if request.sequence < session.acknowledged_below => {
                Some(Outcome::SequenceFreed { acknowledged_below: session.acknowledged_below })
            }
            Some((fingerprint, _)) if *fingerprint != request.fingerprint => Some(Outcome::SequenceReused),
            _ => None,
        };
        if let Some(refusal) = refusal {
            // Such a request is no sign of life.
            *self = before;
            return refusal;
        }
        let watermark = request.acknowledged_below.min(request.sequence);
        session.acknowledged_below = session.acknowledged_below.max(watermark);
        session.outcomes.retain(|sequence, _| *sequence >= watermark);
        if let Some((_, outcome)) = kept {
            return Outcome::Replayed(Box::new(outcome));
        }
        if session.outcomes.len() as u64 >= maximum {
            return Outcome::LimitExceeded { limit: Limit::SessionOutcomes, maximum };
        }
        let outcome = self.apply(command.command());
        let mut small = outcome.clone();
        if let Outcome::Transaction { results, .. } = &mut small {
            results.clear();
        }
        let session = self.sessions.get_mut(&request.session).expect("it is living");
        session.outcomes.insert(request.sequence, (request.fingerprint, small));
        outcome
    }
}
