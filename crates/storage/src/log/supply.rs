//! Where new segments come from: files made ready ahead of need, and segments that are no longer needed.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use quorate_environment::{Worker, WorkerHandle};

use super::format::SegmentHeader;
use super::segment::{Segment, prepare, segment_path, spare_name};
use crate::directory::DirectoryLock;
use crate::durable;
use crate::failure::{FailureSignal, StorageFailure};
use crate::space::disk_free_bytes;

/// How many spare segments are kept: about what a new snapshot frees of the log, so that under a steady load
/// segments are used again instead of being removed and made anew.
const SPARES_MAX: usize = 16;
/// The removal of a segment of so many bytes is flushed by itself.
const LARGE_SEGMENT_BYTES: u64 = 1 << 20;
/// How much of the disk is left free when a segment is made ahead of need: others have to write, too.
const MARGIN_BYTES: u64 = 4 << 20;

/// The segments of a log's future. Shared by the log's worker, which takes them, and the worker that makes
/// them.
#[derive(Debug)]
pub(crate) struct SegmentSupply {
    directory: PathBuf,
    header: SegmentHeader,
    /// All files of the log together may not take more than this.
    bytes_max: u64,
    stock: Mutex<Stock>,
    // Only held: as long as somebody may write files, the directory is locked.
    _lock: Arc<DirectoryLock>,
}

#[derive(Debug, Default)]
struct Stock {
    spares: Vec<Spare>,
    /// The bytes of all files of the log.
    bytes: u64,
    next_spare: u64,
    /// Whether somebody has been asked to make a spare.
    requested: bool,
    /// Whether the last spare could not be made because the disk was full.
    starved: bool,
}

/// A file of the usual length, ready to be a segment.
#[derive(Debug)]
struct Spare {
    path: PathBuf,
    file: File,
}

impl SegmentSupply {
    /// A supply for a log of which the files take `bytes`; `header` is that of usual segments.
    pub(crate) fn new(
        (directory, lock): (PathBuf, Arc<DirectoryLock>),
        header: SegmentHeader,
        (bytes, bytes_max): (u64, u64),
    ) -> Self {
        let stock = Mutex::new(Stock { bytes, ..Stock::default() });
        Self { directory, header, bytes_max, stock, _lock: lock }
    }

    fn stock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().expect("no code panics while it holds the stock")
    }

    pub(crate) fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Whether a new segment was wanted and the disk had no room for it.
    pub(crate) fn is_starved(&self) -> bool {
        self.stock().starved
    }

    /// The bytes of all files, less those of spares.
    pub(crate) fn bytes_used(&self) -> u64 {
        let stock = self.stock();
        stock.bytes - stock.spares.len() as u64 * self.header.segment_bytes
    }

    pub(crate) fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Makes the segment with that number, durably, with room for a batch of `batch_bytes` at least: out
    /// of a spare, or, if there is none or it would be too small, out of nothing.
    pub(crate) fn take(&self, number: u64, bytes_min: u64) -> io::Result<Segment> {
        let usual = bytes_min <= self.header.segment_bytes;
        let spare = if usual { self.stock().spares.pop() } else { None };
        let (spare, bytes) = match spare {
            Some(spare) => (spare, self.header.segment_bytes),
            None => {
                let bytes = bytes_min.max(self.header.segment_bytes);
                (self.make(bytes, 0)?, bytes)
            }
        };
        durable::rename(&spare.path, &segment_path(&self.directory, self.header.group, number))?;
        Ok(Segment { number, bytes, file: spare.file })
    }

    /// Makes a file ready, unless less than `margin_bytes` of the disk would be left. That is looked at
    /// first: to write until the disk is full would take from others what they need to go on.
    fn make(&self, bytes: u64, margin_bytes: u64) -> io::Result<Spare> {
        if disk_free_bytes(&self.directory)? < bytes.saturating_add(margin_bytes) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full"));
        }
        let path = {
            let mut stock = self.stock();
            if stock.bytes + bytes > self.bytes_max {
                let reason = "the disk space set aside for the log is used up";
                return Err(io::Error::new(io::ErrorKind::StorageFull, reason));
            }
            stock.bytes += bytes;
            stock.next_spare += 1;
            self.directory.join(spare_name(self.header.group, stock.next_spare))
        };
        let header = SegmentHeader { segment_bytes: bytes, ..self.header.clone() };
        match prepare(&path, &header) {
            Ok(file) => Ok(Spare { path, file }),
            Err(error) => {
                // What has become of the file matters to nobody: the next start sweeps it.
                if let Err(error) = fs::remove_file(&path) {
                    tracing::warn!(path = %path.display(), %error, "an unfinished segment stays");
                }
                self.stock().bytes -= bytes;
                Err(error)
            }
        }
    }

    /// Makes one spare, if there is none.
    fn replenish(&self) -> io::Result<()> {
        let made = if self.stock().spares.is_empty() {
            self.make(self.header.segment_bytes, MARGIN_BYTES).map(Some)
        } else {
            Ok(None)
        };
        let mut stock = self.stock();
        stock.requested = false;
        match made {
            Ok(spare) => {
                stock.starved = false;
                stock.spares.extend(spare);
                Ok(())
            }
            Err(error) if StorageFailure::is_disk_full(&error) => {
                if !stock.starved {
                    tracing::warn!(%error, "there is no room for the next segment of the log");
                }
                stock.starved = true;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps a segment that is no longer needed as a spare, or removes it.
    fn retire(&self, segment: Arc<Segment>) -> io::Result<()> {
        let path = segment_path(&self.directory, self.header.group, segment.number);
        let bytes = segment.bytes;
        let wanted = bytes == self.header.segment_bytes && self.stock().spares.len() < SPARES_MAX;
        match Arc::try_unwrap(segment) {
            // Nobody reads it any more.
            Ok(segment) if wanted => {
                let spare = {
                    let mut stock = self.stock();
                    stock.next_spare += 1;
                    self.directory.join(spare_name(self.header.group, stock.next_spare))
                };
                fs::rename(&path, &spare)?;
                // Whoever makes a segment of it flushes the directory first.
                let mut stock = self.stock();
                stock.spares.push(Spare { path: spare, file: segment.file });
                // It is the next segment that there was no room for.
                stock.starved = false;
                Ok(())
            }
            _ => {
                fs::remove_file(&path)?;
                self.stock().bytes -= bytes;
                if bytes >= LARGE_SEGMENT_BYTES {
                    // Before the next one is removed: the log's own flushes wait for what is removed at once.
                    durable::sync_directory(&self.directory)?;
                }
                Ok(())
            }
        }
    }
}

/// Something to do for the supply.
#[derive(Debug)]
pub(crate) enum SupplyJob {
    /// A spare will be needed.
    Replenish,
    /// A segment is no longer needed.
    Retire(Arc<Segment>),
}

/// Makes and removes files, which takes long, while the log is being written.
pub(crate) struct SupplyWorker {
    pub(crate) supply: Arc<SegmentSupply>,
    pub(crate) failure: Arc<FailureSignal>,
}

impl Worker for SupplyWorker {
    type Job = SupplyJob;

    fn run(&mut self, jobs: Vec<SupplyJob>) {
        for job in jobs {
            if self.failure.check().is_err() {
                return;
            }
            let (what, result) = match job {
                SupplyJob::Replenish => ("preparing a segment of the log", self.supply.replenish()),
                SupplyJob::Retire(segment) => ("retiring a segment of the log", self.supply.retire(segment)),
            };
            if let Err(error) = result {
                self.failure.report(StorageFailure::io(what, &error));
            }
        }
    }
}

/// The supply, as the log's worker sees it.
#[derive(Debug)]
pub(crate) struct SupplyHandle {
    pub(crate) supply: Arc<SegmentSupply>,
    pub(crate) jobs: WorkerHandle<SupplyJob>,
}

impl SupplyHandle {
    /// Asks for a spare, if there is none and nobody has asked.
    pub(crate) fn request(&self) {
        let mut stock = self.supply.stock();
        if stock.spares.is_empty() && !stock.requested {
            // A worker that has ended makes nothing any more; then segments are made when they are needed.
            stock.requested = self.jobs.submit(SupplyJob::Replenish).is_ok();
        }
    }

    /// Gives back segments that are no longer needed.
    pub(crate) fn retire(&self, segments: Vec<Arc<Segment>>) {
        for segment in segments {
            // If the worker has ended, the next start sweeps them.
            let _ = self.jobs.submit(SupplyJob::Retire(segment));
        }
    }
}
