//! Frames: what a peer connection is made of.
//!
//! A connection begins with [`PREFACE`], sent by the side that dialed; after it, both directions carry
//! frames. A frame is a header of [`HEADER_BYTES`] and a payload:
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | payload length |
//! | 4..8 | CRC-32C of everything else in the frame |
//! | 8 | kind ([`FrameKind`]) |
//! | 9 | flags ([`flag`]) |
//! | 10..12 | zero |
//! | 12..16 | Raft group |
//! | 16..24 | request ID |
//!
//! All little-endian. Preface, header, `hello` and `reject` never change, so that any two versions can
//! tell each other why they will not talk. TCP's own checksum is too weak for what a wrong bit in a log
//! entry would do, hence the CRC.

use bytes::{Buf, Bytes, BytesMut};
use quorate_consensus::GroupId;

/// The first bytes of a connection. Anything else is not a peer.
pub const PREFACE: [u8; 8] = *b"QUORATE\n";

/// The length of a frame's header.
pub const HEADER_BYTES: usize = 24;

/// Flags of a frame.
pub mod flag {
    /// The first request of an append stream.
    pub const FIRST: u8 = 1;
    /// The last frame of an append stream.
    pub const LAST: u8 = 2;
}

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum FrameKind {
    /// Who dials, and whom.
    Hello = 1,
    /// The connection is accepted.
    Welcome = 2,
    /// The connection is refused.
    Reject = 3,
    /// Are you there?
    Ping = 4,
    /// I am.
    Pong = 5,
    /// An application request, opaque to this crate.
    Request = 16,
    /// The answer to a request of any kind.
    Response = 17,
    /// A request of any kind has failed.
    Error = 18,
    /// Raft: append entries, one request with one answer.
    AppendEntries = 32,
    /// Raft: request a vote.
    Vote = 33,
    /// Raft: ask whether a vote would be granted.
    PreVote = 34,
    /// Raft: take over leadership.
    TransferLeader = 35,
    /// Raft: a request of an append stream; the request ID names the stream.
    StreamAppend = 40,
    /// Raft: the answer to the oldest unanswered request of an append stream.
    StreamAppended = 41,
    /// A snapshot begins: what it covers and its length.
    SnapshotBegin = 48,
    /// The next piece of a snapshot.
    SnapshotChunk = 49,
    /// A piece of a snapshot has been stored.
    SnapshotAck = 50,
    /// The sender of a snapshot has given up.
    SnapshotCancel = 51,
}

impl FrameKind {
    /// Every kind.
    pub const ALL: [FrameKind; 18] = [
        FrameKind::Hello,
        FrameKind::Welcome,
        FrameKind::Reject,
        FrameKind::Ping,
        FrameKind::Pong,
        FrameKind::Request,
        FrameKind::Response,
        FrameKind::Error,
        FrameKind::AppendEntries,
        FrameKind::Vote,
        FrameKind::PreVote,
        FrameKind::TransferLeader,
        FrameKind::StreamAppend,
        FrameKind::StreamAppended,
        FrameKind::SnapshotBegin,
        FrameKind::SnapshotChunk,
        FrameKind::SnapshotAck,
        FrameKind::SnapshotCancel,
    ];

    /// The kind with that ordinal.
    pub fn from_ordinal(ordinal: u8) -> Option<FrameKind> {
        FrameKind::ALL.into_iter().find(|kind| *kind as u8 == ordinal)
    }
}

/// A frame that has arrived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it says.
    pub kind: FrameKind,
    /// Bits of [`flag`].
    pub flags: u8,
    /// Which Raft group it is about.
    pub group: GroupId,
    /// Which request or stream it belongs to.
    pub request_id: u64,
    /// The rest.
    pub payload: Bytes,
}

/// Why bytes are not a frame. The connection cannot go on after any of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The connection does not begin with [`PREFACE`].
    #[error("this is not a peer connection (it does not begin with the preface)")]
    NotAPeer,
    /// A length beyond what may be sent at this point.
    #[error("a frame of {payload_bytes} bytes exceeds the limit of {payload_bytes_max}")]
    Oversize {
        /// The length in the header.
        payload_bytes: usize,
        /// The limit.
        payload_bytes_max: usize,
    },
    /// The bytes are not those that were sent.
    #[error("a frame's checksum does not match its bytes")]
    Checksum,
    /// An ordinal that this version does not know.
    #[error("frame kind {ordinal} is not known")]
    UnknownKind {
        /// The ordinal.
        ordinal: u8,
    },
    /// The zero bytes are not zero.
    #[error("a frame uses reserved bytes")]
    Reserved,
}

/// The header of a frame whose payload is `parts`, one after the other.
///
/// # Panics
/// If the payload is over 4 GiB; callers check against the far smaller limit first.
pub fn header(
    kind: FrameKind,
    flags: u8,
    group: GroupId,
    request_id: u64,
    parts: &[&[u8]],
) -> [u8; HEADER_BYTES] {
    let payload_bytes: usize = parts.iter().map(|part| part.len()).sum();
    let payload_bytes = u32::try_from(payload_bytes).expect("callers limit frames far below 4 GiB");
    let mut header = [0; HEADER_BYTES];
    header[0..4].copy_from_slice(&payload_bytes.to_le_bytes());
    header[8] = kind as u8;
    header[9] = flags;
    header[12..16].copy_from_slice(&group.0.to_le_bytes());
    header[16..24].copy_from_slice(&request_id.to_le_bytes());
    let checksum = checksum(&header, parts);
    header[4..8].copy_from_slice(&checksum.to_le_bytes());
    header
}

fn checksum(header: &[u8], parts: &[&[u8]]) -> u32 {
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&header[0..4]), &header[8..HEADER_BYTES]);
    parts.iter().fold(checksum, |checksum, part| crc32c::crc32c_append(checksum, part))
}

impl Frame {
    /// The frame as bytes.
    pub fn encode(&self) -> Bytes {
        let header = header(self.kind, self.flags, self.group, self.request_id, &[&self.payload]);
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + self.payload.len());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&self.payload);
        bytes.freeze()
    }

    /// Takes the first frame out of `buffer`, or nothing while it is incomplete.
    pub fn decode(buffer: &mut BytesMut, payload_bytes_max: usize) -> Result<Option<Frame>, FrameError> {
        let Some(payload_bytes) = payload_bytes(buffer, payload_bytes_max)? else { return Ok(None) };
        if buffer.len() < HEADER_BYTES + payload_bytes {
            return Ok(None);
        }
        let header = buffer.split_to(HEADER_BYTES);
        let payload = buffer.split_to(payload_bytes).freeze();
        if u32_at(&header, 4) != checksum(&header, &[&payload]) {
            return Err(FrameError::Checksum);
        }
        let kind =
            FrameKind::from_ordinal(header[8]).ok_or(FrameError::UnknownKind { ordinal: header[8] })?;
        if header[10..12] != [0, 0] {
            return Err(FrameError::Reserved);
        }
        let request_id = u64::from(u32_at(&header, 16)) | u64::from(u32_at(&header, 20)) << 32;
        Ok(Some(Frame { kind, flags: header[9], group: GroupId(u32_at(&header, 12)), request_id, payload }))
    }

    /// How many bytes are missing for the first frame in `buffer` to be complete, as far as can be told.
    pub(crate) fn missing_bytes(buffer: &BytesMut, payload_bytes_max: usize) -> Result<usize, FrameError> {
        let payload_bytes = payload_bytes(buffer, payload_bytes_max)?.unwrap_or(0);
        Ok((HEADER_BYTES + payload_bytes).saturating_sub(buffer.len()))
    }
}

/// Takes the preface off the start of `buffer`; false while it is incomplete.
pub(crate) fn take_preface(buffer: &mut BytesMut) -> Result<bool, FrameError> {
    let common = buffer.len().min(PREFACE.len());
    if buffer[..common] != PREFACE[..common] {
        return Err(FrameError::NotAPeer);
    }
    if common < PREFACE.len() {
        return Ok(false);
    }
    buffer.advance(PREFACE.len());
    Ok(true)
}

fn payload_bytes(buffer: &BytesMut, payload_bytes_max: usize) -> Result<Option<usize>, FrameError> {
    if buffer.len() < HEADER_BYTES {
        return Ok(None);
    }
    let payload_bytes = u32_at(buffer, 0) as usize;
    if payload_bytes > payload_bytes_max {
        return Err(FrameError::Oversize { payload_bytes, payload_bytes_max });
    }
    Ok(Some(payload_bytes))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("a slice of four bytes"))
}
