//! Reads primitive values from bytes that may be anything.

use bytes::{Buf, Bytes};

/// Reads what [`super::Writer`] wrote. Byte strings are slices of the input, not copies. Never panics
/// and never allocates more than the input holds.
#[derive(Debug)]
pub struct Reader {
    remaining: Bytes,
}

/// Why bytes could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The value ends before it is complete.
    #[error("the bytes end before the value does")]
    TooShort,
    /// Bytes follow after the value.
    #[error("{count} bytes follow after the value")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// Written by a newer release.
    #[error(
        "format version {version} is not known; this build reads version {supported}: use the release that wrote it"
    )]
    UnknownVersion {
        /// The version found.
        version: u8,
        /// The version this build knows.
        supported: u8,
    },
    /// An enum's ordinal that this build does not know.
    #[error("{what} has no ordinal {ordinal} in this build")]
    UnknownOrdinal {
        /// The enum.
        what: &'static str,
        /// The ordinal found.
        ordinal: u8,
    },
    /// A string is not UTF-8.
    #[error("a string is not valid UTF-8")]
    NotUtf8,
    /// The parts are well-formed but do not make a valid value.
    #[error("invalid {what}: {reason}")]
    Invalid {
        /// What was being read.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Reader {
    /// Reads from `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        Self { remaining: bytes }
    }

    fn need(&self, count: usize) -> Result<(), DecodeError> {
        if self.remaining.len() < count { Err(DecodeError::TooShort) } else { Ok(()) }
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.need(1)?;
        Ok(self.remaining.get_u8())
    }

    /// A bool, as the ordinal 0 or 1.
    pub fn bool(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            ordinal => Err(DecodeError::UnknownOrdinal { what, ordinal }),
        }
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.need(4)?;
        Ok(self.remaining.get_u32_le())
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.need(8)?;
        Ok(self.remaining.get_u64_le())
    }

    /// A byte string with its length in front.
    pub fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        let length = self.u32()? as usize;
        self.raw(length)
    }

    /// A string.
    pub fn string(&mut self) -> Result<String, DecodeError> {
        let bytes = self.bytes()?;
        std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| DecodeError::NotUtf8)
    }

    /// The next `count` bytes.
    pub fn raw(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        self.need(count)?;
        Ok(self.remaining.split_to(count))
    }

    /// A count of things that take at least `bytes_each_min` bytes each: more than could follow is an
    /// error before anything is allocated.
    pub fn count(&mut self, bytes_each_min: usize) -> Result<usize, DecodeError> {
        let count = self.u32()? as usize;
        if count > self.remaining.len() / bytes_each_min.max(1) {
            return Err(DecodeError::TooShort);
        }
        Ok(count)
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> Bytes {
        self.remaining.split_to(self.remaining.len())
    }

    /// Checks that nothing is left.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.remaining.len() {
            0 => Ok(()),
            count => Err(DecodeError::TrailingBytes { count }),
        }
    }
}
