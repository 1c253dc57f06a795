//! The building blocks of every encoding of this crate: numbers of variable length, a bounds-checked
//! reader, and the one error of all decoders.
//!
//! Numbers are little-endian base 128 ("varints") in their shortest form; a longer form is refused, so
//! that a value has exactly one encoding. Fixed-width numbers are big-endian.

/// Why bytes are not what they should be. A node that meets this in its log or its tables stops: it must
/// neither guess nor skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ends before the value does.
    #[error("{what}: the input ends too early")]
    Truncated {
        /// The format that was being read.
        what: &'static str,
    },
    /// The input goes on after the value.
    #[error("{what}: {bytes} bytes too many")]
    Trailing {
        /// The format that was being read.
        what: &'static str,
        /// How many bytes are left over.
        bytes: usize,
    },
    /// A format version that this build does not know, most likely written by a newer one.
    #[error("{what}: format version {version} is not known to this build")]
    UnknownVersion {
        /// The format that was being read.
        what: &'static str,
        /// The version found.
        version: u8,
    },
    /// A kind that this build does not know, most likely written by a newer one.
    #[error("{what}: {field} {ordinal} is not known to this build")]
    UnknownOrdinal {
        /// The format that was being read.
        what: &'static str,
        /// Which of its kinds.
        field: &'static str,
        /// The number found.
        ordinal: u8,
    },
    /// A number is too large for its place or not in its shortest form.
    #[error("{what}: a number is out of range or not in its shortest form")]
    Number {
        /// The format that was being read.
        what: &'static str,
    },
    /// The value nests deeper than any that is ever written.
    #[error("{what}: it is nested too deeply")]
    Nesting {
        /// The format that was being read.
        what: &'static str,
    },
    /// The checksum does not fit the bytes: they were damaged, or belong under another key.
    #[error("{what}: checksum {computed:08x} computed, {stored:08x} stored")]
    Checksum {
        /// The format that was being read.
        what: &'static str,
        /// The checksum of the bytes.
        computed: u32,
        /// The checksum stored with them.
        stored: u32,
    },
}

/// The most elements that room is made for before they are read.
const LIST_CAPACITY_MAX: usize = 1024;

/// How many bytes [`put_varint`] writes.
pub(crate) const fn varint_bytes(value: u64) -> usize {
    // `| 1` because zero takes one byte, too.
    ((u64::BITS - (value | 1).leading_zeros()) as usize).div_ceil(7)
}

/// What encoders write to: bytes, or only their number, so that one function gives both.
pub(crate) trait Output {
    fn put_slice(&mut self, bytes: &[u8]);

    fn put_byte(&mut self, byte: u8) {
        self.put_slice(&[byte]);
    }
}

impl Output for Vec<u8> {
    fn put_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn put_byte(&mut self, byte: u8) {
        self.push(byte);
    }
}

/// Counts bytes.
#[derive(Default)]
pub(crate) struct Length(pub(crate) usize);

impl Output for Length {
    fn put_slice(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Appends a number in its shortest form.
pub(crate) fn put_varint(out: &mut impl Output, mut value: u64) {
    while value >= 0x80 {
        out.put_byte(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_byte(value as u8);
}

/// How many bytes [`put_bytes`] writes.
pub(crate) const fn bytes_bytes(length: usize) -> usize {
    varint_bytes(length as u64) + length
}

/// Appends a byte string with its length before it.
pub(crate) fn put_bytes(out: &mut impl Output, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.put_slice(bytes);
}

/// Appends whether something is so.
pub(crate) fn put_flag(out: &mut impl Output, flag: bool) {
    out.put_byte(flag.into());
}

/// Appends something that may be absent, behind a byte that says whether it is there.
pub(crate) fn put_option<O: Output, T>(out: &mut O, value: Option<T>, put: impl FnOnce(&mut O, T)) {
    put_flag(out, value.is_some());
    if let Some(value) = value {
        put(out, value);
    }
}

/// Appends a list behind its length.
pub(crate) fn put_list<O: Output, T>(out: &mut O, list: &[T], put: impl Fn(&mut O, &T)) {
    put_varint(out, list.len() as u64);
    list.iter().for_each(|value| put(out, value));
}

/// Reads values off the front of a byte string. It never panics and never allocates.
pub(crate) struct Reader<'input> {
    input: &'input [u8],
    what: &'static str,
}

impl<'input> Reader<'input> {
    /// Starts reading `input`, which should be a `what` (for messages).
    pub(crate) fn new(input: &'input [u8], what: &'static str) -> Self {
        Self { input, what }
    }

    /// Starts reading `input` behind its format version, which has to be `version`.
    pub(crate) fn versioned(
        input: &'input [u8],
        what: &'static str,
        version: u8,
    ) -> Result<Self, DecodeError> {
        let mut reader = Self::new(input, what);
        match reader.byte()? {
            found if found == version => Ok(reader),
            found => Err(DecodeError::UnknownVersion { what, version: found }),
        }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn u128(&mut self) -> Result<u128, DecodeError> {
        Ok(u128::from_be_bytes(self.array()?))
    }

    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for position in 0..10 {
            let byte = self.byte()?;
            let is_last = byte < 0x80;
            // A last byte of zero could be left out; the tenth byte has room for one bit only.
            if (is_last && byte == 0 && position > 0) || (position == 9 && byte > 1) {
                return Err(self.number_error());
            }
            value |= u64::from(byte & 0x7f) << (7 * position);
            if is_last {
                return Ok(value);
            }
        }
        Err(self.number_error())
    }

    pub(crate) fn varint_u32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.varint()?).map_err(|_| self.number_error())
    }

    /// A byte string with its length before it.
    pub(crate) fn bytes(&mut self) -> Result<&'input [u8], DecodeError> {
        let length = self.varint()?;
        // A length beyond the address space is beyond the input as well.
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Whether something is so: 0 or 1.
    pub(crate) fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.number_error()),
        }
    }

    /// Something that may be absent.
    pub(crate) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        self.flag()?.then(|| read(self)).transpose()
    }

    /// A list behind its length.
    pub(crate) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        // Each element takes a byte at least: checked before the allocation, which a damaged count could
        // make one of gigabytes otherwise. Elements in memory are larger than that, hence the second bound.
        if count > self.input.len() {
            return Err(self.truncated());
        }
        let mut list = Vec::with_capacity(count.min(LIST_CAPACITY_MAX));
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'input [u8] {
        std::mem::take(&mut self.input)
    }

    /// Ends the reading: nothing may be left.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        match self.input.len() {
            0 => Ok(()),
            bytes => Err(DecodeError::Trailing { what: self.what, bytes }),
        }
    }

    /// The error for a kind that nobody knows.
    pub(crate) fn unknown(&self, field: &'static str, ordinal: u8) -> DecodeError {
        DecodeError::UnknownOrdinal { what: self.what, field, ordinal }
    }

    /// The error for a number that cannot stand where it stands.
    pub(crate) fn number_error(&self) -> DecodeError {
        DecodeError::Number { what: self.what }
    }

    /// The error for an input that is too short for what it announces.
    pub(crate) fn truncated(&self) -> DecodeError {
        DecodeError::Truncated { what: self.what }
    }

    /// The error for what nests deeper than anybody writes.
    pub(crate) fn nesting_error(&self) -> DecodeError {
        DecodeError::Nesting { what: self.what }
    }

    fn take(&mut self, length: usize) -> Result<&'input [u8], DecodeError> {
        let (front, back) = self.input.split_at_checked(length).ok_or(self.truncated())?;
        self.input = back;
        Ok(front)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], DecodeError> {
        let (front, back) = self.input.split_first_chunk().ok_or(self.truncated())?;
        self.input = back;
        Ok(*front)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(input: &[u8]) -> Result<u64, DecodeError> {
        let mut reader = Reader::new(input, "test");
        let value = reader.varint()?;
        reader.finish()?;
        Ok(value)
    }

    #[test]
    fn numbers_at_the_edges_round_trip() {
        let edges = (0..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit]).chain([u64::MAX]);
        for value in edges {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), varint_bytes(value), "{value}");
            assert_eq!(read(&out), Ok(value));
        }
    }

    #[test]
    fn a_number_has_one_encoding_only() {
        for overlong in [
            &[0x80, 0][..],
            &[0xff, 0x80, 0],
            &[0xff; 11],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
        ] {
            assert_eq!(read(overlong), Err(DecodeError::Number { what: "test" }), "{overlong:x?}");
        }
        assert_eq!(read(&[0x80]), Err(DecodeError::Truncated { what: "test" }));
    }

    #[test]
    fn a_length_beyond_the_input_is_truncation() {
        let mut out = Vec::new();
        put_varint(&mut out, u64::MAX);
        assert_eq!(Reader::new(&out, "test").bytes(), Err(DecodeError::Truncated { what: "test" }));
    }

    proptest! {
        #[test]
        fn what_decodes_is_what_would_be_encoded(input in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Ok(value) = read(&input) {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                prop_assert_eq!(out, input);
            }
        }
    }
}
