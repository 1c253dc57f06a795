//! From an address to a connection on which the other side has said who it is.

use quorate_consensus::NodeId;
use quorate_environment::{Elapsed, Environment, Moment};
use tokio::io::{ReadHalf, WriteHalf};

use crate::error::DialError;
use crate::frame::{self, FrameKind, PREFACE};
use crate::frame_reader::FrameReader;
use crate::gatekeeper::check_node;
use crate::handshake::{Hello, Reject, RejectCode, Welcome};
use crate::limits::{
    DIAL_TIMEOUT, FRAME_PAYLOAD_BYTES_MAX, HANDSHAKE_PAYLOAD_BYTES_MAX, HANDSHAKE_TIMEOUT, PROTOCOL_VERSION,
};
use crate::outbox::write_all;

/// A connection whose handshake is done.
#[derive(Debug)]
pub(crate) struct Dialed<E: Environment> {
    /// What the other side said.
    pub(crate) welcome: Welcome,
    /// Its frames.
    pub(crate) reader: FrameReader<ReadHalf<E::Stream>>,
    /// Its ear.
    pub(crate) writer: WriteHalf<E::Stream>,
}

/// Connects to `address` and says `hello`.
pub(crate) async fn dial<E: Environment>(
    environment: &E,
    address: &str,
    hello: &Hello,
    deadline: Moment,
) -> Result<Dialed<E>, DialError> {
    let timeout = |Elapsed| DialError::Timeout { address: address.to_owned() };
    let connect_deadline = deadline.min(environment.now() + DIAL_TIMEOUT);
    let stream = environment
        .timeout_at(connect_deadline, environment.connect(address))
        .await
        .map_err(timeout)?
        .map_err(|error| DialError::Connect { address: address.to_owned(), reason: error.to_string() })?;
    let handshake_deadline = deadline.min(environment.now() + HANDSHAKE_TIMEOUT);
    environment
        .timeout_at(handshake_deadline, shake_hands(environment, address, hello, stream))
        .await
        .map_err(timeout)?
}

/// Asks who answers at `address`: connects, says `hello`, and hangs up.
pub async fn probe<E: Environment>(
    environment: &E,
    address: &str,
    hello: &Hello,
    deadline: Moment,
) -> Result<Welcome, DialError> {
    dial(environment, address, hello, deadline).await.map(|dialed| dialed.welcome)
}

async fn shake_hands<E: Environment>(
    environment: &E,
    address: &str,
    hello: &Hello,
    stream: E::Stream,
) -> Result<Dialed<E>, DialError> {
    let protocol = |reason: String| DialError::Protocol { address: address.to_owned(), reason };
    let (reader, mut writer) = tokio::io::split(stream);
    let payload = hello.encode();
    let header = frame::header(FrameKind::Hello, 0, Default::default(), 0, &[&payload]);
    write_all(environment, &mut writer, &[&PREFACE[..], &header, &payload].concat())
        .await
        .map_err(|error| protocol(error.to_string()))?;
    let mut reader = FrameReader::new(reader, HANDSHAKE_PAYLOAD_BYTES_MAX);
    let answer = reader.next().await.map_err(|error| protocol(error.to_string()))?;
    let rejected =
        |reject: Reject| DialError::Rejected { address: address.to_owned(), reject: Box::new(reject) };
    match answer.kind {
        FrameKind::Welcome => {
            let welcome = Welcome::decode(answer.payload).map_err(|error| protocol(error.to_string()))?;
            check_welcome(hello, &welcome).map_err(rejected)?;
            reader.set_payload_bytes_max(FRAME_PAYLOAD_BYTES_MAX);
            Ok(Dialed { welcome, reader, writer })
        }
        FrameKind::Reject => {
            let reject = Reject::decode(answer.payload).map_err(|error| protocol(error.to_string()))?;
            Err(rejected(reject))
        }
        kind => Err(protocol(format!("it answered the hello with {kind:?}"))),
    }
}

/// The dialing side's own look at who has answered: it trusts the other side's check of the hello no
/// more than that side trusts its own.
fn check_welcome(hello: &Hello, welcome: &Welcome) -> Result<(), Reject> {
    let by = &welcome.by;
    if welcome.protocol_version != PROTOCOL_VERSION {
        let message = format!("it welcomes with protocol version {}", welcome.protocol_version);
        return Err(Reject { code: RejectCode::ProtocolVersion, message, by: by.clone() });
    }
    let (ours, theirs) = (hello.from.cluster, by.cluster);
    if !ours.is_none() && !theirs.is_none() && ours != theirs {
        let message = format!("it belongs to cluster {theirs}, not to {ours}");
        return Err(Reject { code: RejectCode::WrongCluster, message, by: by.clone() });
    }
    check_node(NodeId::new(hello.to.member, hello.to.incarnation), by)
}
