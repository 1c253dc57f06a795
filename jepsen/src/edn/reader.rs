//! Reading events, a window of the file at a time.
//!
//! The window holds at least one event. One that is not complete in it is scanned again when the window
//! has been filled up, so memory is bounded by the longest event, and every event is scanned once but for
//! a few.

use std::io::{ErrorKind, Read};

use super::scanner::{Scanner, Stop};
use crate::event::{Event, EventKind, Problem, Process, ReadError, Sink, Value};

/// Bytes of the first window.
const WINDOW_BYTES: usize = 256 << 10;
/// The longest event. What is longer is a bracket or a quote that nothing closes.
const EVENT_BYTES_MAX: usize = 16 << 20;

const EXPECTED_END: &str = "the end of its map";

/// Reads the events of `input` and gives each to `sink`.
///
/// # Errors
/// The first event that is not one or that `sink` refuses, with its line.
pub fn read_edn(input: &mut dyn Read, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    Reader { window: Vec::new(), begin: 0, end: 0, line: 1, is_at_end: false, close: None, is_closed: false }
        .run(input, sink)
}

struct Reader {
    window: Vec<u8>,
    /// Where what has not been read begins in the window.
    begin: usize,
    /// Where it ends.
    end: usize,
    /// The line of `begin`.
    line: u32,
    /// Whether the file ends where the window does.
    is_at_end: bool,
    /// What closes the collection that holds the events, if one does.
    close: Option<u8>,
    /// Whether it was closed.
    is_closed: bool,
}

/// What stood next in the file.
#[expect(clippy::large_enum_variant, reason = "taken apart at once, and a box would cost every event")]
enum Item<'a> {
    Event(Event<'a>),
    /// The bracket that opens the collection of all events; the one that will close it.
    Opening(u8),
    /// The bracket that closes it.
    Closing,
}

impl Reader {
    fn run(mut self, input: &mut dyn Read, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        loop {
            let mut scanner = Scanner::new(&self.window[self.begin..self.end]);
            let first = scanner.peek();
            let blank = scanner.position();
            let start = self.line_after(blank);
            let stop = match first.and_then(|byte| self.item(byte, &mut scanner)) {
                Ok(item) => {
                    let passed = scanner.position();
                    match item {
                        Item::Event(mut event) => {
                            event.line = start;
                            sink(event).map_err(|problem| problem.at(start))?;
                        }
                        Item::Opening(close) => self.close = Some(close),
                        Item::Closing => self.is_closed = true,
                    }
                    self.line = self.line_after(passed);
                    self.begin += passed;
                    continue;
                }
                Err(stop) => stop,
            };
            match stop {
                Stop::Incomplete if !self.is_at_end && self.end - self.begin < EVENT_BYTES_MAX => {
                    self.fill(input).map_err(|problem| problem.at(start))?;
                }
                // Comments and blanks may end the file; a form may not.
                Stop::Incomplete if self.is_blank_from(blank) => return self.finish(start),
                Stop::Incomplete => return Err(Problem::Truncated { expected: EXPECTED_END }.at(start)),
                Stop::Wrong(problem) => {
                    // A line that breaks off makes no sense together with the next, where the scanner
                    // notices it. The line that breaks off is to blame.
                    let event = &self.window[self.begin + blank..self.begin + scanner.position()];
                    let runs_on = event.windows(2).any(|pair| pair == b"\n{");
                    let truncated = Problem::Truncated { expected: EXPECTED_END };
                    return Err(if runs_on { truncated } else { problem }.at(start));
                }
            }
        }
    }

    /// The next event or bracket. `byte` is the one at the scanner.
    fn item<'a>(&self, byte: u8, scanner: &mut Scanner<'a>) -> Result<Item<'a>, Stop> {
        match byte {
            b'{' if !self.is_closed => event(scanner).map(Item::Event),
            b'#' if !self.is_closed => {
                scanner.word()?;
                match scanner.peek()? {
                    b'{' => event(scanner).map(Item::Event),
                    _ => Err(Problem::syntax(scanner.rest(), "an event after its tag").into()),
                }
            }
            b'[' | b'(' if self.close.is_none() => {
                scanner.pass();
                Ok(Item::Opening(if byte == b'[' { b']' } else { b')' }))
            }
            b']' | b')' if self.close == Some(byte) && !self.is_closed => {
                scanner.pass();
                Ok(Item::Closing)
            }
            _ if self.is_closed => {
                Err(Problem::syntax(scanner.rest(), "nothing after the end of the collection").into())
            }
            _ => {
                Err(Problem::syntax(scanner.rest(), "an event, which is a map such as {:type :invoke}")
                    .into())
            }
        }
    }

    /// The line that is `bytes` further.
    fn line_after(&self, bytes: usize) -> u32 {
        let passed = &self.window[self.begin..self.begin + bytes];
        let lines: usize = passed.iter().map(|byte| usize::from(*byte == b'\n')).sum();
        self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX))
    }

    /// Whether only a comment or nothing follows.
    fn is_blank_from(&self, bytes: usize) -> bool {
        matches!(self.window[self.begin + bytes..self.end].first(), None | Some(b';'))
    }

    fn finish(&self, line: u32) -> Result<(), ReadError> {
        match self.close {
            Some(b']') if !self.is_closed => Err(Problem::Truncated { expected: "a closing ]" }.at(line)),
            Some(_) if !self.is_closed => Err(Problem::Truncated { expected: "a closing )" }.at(line)),
            _ => Ok(()),
        }
    }

    /// Moves what has not been read to the front and reads on behind it.
    fn fill(&mut self, input: &mut dyn Read) -> Result<(), Problem> {
        self.window.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        if self.end * 2 > self.window.len() || self.window.is_empty() {
            let length = (self.window.len() * 2).max(WINDOW_BYTES);
            self.window.resize(length, 0);
        }
        while self.end < self.window.len() {
            match input.read(&mut self.window[self.end..]) {
                Ok(0) => {
                    self.is_at_end = true;
                    return Ok(());
                }
                Ok(bytes) => self.end += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// The fields that every event needs, while they are being found.
#[derive(Default)]
struct Needed<'a> {
    kind: Option<EventKind>,
    process: Option<Process<'a>>,
    function: Option<&'a str>,
}

/// Passes one event. The scanner is at its opening brace.
fn event<'a>(scanner: &mut Scanner<'a>) -> Result<Event<'a>, Stop> {
    scanner.pass();
    let mut event = Event::new(EventKind::Invoke, Process::Client(0), "");
    let mut needed = Needed::default();
    loop {
        match scanner.peek()? {
            b'}' => break,
            b':' => {}
            _ => {
                return Err(Problem::syntax(scanner.rest(), "a keyword or the end of the event's map").into());
            }
        }
        field(scanner.word()?, scanner, &mut event, &mut needed)?;
    }
    scanner.pass();
    let missing = |field, expected| Stop::Wrong(Problem::MissingField { field, expected });
    event.kind = needed.kind.ok_or_else(|| missing(":type", ":invoke, :ok, :fail or :info"))?;
    event.process = needed.process.ok_or_else(|| missing(":process", "an integer or a keyword"))?;
    event.function = needed.function.ok_or_else(|| missing(":f", "a keyword"))?.into();
    Ok(event)
}

/// Passes the value of the field `name` and puts it where it belongs.
fn field<'a>(
    name: &'a [u8],
    scanner: &mut Scanner<'a>,
    event: &mut Event<'a>,
    needed: &mut Needed<'a>,
) -> Result<(), Stop> {
    match name {
        b":type" => {
            let kind = scanner.value()?;
            let found = kind.name().and_then(EventKind::from_name);
            let wrong = || Problem::wrong(":type", &kind.label(), ":invoke, :ok, :fail or :info");
            needed.kind = Some(found.ok_or_else(wrong)?);
        }
        b":process" => {
            let process = scanner.value()?;
            let found = process_of(&process).ok_or_else(|| {
                Problem::wrong(":process", &process.label(), "a number from 0 for a client, or a name")
            })?;
            needed.process = Some(found);
        }
        b":f" => {
            let function = scanner.value()?;
            let found = borrowed_name(&function).and_then(|name| std::str::from_utf8(name).ok());
            needed.function =
                Some(found.ok_or_else(|| Problem::wrong(":f", &function.label(), "a keyword"))?);
        }
        b":value" => event.value = scanner.value()?,
        b":key" => event.key = Some(scanner.value()?),
        b":error" => event.error = scanner.value()?,
        b":expected" => event.expected = Some(scanner.value()?),
        b":time" => event.time = number(":time", scanner)?,
        b":index" => event.index = number(":index", scanner)?,
        b":revision" => event.revision = number(":revision", scanner)?,
        b":existed" => event.existed = truth(scanner)?,
        _ => {
            scanner.peek()?;
            let start = scanner.position();
            scanner.value()?;
            event.rest.push((name, scanner.since(start)));
        }
    }
    Ok(())
}

/// The name that a keyword or an unescaped text is.
fn borrowed_name<'a>(value: &Value<'a>) -> Option<&'a [u8]> {
    match value {
        Value::Word(std::borrow::Cow::Borrowed(word)) => Some(word.strip_prefix(b":").unwrap_or(word)),
        Value::Text(std::borrow::Cow::Borrowed(text)) => Some(text),
        _ => None,
    }
}

fn process_of<'a>(value: &Value<'a>) -> Option<Process<'a>> {
    let name = match value {
        Value::Nil => b"nil",
        _ => borrowed_name(value)?,
    };
    if let Some(number) = integer(name) {
        return Some(Process::Client(number));
    }
    let is_number = name.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
    let name = std::str::from_utf8(name).ok().filter(|_| !is_number)?;
    Some(Process::Nemesis(name.into()))
}

/// A number from 0, or nothing for nil.
fn number(field: &'static str, scanner: &mut Scanner<'_>) -> Result<Option<u64>, Stop> {
    match scanner.value()? {
        Value::Nil => Ok(None),
        Value::Word(word) => match integer(&word) {
            Some(number) => Ok(Some(number)),
            None => Err(Problem::wrong(field, &word, "an integer from 0").into()),
        },
        other => Err(Problem::wrong(field, &other.label(), "an integer from 0").into()),
    }
}

fn truth(scanner: &mut Scanner<'_>) -> Result<Option<bool>, Stop> {
    let value = scanner.value()?;
    match value.label().as_ref() {
        b"nil" => Ok(None),
        b"true" => Ok(Some(true)),
        b"false" => Ok(Some(false)),
        other => Err(Problem::wrong(":existed", other, "true or false").into()),
    }
}

/// Digits as a number.
fn integer(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}
