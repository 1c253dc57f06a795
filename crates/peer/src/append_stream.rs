//! The leader's end of a pipelined append stream.
//!
//! Requests go out as fast as the window allows; answers come back in their order. There is no task
//! behind it: polling the stream of answers also moves the requests, so that dropping it stops
//! everything.
//!
//! openraft does not tell answers apart by request: a confirmation of the log up to some entry counts for
//! every request so far that ends there or before, and as of the time of the *latest* of them. So when a
//! request without entries (it carries the commit index) has followed one with entries, the confirmation
//! of the first would pass for one of the second, and a leader that was deposed in between would take it
//! for proof that it still leads, and serve a stale read. Hence a confirmation that a later request will
//! repeat is held back until that later request has its own answer.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt};
use openraft::errors::{RPCError, Timeout, Unreachable};
use openraft::network::RPCTypes;
use openraft::raft::{AppendEntriesRequest, StreamAppendResult};
use openraft_rt::{AsyncRuntime, Select3};
use quorate_consensus::encoding::{Decode, Encode};
use quorate_consensus::{GroupId, LogId, NodeId, RaftTypes};
use quorate_environment::mutant::{self, Mutant};
use quorate_environment::{Environment, Moment};
use tokio::sync::mpsc;

use crate::connection::{Connection, Registration, answer_of};
use crate::frame::{Frame, FrameKind, flag};
use crate::limits::{APPEND_WINDOW_BYTES, APPEND_WINDOW_REQUESTS, FRAME_PAYLOAD_BYTES_MAX};
use crate::outbox::{OutboxClosed, Room};
use crate::rpc_error::{network_error, rpc_error};

type Types<E> = RaftTypes<<E as Environment>::Runtime>;
type Request<E> = AppendEntriesRequest<Types<E>>;
type Answer<E> = Result<StreamAppendResult<Types<E>>, RPCError<Types<E>>>;

/// Who talks to whom, and how patiently.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AppendStreamSettings {
    /// The leader.
    pub(crate) from: NodeId,
    /// The follower.
    pub(crate) to: NodeId,
    /// The group.
    pub(crate) group: GroupId,
    /// How long the oldest request may wait for its answer.
    pub(crate) response_timeout: Duration,
}

/// An open append stream.
pub(crate) struct AppendStream<E: Environment, S> {
    settings: AppendStreamSettings,
    environment: E,
    connection: Arc<Connection<E>>,
    registration: Registration<E>,
    answers: mpsc::Receiver<Frame>,
    input: S,
    input_ended: bool,
    /// A request that was taken from the input to see whether it is the last, but has not been encoded.
    looked_ahead: Option<Request<E>>,
    /// The next request to go out.
    outgoing: Option<Outgoing>,
    unanswered: VecDeque<Unanswered>,
    unanswered_bytes: usize,
    /// Fires not before the oldest request is overdue; set again when it has fired.
    timer: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    opened: bool,
    closed: bool,
    finished: bool,
    /// Only ever filled by a mutant.
    forged: VecDeque<Option<LogId>>,
    confirmed_once: bool,
}

struct Outgoing {
    payload: Bytes,
    last_log_id: Option<LogId>,
    has_entries: bool,
    is_last: bool,
    since: Moment,
}

struct Unanswered {
    payload_bytes: usize,
    last_log_id: Option<LogId>,
    since: Moment,
    forged: bool,
}

enum Progress<E: Environment> {
    Input(Option<Request<E>>),
    Room(Result<Room, OutboxClosed>),
}

impl<E, S> AppendStream<E, S>
where
    E: Environment,
    S: Stream<Item = Request<E>> + Send + Unpin + 'static,
{
    /// Opens a stream on `connection`, for the request `first` and those of `input` after it.
    pub(crate) fn open(
        environment: E,
        connection: Arc<Connection<E>>,
        settings: AppendStreamSettings,
        first: Request<E>,
        input: S,
    ) -> Result<Self, RPCError<Types<E>>> {
        let (registration, answers) =
            connection.open_stream(APPEND_WINDOW_REQUESTS).map_err(|error| rpc_error(settings.to, error))?;
        Ok(Self {
            settings,
            environment,
            connection,
            registration,
            answers,
            input,
            input_ended: false,
            looked_ahead: Some(first),
            outgoing: None,
            unanswered: VecDeque::new(),
            unanswered_bytes: 0,
            timer: None,
            opened: false,
            closed: false,
            finished: false,
            forged: VecDeque::new(),
            confirmed_once: false,
        })
    }

    /// The answers, as a stream that ends with the input or with the first error.
    pub(crate) fn into_answers(self) -> impl Stream<Item = Answer<E>> + Send {
        futures::stream::unfold(self, async |mut stream| {
            let answer = stream.next_answer().await?;
            Some((answer, stream))
        })
    }

    async fn next_answer(&mut self) -> Option<Answer<E>> {
        loop {
            if let Some(last_log_id) = self.forged.pop_front() {
                return Some(Ok(Ok(last_log_id)));
            }
            let all_sent = self.input_ended && self.looked_ahead.is_none() && self.outgoing.is_none();
            if self.finished || (all_sent && self.unanswered.is_empty()) {
                return None;
            }
            let step = self.step().await;
            match step {
                Ok(Some(answer)) => {
                    self.finished = answer.is_err();
                    return Some(Ok(answer));
                }
                Ok(None) => {}
                Err(error) => {
                    self.finished = true;
                    return Some(Err(error));
                }
            }
        }
    }

    /// Waits for whatever comes first: an answer, a request to send or room to send it, or the end of
    /// patience.
    async fn step(&mut self) -> Result<Option<StreamAppendResult<Types<E>>>, RPCError<Types<E>>> {
        self.look_at_next_request()?;
        let may_send = self.window_is_open();
        let (connection, input, outgoing) = (&self.connection, &mut self.input, &self.outgoing);
        let input_ended = self.input_ended;
        let progress = async move {
            match outgoing {
                Some(outgoing) if may_send => {
                    Progress::<E>::Room(connection.room(outgoing.payload.len()).await)
                }
                None if !input_ended => Progress::Input(input.next().await),
                _ => pending().await,
            }
        };
        let timer = &mut self.timer;
        let overdue = async move {
            match timer {
                Some(timer) => timer.await,
                None => pending().await,
            }
        };
        match E::Runtime::select3(self.answers.recv(), progress, overdue).await {
            Select3::First(Some(frame)) => self.answered(frame),
            Select3::First(None) => Err(network_error(self.connection.end_reason())),
            Select3::Second(Progress::Room(Ok(room))) => self.send(room).map(|()| None),
            Select3::Second(Progress::Room(Err(OutboxClosed))) => {
                Err(network_error(self.connection.end_reason()))
            }
            Select3::Second(Progress::Input(request)) => {
                self.input_ended = request.is_none();
                self.looked_ahead = request;
                Ok(None)
            }
            Select3::Third(()) => self.check_patience().map(|()| None),
        }
    }

    /// Encodes the request that was taken from the input, if there is one. If the input is seen to end
    /// after it, the stream is closed with the same frame: a heartbeat, which is a stream of one request,
    /// costs one frame.
    fn look_at_next_request(&mut self) -> Result<(), RPCError<Types<E>>> {
        if self.outgoing.is_some() {
            return Ok(());
        }
        let Some(request) = self.looked_ahead.take() else { return Ok(()) };
        if let Some(following) = self.input.next().now_or_never() {
            self.input_ended = following.is_none();
            self.looked_ahead = following;
        }
        let payload = request.encode();
        if payload.len() > FRAME_PAYLOAD_BYTES_MAX {
            let reason = format!("a request of {} bytes is larger than a frame may be", payload.len());
            tracing::error!(to = %self.settings.to, reason, "log entries cannot be replicated");
            // There is no sense in trying again at once.
            return Err(RPCError::Unreachable(Unreachable::from_string(reason)));
        }
        self.outgoing = Some(Outgoing {
            payload,
            last_log_id: last_log_id::<E>(&request),
            has_entries: !request.entries.is_empty(),
            is_last: self.input_ended && self.looked_ahead.is_none(),
            since: self.environment.now(),
        });
        self.arm_timer();
        Ok(())
    }

    fn window_is_open(&self) -> bool {
        let Some(outgoing) = &self.outgoing else { return false };
        self.unanswered.is_empty()
            || (self.unanswered.len() < APPEND_WINDOW_REQUESTS
                && self.unanswered_bytes + outgoing.payload.len() <= APPEND_WINDOW_BYTES)
    }

    fn send(&mut self, room: Room) -> Result<(), RPCError<Types<E>>> {
        let outgoing = self.outgoing.take().expect("room was asked for this request");
        let first = if self.opened { 0 } else { flag::FIRST };
        let last = if outgoing.is_last { flag::LAST } else { 0 };
        self.connection
            .push(
                Some(room),
                FrameKind::StreamAppend,
                first | last,
                self.settings.group,
                self.registration.request_id,
                &[&outgoing.payload],
            )
            .map_err(|OutboxClosed| network_error(self.connection.end_reason()))?;
        self.opened = true;
        self.closed = outgoing.is_last;
        // The bug that this puts back: a follower counts before it has confirmed. It starts with the
        // second request of a stream, when the logs are known to match.
        let forged = mutant::active(Mutant::CommitByMinority) && self.confirmed_once && outgoing.has_entries;
        if forged {
            self.forged.push_back(outgoing.last_log_id);
        }
        let payload_bytes = outgoing.payload.len();
        self.unanswered_bytes += payload_bytes;
        self.unanswered.push_back(Unanswered {
            payload_bytes,
            last_log_id: outgoing.last_log_id,
            since: outgoing.since,
            forged,
        });
        Ok(())
    }

    fn answered(&mut self, frame: Frame) -> Result<Option<StreamAppendResult<Types<E>>>, RPCError<Types<E>>> {
        if frame.kind != FrameKind::StreamAppended {
            let Err(error) = answer_of(frame) else {
                return Err(network_error("the peer answered an append stream with something else"));
            };
            return Err(rpc_error(self.settings.to, error));
        }
        let Some(request) = self.unanswered.pop_front() else {
            return Err(network_error("the peer answered a request that was not sent"));
        };
        self.unanswered_bytes -= request.payload_bytes;
        let result = StreamAppendResult::<Types<E>>::decode(frame.payload)
            .map_err(|error| network_error(format!("malformed answer: {error}")))?;
        self.confirmed_once |= result.is_ok();
        let is_repeated = result.as_ref().is_ok_and(|confirmed| self.will_be_repeated(confirmed));
        Ok(if is_repeated || (request.forged && result.is_ok()) { None } else { Some(result) })
    }

    /// Whether a later request, which openraft has handed over already, will be answered with the same
    /// confirmation.
    fn will_be_repeated(&self, confirmed: &Option<LogId>) -> bool {
        let unanswered = self.unanswered.front().map(|request| request.last_log_id);
        let next = unanswered
            .or_else(|| self.outgoing.as_ref().map(|outgoing| outgoing.last_log_id))
            .or_else(|| self.looked_ahead.as_ref().map(last_log_id::<E>));
        next.is_some_and(|last_log_id| last_log_id <= *confirmed)
    }

    fn oldest(&self) -> Option<Moment> {
        let waiting_to_go = self.outgoing.as_ref().map(|outgoing| outgoing.since);
        self.unanswered.front().map(|request| request.since).or(waiting_to_go)
    }

    fn arm_timer(&mut self) {
        if self.timer.is_none()
            && let Some(oldest) = self.oldest()
        {
            let due = oldest + self.settings.response_timeout;
            self.timer = Some(Box::pin(self.environment.sleep_until(due)));
        }
    }

    fn check_patience(&mut self) -> Result<(), RPCError<Types<E>>> {
        self.timer = None;
        let now = self.environment.now();
        if self.oldest().is_some_and(|oldest| oldest + self.settings.response_timeout <= now) {
            return Err(RPCError::Timeout(Timeout {
                action: RPCTypes::AppendEntries,
                id: self.settings.from,
                target: self.settings.to,
                timeout: self.settings.response_timeout,
            }));
        }
        self.arm_timer();
        Ok(())
    }
}

impl<E: Environment, S> Drop for AppendStream<E, S> {
    fn drop(&mut self) {
        if self.opened && !self.closed {
            let request_id = self.registration.request_id;
            // If the connection has ended, so has the stream.
            let _ = self.connection.push(
                None,
                FrameKind::StreamAppend,
                flag::LAST,
                self.settings.group,
                request_id,
                &[],
            );
        }
    }
}

/// The last entry of the log that a request is about.
fn last_log_id<E: Environment>(request: &Request<E>) -> Option<LogId> {
    request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id)
}
