//! Reader of the logs of Jepsen's etcd tests of 2014.
//!
//! One line an event, fields separated by white space: `INFO jepsen.util - PROCESS TYPE FUNCTION VALUE`.
//! One register, without a key. The number of the line is the time, which makes explanations easy to
//! follow in the file.
//!
//! - `:ok :read nil` is an observation: nothing was written yet.
//! - `:fail :cas [a b]` is one too: the register did not hold a.
//! - `:fail :read :timed-out` says nothing.
//! - `:info ... :timed-out` leaves the operation open for ever.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read};

use crate::event::{Event, EventKind, Problem, Process, ReadError, Sink, Value};

const LINE: &str = "INFO jepsen.util - PROCESS TYPE FUNCTION VALUE";

/// Reads the events of a log and gives each to `sink`.
///
/// # Errors
/// The first line that is not an event or that `sink` refuses.
pub fn read_etcd_events(input: &mut dyn Read, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut input = BufReader::new(input);
    let mut text = Vec::new();
    for line in 1_u32.. {
        text.clear();
        let read = input.read_until(b'\n', &mut text).map_err(|error| Problem::from(error).at(line))?;
        if read == 0 {
            break;
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let mut event = event(&text).map_err(|problem| problem.at(line))?;
        event.line = line;
        sink(event).map_err(|problem| problem.at(line))?;
    }
    Ok(())
}

fn event(text: &[u8]) -> Result<Event<'_>, Problem> {
    let line = std::str::from_utf8(text).map_err(|_| Problem::syntax(text, LINE))?;
    let mut fields = line.split_whitespace();
    for expected in ["INFO", "jepsen.util", "-"] {
        match fields.next() {
            Some(field) if field == expected => {}
            Some(_) => return Err(Problem::syntax(text, LINE)),
            None => return Err(Problem::Truncated { expected: LINE }),
        }
    }
    let (Some(process), Some(kind), Some(function)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(Problem::Truncated { expected: LINE });
    };
    let process = match process.parse() {
        Ok(number) => Process::Client(number),
        Err(_) => Process::Nemesis(process.trim_start_matches(':').into()),
    };
    let kind = kind
        .strip_prefix(':')
        .and_then(|kind| EventKind::from_name(kind.as_bytes()))
        .ok_or_else(|| Problem::wrong("type", kind.as_bytes(), ":invoke, :ok, :fail or :info"))?;
    let function = function
        .strip_prefix(':')
        .ok_or_else(|| Problem::wrong("function", function.as_bytes(), "a keyword such as :read"))?;
    let mut event = Event::new(kind, process, function);
    event.value = value(&fields.collect::<Vec<_>>())?;
    Ok(event)
}

fn value<'a>(fields: &[&'a str]) -> Result<Value<'a>, Problem> {
    let word = |word: &'a str| match word {
        "nil" => Value::Nil,
        word => Value::Word(Cow::Borrowed(word.as_bytes())),
    };
    match fields {
        [] => Err(Problem::Truncated { expected: "the value" }),
        [single] if !single.starts_with('[') => Ok(word(single)),
        [first, .., last] if first.starts_with('[') && last.ends_with(']') => {
            let trimmed = fields.iter().map(|field| field.trim_matches(['[', ']']));
            Ok(Value::List(trimmed.map(word).collect()))
        }
        [first, ..] if first.starts_with('[') => Err(Problem::Truncated { expected: "a closing ]" }),
        [_, second, ..] => Err(Problem::syntax(second.as_bytes(), "the end of the line after the value")),
        [single] => Ok(word(single)),
    }
}
