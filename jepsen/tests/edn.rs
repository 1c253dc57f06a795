//! EDN: a golden file of every kind of event and value, and how windows and collections are read.

use std::io::Read;

use quorate_jepsen::edn::{EdnWriter, read_edn};
use quorate_jepsen::event::{Event, EventKind, Process, Value};

/// Every field, every kind of value, and everything that a reader must pass over.
const EVERY_EVENT: &str = include_str!("data/edn/every_event.edn");
/// The same events as they are written.
const WRITTEN: &str = include_str!("data/edn/every_event_written.edn");

fn read(mut input: impl Read) -> Vec<String> {
    let mut written = Vec::new();
    let mut writer = EdnWriter::new(&mut written);
    let mut lines = Vec::new();
    read_edn(&mut input, &mut |event: Event<'_>| {
        lines.push(event.line);
        writer.write(&event)?;
        Ok(())
    })
    .expect("the history is well formed");
    let written = String::from_utf8(written).expect("these histories are UTF-8");
    written.lines().zip(lines).map(|(text, line)| format!("{line} {text}")).collect()
}

fn written(events: &[String]) -> String {
    events.iter().map(|event| format!("{}\n", event.split_once(' ').expect("a line number").1)).collect()
}

/// A file that hands out a few bytes at a time.
struct Slow<'a> {
    rest: &'a [u8],
    bytes: usize,
}

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.bytes.min(buffer.len()).min(self.rest.len());
        buffer[..length].copy_from_slice(&self.rest[..length]);
        self.rest = &self.rest[length..];
        Ok(length)
    }
}

#[test]
fn the_golden_file_is_understood() {
    assert_eq!(written(&read(EVERY_EVENT.as_bytes())), WRITTEN);
}

#[test]
fn what_is_written_is_read_back_to_the_byte() {
    assert_eq!(written(&read(WRITTEN.as_bytes())), WRITTEN);
}

#[test]
fn the_sizes_of_reads_change_nothing() {
    let whole = read(EVERY_EVENT.as_bytes());
    for bytes in [1, 2, 7, 64, 1_000] {
        assert_eq!(read(Slow { rest: EVERY_EVENT.as_bytes(), bytes }), whole, "{bytes}");
    }
}

#[test]
fn events_longer_than_the_first_window_are_read() {
    let long = "x".repeat(300 << 10);
    let line = format!("{{:type :ok, :process 1, :f :read, :value \"{long}\"}}\n");
    let text = line.repeat(5);
    let events = read(text.as_bytes());
    assert_eq!(written(&events), text);
    assert!(events[4].starts_with("5 "));
}

#[test]
fn events_may_stand_in_one_collection() {
    let event = "{:type :invoke, :process 1, :f :read, :value nil}";
    let one_a_line = read(format!("{event}\n{event}\n").as_bytes());
    assert_eq!(read(format!("[{event}\n{event}]").as_bytes()), one_a_line);
    assert_eq!(
        read(format!("; a comment\n({event}, {event})\n;end").as_bytes()),
        [format!("2 {event}"), format!("2 {event}")]
    );
}

#[test]
fn an_event_holds_what_its_map_says() {
    let text =
        r#"{:time 7 :index 3 :process 12 :type :fail :f :cas :value [1 "two"] :error :mismatch :node "n1"}"#;
    let mut count = 0;
    read_edn(&mut text.as_bytes(), &mut |event: Event<'_>| {
        count += 1;
        assert_eq!((event.kind, event.process), (EventKind::Fail, Process::Client(12)));
        assert_eq!((event.time, event.index, event.line), (Some(7), Some(3), 1));
        assert_eq!(event.value, Value::List(vec![Value::integer(1), Value::text("two")]));
        assert_eq!(event.error.name(), Some(&b"mismatch"[..]));
        assert_eq!(event.rest, [(&b":node"[..], &b"\"n1\""[..])]);
        Ok(())
    })
    .expect("the event is well formed");
    assert_eq!(count, 1);
}
