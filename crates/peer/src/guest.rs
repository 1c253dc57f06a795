//! Asking a node something without being its peer.

use bytes::Bytes;
use quorate_consensus::{GroupId, NodeId};
use quorate_environment::{Environment, Moment};

use crate::connection::{CallRequest, Connection};
use crate::dial::dial;
use crate::error::{CallError, NotSent};
use crate::frame::FrameKind;
use crate::handshake::{Hello, Introduction, Lane};

/// Sends one application request to `to` at `address`, over a connection of its own that ends with it, and
/// waits for the answer.
///
/// This is how a node asks that is not, or perhaps not any more, a part of the other's cluster: the connection
/// may be a guest's (see [`crate::Gatekeeper::is_guest`]), and must not be used for anything else later.
pub async fn call_once<E: Environment>(
    environment: &E,
    from: Introduction,
    (to, address): (NodeId, &str),
    group: GroupId,
    (kind, payload): (u8, &[u8]),
    deadline: Moment,
) -> Result<Bytes, CallError> {
    let hello = Hello::new(from, to, Lane::Control);
    let dialed = dial(environment, address, &hello, deadline).await.map_err(NotSent::Unreachable)?;
    let connection = Connection::start(environment.clone(), to, dialed.reader, dialed.writer);
    let request = CallRequest { kind: FrameKind::Request, group, application_kind: Some(kind), payload };
    let answer = connection.call(request, deadline).await;
    connection.end("its only request is done");
    answer
}
