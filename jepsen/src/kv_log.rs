//! Reader of the key-value histories that Porcupine publishes.
//!
//! One EDN map a line, for example `{:process 9, :type :invoke, :f :append, :key "0", :value "x 9 0 y"}`.
//! `:f` is `:get`, `:put` or `:append`, values are texts, every key is empty at first. The number of the
//! line is the time. Only as much of EDN is read as these files use: a flat map of keywords, integers,
//! texts and `nil`.

use std::collections::BTreeMap;

use crate::history::{Call, History, OperationIndex};
use crate::model::{TextAnswer, TextCall};

/// Why a history cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KvLogError {
    /// A line is not of the form above.
    #[error("line {line}: not an event of a text: {text}")]
    Malformed {
        /// The number of the line, from 1.
        line: u64,
        /// The line.
        text: String,
    },
    /// A process invoked while it had an open operation, or completed without one.
    #[error("line {line}: the event does not fit what process {process} did before")]
    OutOfTurn {
        /// The number of the line, from 1.
        line: u64,
        /// The process.
        process: u64,
    },
}

/// Reads a history.
pub fn read_kv_log(text: &str) -> Result<History<TextCall>, KvLogError> {
    let mut history = History::new();
    let mut open: BTreeMap<u64, OperationIndex> = BTreeMap::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let malformed = || KvLogError::Malformed { line, text: text.to_owned() };
        let event = Event::parse(text).ok_or_else(malformed)?;
        let out_of_turn = KvLogError::OutOfTurn { line, process: event.process };
        if event.kind == ":invoke" {
            let call = event.call().ok_or_else(malformed)?;
            let operation = history.invoke(event.process, event.key.as_bytes(), call, line);
            if open.insert(event.process, operation).is_some() {
                return Err(out_of_turn);
            }
            continue;
        }
        let operation = open.remove(&event.process).ok_or(out_of_turn)?;
        match event.kind.as_str() {
            ":ok" => {
                let call = &history.operations()[operation].call;
                let answer = TextAnswer(if call.is_read() { event.value } else { None });
                if !call.fits(&answer) {
                    return Err(malformed());
                }
                history.ok(operation, answer, line);
            }
            ":fail" => history.failed(operation, line),
            ":info" => history.unknown(operation, line),
            _ => return Err(malformed()),
        }
    }
    Ok(history)
}

struct Event {
    process: u64,
    kind: String,
    function: String,
    key: String,
    value: Option<String>,
}

impl Event {
    fn parse(text: &str) -> Option<Self> {
        let mut fields = fields(text)?;
        let value = match fields.remove(":value")? {
            Field::Text(text) => Some(text),
            Field::Word(word) if word == "nil" => None,
            Field::Word(_) => return None,
        };
        Some(Self {
            process: fields.remove(":process")?.word()?.parse().ok()?,
            kind: fields.remove(":type")?.word()?,
            function: fields.remove(":f")?.word()?,
            key: fields.remove(":key")?.text()?,
            value,
        })
    }

    fn call(&self) -> Option<TextCall> {
        match (self.function.as_str(), &self.value) {
            (":get", None) => Some(TextCall::Get),
            (":put", Some(text)) => Some(TextCall::Put(text.clone())),
            (":append", Some(text)) => Some(TextCall::Append(text.clone())),
            _ => None,
        }
    }
}

enum Field {
    Word(String),
    Text(String),
}

impl Field {
    fn word(self) -> Option<String> {
        match self {
            Self::Word(word) => Some(word),
            Self::Text(_) => None,
        }
    }

    fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Word(_) => None,
        }
    }
}

/// The map of one line.
fn fields(text: &str) -> Option<BTreeMap<String, Field>> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut tokens = Vec::new();
    loop {
        rest = rest.trim_start_matches(|character: char| character.is_whitespace() || character == ',');
        if rest.is_empty() {
            break;
        }
        let (token, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_text(quoted)?,
            None => {
                let end = rest.find(|character: char| character.is_whitespace() || character == ',');
                let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                (Field::Word(word.to_owned()), after)
            }
        };
        tokens.push(token);
        rest = after;
    }
    let mut fields = BTreeMap::new();
    let mut tokens = tokens.into_iter();
    while let Some(name) = tokens.next() {
        fields.insert(name.word()?, tokens.next()?);
    }
    Some(fields)
}

/// A text whose opening quote was read, and what follows its closing quote.
fn quoted_text(text: &str) -> Option<(Field, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((Field::Text(value), &text[index + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}
