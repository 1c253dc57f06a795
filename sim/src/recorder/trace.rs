//! What happened, line by line.
//!
//! A trace is byte-identical for equal seeds: it has no addresses, paths, process IDs or times of the
//! real world. Its hash is always taken, so that two runs can be compared without writing it.

use std::fmt;
use std::io::{self, Write};

use xxhash_rust::xxh3::Xxh3;

/// Where a trace goes.
pub type TraceSink = Box<dyn Write + Send>;

/// The trace of one run.
pub struct Trace {
    hash: Xxh3,
    lines: u64,
    line: Vec<u8>,
    sink: Option<TraceSink>,
    failure: Option<io::Error>,
}

impl fmt::Debug for Trace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Trace").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl Trace {
    /// A trace that is written to `sink`, or only hashed.
    pub fn new(sink: Option<TraceSink>) -> Self {
        Self { hash: Xxh3::new(), lines: 0, line: Vec::new(), sink, failure: None }
    }

    /// At `time_ns`, `who` did or saw `what`.
    pub fn say(&mut self, time_ns: u64, who: fmt::Arguments<'_>, what: fmt::Arguments<'_>) {
        self.line.clear();
        let (seconds, microseconds) = (time_ns / 1_000_000_000, time_ns / 1_000 % 1_000_000);
        writeln!(self.line, "{seconds:>4}.{microseconds:06} {who} {what}")
            .expect("writing to memory does not fail");
        self.hash.update(&self.line);
        self.lines += 1;
        if let Some(sink) = &mut self.sink
            && let Err(error) = sink.write_all(&self.line)
        {
            self.failure = Some(error);
            self.sink = None;
        }
    }

    /// The hash over all lines, in hexadecimal digits.
    pub fn hash(&self) -> String {
        format!("{:016x}", self.hash.digest())
    }

    /// Brings out what is still on its way, and says whether all of it could be written.
    pub fn finish(&mut self) -> io::Result<()> {
        match (self.failure.take(), &mut self.sink) {
            (Some(error), _) => Err(error),
            (None, Some(sink)) => sink.flush(),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_events_give_equal_hashes() {
        let hash = |time_ns| {
            let mut trace = Trace::new(None);
            trace.say(time_ns, format_args!("n1"), format_args!("starts"));
            trace.hash()
        };
        assert_eq!(hash(1_000_000), hash(1_000_000));
        assert_ne!(hash(1_000_000), hash(2_000_000));
    }
}
