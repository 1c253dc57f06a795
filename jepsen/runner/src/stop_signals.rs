//! Being told to stop: Ctrl-C, `SIGTERM`, and the hangup of a terminal.

use std::io;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that tell a run to stop.
pub struct StopSignals {
    heeded: Vec<Signal>,
}

impl StopSignals {
    /// Hears them from now on. One that was ignored when this process began stays ignored: that is how `nohup` and
    /// shells ask for it.
    ///
    /// # Errors
    ///
    /// What the system refused.
    pub fn hear() -> io::Result<Self> {
        let ignored = ignored_signals(&std::fs::read_to_string("/proc/self/status")?);
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let heeded = kinds.into_iter().filter(|kind| ignored & bit(*kind) == 0).map(signal);
        Ok(Self { heeded: heeded.collect::<io::Result<_>>()? })
    }

    /// Waits for one of them.
    pub async fn told(&mut self) {
        let mut next: FuturesUnordered<_> = self.heeded.iter_mut().map(Signal::recv).collect();
        if next.next().await.is_none() {
            // All are ignored.
            std::future::pending::<()>().await;
        }
    }
}

fn bit(kind: SignalKind) -> u64 {
    1 << (kind.as_raw_value() - 1)
}

/// The signals that a process ignores, one bit each, from its `/proc/self/status`.
fn ignored_signals(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nohup_ignores_is_read() {
        let status =
            "Name:\tx\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n";
        let ignored = ignored_signals(status);
        assert_ne!(ignored & bit(SignalKind::hangup()), 0);
        assert_eq!(ignored & bit(SignalKind::interrupt()), 0);
        assert_eq!(ignored & bit(SignalKind::terminate()), 0);
    }
}
