//! What two nodes say to each other before anything else.
//!
//! The dialing node says who it is, which cluster it belongs to and exactly whom it means to reach; the
//! other side accepts or refuses. A stale address, a wiped directory or a node of another cluster is
//! thus found before the first Raft message, and both sides can say what is wrong.
//!
//! The layouts are frozen up to the protocol version; what follows it may change with the version.

use std::fmt;

use bytes::Bytes;
use quorate_consensus::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use quorate_consensus::{ClusterId, Member, NodeId};

use crate::gatekeeper::ANYBODY;
use crate::limits::{FEATURES, PROTOCOL_VERSION};

/// The longest text of a refusal that is kept.
const REJECT_MESSAGE_BYTES_MAX: usize = 1_024;

/// What a connection carries. Each lane is a connection of its own, so that what is bulky cannot hold up
/// what is urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Lane {
    /// Votes, appends, forwarded requests.
    Control = 1,
    /// Snapshots.
    Bulk = 2,
}

impl fmt::Display for Lane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Lane::Control => "control",
            Lane::Bulk => "bulk",
        })
    }
}

/// Who a node says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Its cluster, or [`ClusterId::NONE`] if it is not part of one yet.
    pub cluster: ClusterId,
    /// The node.
    pub node: NodeId,
    /// Where it can be reached.
    pub member: Member,
}

impl Encode for Introduction {
    fn encode_into(&self, writer: &mut Writer) {
        self.cluster.encode_into(writer);
        self.node.encode_into(writer);
        self.member.encode_into(writer);
    }
}

impl Decode for Introduction {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            cluster: ClusterId::decode_from(reader)?,
            node: NodeId::decode_from(reader)?,
            member: Member::decode_from(reader)?,
        })
    }
}

/// The first frame of the dialing side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version that the dialing side speaks.
    pub protocol_version: u32,
    /// Its optional abilities.
    pub features: u64,
    /// Who dials.
    pub from: Introduction,
    /// Whom it means to reach. Incarnation 0 asks "who are you?": the connection ends after the answer. Member 0
    /// besides asks whoever is there.
    pub to: NodeId,
    /// What the connection is for.
    pub lane: Lane,
    /// Room for proof of identity; empty for now.
    pub authentication: Bytes,
}

impl Hello {
    /// The hello of this build.
    pub fn new(from: Introduction, to: NodeId, lane: Lane) -> Self {
        let authentication = Bytes::new();
        Self { protocol_version: PROTOCOL_VERSION, features: FEATURES, from, to, lane, authentication }
    }

    /// Asks whoever answers for `member` who it is.
    pub fn probe(from: Introduction, member: u64) -> Self {
        Self::new(from, NodeId::new(member, 0), Lane::Control)
    }

    /// Asks whoever answers who it is, whatever its member number.
    pub fn probe_anybody(from: Introduction) -> Self {
        Self::new(from, ANYBODY, Lane::Control)
    }

    /// Whether this only asks who is there.
    pub fn is_probe(&self) -> bool {
        self.to.incarnation == 0
    }

    /// The hello as a payload.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(256);
        writer.u32(self.protocol_version);
        writer.u64(self.features);
        self.from.encode_into(&mut writer);
        self.to.encode_into(&mut writer);
        writer.u8(self.lane as u8);
        writer.bytes(&self.authentication);
        writer.finish()
    }

    /// Reads a payload. Another protocol version is reported without a look at what follows it.
    pub fn decode(payload: Bytes) -> Result<Self, HelloError> {
        let mut reader = Reader::new(payload);
        let protocol_version = reader.u32()?;
        if protocol_version != PROTOCOL_VERSION {
            return Err(HelloError::Version { protocol_version });
        }
        let hello = Self {
            protocol_version,
            features: reader.u64()?,
            from: Introduction::decode_from(&mut reader)?,
            to: NodeId::decode_from(&mut reader)?,
            lane: match reader.u8()? {
                1 => Lane::Control,
                2 => Lane::Bulk,
                ordinal => return Err(DecodeError::UnknownOrdinal { what: "lane", ordinal }.into()),
            },
            authentication: reader.bytes()?,
        };
        reader.finish()?;
        Ok(hello)
    }
}

/// Why a hello cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// Another protocol version.
    #[error("protocol version {protocol_version} is not spoken here (this build speaks {PROTOCOL_VERSION})")]
    Version {
        /// The version it names.
        protocol_version: u32,
    },
    /// The bytes make no sense.
    #[error("malformed hello: {0}")]
    Malformed(#[from] DecodeError),
}

/// The accepting side's first frame, if it agrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The version that both speak.
    pub protocol_version: u32,
    /// The accepting side's optional abilities.
    pub features: u64,
    /// Who has answered.
    pub by: Introduction,
}

impl Welcome {
    /// The welcome of this build.
    pub fn new(by: Introduction) -> Self {
        Self { protocol_version: PROTOCOL_VERSION, features: FEATURES, by }
    }

    /// The welcome as a payload.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(256);
        writer.u32(self.protocol_version);
        writer.u64(self.features);
        self.by.encode_into(&mut writer);
        writer.finish()
    }

    /// Reads a payload.
    pub fn decode(payload: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let welcome = Self {
            protocol_version: reader.u32()?,
            features: reader.u64()?,
            by: Introduction::decode_from(&mut reader)?,
        };
        reader.finish()?;
        Ok(welcome)
    }
}

/// Why a node refuses a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum RejectCode {
    /// The two speak different protocol versions.
    ProtocolVersion = 1,
    /// They belong to different clusters.
    WrongCluster = 2,
    /// The node at this address has another member number.
    WrongMember = 3,
    /// The member is right, but its data directory is another one: it was wiped or replaced.
    WrongIncarnation = 4,
    /// The dialing node is not, or no longer, allowed to talk to this one.
    NotAllowed = 5,
    /// The node cannot accept now and may later.
    NotNow = 6,
    /// A reason that this build does not know.
    Other = 255,
}

impl RejectCode {
    fn from_ordinal(ordinal: u8) -> Self {
        match ordinal {
            1 => Self::ProtocolVersion,
            2 => Self::WrongCluster,
            3 => Self::WrongMember,
            4 => Self::WrongIncarnation,
            5 => Self::NotAllowed,
            6 => Self::NotNow,
            // A newer release may have reasons of its own. They are for people; none is guessed.
            _ => Self::Other,
        }
    }
}

/// The accepting side's first and last frame, if it does not agree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (answered by {}, cluster {})", .by.node, .by.cluster)]
pub struct Reject {
    /// Why.
    pub code: RejectCode,
    /// Why, in words.
    pub message: String,
    /// Who has answered.
    pub by: Introduction,
}

impl Reject {
    /// The refusal as a payload.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(256);
        writer.u8(self.code as u8);
        writer.string(shortened(&self.message, REJECT_MESSAGE_BYTES_MAX));
        self.by.encode_into(&mut writer);
        writer.finish()
    }

    /// Reads a payload.
    pub fn decode(payload: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let reject = Self {
            code: RejectCode::from_ordinal(reader.u8()?),
            message: reader.string()?,
            by: Introduction::decode_from(&mut reader)?,
        };
        reader.finish()?;
        Ok(reject)
    }
}

/// `text`, cut at a character's boundary to at most `bytes_max` bytes.
pub(crate) fn shortened(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
