//! How far a connection is, and by when it must have got further.
//!
//! Four things can stall a connection: silence between requests, a head that trickles in, an answer that
//! the client does not take, and a last goodbye that is not returned. (Bodies and handlers have the
//! request's own deadline.) Instead of a timer for each, which would cost every request, a connection
//! has one [`Progress`]: the stream and the service note phase and deadline in it, two plain stores, and
//! one watchdog looks at it now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use quorate_environment::{Environment, Moment};

use crate::options::HttpOptions;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Between requests.
    Idle = 0,
    /// Part of a head has arrived.
    Head = 1,
    /// The request is being handled, under its own deadline.
    Handling = 2,
    /// The answer is being sent.
    Answering = 3,
    /// Our side is closed; the client is given time to read what we said.
    Lingering = 4,
}

impl Phase {
    fn from_ordinal(ordinal: u8) -> Self {
        match ordinal {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Handling,
            3 => Phase::Answering,
            _ => Phase::Lingering,
        }
    }

    /// Why a connection that is stuck in this phase is cut, in logs and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Phase::Idle => "idle",
            Phase::Head => "slow_head",
            Phase::Handling => "handling",
            Phase::Answering => "slow_reader",
            Phase::Lingering => "lingering",
        }
    }
}

const NO_DEADLINE: u64 = u64::MAX;

/// How long the client may take, after an early refusal, to read it and to stop sending.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// See the module. All of it is used by one task, so the orderings are relaxed.
#[derive(Debug)]
pub(crate) struct Progress {
    phase: AtomicU8,
    /// Nanoseconds since the clock's origin.
    deadline: AtomicU64,
    /// When the last answer was ready, in nanoseconds since the clock's origin.
    answered: AtomicU64,
    /// Whether the client may still be sending the body of the last request.
    body_unread: AtomicBool,
    /// Whether the next answer is to be the connection's last.
    stops_soon: AtomicBool,
    idle_timeout: Duration,
    head_timeout: Duration,
    answer_timeout: Duration,
}

impl Progress {
    /// A connection that was just opened.
    pub(crate) fn new(now: Moment, options: &HttpOptions) -> Arc<Self> {
        Arc::new(Self {
            phase: AtomicU8::new(Phase::Idle as u8),
            deadline: AtomicU64::new(nanoseconds(now + options.idle_timeout)),
            answered: AtomicU64::new(nanoseconds(now)),
            body_unread: AtomicBool::new(false),
            stops_soon: AtomicBool::new(false),
            idle_timeout: options.idle_timeout,
            head_timeout: options.head_timeout,
            answer_timeout: options.answer_timeout,
        })
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::from_ordinal(self.phase.load(Ordering::Relaxed))
    }

    fn enter(&self, phase: Phase, deadline: u64) {
        self.deadline.store(deadline, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Bytes arrived. `now` is only asked if it matters.
    pub(crate) fn received(&self, now: impl FnOnce() -> Moment) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Head, nanoseconds(now() + self.head_timeout));
        }
    }

    /// A whole head has arrived. `has_body`: a body follows it.
    pub(crate) fn request_begins(&self, has_body: bool) {
        self.body_unread.store(has_body, Ordering::Relaxed);
        self.enter(Phase::Handling, NO_DEADLINE);
    }

    /// The request's body has been read to its end.
    pub(crate) fn body_ends(&self) {
        self.body_unread.store(false, Ordering::Relaxed);
    }

    /// The server is asked to stop: the next answer is the connection's last.
    pub(crate) fn stop_soon(&self) {
        self.stops_soon.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stops_soon(&self) -> bool {
        self.stops_soon.load(Ordering::Relaxed)
    }

    /// The answer is ready.
    pub(crate) fn answer_ready(&self, now: Moment) {
        self.answered.store(nanoseconds(now), Ordering::Relaxed);
        self.enter(Phase::Answering, nanoseconds(now + self.answer_timeout));
    }

    /// Everything written so far has gone to the network.
    pub(crate) fn flushed(&self) {
        if self.phase() == Phase::Answering {
            let answered = Moment::from_origin(Duration::from_nanos(self.answered.load(Ordering::Relaxed)));
            self.enter(Phase::Idle, nanoseconds(answered + self.idle_timeout));
        }
    }

    /// Our side of the stream is closed. Tells whether to wait for the client's.
    pub(crate) fn closing(&self, now: impl FnOnce() -> Moment) -> bool {
        if self.phase() != Phase::Lingering && self.body_unread.load(Ordering::Relaxed) {
            self.enter(Phase::Lingering, nanoseconds(now() + LINGER_TIMEOUT));
        }
        self.phase() == Phase::Lingering
    }

    /// Resolves when the deadline of a phase has passed; says which phase.
    pub(crate) async fn watch<E: Environment>(self: Arc<Self>, environment: E) -> Phase {
        // A deadline may move closer while we sleep (a head has begun), so look at least this often.
        let look_again =
            self.idle_timeout.min(self.head_timeout).min(self.answer_timeout).min(LINGER_TIMEOUT * 5);
        loop {
            let now = environment.now();
            let deadline = self.deadline.load(Ordering::Relaxed);
            if nanoseconds(now) >= deadline {
                return self.phase();
            }
            let at_deadline = Moment::from_origin(Duration::from_nanos(deadline));
            environment.sleep_until(at_deadline.min(now + look_again)).await;
        }
    }
}

fn nanoseconds(moment: Moment) -> u64 {
    u64::try_from(moment.since_origin().as_nanos()).unwrap_or(NO_DEADLINE)
}
