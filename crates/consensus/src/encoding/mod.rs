//! Versioned encodings of everything of Raft that reaches a disk or a wire.
//!
//! Every top-level value starts with a format version byte ([`VERSION`]). Integers are little-endian
//! and of fixed width, byte strings carry a `u32` length, options and enums an explicit ordinal byte.
//! A decoder takes exactly what the encoder wrote: an unknown version or ordinal, a short value or
//! trailing bytes are errors, never a guess. Checksums belong to the layer that stores or sends the
//! bytes. Golden bytes in the tests hold each format still.

mod entry;
mod membership;
mod message;
mod reader;
mod vote;
mod writer;

pub use message::SnapshotHeader;
pub use reader::{DecodeError, Reader};
pub use writer::Writer;

/// The version that this build writes in front of every value.
pub const VERSION: u8 = 1;

/// A value with a wire and disk format.
pub trait Encode {
    /// Appends the value, without the version byte, to `writer`.
    fn encode_into(&self, writer: &mut Writer);

    /// A guess at the encoded length in bytes, to allocate once.
    fn encoded_bytes_hint(&self) -> usize {
        64
    }

    /// The value as bytes, version byte first.
    fn encode(&self) -> bytes::Bytes {
        let mut writer = Writer::with_capacity(1 + self.encoded_bytes_hint());
        writer.u8(VERSION);
        self.encode_into(&mut writer);
        writer.finish()
    }
}

/// A value that can be read back.
pub trait Decode: Sized {
    /// Reads the value, without the version byte, from `reader`.
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError>;

    /// Reads the value from all of `bytes`, version byte first.
    fn decode(bytes: bytes::Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8()?;
        if version != VERSION {
            return Err(DecodeError::UnknownVersion { version, supported: VERSION });
        }
        let value = Self::decode_from(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode_into(&self, writer: &mut Writer) {
        match self {
            None => writer.u8(0),
            Some(value) => {
                writer.u8(1);
                value.encode_into(writer);
            }
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8()? {
            0 => Ok(None),
            1 => T::decode_from(reader).map(Some),
            ordinal => Err(DecodeError::UnknownOrdinal { what: "option", ordinal }),
        }
    }
}
