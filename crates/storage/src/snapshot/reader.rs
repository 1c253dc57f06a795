//! Reads a snapshot file, trusting nothing in it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use bytes::Bytes;
use quorate_consensus::encoding::Decode;
use quorate_kv::{Table, check_record};

use super::format::{
    Chunk, FRAME_HEAD_BYTES, FRAME_TAIL_BYTES, FormatError, FrameKind, MAGIC, SnapshotHeader,
    SnapshotTrailer, TRAILER_BYTES, read_frame_head, read_frame_rest,
};

/// Why a snapshot file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file could not be read, or ends too early.
    #[error("the snapshot file could not be read: {0}")]
    Io(#[from] io::Error),
    /// The file is not a sound snapshot.
    #[error("the snapshot file is not sound: {0}")]
    Format(#[from] FormatError),
    /// A record in it is damaged.
    #[error("the snapshot file holds a damaged record: {0}")]
    Record(#[from] quorate_kv::DecodeError),
}

fn contradiction<T>(reason: &'static str) -> Result<T, SnapshotError> {
    Err(FormatError::Contradiction { reason }.into())
}

/// Reads a snapshot file from its beginning to its end, a chunk at a time. Every checksum, the order of
/// the records and the trailer's counts are checked on the way.
#[derive(Debug)]
pub struct SnapshotReader {
    file: BufReader<File>,
    header: SnapshotHeader,
    /// Counted so far; its revision and digest stay empty.
    counted: SnapshotTrailer,
    last: Option<(Table, Bytes)>,
    trailer: Option<SnapshotTrailer>,
}

impl SnapshotReader {
    /// Opens the file and reads its header.
    pub fn open(path: &Path) -> Result<Self, SnapshotError> {
        let mut file = BufReader::with_capacity(256 << 10, File::open(path)?);
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        if magic != *MAGIC {
            return Err(FormatError::NotASnapshot.into());
        }
        let header = SnapshotHeader::decode_payload(read_frame(&mut file, &[FrameKind::Header])?.1)?;
        Ok(Self { file, header, counted: SnapshotTrailer::default(), last: None, trailer: None })
    }

    /// Reads header and trailer only: whether the file is complete and what it is of.
    pub fn inspect(path: &Path) -> Result<(SnapshotHeader, SnapshotTrailer), SnapshotError> {
        let mut reader = Self::open(path)?;
        let trailer_frame = (FRAME_HEAD_BYTES + TRAILER_BYTES + FRAME_TAIL_BYTES) as i64;
        reader.file.seek(SeekFrom::End(-trailer_frame))?;
        let (_, payload) = read_frame(&mut reader.file, &[FrameKind::Trailer])?;
        let trailer = SnapshotTrailer::decode(payload).map_err(FormatError::from)?;
        Ok((reader.header, trailer))
    }

    /// Reads the whole file and checks all of it that can be checked without a state made from it. Gives
    /// what it is of.
    pub fn verify(path: &Path) -> Result<SnapshotHeader, SnapshotError> {
        let mut reader = Self::open(path)?;
        while let Some(chunk) = reader.next_chunk()? {
            for (table, key, value) in &chunk.records {
                check_record(*table, key, value)?;
            }
        }
        Ok(reader.header)
    }

    /// What the file is of.
    pub fn header(&self) -> &SnapshotHeader {
        &self.header
    }

    /// The trailer, once all chunks are read.
    pub fn trailer(&self) -> Option<&SnapshotTrailer> {
        self.trailer.as_ref()
    }

    /// The next chunk, or `None` behind the last one, when the trailer has been found to be right.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, SnapshotError> {
        if self.trailer.is_some() {
            return Ok(None);
        }
        match read_frame(&mut self.file, &[FrameKind::Chunk, FrameKind::Trailer])? {
            (FrameKind::Chunk, payload) => {
                let chunk = Chunk::decode(payload).map_err(FormatError::from)?;
                self.check_chunk(&chunk)?;
                Ok(Some(chunk))
            }
            (_, payload) => {
                let trailer = SnapshotTrailer::decode(payload).map_err(FormatError::from)?;
                self.check_trailer(&trailer)?;
                self.trailer = Some(trailer);
                Ok(None)
            }
        }
    }

    fn check_chunk(&mut self, chunk: &Chunk) -> Result<(), SnapshotError> {
        if chunk.number != self.counted.chunk_count {
            return contradiction("a chunk is not where it should be");
        }
        for (table, key, value) in &chunk.records {
            let rises =
                self.last.as_ref().is_none_or(|(last_table, last)| (*last_table, last) < (*table, key));
            if !rises {
                return contradiction("its records are not in order");
            }
            self.counted.record_bytes += (key.len() + value.len()) as u64;
            self.last = Some((*table, key.clone()));
        }
        self.counted.chunk_count += 1;
        self.counted.record_count += chunk.records.len() as u64;
        Ok(())
    }

    fn check_trailer(&mut self, trailer: &SnapshotTrailer) -> Result<(), SnapshotError> {
        let counted = SnapshotTrailer { revision: trailer.revision, digest: trailer.digest, ..self.counted };
        if counted != *trailer {
            return contradiction("it does not hold what its end says");
        }
        match self.file.read(&mut [0])? {
            0 => Ok(()),
            _ => contradiction("it goes on behind its end"),
        }
    }
}

/// Reads one frame, which has to be of one of these kinds.
fn read_frame(file: &mut impl Read, kinds: &[FrameKind]) -> Result<(FrameKind, Bytes), SnapshotError> {
    let mut head = [0; FRAME_HEAD_BYTES];
    file.read_exact(&mut head)?;
    let (kind, length) = read_frame_head(&head)?;
    if !kinds.contains(&kind) {
        return Err(FormatError::Frame { kind: head[0], length: length as u32 }.into());
    }
    // Read as it comes, so that a damaged length does not allocate what the file does not hold.
    let mut rest = Vec::new();
    let wanted = length + FRAME_TAIL_BYTES;
    if file.take(wanted as u64).read_to_end(&mut rest)? != wanted {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok((kind, read_frame_rest(&head, rest.into())?))
}
