//! The follower's end of append streams.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::raft::AppendEntriesRequest;
use openraft_rt::{AsyncRuntime, Select2};
use quorate_consensus::encoding::{Decode, Encode};
use quorate_consensus::{GroupId, RaftTypes};
use quorate_environment::Environment;
use tokio::sync::mpsc;

use crate::error::{Refusal, RemoteError};
use crate::frame::{Frame, FrameKind, flag};
use crate::handler::{PeerHandler, RaftEndpoint};
use crate::limits::{
    APPEND_WINDOW_BYTES, APPEND_WINDOW_REQUESTS, FRAME_PAYLOAD_BYTES_MAX, SESSION_APPEND_BYTES_MAX,
    SESSION_APPEND_STREAMS_MAX,
};
use crate::session::{Session, SessionError};

/// What a leader that keeps to its window never exceeds on one stream.
const UNANSWERED_BYTES_MAX: usize = APPEND_WINDOW_BYTES + FRAME_PAYLOAD_BYTES_MAX;

type Request<E> = AppendEntriesRequest<RaftTypes<<E as Environment>::Runtime>>;

/// The open append streams of one session.
pub(crate) struct AppendReceivers<E: Environment, H> {
    session: Arc<Session<E, H>>,
    streams: BTreeMap<u64, Input<E>>,
    /// Bytes of requests on all streams, those included that have been closed but are still worked on.
    unanswered_bytes: Arc<AtomicUsize>,
}

struct Input<E: Environment> {
    requests: mpsc::Sender<Request<E>>,
    unanswered: Arc<Unanswered>,
}

/// The lengths of a stream's requests that have not been answered, oldest first. What it counts counts for
/// the session too, until the stream has ended.
#[derive(Debug)]
struct Unanswered {
    lengths: Mutex<(VecDeque<usize>, usize)>,
    session_bytes: Arc<AtomicUsize>,
}

impl Unanswered {
    fn new(session_bytes: Arc<AtomicUsize>) -> Self {
        Self { lengths: Mutex::default(), session_bytes }
    }

    /// Adds a request; false if the leader has sent more than it may.
    fn add(&self, payload_bytes: usize) -> bool {
        let mut guard = self.lengths.lock().unwrap_or_else(PoisonError::into_inner);
        let (lengths, total_bytes) = &mut *guard;
        lengths.push_back(payload_bytes);
        *total_bytes += payload_bytes;
        self.session_bytes.fetch_add(payload_bytes, Ordering::Relaxed);
        lengths.len() <= APPEND_WINDOW_REQUESTS && *total_bytes <= UNANSWERED_BYTES_MAX
    }

    fn remove_oldest(&self) {
        let mut guard = self.lengths.lock().unwrap_or_else(PoisonError::into_inner);
        let (lengths, total_bytes) = &mut *guard;
        let answered = lengths.pop_front().unwrap_or(0);
        *total_bytes -= answered;
        self.session_bytes.fetch_sub(answered, Ordering::Relaxed);
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let (_, total_bytes) = self.lengths.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.session_bytes.fetch_sub(*total_bytes, Ordering::Relaxed);
    }
}

impl<E: Environment, H: PeerHandler<E>> AppendReceivers<E, H> {
    /// No streams yet.
    pub(crate) fn new(session: Arc<Session<E, H>>) -> Self {
        Self { session, streams: BTreeMap::new(), unanswered_bytes: Arc::default() }
    }

    /// Takes a frame of a stream.
    pub(crate) async fn take(&mut self, frame: Frame) -> Result<(), SessionError> {
        let Frame { flags, group, request_id, payload, .. } = frame;
        if flags & flag::FIRST != 0
            && let Err(refusal) = self.open(group, request_id)?
        {
            self.session.refuse(group, request_id, refusal).await;
        }
        if !payload.is_empty()
            && let Err(refusal) = self.feed(request_id, payload)?
        {
            // What the leader has sent behind it finds no stream.
            self.streams.remove(&request_id);
            self.session.refuse(group, request_id, refusal).await;
        }
        if flags & flag::LAST != 0 {
            self.streams.remove(&request_id);
        }
        Ok(())
    }

    fn open(&mut self, group: GroupId, request_id: u64) -> Result<Result<(), Refusal>, SessionError> {
        if self.streams.len() >= SESSION_APPEND_STREAMS_MAX || self.streams.contains_key(&request_id) {
            return Err(SessionError::Protocol("too many append streams, or one opened twice".to_owned()));
        }
        let Some(raft) = self.session.shared.handler.raft(group) else { return Ok(Err(Refusal::NotReady)) };
        let (requests, receiver) = mpsc::channel(APPEND_WINDOW_REQUESTS);
        let unanswered = Arc::new(Unanswered::new(self.unanswered_bytes.clone()));
        let task = answer_stream(self.session.clone(), raft, receiver, group, request_id, unanswered.clone());
        if !self.session.spawn_or_refuse("peer append stream", task) {
            return Ok(Err(Refusal::Overloaded));
        }
        self.streams.insert(request_id, Input { requests, unanswered });
        Ok(Ok(()))
    }

    /// Hands a request to its stream. If the stream has ended here, with an error that is on its way to
    /// the leader, what the leader had already sent is of no use.
    fn feed(&mut self, request_id: u64, payload: Bytes) -> Result<Result<(), Refusal>, SessionError> {
        let Some(input) = self.streams.get(&request_id) else { return Ok(Ok(())) };
        let payload_bytes = payload.len();
        if self.unanswered_bytes.load(Ordering::Relaxed) + payload_bytes > SESSION_APPEND_BYTES_MAX {
            // The leader keeps to the window of each stream; together they are too much for this node.
            return Ok(Err(Refusal::Overloaded));
        }
        let request = Request::<E>::decode(payload)
            .map_err(|error| SessionError::Protocol(format!("malformed append request: {error}")))?;
        let too_much = || SessionError::Protocol("more unanswered append requests than allowed".to_owned());
        if input.requests.is_closed() {
            return Ok(Ok(()));
        }
        if !input.unanswered.add(payload_bytes) {
            return Err(too_much());
        }
        match input.requests.try_send(request) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(Ok(())),
            Err(mpsc::error::TrySendError::Full(_)) => Err(too_much()),
        }
    }
}

/// Answers the requests of one stream, in their order, until it ends.
async fn answer_stream<E: Environment, H: PeerHandler<E>>(
    session: Arc<Session<E, H>>,
    raft: H::Raft,
    receiver: mpsc::Receiver<Request<E>>,
    group: GroupId,
    request_id: u64,
    unanswered: Arc<Unanswered>,
) {
    let mut answers = pin!(raft.stream_append(into_stream::<E>(receiver)));
    loop {
        match E::Runtime::select2(session.ended.cancelled(), answers.next()).await {
            Select2::First(()) | Select2::Second(None) => return,
            Select2::Second(Some(Ok(result))) => {
                unanswered.remove_oldest();
                let last = if result.is_err() { flag::LAST } else { 0 };
                let payload = result.encode();
                session.send(FrameKind::StreamAppended, last, group, request_id, &payload).await;
                if last != 0 {
                    return;
                }
            }
            Select2::Second(Some(Err(message))) => {
                session.answer(group, request_id, Err(RemoteError::Failed(message))).await;
                return;
            }
        }
    }
}

fn into_stream<E: Environment>(
    mut receiver: mpsc::Receiver<Request<E>>,
) -> impl Stream<Item = Request<E>> + Send + 'static {
    futures::stream::poll_fn(move |context| receiver.poll_recv(context))
}
