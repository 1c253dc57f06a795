//! The sessions of a client, which make its writes safe to repeat.
//!
//! A write gets a [`Ticket`]: a session and a sequence of its own. While it is tried, at one node after the
//! other, it carries that number, so that it takes effect once. What the client has seen the outcome of, or has
//! given up, it need not tell apart any more: the sequences below the lowest one that is still being tried are
//! acknowledged with the next write, and the store forgets them.
//!
//! A session holds a limited number of outcomes. So a session whose oldest write takes long gets no further
//! writes, and another one is opened: one write that hangs does not hold up the others.
//!
//! Each write is a sign of life. A session without one for a third of its time to live is kept alive before it
//! is used again, so that it does not expire while a write is being repeated: what has expired can no longer
//! say what became of the write.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_api::{IdempotencyKey, SessionAnswer};
use quorate_environment::Moment;

/// How far the writes of a session may spread: from the oldest that is still being tried to the newest. The
/// store may hold twice as many outcomes, which is well below what it allows by default.
const SPREAD_MAX: u64 = 64;

/// The sessions of a client.
#[derive(Debug)]
pub(crate) struct Sessions {
    ttl: Duration,
    open: Mutex<Vec<Session>>,
    /// Held while a session is opened or kept alive, so that many writes at once do that once.
    pub(crate) opening: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Session {
    id: u64,
    ttl: Duration,
    last_active: Moment,
    next_sequence: u64,
    in_flight: BTreeSet<u64>,
}

impl Session {
    fn acknowledged_below(&self) -> u64 {
        self.in_flight.first().copied().unwrap_or(self.next_sequence)
    }

    fn has_room(&self) -> bool {
        self.next_sequence - self.acknowledged_below() < SPREAD_MAX
    }

    fn is_fresh(&self, now: Moment) -> bool {
        now.saturating_since(self.last_active) < self.ttl / 3
    }
}

impl Sessions {
    /// No sessions yet; each will expire after `ttl` without a sign of life.
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, open: Mutex::default(), opening: tokio::sync::Mutex::default() }
    }

    /// After how long without a sign of life sessions are to expire.
    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// A number for a write, if there is a session that can be used at once.
    pub(crate) fn ticket(self: &Arc<Self>, now: Moment) -> Option<Ticket> {
        let mut open = self.lock();
        let session = open.iter_mut().find(|session| session.is_fresh(now) && session.has_room())?;
        let sequence = session.next_sequence;
        session.next_sequence += 1;
        session.in_flight.insert(sequence);
        let key = IdempotencyKey { session: session.id, sequence };
        Some(Ticket { sessions: Arc::clone(self), key })
    }

    /// A session that could be used if it were kept alive.
    pub(crate) fn silent(&self, now: Moment) -> Option<u64> {
        let mut open = self.lock();
        // No need to ask about those that must have expired.
        open.retain(|session| now.saturating_since(session.last_active) < session.ttl);
        open.iter().find(|session| !session.is_fresh(now) && session.has_room()).map(|session| session.id)
    }

    /// A session was opened, with a request that was sent at `asked`.
    pub(crate) fn opened(&self, answer: SessionAnswer, asked: Moment) {
        self.lock().push(Session {
            id: answer.session,
            ttl: Duration::from_millis(answer.ttl_ms),
            last_active: asked,
            next_sequence: 1,
            in_flight: BTreeSet::new(),
        });
    }

    /// A session gave a sign of life, with a request that was sent at `asked`.
    pub(crate) fn active(&self, id: u64, asked: Moment) {
        if let Some(session) = self.lock().iter_mut().find(|session| session.id == id) {
            session.last_active = session.last_active.max(asked);
        }
    }

    /// A session has expired.
    pub(crate) fn forget(&self, id: u64) {
        self.lock().retain(|session| session.id != id);
    }

    /// Takes all sessions away, to close them.
    pub(crate) fn take_all(&self) -> Vec<u64> {
        std::mem::take(&mut *self.lock()).into_iter().map(|session| session.id).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of a write, for as long as somebody tries it. Dropping it gives the write up: if it has not
/// taken effect by then, it will not once a later write of the session has.
#[derive(Debug)]
pub(crate) struct Ticket {
    sessions: Arc<Sessions>,
    key: IdempotencyKey,
}

impl Ticket {
    pub(crate) fn key(&self) -> IdempotencyKey {
        self.key
    }

    /// The watermark of the session at this moment: never above the ticket's own sequence.
    pub(crate) fn acknowledged_below(&self) -> u64 {
        let open = self.sessions.lock();
        let session = open.iter().find(|session| session.id == self.key.session);
        // A session that is known to have expired refuses the write, whatever is acknowledged.
        session.map_or(0, Session::acknowledged_below)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut open = self.sessions.lock();
        if let Some(session) = open.iter_mut().find(|session| session.id == self.key.session) {
            session.in_flight.remove(&self.key.sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    fn with_one_session() -> Arc<Sessions> {
        let sessions = Arc::new(Sessions::new(Duration::from_secs(60)));
        assert!(sessions.ticket(at(0)).is_none() && sessions.silent(at(0)).is_none());
        sessions.opened(SessionAnswer { session: 7, ttl_ms: 60_000 }, at(0));
        sessions
    }

    #[track_caller]
    fn ticket(sessions: &Arc<Sessions>, seconds: u64) -> Ticket {
        sessions.ticket(at(seconds)).expect("there is a session with room")
    }

    #[test]
    fn each_write_has_a_sequence_of_its_own() {
        let sessions = with_one_session();
        let tickets: Vec<_> = (0..3).map(|_| ticket(&sessions, 1)).collect();
        let keys: Vec<_> = tickets.iter().map(|ticket| ticket.key().to_string()).collect();
        assert_eq!(keys, ["7:1", "7:2", "7:3"]);
    }

    #[test]
    fn what_is_still_being_tried_is_not_acknowledged() {
        let sessions = with_one_session();
        let [first, second, third] = [1, 2, 3].map(|_| ticket(&sessions, 1));
        assert_eq!(third.acknowledged_below(), 1);
        drop(second);
        assert_eq!(third.acknowledged_below(), 1);
        drop(first);
        assert_eq!(third.acknowledged_below(), 3);
        drop(third);
        assert_eq!(ticket(&sessions, 1).acknowledged_below(), 4);
    }

    #[test]
    fn a_write_that_takes_long_does_not_make_its_session_too_full() {
        let sessions = with_one_session();
        let slow = ticket(&sessions, 1);
        for _ in 1..SPREAD_MAX {
            ticket(&sessions, 1);
        }
        assert!(sessions.ticket(at(1)).is_none() && sessions.silent(at(1)).is_none());
        sessions.opened(SessionAnswer { session: 8, ttl_ms: 60_000 }, at(1));
        assert_eq!(ticket(&sessions, 1).key().session, 8);
        drop(slow);
        assert_eq!(ticket(&sessions, 1).key().session, 7);
    }

    #[test]
    fn a_session_that_was_silent_for_long_is_kept_alive_before_it_is_used() {
        let sessions = with_one_session();
        assert!(sessions.ticket(at(19)).is_some());
        assert!(sessions.ticket(at(20)).is_none());
        assert_eq!(sessions.silent(at(20)), Some(7));
        sessions.active(7, at(20));
        sessions.active(7, at(10));
        assert!(sessions.ticket(at(39)).is_some());
        assert_eq!(sessions.silent(at(39)), None);
        assert_eq!(sessions.silent(at(79)), Some(7));
        assert_eq!(sessions.silent(at(80)), None, "it has expired");
        sessions.opened(SessionAnswer { session: 8, ttl_ms: 60_000 }, at(80));
        sessions.forget(8);
        assert!(sessions.ticket(at(80)).is_none());
    }

    proptest! {
        /// Whatever order writes end in, the store never holds more than twice the spread, and nothing that
        /// is being tried is acknowledged.
        #[test]
        fn the_watermark_keeps_up(ends in prop::collection::vec(0..100_usize, 0..500)) {
            let sessions = with_one_session();
            let mut tried: Vec<Ticket> = Vec::new();
            // As if the store did each write, with the watermark of its first attempt, when it ends.
            let (mut watermark, mut begun_with) = (0, std::collections::BTreeMap::new());
            let mut held = BTreeSet::new();
            for end in ends {
                if let Some(ticket) = sessions.ticket(at(1)) {
                    begun_with.insert(ticket.key().sequence, ticket.acknowledged_below());
                    tried.push(ticket);
                }
                if end < tried.len() {
                    let ended = tried.swap_remove(end).key().sequence;
                    prop_assert!(ended >= watermark, "{ended} was acknowledged while it was tried");
                    watermark = watermark.max(begun_with[&ended]);
                    held.insert(ended);
                    held.retain(|sequence| *sequence >= watermark);
                    prop_assert!(held.len() as u64 <= 2 * SPREAD_MAX);
                }
            }
        }
    }
}
