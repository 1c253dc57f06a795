//! Processes that we start: waiting with a limit, signals, the end of a log.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::Error;

/// How often a process is asked whether it has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Waits for `child` to end; `None` if it still runs after `limit`.
pub fn wait_within(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Sends `signal` to `child`.
pub fn send_signal(child: &Child, signal: Signal) -> Result<(), Error> {
    kill_process(Pid::from_child(child), signal).map_err(|code| Error::Process {
        action: "signalling",
        process: child.id().to_string(),
        source: code.into(),
    })
}

/// The last `bytes_max` bytes of a text file, from the start of a line.
pub fn tail(path: &Path, bytes_max: u64) -> Result<String, Error> {
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        let skipped = length.saturating_sub(bytes_max);
        file.seek(SeekFrom::Start(skipped))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(match text.split_once('\n') {
            Some((_, rest)) if skipped > 0 => rest.to_owned(),
            _ => text,
        })
    };
    read().map_err(Error::file("reading", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_starts_at_a_line() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log");
        std::fs::write(&path, "first\nsecond\nthird\n").expect("writing the log");
        assert_eq!(tail(&path, 1_000).expect("reading"), "first\nsecond\nthird\n");
        assert_eq!(tail(&path, 10).expect("reading"), "third\n");
    }
}
