//! Writes that are repeated until their outcome is known, at whichever member answers: each has its number in
//! a session.

use std::time::Duration;

use bytes::Bytes;
use quorate_api::{ErrorCode, IdempotencyKey};
use quorate_environment::Environment;
use quorate_kv::{
    Command, Comparison, Condition, KeyRange, Operation, Predicate, Relation, Target, Transaction,
};

use super::StoreClient;
use crate::oracles::store::{Asked, Effect, Told};

/// Repetitions after which a write is left alone.
const REPETITIONS_MAX: u64 = 40;

/// A session as its client has it.
struct Session {
    number: u64,
    sequence: u64,
    acknowledged_below: u64,
}

/// What became of a write.
enum Ending {
    /// It is known.
    Known,
    /// Not even after many repetitions.
    Unknown,
    /// The session is no more.
    SessionIsGone,
}

impl StoreClient {
    pub(super) async fn work_in_sessions(&mut self, keys: u64, ttl_ms: u64, twice_percent: u64) {
        let mut session = None;
        while self.goes_on().await {
            let Some(mut open) = session.take() else {
                session = self.open_session(ttl_ms).await;
                continue;
            };
            if self.dice.chance(4) {
                // Longer than it lives, if it is one of those that do not live long.
                let pause_ms = ttl_ms.min(4_000) + self.dice.range(0..=1_500);
                self.environment.sleep(Duration::from_millis(pause_ms)).await;
            }
            session = match self.dice.weighted(&[30, 2, 1, 2, 1]) {
                0 => {
                    let command = self.session_command(keys);
                    match self.write_in(&mut open, command, twice_percent).await {
                        Ending::SessionIsGone => None,
                        Ending::Known | Ending::Unknown => Some(open),
                    }
                }
                1 => {
                    self.write(Command::KeepSession { session: open.number }).await;
                    Some(open)
                }
                2 => {
                    self.write(Command::CloseSession { session: open.number }).await;
                    // What comes now is refused.
                    let command = self.session_command(keys);
                    self.write_in(&mut open, command, twice_percent).await;
                    None
                }
                3 => self.reuse_a_number(open, keys).await,
                _ => {
                    self.ask_for_what_was_freed(&open, keys).await;
                    Some(open)
                }
            };
        }
    }

    async fn open_session(&mut self, ttl_ms: u64) -> Option<Session> {
        // A few milliseconds more tell the requests of clients from each other.
        let ttl_ms = ttl_ms + self.number;
        match self.write(Command::OpenSession { ttl_ms }).await {
            Told::Wrote { effect: Effect::SessionOpened { session, .. }, .. } => {
                Some(Session { number: session, sequence: 0, acknowledged_below: 0 })
            }
            _ => None,
        }
    }

    fn session_key(&mut self, keys: u64) -> Bytes {
        let number = self.dice.range(0..=keys - 1);
        Bytes::from(format!("session/{number}"))
    }

    fn session_command(&mut self, keys: u64) -> Command {
        let key = self.session_key(keys);
        match self.dice.weighted(&[10, 3, 2, 1, 3]) {
            0 => Command::Put { key, value: self.unique_value(), condition: Condition::Always },
            1 => Command::Put { key, value: self.unique_value(), condition: Condition::Absent },
            2 => Command::Delete { key, condition: Condition::Always },
            3 => {
                let end = [b"session/~", self.unique().as_bytes()].concat();
                let range = KeyRange::new(key, Some(Bytes::from(end)));
                Command::DeleteRange { range, keys_max: u64::MAX }
            }
            _ => self.session_transaction(key),
        }
    }

    /// Puts one of two keys, by whether the first has been put often.
    fn session_transaction(&mut self, key: Bytes) -> Command {
        let predicate = Predicate::Version(Relation::Less, self.dice.range(1..=6));
        let comparison = Comparison { target: Target::Key(key.clone()), predicate };
        let put = Operation::Put { key: key.clone(), value: self.unique_value() };
        let other = Operation::Put { key: Bytes::from("session/other"), value: self.unique_value() };
        Command::Transaction(Transaction {
            comparisons: vec![comparison],
            success: vec![put, Operation::Get { key: key.clone() }],
            failure: vec![other, Operation::Delete { key }],
        })
    }

    /// Writes, and repeats that until it is known what it did.
    async fn write_in(&mut self, session: &mut Session, command: Command, twice_percent: u64) -> Ending {
        session.sequence += 1;
        let key = IdempotencyKey { session: session.number, sequence: session.sequence };
        let asked = Asked::Write { command, session: Some((key, session.acknowledged_below)) };
        for _ in 0..REPETITIONS_MAX {
            let member = self.any_member();
            let told = if self.dice.chance(twice_percent) {
                let other = self.any_member();
                match self.ask_two((member, other), asked.clone()).await {
                    (told, Told::Unknown | Told::NotSent | Told::Refused { .. }) => told,
                    (_, told) => told,
                }
            } else {
                self.ask_member(member, asked.clone()).await
            };
            match told {
                Told::Wrote { effect: Effect::Refused(ErrorCode::SessionExpired), .. } => {
                    return Ending::SessionIsGone;
                }
                Told::Wrote { effect: Effect::Refused(ErrorCode::TooManyOutcomes), .. } => {
                    // Nothing was done; the next number comes with a higher watermark.
                    session.acknowledged_below = session.sequence;
                    return Ending::Known;
                }
                Told::Wrote { .. } => {
                    if self.dice.chance(60) {
                        session.acknowledged_below = session.sequence + 1;
                    }
                    return Ending::Known;
                }
                Told::Refused { .. } | Told::NotSent | Told::Unknown if self.is_stopped() => break,
                _ => {}
            }
        }
        Ending::Unknown
    }

    /// Makes the mistake of giving a number to two requests.
    async fn reuse_a_number(&mut self, mut session: Session, keys: u64) -> Option<Session> {
        let command = self.session_command(keys);
        if matches!(self.write_in(&mut session, command, 0).await, Ending::SessionIsGone) {
            return None;
        }
        let key = IdempotencyKey { session: session.number, sequence: session.sequence };
        let command = self.session_command(keys);
        self.ask(Asked::Write { command, session: Some((key, 0)) }).await;
        Some(session)
    }

    /// Asks for a number whose outcome it has said that it has seen.
    async fn ask_for_what_was_freed(&mut self, session: &Session, keys: u64) {
        if session.acknowledged_below < 2 {
            return;
        }
        let key = IdempotencyKey { session: session.number, sequence: session.acknowledged_below - 1 };
        let command = self.session_command(keys);
        self.ask(Asked::Write { command, session: Some((key, 0)) }).await;
    }
}
