//! What nodes ask of the leader to have it hand over, as bytes.

use std::time::Duration;

use quorate_consensus::encoding::{Decode, DecodeError, Encode, Reader, Writer};

use crate::transfer_error::TransferError;
use crate::wire::milliseconds;

/// Asks the leader to hand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransferRequest {
    /// Names the request in the logs of every node.
    pub(crate) request_id: u64,
    /// How many times it has been passed on, this time included.
    pub(crate) hops: u8,
    /// The member that is to lead, if it matters.
    pub(crate) to: Option<u64>,
}

impl Encode for TransferRequest {
    fn encode_into(&self, writer: &mut Writer) {
        writer.u64(self.request_id);
        writer.u8(self.hops);
        match self.to {
            None => writer.u8(0),
            Some(member) => {
                writer.u8(1);
                writer.u64(member);
            }
        }
    }
}

impl Decode for TransferRequest {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let (request_id, hops) = (reader.u64()?, reader.u8()?);
        let to = match reader.u8()? {
            0 => None,
            1 => Some(reader.u64()?),
            ordinal => return Err(DecodeError::UnknownOrdinal { what: "transfer target", ordinal }),
        };
        Ok(Self { request_id, hops, to })
    }
}

/// The member that leads now, or why leadership was not handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransferReply(pub(crate) Result<u64, TransferError>);

impl Encode for TransferReply {
    fn encode_into(&self, writer: &mut Writer) {
        let mut of_member = |ordinal, member: u64| {
            writer.u8(ordinal);
            writer.u64(member);
        };
        match &self.0 {
            Ok(member) => of_member(0, *member),
            Err(TransferError::UnknownMember { member }) => of_member(1, *member),
            Err(TransferError::NotVoter { member }) => of_member(2, *member),
            Err(TransferError::Unreachable { member }) => of_member(3, *member),
            Err(TransferError::Lagging { member, entries }) => {
                of_member(4, *member);
                writer.u64(*entries);
            }
            Err(TransferError::NotTakenOver { member }) => of_member(5, *member),
            Err(TransferError::NoSuccessor) => writer.u8(6),
            Err(TransferError::Unavailable { reason, retry_after }) => {
                writer.u8(7);
                writer.string(reason);
                writer.u64(milliseconds(*retry_after));
            }
            Err(TransferError::Unknown { reason }) => {
                writer.u8(8);
                writer.string(reason);
            }
            Err(TransferError::ShuttingDown) => writer.u8(9),
        }
    }
}

impl Decode for TransferReply {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self(match reader.u8()? {
            0 => Ok(reader.u64()?),
            1 => Err(TransferError::UnknownMember { member: reader.u64()? }),
            2 => Err(TransferError::NotVoter { member: reader.u64()? }),
            3 => Err(TransferError::Unreachable { member: reader.u64()? }),
            4 => Err(TransferError::Lagging { member: reader.u64()?, entries: reader.u64()? }),
            5 => Err(TransferError::NotTakenOver { member: reader.u64()? }),
            6 => Err(TransferError::NoSuccessor),
            7 => Err(TransferError::Unavailable {
                reason: reader.string()?,
                retry_after: Duration::from_millis(reader.u64()?),
            }),
            8 => Err(TransferError::Unknown { reason: reader.string()? }),
            9 => Err(TransferError::ShuttingDown),
            ordinal => return Err(DecodeError::UnknownOrdinal { what: "transfer reply", ordinal }),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a value are exactly `golden` (hexadecimal), and give the value back.
    fn check<T: Encode + Decode + PartialEq + std::fmt::Debug>(value: T, golden: &str) {
        let bytes = value.encode();
        let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hexadecimal, golden, "{value:?}");
        assert_eq!(T::decode(bytes), Ok(value));
    }

    #[test]
    fn golden_bytes() {
        check(TransferRequest { request_id: 0x0102, hops: 1, to: None }, "0102010000000000000100");
        check(
            TransferRequest { request_id: 0x0102, hops: 1, to: Some(3) },
            "01020100000000000001010300000000000000",
        );
        check(TransferReply(Ok(2)), "01000200000000000000");
        let refused = |error| TransferReply(Err(error));
        check(refused(TransferError::UnknownMember { member: 2 }), "01010200000000000000");
        check(refused(TransferError::NotVoter { member: 2 }), "01020200000000000000");
        check(refused(TransferError::Unreachable { member: 2 }), "01030200000000000000");
        check(
            refused(TransferError::Lagging { member: 2, entries: 258 }),
            "010402000000000000000201000000000000",
        );
        check(refused(TransferError::NotTakenOver { member: 2 }), "01050200000000000000");
        check(refused(TransferError::NoSuccessor), "0106");
        let retry_after = Duration::from_secs(1);
        check(
            refused(TransferError::Unavailable { reason: "r".to_owned(), retry_after }),
            "01070100000072e803000000000000",
        );
        check(refused(TransferError::Unknown { reason: "r".to_owned() }), "01080100000072");
        check(refused(TransferError::ShuttingDown), "0109");
    }
}
