//! One accepted connection: handshake, then requests in and answers out.
//!
//! Requests are worked on at the same time and answered as they finish; those of one append stream are
//! worked on in their order. What a peer may have in work is limited. It gets a refusal if it asks for
//! more, and its connection is closed if it does not keep to what the protocol promises.

use std::sync::Arc;

use bytes::Bytes;
use openraft_rt::{AsyncRuntime, Select2, Select3};
use quorate_consensus::encoding::{Decode, Encode};
use quorate_consensus::{GroupId, NodeId};
use quorate_environment::{Environment, Moment};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::append_receiver::AppendReceivers;
use crate::error::{Refusal, RemoteError};
use crate::frame::{self, Frame, FrameKind};
use crate::frame_reader::{FrameReader, ReadError};
use crate::handler::{PeerHandler, RaftEndpoint};
use crate::handshake::{Hello, HelloError, Reject, RejectCode};
use crate::limits::{
    ABANDONED_CLOSE, FRAME_PAYLOAD_BYTES_MAX, HANDSHAKE_PAYLOAD_BYTES_MAX, HANDSHAKE_TIMEOUT,
    LAST_ANSWERS_MAX, REQUEST_DEADLINE_MAX, SESSION_REQUEST_BYTES_MAX, SESSION_REQUESTS_MAX,
    SESSION_TASKS_MAX,
};
use crate::outbox::{Outbox, OutboxClosed, write_all, write_outbox};
use crate::server::Shared;
use crate::snapshot_receiver::SnapshotReceivers;

/// What the tasks of one accepted connection share.
#[derive(Debug)]
pub(crate) struct Session<E: Environment, H> {
    pub(crate) shared: Arc<Shared<E, H>>,
    /// Who dialed.
    pub(crate) from: NodeId,
    /// What it has said of itself.
    hello: Hello,
    /// Cancelled when the connection ends, or the node.
    pub(crate) ended: CancellationToken,
    outbox: Outbox,
    tasks: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    request_bytes: Arc<Semaphore>,
}

/// Why a session ends that the peer did not end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// What came cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The hello makes no sense.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The frames are fine, but not what the protocol allows.
    #[error("{0}")]
    Protocol(String),
    /// The handshake took too long.
    #[error("the handshake was not finished in time")]
    Handshake,
    /// Nothing has come for too long.
    #[error("nothing has come from it for {} s", ABANDONED_CLOSE.as_secs())]
    Abandoned,
}

/// Serves one connection until it ends.
pub(crate) async fn run<E: Environment, H: PeerHandler<E>>(
    shared: Arc<Shared<E, H>>,
    stream: E::Stream,
    address: String,
) {
    let (reader, writer) = tokio::io::split(stream);
    let mut reader = FrameReader::new(reader, HANDSHAKE_PAYLOAD_BYTES_MAX);
    let served = async {
        match handshake(&shared, &mut reader, writer, &address).await? {
            Some((hello, writer)) => serve_peer(shared.clone(), hello, reader, writer).await,
            None => Ok(()),
        }
    };
    match served.await {
        Ok(()) | Err(SessionError::Read(ReadError::Closed)) => {}
        // A peer that dies resets its connections: that is news for Raft, not for the log.
        Err(SessionError::Read(error @ (ReadError::Stream(_) | ReadError::Truncated))) => {
            tracing::debug!(address, %error, "peer connection ended");
        }
        Err(error) => tracing::warn!(address, %error, "peer connection closed"),
    }
}

/// Decides whether the connection may go on, and says so. Nothing if it ends here.
async fn handshake<E: Environment, H: PeerHandler<E>>(
    shared: &Shared<E, H>,
    reader: &mut FrameReader<ReadHalf<E::Stream>>,
    mut writer: WriteHalf<E::Stream>,
    address: &str,
) -> Result<Option<(Hello, WriteHalf<E::Stream>)>, SessionError> {
    let work = async {
        reader.preface().await?;
        let frame = reader.next().await?;
        if frame.kind != FrameKind::Hello {
            return Err(SessionError::Protocol(format!("it begins with {:?}", frame.kind)));
        }
        let answer = answer_hello(shared, frame.payload, address)?;
        let (kind, payload) = match &answer {
            Ok((_, welcome)) => (FrameKind::Welcome, welcome.clone()),
            Err(reject) => (FrameKind::Reject, reject.encode()),
        };
        let header = frame::header(kind, 0, GroupId::FIRST, 0, &[&payload]);
        write_all(&shared.environment, &mut writer, &[&header[..], &payload].concat())
            .await
            .map_err(ReadError::Stream)?;
        Ok(answer.ok().map(|(hello, _)| hello).filter(|hello| !hello.is_probe()))
    };
    let limited = shared.environment.timeout(HANDSHAKE_TIMEOUT, work);
    let hello = match E::Runtime::select2(shared.shutdown.cancelled(), limited).await {
        Select2::First(()) => return Ok(None),
        Select2::Second(result) => result.map_err(|_| SessionError::Handshake)??,
    };
    reader.set_payload_bytes_max(FRAME_PAYLOAD_BYTES_MAX);
    Ok(hello.map(|hello| (hello, writer)))
}

/// The hello with the encoded welcome, or the refusal.
fn answer_hello<E: Environment, H: PeerHandler<E>>(
    shared: &Shared<E, H>,
    payload: Bytes,
    address: &str,
) -> Result<Result<(Hello, Bytes), Reject>, SessionError> {
    let hello = match Hello::decode(payload) {
        Ok(hello) => hello,
        Err(error @ HelloError::Version { .. }) => {
            let by = shared.gatekeeper.introduction();
            let reject = Reject { code: RejectCode::ProtocolVersion, message: error.to_string(), by };
            // Who it is stands behind what we cannot read.
            shared.log_refusal(NodeId::default(), address, &reject);
            return Ok(Err(reject));
        }
        Err(error) => return Err(error.into()),
    };
    match shared.gatekeeper.welcome(&hello) {
        Ok(welcome) => {
            shared.forget_refusals(hello.from.node);
            let welcome = welcome.encode();
            Ok(Ok((hello, welcome)))
        }
        Err(reject) => {
            shared.log_refusal(hello.from.node, address, &reject);
            Ok(Err(reject))
        }
    }
}

async fn serve_peer<E: Environment, H: PeerHandler<E>>(
    shared: Arc<Shared<E, H>>,
    hello: Hello,
    mut reader: FrameReader<ReadHalf<E::Stream>>,
    mut writer: WriteHalf<E::Stream>,
) -> Result<(), SessionError> {
    let session = Arc::new(Session {
        shared: shared.clone(),
        from: hello.from.node,
        hello,
        ended: shared.shutdown.child_token(),
        outbox: Outbox::new(),
        tasks: Arc::new(Semaphore::new(SESSION_TASKS_MAX)),
        requests: Arc::new(Semaphore::new(SESSION_REQUESTS_MAX)),
        request_bytes: Arc::new(Semaphore::new(SESSION_REQUEST_BYTES_MAX)),
    });
    session.spawn_or_refuse("peer session writer", {
        let session = session.clone();
        async move {
            let environment = &session.shared.environment;
            let write = write_outbox(environment, &session.outbox, &mut writer, || ());
            // What is in the outbox at the end are answers, which somebody waits for.
            let too_late = async {
                session.ended.cancelled().await;
                environment.sleep(LAST_ANSWERS_MAX).await;
            };
            if let Select2::First(Err(error)) = E::Runtime::select2(write, too_late).await {
                tracing::debug!(from = %session.from, %error, "writing to a peer failed");
                session.ended.cancel();
            }
        }
    });
    let result = session.clone().read(&mut reader).await;
    session.ended.cancel();
    let everyone = u32::try_from(SESSION_TASKS_MAX).expect("a small constant");
    if result.is_ok() {
        // This node ends, not the connection: all but the writer may still have put in an answer.
        drop(session.tasks.acquire_many(everyone - 1).await);
        session.outbox.finish();
    } else {
        session.outbox.close();
    }
    // Until every task has ended, something may still hold the handler and what is behind it.
    drop(session.tasks.acquire_many(everyone).await);
    result
}

impl<E: Environment, H: PeerHandler<E>> Session<E, H> {
    async fn read(
        self: Arc<Self>,
        reader: &mut FrameReader<ReadHalf<E::Stream>>,
    ) -> Result<(), SessionError> {
        let mut append_streams = AppendReceivers::new(self.clone());
        let mut snapshots = SnapshotReceivers::new(self.clone());
        let environment = &self.shared.environment;
        let mut last_arrival = environment.now();
        let mut abandoned = Box::pin(environment.sleep_until(last_arrival + ABANDONED_CLOSE));
        loop {
            // First what has come together with the hello, later what a read has brought.
            while let Some(frame) = reader.next_buffered().map_err(ReadError::Frame)? {
                match frame.kind {
                    FrameKind::StreamAppend
                    | FrameKind::SnapshotBegin
                    | FrameKind::SnapshotChunk
                    | FrameKind::SnapshotCancel
                        if self.is_guest() =>
                    {
                        return Err(SessionError::Protocol(format!("a guest has sent {:?}", frame.kind)));
                    }
                    FrameKind::StreamAppend => append_streams.take(frame).await?,
                    FrameKind::SnapshotBegin | FrameKind::SnapshotChunk | FrameKind::SnapshotCancel => {
                        snapshots.take(frame).await?;
                    }
                    _ => self.clone().take(frame, last_arrival).await?,
                }
            }
            match E::Runtime::select3(self.ended.cancelled(), reader.fill(), &mut abandoned).await {
                Select3::First(()) => return Ok(()),
                Select3::Second(filled) => {
                    filled?;
                    last_arrival = environment.now();
                }
                Select3::Third(()) if environment.now() >= last_arrival + ABANDONED_CLOSE => {
                    return Err(SessionError::Abandoned);
                }
                Select3::Third(()) => {
                    abandoned = Box::pin(environment.sleep_until(last_arrival + ABANDONED_CLOSE));
                }
            }
        }
    }

    /// Whether the peer is only a guest (by now): see [`crate::Gatekeeper::is_guest`].
    fn is_guest(&self) -> bool {
        self.shared.gatekeeper.is_guest(&self.hello)
    }

    /// Takes a frame that stands for itself.
    async fn take(self: Arc<Self>, frame: Frame, arrived: Moment) -> Result<(), SessionError> {
        match frame.kind {
            FrameKind::Ping => {
                self.send(FrameKind::Pong, 0, frame.group, frame.request_id, &[]).await;
                Ok(())
            }
            FrameKind::Request
            | FrameKind::AppendEntries
            | FrameKind::Vote
            | FrameKind::PreVote
            | FrameKind::TransferLeader => {
                let (group, request_id) = (frame.group, frame.request_id);
                // A node that was removed may not know it yet, and stand for election.
                let is_allowed = !self.is_guest() || frame.kind == FrameKind::Request;
                let begun = if is_allowed { self.begin(frame, arrived) } else { Err(Refusal::NotAllowed) };
                if let Err(refusal) = begun {
                    self.refuse(group, request_id, refusal).await;
                }
                Ok(())
            }
            kind => Err(SessionError::Protocol(format!("unexpected frame {kind:?}"))),
        }
    }

    /// Starts to work on a request.
    fn begin(self: &Arc<Self>, frame: Frame, arrived: Moment) -> Result<(), Refusal> {
        let Frame { kind, group, request_id, mut payload, .. } = frame;
        if payload.len() < 4 {
            return Err(Refusal::Malformed);
        }
        let remaining_ms = u32::from_le_bytes(payload.split_to(4)[..].try_into().expect("four bytes"));
        let remaining = std::time::Duration::from_millis(remaining_ms.into()).min(REQUEST_DEADLINE_MAX);
        let deadline = arrived + remaining;
        if self.shared.environment.now() >= deadline {
            return Err(Refusal::Expired);
        }
        let session = self.clone();
        let place = self.place_for(kind, payload.len())?;
        let work = async move {
            // On the heap: futures around a future copy it, and all of this would be 20 KiB a request.
            let answer = Box::pin(session.work(kind, group, payload, deadline));
            let limited = session.shared.environment.timeout_at(deadline, answer);
            // Past the deadline nobody waits for an answer.
            if let Select2::Second(Ok(answer)) = E::Runtime::select2(session.ended.cancelled(), limited).await
            {
                session.answer(group, request_id, answer).await;
            }
            drop(place);
        };
        if self.spawn_or_refuse("peer request", work) { Ok(()) } else { Err(Refusal::Overloaded) }
    }

    /// Application requests are limited in number and bytes. Raft's own are few, and must not wait
    /// behind them.
    fn place_for(
        &self,
        kind: FrameKind,
        payload_bytes: usize,
    ) -> Result<Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>, Refusal> {
        if kind != FrameKind::Request {
            return Ok(None);
        }
        let bytes = u32::try_from(payload_bytes).map_err(|_| Refusal::Overloaded)?;
        let place = self.requests.clone().try_acquire_owned().map_err(|_| Refusal::Overloaded)?;
        let room =
            self.request_bytes.clone().try_acquire_many_owned(bytes).map_err(|_| Refusal::Overloaded)?;
        Ok(Some((place, room)))
    }

    async fn work(
        &self,
        kind: FrameKind,
        group: GroupId,
        mut payload: Bytes,
        deadline: Moment,
    ) -> Result<Bytes, RemoteError> {
        let handler = &self.shared.handler;
        if kind == FrameKind::Request {
            if payload.is_empty() {
                return Err(RemoteError::Refused(Refusal::Malformed));
            }
            let application_kind = payload.split_to(1)[0];
            return match self.is_guest() {
                true => handler.guest_call(self.from, group, application_kind, payload, deadline).await,
                false => handler.call(self.from, group, application_kind, payload, deadline).await,
            };
        }
        let raft = handler.raft(group).ok_or(RemoteError::Refused(Refusal::NotReady))?;
        match kind {
            FrameKind::AppendEntries => reply(raft.append_entries(request(payload)?).await),
            FrameKind::Vote => reply(raft.vote(request(payload)?).await),
            FrameKind::PreVote => reply(raft.pre_vote(request(payload)?).await),
            FrameKind::TransferLeader => reply(raft.transfer_leader(request(payload)?).await),
            kind => unreachable!("only requests are worked on, not {kind:?}"),
        }
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, group: GroupId, request_id: u64, answer: Result<Bytes, RemoteError>) {
        let answer = match answer {
            Ok(payload) if payload.len() > FRAME_PAYLOAD_BYTES_MAX => Err(RemoteError::Failed(format!(
                "the answer of {} bytes is larger than a frame may be",
                payload.len()
            ))),
            answer => answer,
        };
        match answer {
            Ok(payload) => self.send(FrameKind::Response, 0, group, request_id, &payload).await,
            Err(error) => self.send(FrameKind::Error, 0, group, request_id, &error.encode()).await,
        }
    }

    /// Refuses a request.
    pub(crate) async fn refuse(&self, group: GroupId, request_id: u64, refusal: Refusal) {
        self.answer(group, request_id, Err(RemoteError::Refused(refusal))).await;
    }

    /// Sends a frame when there is room for it. Does nothing if the connection has ended: there is nobody
    /// to tell.
    pub(crate) async fn send(
        &self,
        kind: FrameKind,
        flags: u8,
        group: GroupId,
        request_id: u64,
        payload: &[u8],
    ) {
        let room = match E::Runtime::select2(self.outbox.room(payload.len()), self.ended.cancelled()).await {
            Select2::First(Ok(room)) => room,
            Select2::First(Err(OutboxClosed)) | Select2::Second(()) => return,
        };
        let _ = self.outbox.push(Some(room), kind, flags, group, request_id, &[payload]);
    }

    /// Starts a task that the session waits for at its end. False if there are too many.
    pub(crate) fn spawn_or_refuse<F>(&self, name: &'static str, task: F) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Ok(place) = self.tasks.clone().try_acquire_owned() else { return false };
        self.shared.environment.spawn(name, async move {
            task.await;
            drop(place);
        });
        true
    }
}

fn request<Q: Decode>(payload: Bytes) -> Result<Q, RemoteError> {
    Q::decode(payload).map_err(|error| {
        tracing::warn!(%error, "a peer's request cannot be understood");
        RemoteError::Refused(Refusal::Malformed)
    })
}

fn reply<A: Encode>(answer: Result<A, String>) -> Result<Bytes, RemoteError> {
    answer.map(|answer| answer.encode()).map_err(RemoteError::Failed)
}
