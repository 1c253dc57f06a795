//! Appends primitive values to a growing buffer.

use bytes::{BufMut, Bytes, BytesMut};

/// Writes the primitives that [`super::Reader`] reads.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: BytesMut,
}

impl Writer {
    /// A writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { buffer: BytesMut::with_capacity(capacity) }
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.buffer.put_u8(value);
    }

    /// Appends four bytes, little-endian.
    pub fn u32(&mut self, value: u32) {
        self.buffer.put_u32_le(value);
    }

    /// Appends eight bytes, little-endian.
    pub fn u64(&mut self, value: u64) {
        self.buffer.put_u64_le(value);
    }

    /// Appends a `u32` length and the bytes.
    ///
    /// # Panics
    /// If there are more than `u32::MAX` bytes, which every caller's limits exclude.
    pub fn bytes(&mut self, value: &[u8]) {
        self.u32(u32::try_from(value.len()).expect("byte strings are limited far below 4 GiB"));
        self.buffer.put_slice(value);
    }

    /// Appends a string as its UTF-8 bytes.
    pub fn string(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// Appends bytes as they are, without a length.
    pub fn raw(&mut self, value: &[u8]) {
        self.buffer.put_slice(value);
    }

    /// The bytes written so far.
    pub fn finish(self) -> Bytes {
        self.buffer.freeze()
    }
}
