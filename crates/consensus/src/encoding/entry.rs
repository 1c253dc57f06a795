//! Log entries.

use super::{Decode, DecodeError, Encode, Reader, Writer};
use crate::payload::ProposalBytes;
use crate::raft_types::{Entry, EntryPayload, LogId, Membership};

/// The ordinals of entry payloads on disk and wire.
mod ordinal {
    pub const BLANK: u8 = 0;
    pub const PROPOSAL: u8 = 1;
    pub const MEMBERSHIP: u8 = 2;
}

/// Term, index, payload ordinal and payload length.
const HEADER_BYTES: usize = 8 + 8 + 1 + 4;

impl Encode for Entry {
    fn encode_into(&self, writer: &mut Writer) {
        self.log_id.encode_into(writer);
        match &self.payload {
            EntryPayload::Blank => writer.u8(ordinal::BLANK),
            EntryPayload::Normal(ProposalBytes(bytes)) => {
                writer.u8(ordinal::PROPOSAL);
                writer.bytes(bytes);
            }
            EntryPayload::Membership(membership) => {
                writer.u8(ordinal::MEMBERSHIP);
                membership.encode_into(writer);
            }
        }
    }

    fn encoded_bytes_hint(&self) -> usize {
        HEADER_BYTES
            + match &self.payload {
                EntryPayload::Blank => 0,
                EntryPayload::Normal(ProposalBytes(bytes)) => bytes.len(),
                EntryPayload::Membership(_) => 512,
            }
    }
}

impl Decode for Entry {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let log_id = LogId::decode_from(reader)?;
        let payload = match reader.u8()? {
            ordinal::BLANK => EntryPayload::Blank,
            ordinal::PROPOSAL => EntryPayload::Normal(ProposalBytes(reader.bytes()?)),
            ordinal::MEMBERSHIP => EntryPayload::Membership(Membership::decode_from(reader)?),
            ordinal => return Err(DecodeError::UnknownOrdinal { what: "entry payload", ordinal }),
        };
        Ok(Entry { log_id, payload })
    }
}
