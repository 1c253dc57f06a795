//! Reads and writes snapshot files where blocking is allowed.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};

use bytes::{Bytes, BytesMut};
use quorate_environment::{Worker, WorkerHandle};
use tokio::sync::oneshot;

/// Works on one file, front to back.
#[derive(Debug)]
pub(crate) struct FileWorker(pub(crate) File);

/// Says what is wrong with the file, if something is.
pub(crate) struct FileCheck(pub(crate) Box<dyn FnOnce() -> Result<(), String> + Send>);

impl fmt::Debug for FileCheck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FileCheck")
    }
}

/// What can be asked of it.
#[derive(Debug)]
pub(crate) enum FileJob {
    /// Read up to that many bytes; fewer only at the file's end.
    Read(usize, oneshot::Sender<io::Result<Bytes>>),
    /// Append these bytes.
    Append(Bytes, oneshot::Sender<io::Result<()>>),
    /// Look at what has been written, which blocks for as long as that takes.
    Check(FileCheck, oneshot::Sender<io::Result<()>>),
}

impl Worker for FileWorker {
    type Job = FileJob;

    fn run(&mut self, jobs: Vec<FileJob>) {
        for job in jobs {
            // Whoever asked may have given up; the answer is then of no use.
            match job {
                FileJob::Read(bytes_max, reply) => drop(reply.send(read(&mut self.0, bytes_max))),
                FileJob::Append(bytes, reply) => drop(reply.send(self.0.write_all(&bytes))),
                FileJob::Check(FileCheck(check), reply) => {
                    drop(
                        reply.send(check().map_err(|reason| io::Error::new(ErrorKind::InvalidData, reason))),
                    );
                }
            }
        }
    }
}

fn read(file: &mut File, bytes_max: usize) -> io::Result<Bytes> {
    let mut buffer = BytesMut::zeroed(bytes_max);
    let mut filled = 0;
    while filled < bytes_max {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(buffer.freeze())
}

/// Hands a job to the worker and waits for its result.
pub(crate) async fn ask<T>(
    worker: &WorkerHandle<FileJob>,
    job: impl FnOnce(oneshot::Sender<io::Result<T>>) -> FileJob,
) -> io::Result<T> {
    let ended = || io::Error::other("the file worker has ended");
    let (sender, receiver) = oneshot::channel();
    worker.submit(job(sender)).map_err(|_| ended())?;
    receiver.await.map_err(|_| ended())?
}
