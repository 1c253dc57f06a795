//! The dialing side of a connection: requests out, answers in.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use openraft_rt::{AsyncRuntime, Select2};
use quorate_consensus::{GroupId, NodeId};
use quorate_environment::{Environment, Moment};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::error::{CallError, NotSent, RemoteError, Unknown};
use crate::frame::{Frame, FrameKind};
use crate::frame_reader::{FrameReader, ReadError};
use crate::limits::{
    CALLS_IN_FLIGHT_MAX, FRAME_PAYLOAD_BYTES_MAX, IDLE_CLOSE, KEEPALIVE_INTERVAL, SILENCE_MAX,
};
use crate::outbox::{Outbox, OutboxClosed, Room, write_outbox};
use crate::peers::CallDeadlines;

/// How many rounds of looking after a connection go by from one measurement of its round trip to the next.
const MEASURING_ROUNDS: u64 = 10;

/// An established connection to a peer, used by many callers at once.
#[derive(Debug)]
pub(crate) struct Connection<E: Environment> {
    environment: E,
    peer: NodeId,
    outbox: Outbox,
    /// `None` when the connection has ended.
    waiting: Mutex<Option<BTreeMap<u64, Waiter>>>,
    next_request_id: AtomicU64,
    calls: Semaphore,
    /// When there was last a sign of life of the peer, in milliseconds of the environment's clock.
    last_sign_ms: AtomicU64,
    /// Since when a sign of life has been due, by the same clock: the first request after the last sign
    /// that found nothing else awaited. 0 if none has. It outlives the request, or a row of requests whose
    /// senders give up soon, such as heartbeats, would never find out that nobody listens.
    due_since_ms: AtomicU64,
    /// When something was last sent, by the same clock.
    last_use_ms: AtomicU64,
    /// How long the newest ping took to come back, in microseconds; 0 if none has.
    round_trip_us: AtomicU64,
    ended: CancellationToken,
    end_reason: OnceLock<String>,
}

/// Who waits for answers to a request ID.
#[derive(Debug)]
enum Waiter {
    /// A call: one answer.
    Call(oneshot::Sender<Frame>),
    /// A stream: many, as many as its window has places.
    Stream(mpsc::Sender<Frame>),
}

/// What a call sends.
#[derive(Debug)]
pub(crate) struct CallRequest<'a> {
    /// What it asks.
    pub(crate) kind: FrameKind,
    /// The group it asks.
    pub(crate) group: GroupId,
    /// The application's kind of request; only for [`FrameKind::Request`].
    pub(crate) application_kind: Option<u8>,
    /// The request itself.
    pub(crate) payload: &'a [u8],
}

impl<E: Environment> Connection<E> {
    /// Starts using `stream`, on which `peer` has welcomed us.
    pub(crate) fn start(
        environment: E,
        peer: NodeId,
        reader: FrameReader<ReadHalf<E::Stream>>,
        writer: WriteHalf<E::Stream>,
    ) -> Arc<Self> {
        let now_ms = milliseconds(environment.now());
        let connection = Arc::new(Self {
            environment: environment.clone(),
            peer,
            outbox: Outbox::new(),
            waiting: Mutex::new(Some(BTreeMap::new())),
            next_request_id: AtomicU64::new(1),
            calls: Semaphore::new(CALLS_IN_FLIGHT_MAX),
            last_sign_ms: AtomicU64::new(now_ms),
            due_since_ms: AtomicU64::new(0),
            last_use_ms: AtomicU64::new(now_ms),
            round_trip_us: AtomicU64::new(0),
            ended: CancellationToken::new(),
            end_reason: OnceLock::new(),
        });
        environment.spawn("peer connection reader", connection.clone().read(reader));
        environment.spawn("peer connection writer", connection.clone().write(writer));
        environment.spawn("peer connection keepalive", connection.clone().keep_alive());
        connection
    }

    /// Whether the connection has ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// How long the newest ping took to come back, if one has.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        let microseconds = self.round_trip_us.load(Ordering::Relaxed);
        (microseconds > 0).then(|| Duration::from_micros(microseconds))
    }

    /// Ends the connection; everything that waits for an answer fails.
    pub(crate) fn end(&self, reason: impl Into<String>) {
        if self.end_reason.set(reason.into()).is_err() {
            return;
        }
        tracing::debug!(peer = %self.peer, reason = self.end_reason(), "peer connection ends");
        self.outbox.close();
        // Dropping the waiters wakes those who wait, in the order in which they came.
        drop(self.lock_waiting().take());
        self.ended.cancel();
    }

    /// Why the connection has ended.
    pub(crate) fn end_reason(&self) -> String {
        self.end_reason.get().cloned().unwrap_or_default()
    }

    /// Sends a request, if that can be done before the peer's deadline, and waits for its answer.
    #[tracing::instrument(name = "peer_call", level = "debug", skip_all, fields(peer = %self.peer))]
    pub(crate) async fn call(
        self: &Arc<Self>,
        request: CallRequest<'_>,
        deadlines: impl Into<CallDeadlines>,
    ) -> Result<Bytes, CallError> {
        let deadlines = deadlines.into();
        let application_kind = request.application_kind.as_slice();
        let payload_bytes = 4 + application_kind.len() + request.payload.len();
        if payload_bytes > FRAME_PAYLOAD_BYTES_MAX {
            return Err(NotSent::TooLarge { payload_bytes }.into());
        }
        let admission = async {
            let place = match request.kind {
                FrameKind::Request => Some(self.calls.acquire().await),
                _ => None,
            };
            (place, self.outbox.room(payload_bytes).await)
        };
        let Ok((_place, room)) = self.environment.timeout_at(deadlines.peer, admission).await else {
            return Err(NotSent::Deadline.into());
        };
        let room = room.map_err(|OutboxClosed| self.not_sent())?;
        // What the deadline leaves, in whole milliseconds: clocks of two nodes cannot be compared.
        let remaining = deadlines.peer.saturating_since(self.environment.now()).as_millis();
        if remaining == 0 {
            return Err(NotSent::Deadline.into());
        }
        let remaining_ms = u32::try_from(remaining).unwrap_or(u32::MAX).to_le_bytes();
        let (answer_sender, answer) = oneshot::channel();
        let registration = self.register(Waiter::Call(answer_sender))?;
        let parts = [&remaining_ms[..], application_kind, request.payload];
        let place = self
            .push(Some(room), request.kind, 0, request.group, registration.request_id, &parts)
            .map_err(|OutboxClosed| self.not_sent())?;
        match self.environment.timeout_at(deadlines.caller, answer).await {
            Err(_) => Err(Unknown::Deadline.into()),
            Ok(Err(_)) if self.outbox.may_have_sent(place) => {
                Err(Unknown::ConnectionLost(self.end_reason()).into())
            }
            Ok(Err(_)) => Err(self.not_sent()),
            Ok(Ok(frame)) => answer_of(frame),
        }
    }

    /// Registers a stream whose answers, at most `window` at a time, come out of the receiver.
    pub(crate) fn open_stream(
        self: &Arc<Self>,
        window: usize,
    ) -> Result<(Registration<E>, mpsc::Receiver<Frame>), CallError> {
        let (sender, receiver) = mpsc::channel(window);
        Ok((self.register(Waiter::Stream(sender))?, receiver))
    }

    /// Waits for room for a frame of a stream.
    pub(crate) fn room(&self, payload_bytes: usize) -> impl Future<Output = Result<Room, OutboxClosed>> {
        self.outbox.room(payload_bytes)
    }

    /// Sends a frame.
    pub(crate) fn push(
        &self,
        room: Option<Room>,
        kind: FrameKind,
        flags: u8,
        group: GroupId,
        request_id: u64,
        parts: &[&[u8]],
    ) -> Result<u64, OutboxClosed> {
        self.last_use_ms.store(milliseconds(self.environment.now()), Ordering::Relaxed);
        self.outbox.push(room, kind, flags, group, request_id, parts)
    }

    /// The error of a request that did not go out because the connection ended.
    pub(crate) fn not_sent(&self) -> CallError {
        NotSent::ConnectionLost(self.end_reason()).into()
    }

    fn register(self: &Arc<Self>, waiter: Waiter) -> Result<Registration<E>, CallError> {
        let mut waiting = self.lock_waiting();
        let Some(waiting) = waiting.as_mut() else { return Err(self.not_sent()) };
        if waiting.is_empty() && self.due_since_ms.load(Ordering::Relaxed) == 0 {
            // Silence counts from when something is awaited.
            self.due_since_ms.store(milliseconds(self.environment.now()).max(1), Ordering::Relaxed);
        }
        let request_id = self.next_request_id.fetch_add(1, Ordering::Relaxed);
        waiting.insert(request_id, waiter);
        Ok(Registration { connection: self.clone(), request_id })
    }

    async fn read(self: Arc<Self>, mut reader: FrameReader<ReadHalf<E::Stream>>) {
        let reason = loop {
            if let Err(reason) = self.dispatch(&mut reader) {
                tracing::warn!(peer = %self.peer, %reason, "a peer does not keep to the protocol");
                break reason;
            }
            match E::Runtime::select2(self.ended.cancelled(), reader.fill()).await {
                Select2::First(()) => return,
                Select2::Second(Ok(())) => self.note_sign_of_life(),
                Select2::Second(Err(ReadError::Closed)) => break "the peer closed the connection".to_owned(),
                Select2::Second(Err(error)) => break error.to_string(),
            }
        };
        self.end(reason);
    }

    /// Hands every frame that has arrived to whoever waits for it.
    fn dispatch(&self, reader: &mut FrameReader<ReadHalf<E::Stream>>) -> Result<(), String> {
        while let Some(frame) = reader.next_buffered().map_err(|error| error.to_string())? {
            match frame.kind {
                FrameKind::Pong => self.note_round_trip(frame.request_id),
                FrameKind::Response
                | FrameKind::Error
                | FrameKind::StreamAppended
                | FrameKind::SnapshotAck => self.deliver(frame)?,
                kind => return Err(format!("unexpected frame {kind:?}")),
            }
        }
        Ok(())
    }

    fn deliver(&self, frame: Frame) -> Result<(), String> {
        let mut waiting = self.lock_waiting();
        let Some(waiting) = waiting.as_mut() else { return Ok(()) };
        match waiting.get(&frame.request_id) {
            // Whoever waited has given up.
            None => Ok(()),
            Some(Waiter::Stream(sender)) => match sender.try_send(frame) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
                Err(mpsc::error::TrySendError::Full(_)) => Err("more answers than requests".to_owned()),
            },
            Some(Waiter::Call(_)) => {
                if let Some(Waiter::Call(sender)) = waiting.remove(&frame.request_id) {
                    // The caller may have given up in this very moment.
                    let _ = sender.send(frame);
                }
                Ok(())
            }
        }
    }

    async fn write(self: Arc<Self>, mut writer: WriteHalf<E::Stream>) {
        // A large frame on a slow line keeps the line busy for longer than silence may last. That it
        // moves at all shows that the peer lives.
        let alive = || self.note_sign_of_life();
        let write = write_outbox(&self.environment, &self.outbox, &mut writer, alive);
        let written = match E::Runtime::select2(self.ended.cancelled(), write).await {
            Select2::First(()) => return,
            Select2::Second(written) => written,
        };
        if let Err(error) = written {
            self.end(format!("writing failed: {error}"));
        }
    }

    /// Asks the other end to say something. A ping carries the time at which it was sent, by this node's
    /// clock, and its answer the same number.
    fn ping(&self) {
        let now_us = microseconds(self.environment.now());
        // An ended connection needs no ping.
        let _ = self.outbox.push(None, FrameKind::Ping, 0, GroupId::FIRST, now_us, &[]);
    }

    fn note_round_trip(&self, sent_us: u64) {
        let took_us = microseconds(self.environment.now()).saturating_sub(sent_us);
        self.round_trip_us.store(took_us.max(1), Ordering::Relaxed);
    }

    fn note_sign_of_life(&self) {
        self.last_sign_ms.store(milliseconds(self.environment.now()), Ordering::Relaxed);
        self.due_since_ms.store(0, Ordering::Relaxed);
    }

    /// Finds out whether the other end still lives while something is awaited from it, measures now and then
    /// how far away it is, and ends a connection that nobody uses.
    async fn keep_alive(self: Arc<Self>) {
        for round in 0u64.. {
            let pause = self.environment.sleep(KEEPALIVE_INTERVAL);
            if let Select2::First(()) = E::Runtime::select2(self.ended.cancelled(), pause).await {
                return;
            }
            let now_ms = milliseconds(self.environment.now());
            let due_since_ms = self.due_since_ms.load(Ordering::Relaxed);
            let silent_since_ms = self.last_sign_ms.load(Ordering::Relaxed).max(due_since_ms);
            let silent_ms = now_ms.saturating_sub(silent_since_ms);
            let unused_ms = now_ms.saturating_sub(self.last_use_ms.load(Ordering::Relaxed));
            let is_waited_for = self.lock_waiting().as_ref().is_some_and(|waiting| !waiting.is_empty());
            if !is_waited_for && due_since_ms == 0 {
                if u128::from(unused_ms) >= IDLE_CLOSE.as_millis() {
                    self.end("it was not used");
                }
            } else if u128::from(silent_ms) >= SILENCE_MAX.as_millis() {
                self.end(format!("the peer has been silent for {silent_ms} ms"));
            } else if u128::from(silent_ms) >= KEEPALIVE_INTERVAL.as_millis()
                || round.is_multiple_of(MEASURING_ROUNDS)
            {
                self.ping();
            }
        }
    }

    fn lock_waiting(&self) -> MutexGuard<'_, Option<BTreeMap<u64, Waiter>>> {
        // No code panics while it holds this lock; if it ever does, the process ends anyway.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who wait for answers; given up when dropped.
#[derive(Debug)]
pub(crate) struct Registration<E: Environment> {
    connection: Arc<Connection<E>>,
    /// The ID that the answers carry.
    pub(crate) request_id: u64,
}

impl<E: Environment> Drop for Registration<E> {
    fn drop(&mut self) {
        if let Some(waiting) = self.connection.lock_waiting().as_mut() {
            waiting.remove(&self.request_id);
        }
    }
}

/// What an answer to a call says.
pub(crate) fn answer_of(frame: Frame) -> Result<Bytes, CallError> {
    match frame.kind {
        FrameKind::Response => Ok(frame.payload),
        FrameKind::Error => Err(RemoteError::decode(&frame.payload).into()),
        kind => Err(CallError::Failed { message: format!("unexpected answer {kind:?}") }),
    }
}

fn microseconds(moment: Moment) -> u64 {
    u64::try_from(moment.since_origin().as_micros()).unwrap_or(u64::MAX)
}

fn milliseconds(moment: Moment) -> u64 {
    u64::try_from(moment.since_origin().as_millis()).unwrap_or(u64::MAX)
}
