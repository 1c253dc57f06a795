//! Writing events.

use std::io::{self, Write};

use crate::event::{Event, Process};

/// Writes events, one map a line.
pub struct EdnWriter<W: Write> {
    output: W,
    line: Vec<u8>,
}

impl<W: Write> EdnWriter<W> {
    /// A writer to `output`, which should be buffered.
    pub fn new(output: W) -> Self {
        Self { output, line: Vec::new() }
    }

    /// Writes one event.
    ///
    /// # Errors
    /// What `output` says.
    pub fn write(&mut self, event: &Event<'_>) -> io::Result<()> {
        let line = &mut self.line;
        line.clear();
        line.push(b'{');
        for (name, number) in [(":index ", event.index), (":time ", event.time)] {
            if let Some(number) = number {
                write!(line, "{name}{number}, ")?;
            }
        }
        write!(line, ":type :{}, :process ", event.kind.name())?;
        match &event.process {
            Process::Client(number) => write!(line, "{number}")?,
            Process::Nemesis(name) => write!(line, ":{name}")?,
        }
        write!(line, ", :f :{}", event.function)?;
        if let Some(key) = &event.key {
            line.extend_from_slice(b", :key ");
            key.write_edn(line);
        }
        line.extend_from_slice(b", :value ");
        event.value.write_edn(line);
        if let Some(expected) = &event.expected {
            line.extend_from_slice(b", :expected ");
            expected.write_edn(line);
        }
        if let Some(revision) = event.revision {
            write!(line, ", :revision {revision}")?;
        }
        if let Some(existed) = event.existed {
            write!(line, ", :existed {existed}")?;
        }
        if !event.error.is_nil() {
            line.extend_from_slice(b", :error ");
            event.error.write_edn(line);
        }
        for (name, value) in &event.rest {
            line.extend_from_slice(b", ");
            line.extend_from_slice(name);
            line.push(b' ');
            line.extend_from_slice(value);
        }
        line.extend_from_slice(b"}\n");
        self.output.write_all(line)
    }

    /// Hands out what was written to.
    ///
    /// # Errors
    /// What the output says when it is flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }
}
